//! Splits a sealed session that is too long for one cookie into numbered cookies, as Auth.js does, and joins them
//! again.

use std::borrow::Cow;

use crate::session::dialect::Dialect;
use vestibule_oidc::http::cookie::Cookies;

/// The maximum number of cookies of one session, for reading and for writing. Browsers keep more, but upstream
/// servers do not accept longer headers.
pub const MAX_CHUNKS: usize = 16;

/// The maximum length of one cookie's value in characters: the 4096 bytes that browsers keep, minus what Auth.js
/// reserves for the name and the attributes.
const fn chunk_size(dialect: Dialect) -> usize {
    match dialect {
        Dialect::AuthJsV5 => 4096 - 160,
        Dialect::NextAuthV4 => 4096 - 163,
    }
}

/// Whether a sealed session fits into [`MAX_CHUNKS`] cookies.
pub fn fits(value: &str, dialect: Dialect) -> bool {
    value.len() <= MAX_CHUNKS * chunk_size(dialect)
}

/// The names and values of the cookies that carry `value`: `NAME` where one is enough, otherwise `NAME.0`, `NAME.1`, …
pub fn split(name: &str, value: &str, dialect: Dialect) -> Vec<(String, String)> {
    let size = chunk_size(dialect);
    if value.len() <= size {
        return vec![(name.to_owned(), value.to_owned())];
    }
    let mut chunks = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        // A token is ASCII, so the boundary is `size`. Other text is not split inside a character.
        let (chunk, after) = rest.split_at(rest.floor_char_boundary(size));
        chunks.push((chunk_name(name, chunks.len()), chunk.to_owned()));
        rest = after;
    }
    chunks
}

/// The name of the numbered cookie `NAME.NUMBER`.
pub fn chunk_name(name: &str, number: usize) -> String {
    [name, ".", &number.to_string()].concat()
}

/// The cookies of a request that may be one session: one cookie, or numbered ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The joined value.
    pub value: Cow<'a, str>,
    /// The positions of the cookies in the request ([`Cookies::positions`]), in the order of their numbers.
    pub positions: Vec<usize>,
}

/// Everything in a request that may be the session called `name`, in order of appearance: first each cookie `NAME`, then
/// the numbered cookies, `NAME.0` and those that follow without a gap, up to the first one that is shorter than those
/// before it.
///
/// All numbered cookies of a session have the same length, except the last. Those after a shorter one are left over
/// from a longer session: the browser got two responses, and the server that sent the second did not see the first
/// one's cookies.
///
/// A browser sends several sessions if there is one for the host and one for its domain, or if another host of the
/// domain has set one. It does not say which cookies belong together, but it sends those of one session in the same
/// place among their namesakes. So the first `NAME.0` goes with the first `NAME.1`, the second with the second. If a
/// number comes more often than another, the last ones are joined, too: one of the others has a namesake before it that
/// belongs to no session.
///
/// A cookie with an empty value counts as absent. More than [`MAX_CHUNKS`] numbered cookies in a row are not a session.
/// The same value twice is one candidate. There are at most `limit` candidates.
pub fn candidates<'a>(cookies: &'a Cookies, name: &str, limit: usize) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    for (position, value) in filled(cookies, name) {
        add(&mut found, limit, Candidate { value: value.into(), positions: vec![position] });
    }
    let mut numbered: Vec<Vec<(usize, &str)>> = Vec::new();
    let is_numbered = |cookie: &str| cookie.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    // One more than a session has, to know whether there are too many. Most sessions need no numbers.
    let most = if cookies.has_any(is_numbered) { MAX_CHUNKS + 1 } else { 0 };
    for number in 0..most {
        let chunks: Vec<_> = filled(cookies, &chunk_name(name, number)).take(limit).collect();
        if chunks.is_empty() {
            break;
        }
        numbered.push(chunks);
    }
    for is_from_the_end in [false, true] {
        let mut rest = numbered.clone();
        if is_from_the_end {
            for chunks in &mut rest {
                chunks.reverse();
            }
        }
        while found.len() < limit && rest.first().is_some_and(|first| !first.is_empty()) {
            if let Some(candidate) = take_first(&mut rest) {
                add(&mut found, limit, candidate);
            }
        }
    }
    found
}

fn filled<'a>(cookies: &'a Cookies, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
    cookies.positions(name).filter(|(_, value)| !value.is_empty())
}

fn add<'a>(found: &mut Vec<Candidate<'a>>, limit: usize, candidate: Candidate<'a>) {
    if found.len() < limit && !found.iter().any(|other| other.value == candidate.value) {
        found.push(candidate);
    }
}

/// Joins the first cookie of each number, and takes them out. `None` if they are too many.
fn take_first(numbered: &mut [Vec<(usize, &str)>]) -> Option<Candidate<'static>> {
    let (mut joined, mut positions) = (String::new(), Vec::new());
    for chunks in numbered {
        if chunks.is_empty() {
            break;
        }
        let (position, value) = chunks.remove(0);
        if positions.len() == MAX_CHUNKS {
            return None;
        }
        joined.push_str(value);
        positions.push(position);
        // The earlier cookies are longer than this one, so it is the last.
        if joined.len() > value.len() * positions.len() {
            break;
        }
    }
    Some(Candidate { value: joined.into(), positions })
}

/// The names of the request's cookies of the session called `name`, in either form, that `written` does not overwrite.
/// The response that sets `written` must expire them. If `written` is empty, these are all cookies of the session.
pub fn stale(cookies: &Cookies, name: &str, written: &[(String, String)]) -> Vec<String> {
    let mut stale = Vec::new();
    for cookie in cookies.names() {
        if is_of_session(cookie, name) && !written.iter().any(|(w, _)| w == cookie) {
            stale.push(cookie.to_owned());
        }
    }
    stale
}

/// Whether a cookie carries the session called `name`: `NAME`, or `NAME.` with a number of at most two digits and no
/// leading zero. Neither Auth.js nor Vestibule writes larger numbers.
pub fn is_of_session(cookie: &str, name: &str) -> bool {
    match cookie.strip_prefix(name).map(str::as_bytes) {
        Some([] | [b'.', b'0'..=b'9'] | [b'.', b'1'..=b'9', b'0'..=b'9']) => true,
        Some(_) | None => false,
    }
}

/// Whether a cookie of the session called `name` is one that [`split`] may have written.
pub fn is_within_limit(cookie: &str, name: &str) -> bool {
    cookie == name || (0..MAX_CHUNKS).any(|number| cookie == chunk_name(name, number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "__Secure-authjs.session-token";
    const DIALECTS: [Dialect; 2] = [Dialect::AuthJsV5, Dialect::NextAuthV4];

    /// Parses a `Cookie` header in which `S` is short for the session's name.
    fn cookies(header: &str) -> Cookies {
        Cookies::parse(std::iter::once(header.replace('S', NAME).as_str()))
    }

    #[test]
    fn values_are_split_at_the_sizes_of_authjs() {
        for (dialect, length, lengths) in [
            (Dialect::AuthJsV5, 1, &[1][..]),
            (Dialect::AuthJsV5, 3936, &[3936]),
            (Dialect::AuthJsV5, 3937, &[3936, 1]),
            (Dialect::AuthJsV5, 7872, &[3936, 3936]),
            (Dialect::AuthJsV5, 7873, &[3936, 3936, 1]),
            (Dialect::NextAuthV4, 3933, &[3933]),
            (Dialect::NextAuthV4, 3934, &[3933, 1]),
        ] {
            let chunks = split(NAME, &"a".repeat(length), dialect);
            assert_eq!(chunks.iter().map(|(_, value)| value.len()).collect::<Vec<_>>(), lengths);
            let names: Vec<_> = chunks.into_iter().map(|(name, _)| name).collect();
            let numbered: Vec<_> = (0..lengths.len()).map(|n| format!("{NAME}.{n}")).collect();
            assert_eq!(names, if lengths.len() == 1 { vec![NAME.to_owned()] } else { numbered });
        }
    }

    fn found(header: &str, limit: usize) -> Vec<(String, Vec<usize>)> {
        let cookies = cookies(header);
        let found = candidates(&cookies, NAME, limit);
        found.into_iter().map(|candidate| (candidate.value.into_owned(), candidate.positions)).collect()
    }

    #[test]
    fn session_confusion_only_the_exact_names_without_a_gap_are_read() {
        for (header, value, positions) in [
            ("S=a", Some("a"), &[0][..]),
            ("S.0=a; S.1=b", Some("ab"), &[0, 1]),
            ("S.1=b; S.2=c; S.0=a", Some("abc"), &[2, 0, 1]),
            ("S.0=a", Some("a"), &[0]),
            ("S=; S.0=b", Some("b"), &[1]),
            ("S.0=a; S.2=c", Some("a"), &[0]),
            ("S.0=aaa; S.1=bb; S.2=ccc", Some("aaabb"), &[0, 1]),
            ("S.0=aaa; S.1=bbb; S.2=c; S.3=d", Some("aaabbbc"), &[0, 1, 2]),
            ("S.0=a; S.1=; S.2=c", Some("a"), &[0]),
            ("S.0=a; S.01=b; S.1x=c; S.x=d; Sx=e; S.=f; S.1.0=g; S.-1=h", Some("a"), &[0]),
            ("S.1=a", None, &[]),
            ("S.00=a", None, &[]),
            ("S-legacy=a; xS=b", None, &[]),
            ("S=", None, &[]),
            ("", None, &[]),
        ] {
            let expected: Vec<_> =
                value.map(|value| (value.to_owned(), positions.to_vec())).into_iter().collect();
            assert_eq!(found(header, 8), expected, "{header}");
        }
    }

    #[test]
    fn shadowing_cookies_every_cookie_that_may_be_the_session_is_found_in_order_of_appearance() {
        for (header, expected) in [
            ("S=a; S=b; S=c", &[("a", &[0][..]), ("b", &[1]), ("c", &[2])][..]),
            // One does not hide the other form.
            ("S=a; S.0=b; S.1=c", &[("a", &[0]), ("bc", &[1, 2])]),
            ("S.0=b; S.1=c; S=a", &[("a", &[2]), ("bc", &[0, 1])]),
            // Both in a row, or each number in a row.
            ("S.0=a; S.1=b; S.0=c; S.1=d", &[("ab", &[0, 1]), ("cd", &[2, 3])]),
            ("S.0=a; S.0=c; S.1=b; S.1=d", &[("ab", &[0, 2]), ("cd", &[1, 3])]),
            // Sessions of different lengths.
            ("S.0=aa; S.1=b; S.0=cc; S.1=dd; S.2=e", &[("aab", &[0, 1]), ("ccdde", &[2, 3, 4])]),
            // A single planted chunk before or after the good ones.
            ("S.0=x; S.0=a; S.1=b", &[("xb", &[0, 2]), ("a", &[1]), ("ab", &[1, 2]), ("x", &[0])]),
            ("S.0=a; S.1=b; S.0=x", &[("ab", &[0, 1]), ("x", &[2]), ("xb", &[2, 1]), ("a", &[0])]),
            // The same value counts once.
            ("S=a; S=a; S.0=a", &[("a", &[0])]),
            ("S.0=a; S.1=b; S.0=a; S.1=b", &[("ab", &[0, 1])]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(value, at)| ((*value).to_owned(), at.to_vec())).collect();
            assert_eq!(found(header, 8), expected, "{header}");
        }
    }

    #[test]
    fn work_bombs_only_so_many_candidates_are_found() {
        let many = (0..100).map(|n| format!("S=a{n}; S.0=b{n}; S.1=c{n}")).collect::<Vec<_>>().join("; ");
        let all = found(&many, 8);
        assert_eq!(all.len(), 8);
        assert_eq!(all.last().unwrap().0, "a7");
        let numbered = (0..100).map(|n| format!("S.0=b{n}; S.1=c{n}")).collect::<Vec<_>>().join("; ");
        assert_eq!(found(&numbered, 8).len(), 8);
        assert_eq!(found(&many, 0), []);
    }

    #[test]
    fn cookies_that_are_not_overwritten_are_stale() {
        for (header, written, stale_names) in [
            ("S=a", &["S"][..], &[][..]),
            ("S=a", &["S.0", "S.1"], &["S"]),
            ("S.0=a; S.1=b", &["S"], &["S.0", "S.1"]),
            ("S.0=a; S.1=b; S.2=c", &["S.0", "S.1"], &["S.2"]),
            ("S.0=a; S.2=c; S.99=d", &["S.0"], &["S.2", "S.99"]),
            ("S=a; S.0=b; other=c", &[], &["S", "S.0"]),
            ("S=; S.3=", &[], &["S", "S.3"]),
            ("S.01=a; S.x=b; Sx=c; S.=d; S.100=e; S.1.0=f; S.00=g", &[], &[]),
        ] {
            let written: Vec<_> =
                written.iter().map(|name| (name.replace('S', NAME), "new".to_owned())).collect();
            let expected: Vec<_> = stale_names.iter().map(|name| name.replace('S', NAME)).collect();
            assert_eq!(stale(&cookies(header), NAME, &written), expected, "{header}");
        }
    }

    #[test]
    fn unbounded_token_of_too_many_chunks_is_not_read() {
        let header = |count: usize| (0..count).map(|n| format!("S.{n}=a")).collect::<Vec<_>>().join("; ");
        assert_eq!(found(&header(MAX_CHUNKS), 8)[0].0, "a".repeat(MAX_CHUNKS));
        assert_eq!(found(&header(MAX_CHUNKS + 1), 8), []);
        for dialect in DIALECTS {
            let longest = "a".repeat(MAX_CHUNKS * chunk_size(dialect));
            assert!(fits(&longest, dialect) && longest.len() <= vestibule_oidc::jose::jwe::MAX_TOKEN);
            assert_eq!(split(NAME, &longest, dialect).len(), MAX_CHUNKS);
            assert!(!fits(&format!("{longest}a"), dialect));
        }
    }

    proptest! {
        #[test]
        fn a_split_value_joins_to_the_same_value(value in "[A-Za-z0-9._-]{1,12000}") {
            for dialect in DIALECTS {
                let written = split(NAME, &value, dialect);
                let header: Vec<_> = written.iter().rev().map(|(name, value)| format!("{name}={value}")).collect();
                let cookies = Cookies::parse(std::iter::once(header.join("; ").as_str()));
                let positions = (0..written.len()).rev().collect();
                prop_assert_eq!(candidates(&cookies, NAME, 8), [Candidate { value: value.as_str().into(), positions }]);
                prop_assert!(stale(&cookies, NAME, &written).is_empty());
            }
        }

        #[test]
        fn any_text_is_split_completely(value in ".{0,9000}") {
            for dialect in DIALECTS {
                let chunks = split(NAME, &value, dialect);
                let whole: String = chunks.iter().map(|(_, chunk)| chunk.as_str()).collect();
                prop_assert_eq!(&whole, &value);
                prop_assert!(chunks.iter().all(|(_, chunk)| chunk.len() <= chunk_size(dialect)));
            }
        }
    }
}
