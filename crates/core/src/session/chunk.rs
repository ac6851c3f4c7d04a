//! A sealed session is longer than a cookie may be: cut into numbered cookies as Auth.js cuts it, and put
//! together from exactly those.

use crate::session::dialect::Dialect;
use vestibule_oidc::http::cookie::Cookies;

/// A session of more cookies is not read, and none such may be written. Browsers keep more, but the servers
/// behind accept no header that long.
pub const MAX_CHUNKS: usize = 16;

/// The longest value of one cookie in characters: the 4096 that browsers keep, less what Auth.js counts for
/// name and attributes.
const fn chunk_size(dialect: Dialect) -> usize {
    match dialect {
        Dialect::AuthJsV5 => 4096 - 160,
        Dialect::NextAuthV4 => 4096 - 163,
    }
}

/// Whether a sealed session of that text can be written and read again.
pub fn fits(value: &str, dialect: Dialect) -> bool {
    value.len() <= MAX_CHUNKS * chunk_size(dialect)
}

/// The cookies, name and value, that carry `value`: `NAME` where one is enough, else `NAME.0`, `NAME.1`, …
pub fn split(name: &str, value: &str, dialect: Dialect) -> Vec<(String, String)> {
    let size = chunk_size(dialect);
    if value.len() <= size {
        return vec![(name.to_owned(), value.to_owned())];
    }
    let mut chunks = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        // A token is ASCII, so this is `size`; of other text no character is cut in two.
        let (chunk, after) = rest.split_at(rest.floor_char_boundary(size));
        chunks.push((piece(name, chunks.len()), chunk.to_owned()));
        rest = after;
    }
    chunks
}

/// The name of a numbered cookie.
pub fn piece(name: &str, number: usize) -> String {
    format!("{name}.{number}")
}

/// A session's value, put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The whole value.
    pub value: String,
    /// The cookies it came from, in order.
    pub names: Vec<String>,
}

/// Reads the session called `name`: the cookie `NAME`, or else `NAME.0` and as many as follow without a gap, up to
/// the first that is shorter than it.
///
/// All but the last are equally long. What follows a shorter one is left over from a longer session: two answers to
/// one browser, of which the second did not know of the first one's cookies.
///
/// Where both forms are there `NAME` is read, alone: it is whole by itself, while numbered cookies may be left
/// over from several writings. Whoever writes a form expires the other in the same response, so both are
/// there only where a browser was told so by somebody else. A cookie without a value is none. `None` too
/// where more than [`MAX_CHUNKS`] follow each other: no session is that long.
pub fn join(cookies: &Cookies, name: &str) -> Option<Found> {
    let filled = |name: &str| cookies.get(name).filter(|value| !value.is_empty());
    if let Some(value) = filled(name) {
        return Some(Found { value: value.to_owned(), names: vec![name.to_owned()] });
    }
    let mut found = Found { value: String::new(), names: Vec::new() };
    loop {
        let chunk = piece(name, found.names.len());
        let Some(value) = filled(&chunk) else { break };
        if found.names.len() == MAX_CHUNKS {
            return None;
        }
        found.value.push_str(value);
        found.names.push(chunk);
        // The whole of so many as long as this one.
        if found.value.len() > value.len() * found.names.len() {
            break;
        }
    }
    (!found.names.is_empty()).then_some(found)
}

/// The cookies of the session called `name` that a request carries, in either form, and that writing `written`
/// does not overwrite: they have to be expired in the same response. With nothing written, all of them.
pub fn stale(cookies: &Cookies, name: &str, written: &[(String, String)]) -> Vec<String> {
    let mut stale = Vec::new();
    for cookie in cookies.names() {
        if is_of_session(cookie, name) && !written.iter().any(|(w, _)| w == cookie) {
            stale.push(cookie.to_owned());
        }
    }
    stale
}

/// Whether a cookie is one of those that carry the session called `name`: `NAME`, or `NAME.` and a number of at
/// most two digits without leading zeros, of which nobody writes larger ones.
pub fn is_of_session(cookie: &str, name: &str) -> bool {
    match cookie.strip_prefix(name).map(str::as_bytes) {
        Some([] | [b'.', b'0'..=b'9'] | [b'.', b'1'..=b'9', b'0'..=b'9']) => true,
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "__Secure-authjs.session-token";
    const DIALECTS: [Dialect; 2] = [Dialect::AuthJsV5, Dialect::NextAuthV4];

    /// A `Cookie` header in which `S` is the session's name.
    fn cookies(header: &str) -> Cookies {
        Cookies::parse(std::iter::once(header.replace('S', NAME).as_str()))
    }

    #[test]
    fn values_are_cut_at_the_sizes_of_authjs() {
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

    #[test]
    fn session_confusion_only_the_exact_names_without_a_gap_are_read() {
        for (header, value, names) in [
            ("S=a", Some("a"), &["S"][..]),
            ("S.0=a; S.1=b", Some("ab"), &["S.0", "S.1"]),
            ("S.1=b; S.2=c; S.0=a", Some("abc"), &["S.0", "S.1", "S.2"]),
            ("S.0=a", Some("a"), &["S.0"]),
            ("S=a; S.0=b; S.1=c", Some("a"), &["S"]),
            ("S.0=b; S.1=c; S=a", Some("a"), &["S"]),
            ("S=; S.0=b", Some("b"), &["S.0"]),
            ("S.0=a; S.2=c", Some("a"), &["S.0"]),
            ("S.0=aaa; S.1=bb; S.2=ccc", Some("aaabb"), &["S.0", "S.1"]),
            ("S.0=aaa; S.1=bbb; S.2=c; S.3=d", Some("aaabbbc"), &["S.0", "S.1", "S.2"]),
            ("S.0=a; S.1=; S.2=c", Some("a"), &["S.0"]),
            ("S.0=a; S.01=b; S.1x=c; S.x=d; Sx=e; S.=f; S.1.0=g; S.-1=h", Some("a"), &["S.0"]),
            ("S.1=a", None, &[]),
            ("S.00=a", None, &[]),
            ("S-legacy=a; xS=b", None, &[]),
            ("S=", None, &[]),
            ("", None, &[]),
        ] {
            let names: Vec<_> = names.iter().map(|name| name.replace('S', NAME)).collect();
            let expected = value.map(|value| Found { value: value.to_owned(), names });
            assert_eq!(join(&cookies(header), NAME), expected, "{header}");
        }
    }

    #[test]
    fn what_is_not_overwritten_is_stale() {
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
        assert_eq!(join(&cookies(&header(MAX_CHUNKS)), NAME).unwrap().value, "a".repeat(MAX_CHUNKS));
        assert_eq!(join(&cookies(&header(MAX_CHUNKS + 1)), NAME), None);
        for dialect in DIALECTS {
            let longest = "a".repeat(MAX_CHUNKS * chunk_size(dialect));
            assert!(fits(&longest, dialect) && longest.len() <= vestibule_oidc::jose::jwe::MAX_TOKEN);
            assert_eq!(split(NAME, &longest, dialect).len(), MAX_CHUNKS);
            assert!(!fits(&format!("{longest}a"), dialect));
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_is_put_together(value in "[A-Za-z0-9._-]{1,12000}") {
            for dialect in DIALECTS {
                let written = split(NAME, &value, dialect);
                let header: Vec<_> = written.iter().rev().map(|(name, value)| format!("{name}={value}")).collect();
                let cookies = Cookies::parse(std::iter::once(header.join("; ").as_str()));
                let names = written.iter().map(|(name, _)| name.clone()).collect();
                prop_assert_eq!(join(&cookies, NAME), Some(Found { value: value.clone(), names }));
                prop_assert!(stale(&cookies, NAME, &written).is_empty());
            }
        }

        #[test]
        fn any_text_is_cut_whole(value in ".{0,9000}") {
            for dialect in DIALECTS {
                let chunks = split(NAME, &value, dialect);
                let whole: String = chunks.iter().map(|(_, chunk)| chunk.as_str()).collect();
                prop_assert_eq!(&whole, &value);
                prop_assert!(chunks.iter().all(|(_, chunk)| chunk.len() <= chunk_size(dialect)));
            }
        }
    }
}
