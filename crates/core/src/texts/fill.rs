//! Texts with a name in braces: `Sign in with {provider}`. Each language puts the name where its grammar does.

/// A text in two parts: before the name in braces, and after it. A text without one is all before it.
pub fn around<'t>(text: &'t str, placeholder: &str) -> (&'t str, &'t str) {
    let braces = |(at, _): &(usize, &str)| {
        let rest = text.get(at + 1..)?;
        rest.strip_prefix(placeholder)?.strip_prefix('}').map(|after| (*at, after))
    };
    let found = text.match_indices('{').find_map(|brace| braces(&brace));
    found.map_or((text, ""), |(at, after)| (text.get(..at).unwrap_or_default(), after))
}

/// The names in braces. A brace without a name is text.
pub fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_name.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_placeholder_only() {
        assert_eq!(around("Mit {provider} anmelden", "provider"), ("Mit ", " anmelden"));
        assert_eq!(around("{provider} でサインイン", "provider"), ("", " でサインイン"));
        assert_eq!(around("a { b {other} {host}", "host"), ("a { b {other} ", ""));
        for plain in ["", "Sign in", "{", "{host", "host}", "{ host }"] {
            assert_eq!(around(plain, "host"), (plain, ""));
        }
    }

    #[test]
    fn names_in_braces_are_placeholders_and_other_braces_are_text() {
        let names = |text| placeholders(text).collect::<Vec<_>>();
        assert_eq!(names("a {host} {} { b} {provider}"), ["host", "provider"]);
        assert!(names("no } braces {").is_empty());
    }
}
