//! Splits a sealed session that is too long for one cookie into numbered cookies, as Auth.js does, and joins them
//! again.

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
    format!("{name}.{number}")
}

/// The value of a session's cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedChunks {
    /// The whole value.
    pub value: String,
    /// The names of its cookies, in order.
    pub names: Vec<String>,
}

/// Reads the session called `name`: the cookie `NAME`, or otherwise `NAME.0` and the numbered cookies that follow
/// without a gap, up to the first one that is shorter than those before it.
///
/// All numbered cookies of a session have the same length, except the last. Those after a shorter one are left over
/// from a longer session: the browser got two responses, and the server that sent the second did not see the first
/// one's cookies.
///
/// If both forms are present, only `NAME` is read: it is complete, while the numbered cookies may come from several
/// responses. A response that sets one form expires the other, so both are present only if another party set one of
/// them. A cookie with an empty value counts as absent. Returns `None` if there is no session, and if more than
/// [`MAX_CHUNKS`] numbered cookies follow each other.
pub fn join(cookies: &Cookies, name: &str) -> Option<JoinedChunks> {
    let filled = |name: &str| cookies.get(name).filter(|value| !value.is_empty());
    if let Some(value) = filled(name) {
        return Some(JoinedChunks { value: value.to_owned(), names: vec![name.to_owned()] });
    }
    let mut found = JoinedChunks { value: String::new(), names: Vec::new() };
    loop {
        let chunk = chunk_name(name, found.names.len());
        let Some(value) = filled(&chunk) else { break };
        if found.names.len() == MAX_CHUNKS {
            return None;
        }
        found.value.push_str(value);
        found.names.push(chunk);
        // The earlier cookies are longer than this one, so it is the last.
        if found.value.len() > value.len() * found.names.len() {
            break;
        }
    }
    (!found.names.is_empty()).then_some(found)
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
            let expected = value.map(|value| JoinedChunks { value: value.to_owned(), names });
            assert_eq!(join(&cookies(header), NAME), expected, "{header}");
        }
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
        fn a_split_value_joins_to_the_same_value(value in "[A-Za-z0-9._-]{1,12000}") {
            for dialect in DIALECTS {
                let written = split(NAME, &value, dialect);
                let header: Vec<_> = written.iter().rev().map(|(name, value)| format!("{name}={value}")).collect();
                let cookies = Cookies::parse(std::iter::once(header.join("; ").as_str()));
                let names = written.iter().map(|(name, _)| name.clone()).collect();
                prop_assert_eq!(join(&cookies, NAME), Some(JoinedChunks { value: value.clone(), names }));
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
