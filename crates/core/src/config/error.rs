//! Mistakes in a configuration: where each one is, what is wrong, and how to fix it.
//!
//! The operator has to act in every case, and no code branches on the kind of mistake. So an error has texts and no
//! variants. The texts quote values of `[vars]`, never a secret.

use std::cell::Cell;
use std::fmt;

use thiserror::Error;

/// All mistakes that were found, at least one. `Display` writes one line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            f.write_str(if i > 0 { "\n" } else { "" })?;
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl FromIterator<ConfigError> for ConfigErrors {
    /// These mistakes, of which the caller has at least one.
    fn from_iter<T: IntoIterator<Item = ConfigError>>(errors: T) -> Self {
        Self(errors.into_iter().collect())
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl ConfigErrors {
    /// The mistakes, in the order in which the checks found them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ConfigError> {
        self.0.iter_mut()
    }
}

/// One mistake, e.g. `AUTH.rules[1].match: "/admin/(": unclosed group (at position 7)`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}{}: {problem}{}{}", self.in_parentheses(), if fix.is_empty() { "" } else { "; " }, fix)]
pub struct ConfigError {
    /// Where it is: a place in the configuration, `AUTH.rules[1].match`, or the name of a secret, `AUTH_OKTA_SECRET`.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// How to fix it; empty where the problem says it.
    pub fix: String,
    /// The file or variable that has it, where the configuration is written in two places
    /// ([`Sources`](super::Sources)): `vestibule.toml`.
    pub written_in: Option<String>,
    /// The variable that can be set in place of the key that is missing, if there is one.
    pub variable: Option<String>,
}

impl ConfigError {
    /// A mistake in a place of which nothing more is known.
    pub fn new(place: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        let (place, problem, fix) = (place.into(), problem.into(), fix.into());
        Self { place, problem, fix, written_in: None, variable: None }
    }

    /// Where it is written, as it follows the place; empty if that is not known.
    pub(crate) fn in_parentheses(&self) -> String {
        self.written_in.as_ref().map(|source| format!(" ({source})")).unwrap_or_default()
    }

    /// The secret or variable that is wrong, or that is missing where it or a key has to be set.
    pub fn variable(&self) -> Option<&str> {
        let is_key = self.place.strip_prefix("AUTH").is_some_and(|rest| !rest.starts_with('_'));
        self.variable.as_deref().or_else(|| (!is_key).then_some(self.place.as_str()))
    }
}

/// Collects mistakes while the checks go on. A check that finds a mistake notes it and continues with a placeholder:
/// a configuration with a mistake is never used.
#[derive(Default)]
pub(super) struct Problems(Cell<Vec<ConfigError>>);

impl Problems {
    /// Notes a mistake at a place, and how to fix it.
    pub(super) fn note(&self, place: String, problem: fmt::Arguments<'_>, fix: fmt::Arguments<'_>) {
        let (problem, fix) = (fmt::format(problem), fmt::format(fix));
        let mut noted = self.0.take();
        noted.push(ConfigError { place, problem, fix, written_in: None, variable: None });
        self.0.set(noted);
    }

    /// Says of the last mistake that setting this variable would mend it.
    pub(super) fn note_variable(&self, variable: &str) {
        let mut noted = self.0.take();
        if let Some(last) = noted.last_mut() {
            last.variable = Some(variable.to_owned());
        }
        self.0.set(noted);
    }

    /// How many mistakes were noted.
    pub(super) fn count(&self) -> usize {
        let noted = self.0.take();
        let count = noted.len();
        self.0.set(noted);
        count
    }

    /// Whether a mistake was noted at `place` or inside it.
    pub(super) fn concern(&self, place: &str) -> bool {
        let is_within = |problem: &ConfigError| {
            let rest = problem.place.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let noted = self.0.take();
        let concern = noted.iter().any(is_within);
        self.0.set(noted);
        concern
    }

    /// `made`, if no mistake was noted; otherwise the mistakes.
    pub(super) fn unless_any<T>(self, made: Option<T>) -> Result<T, ConfigErrors> {
        let noted = self.0.into_inner();
        match made {
            Some(made) if noted.is_empty() => Ok(made),
            _ => Err(ConfigErrors(noted)),
        }
    }
}

/// `text` in quotes, on one line, at most 100 characters. A URL with a user name or password is not quoted at all.
pub(super) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

/// See [`quoted`].
pub(super) struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_LENGTH: usize = 100;
        let text = self.0;
        if text.contains(':') && text.contains('@') {
            return f.write_str("(a URL with credentials)");
        }
        match text.char_indices().nth(MAX_LENGTH) {
            Some((end, _)) => write!(f, "{:?}...", text.get(..end).unwrap_or_default()),
            None => write!(f, "{text:?}"),
        }
    }
}

/// `did you mean "match"?` where a known name is similar; otherwise all known names, where there are at most 16.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    const MAX_LISTED: usize = 16;
    match nearest(wrong, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.len() <= MAX_LISTED => format!("known here: {}", known.join(", ")),
        None => "docs/configuration.md lists the known ones".to_owned(),
    }
}

/// The known name that the user probably meant: one that at most two edits change into `wrong`, or one with the same
/// first letters. Case, `-` and `_` are ignored: `maxAge` is `max_age`.
pub(super) fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    const MAX_LENGTH: usize = 40;
    const MIN_COMMON_PREFIX: usize = 4;
    let plain = |name: &str| -> Vec<u8> {
        name.bytes().filter(|b| !matches!(b, b'-' | b'_')).map(|b| b.to_ascii_lowercase()).collect()
    };
    let wrong = plain(wrong);
    if wrong.len() > MAX_LENGTH {
        return None;
    }
    let (mut typo, mut prefix) = (None::<(usize, &str)>, None::<(usize, &str)>);
    for name in known {
        let plain = plain(name);
        let distance = edit_distance(&wrong, &plain);
        // Two edits turn a name of three letters into almost any other one.
        let is_typo = distance <= 2 && distance * 2 < name.len().max(wrong.len());
        if is_typo && typo.is_none_or(|(min, _)| distance < min) {
            typo = Some((distance, name));
        }
        let same = plain.iter().zip(&wrong).take_while(|(a, b)| a == b).count();
        if same >= MIN_COMMON_PREFIX && prefix.is_none_or(|(max, _)| same >= max) {
            prefix = Some((same, name));
        }
    }
    typo.or(prefix).map(|(_, name)| name)
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
    fn the_edit_distance_counts_edits_and_swapped_neighbors() {
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
    fn a_misspelt_name_is_matched_to_the_known_name_that_is_most_similar() {
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
        let text = |text: &str| quoted(text).to_string();
        assert_eq!(text("a\nb\"\u{1b}"), r#""a\nb\"\u{1b}""#);
        assert_eq!(text(&"ä".repeat(101)), format!("\"{}\"...", "ä".repeat(100)));
        assert_eq!(text("https://u:hunter2@example.com"), "(a URL with credentials)");
    }
}
