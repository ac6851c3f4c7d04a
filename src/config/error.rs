//! What is wrong with a configuration: the place, what it is, and the mend.
//!
//! The operator is always the one to act and nothing branches on the kind of mistake, so there are texts here
//! and no variants. Values quoted in them are those of `[vars]`, never a secret's.

use std::fmt;

use thiserror::Error;

/// Everything that was found wrong; at least one thing. Written with one line each.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// One by one, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

/// One thing that is wrong, e.g. `AUTH.rules[1].match: "/admin/(": unclosed group at 7`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}{}{}", if mend.is_empty() { "" } else { "; " }, mend)]
pub struct ConfigError {
    /// Where: a place in the configuration, or the name of a secret.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; empty where the problem says it.
    pub mend: String,
}

/// A place in the configuration, `AUTH.rules[1].match`, or the name of a secret, `AUTH_OKTA_SECRET`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(String);

impl Place {
    /// The whole configuration.
    pub(super) fn root() -> Self {
        Self("AUTH".to_owned())
    }

    /// A secret or variable.
    pub(super) fn env(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The key of that name in this table, written as TOML writes it.
    pub(super) fn key(&self, key: &str) -> Self {
        let bare =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if bare { Self(format!("{}.{key}", self.0)) } else { Self(format!("{}.{}", self.0, quoted(key))) }
    }

    /// The item of that index in this array.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Collects what is wrong while the rest is still being looked at.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ConfigError>);

impl Problems {
    /// Notes what is wrong at `place`.
    pub(super) fn refuse(&mut self, place: &Place, problem: impl Into<String>) {
        self.refuse_and_mend(place, problem, "");
    }

    /// Notes what is wrong at `place`, and what to do about it.
    pub(super) fn refuse_and_mend(
        &mut self,
        place: &Place,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.0.push(ConfigError { place: place.clone(), problem: problem.into(), mend: mend.into() });
    }

    /// The value that was parsed out of `text`; otherwise why not is noted.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        place: &Place,
        text: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|why| self.refuse(place, format!("{}: {why}", quoted(text)))).ok()
    }

    /// The value that `text` stands for among `choices`; otherwise what could have been written is noted.
    pub(super) fn chosen<T: Copy>(&mut self, place: &Place, text: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.refuse(place, format!("{} is not known; {}", quoted(text), suggestion(text, &names)));
        }
        found
    }

    /// Notes a key that a table does not have.
    pub(super) fn unknown_key(&mut self, place: &Place, key: &str, known: &[&str]) {
        self.refuse(place, format!("unknown key; {}", suggestion(key, known)));
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether anything was found wrong at `place` or inside it.
    pub(super) fn concern(&self, place: &Place) -> bool {
        self.0.iter().any(|problem| problem.place.is_within(place))
    }

    /// `value` where nothing was wrong.
    pub(super) fn unless_any<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.0.is_empty() { Ok(value) } else { Err(ConfigErrors(self.0)) }
    }

    /// What was found and this: for where there is no value to go on with.
    pub(super) fn ending_with(mut self, place: &Place, problem: &str, mend: &str) -> ConfigErrors {
        self.refuse_and_mend(place, problem, mend);
        ConfigErrors(self.0)
    }
}

/// `text` in quotes, on one line, shortened, and without the password that a URL may hold.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 100;
    if text.contains(':') && text.contains('@') {
        return "(a URL with credentials)".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// `did you mean "match"?`, or everything there is.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// The name that was probably meant: at most two slips of the pen away, or with the same beginning. Case,
/// `-` and `_` make no difference: `maxAge` is `max_age`.
fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    const LONGEST: usize = 40;
    const SAME_BEGINNING: usize = 4;
    let plain = |name: &str| -> Vec<u8> {
        name.bytes().filter(|b| !matches!(b, b'-' | b'_')).map(|b| b.to_ascii_lowercase()).collect()
    };
    let wrong = plain(wrong);
    if wrong.len() > LONGEST {
        return None;
    }
    let slip = known
        .iter()
        .map(|name| (edit_distance(&wrong, &plain(name)), *name))
        // In a name of three letters, two slips make any other name.
        .filter(|(distance, name)| *distance <= 2 && distance * 2 < name.len().max(wrong.len()))
        .min_by_key(|(distance, _)| *distance);
    let beginning = || {
        known
            .iter()
            .map(|name| (plain(name).iter().zip(&wrong).take_while(|(a, b)| a == b).count(), *name))
            .filter(|(length, _)| *length >= SAME_BEGINNING)
            .max_by_key(|(length, _)| *length)
    };
    slip.or_else(beginning).map(|(_, name)| name)
}

/// How many characters must be added, removed, replaced or swapped with their neighbour (optimal string
/// alignment).
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX);
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = at(&above, j) + usize::from(x != y);
            let mut edits = replaced.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                edits = edits.min(at(&two_above, j - 1) + 1);
            }
            row.push(edits);
        }
        two_above = std::mem::replace(&mut above, row);
    }
    at(&above, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("match", "match", 0),
            ("mathc", "match", 1),
            ("mach", "match", 1),
            ("matches", "match", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), distance, "{a} {b}");
        }
    }

    #[test]
    fn the_name_that_was_meant_is_guessed() {
        let known = ["max_age", "update_age", "absolute_max_age", "host", "to", "authorization"];
        for (wrong, near) in [
            ("maxAge", Some("max_age")),
            ("max-age", Some("max_age")),
            ("absoluteMaximumAge", Some("absolute_max_age")),
            ("hots", Some("host")),
            ("hosts", Some("host")),
            ("authorize", Some("authorization")),
            ("for", None),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, &known), near, "{wrong}");
        }
        assert_eq!(nearest(&"max_age".repeat(1000), &known), None);
    }

    #[test]
    fn a_quoted_value_is_one_short_line_without_credentials() {
        assert_eq!(quoted("a\nb\"\u{1b}"), r#""a\nb\"\u{1b}""#);
        assert_eq!(quoted(&"ä".repeat(101)), format!("\"{}\"...", "ä".repeat(100)));
        assert_eq!(quoted("https://u:hunter2@example.com"), "(a URL with credentials)");
    }

    #[test]
    fn a_place_is_written_as_in_toml() {
        let place = Place::root().key("rules").index(1).key("require");
        assert_eq!(place.key("roles").to_string(), "AUTH.rules[1].require.roles");
        assert_eq!(place.key("user.roles\n").to_string(), r#"AUTH.rules[1].require."user.roles\n""#);
    }
}
