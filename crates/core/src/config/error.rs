//! What is wrong with a configuration: the place, what it is, and how to fix it.
//!
//! The operator is always the one to act and nothing branches on the kind of mistake, so there are texts here
//! and no variants. Values quoted in them are those of `[vars]`, never a secret's.

use std::cell::Cell;
use std::fmt;

use thiserror::Error;

/// Everything that was found wrong; at least one thing. Written with one line each.
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

impl ConfigErrors {
    /// One by one, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

/// One thing that is wrong, e.g. `AUTH.rules[1].match: "/admin/(": unclosed group (at position 7)`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}{}{}", if fix.is_empty() { "" } else { "; " }, fix)]
pub struct ConfigError {
    /// Where: a place in the configuration, `AUTH.rules[1].match`, or the name of a secret, `AUTH_OKTA_SECRET`.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// How to fix it; empty where the problem says it.
    pub fix: String,
}

/// Collects what is wrong while the rest is still being looked at. A check that finds something notes it and goes on
/// with whatever it has: nothing is made of a configuration of which anything was noted.
#[derive(Default)]
pub(super) struct Problems(Cell<Vec<ConfigError>>);

impl Problems {
    /// Notes what is wrong at a place, and what to do about it.
    pub(super) fn note(&self, place: String, problem: fmt::Arguments<'_>, fix: fmt::Arguments<'_>) {
        let (problem, fix) = (fmt::format(problem), fmt::format(fix));
        let mut noted = self.0.take();
        noted.push(ConfigError { place, problem, fix });
        self.0.set(noted);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let noted = self.0.take();
        let count = noted.len();
        self.0.set(noted);
        count
    }

    /// Whether anything was found wrong at `place` or inside it.
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

    /// What was made, where nothing was wrong.
    pub(super) fn unless_any<T>(self, made: Option<T>) -> Result<T, ConfigErrors> {
        let noted = self.0.into_inner();
        match made {
            Some(made) if noted.is_empty() => Ok(made),
            _ => Err(ConfigErrors(noted)),
        }
    }
}

/// `text` in quotes, on one line, shortened, and without the password that a URL may hold.
pub(super) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

/// See [`quoted`].
pub(super) struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 100;
        let text = self.0;
        if text.contains(':') && text.contains('@') {
            return f.write_str("(a URL with credentials)");
        }
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{:?}...", text.get(..end).unwrap_or_default()),
            None => write!(f, "{text:?}"),
        }
    }
}

/// `did you mean "match"?`; otherwise everything there is, where that is not too long to read.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    const MOST_LISTED: usize = 16;
    match nearest(wrong, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.len() <= MOST_LISTED => format!("known here: {}", known.join(", ")),
        None => "docs/configuration.md lists the known ones".to_owned(),
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
    let (mut slip, mut beginning) = (None::<(usize, &str)>, None::<(usize, &str)>);
    for name in known {
        let plain = plain(name);
        let distance = edit_distance(&wrong, &plain);
        // In a name of three letters, two slips make any other name.
        let is_slip = distance <= 2 && distance * 2 < name.len().max(wrong.len());
        if is_slip && slip.is_none_or(|(least, _)| distance < least) {
            slip = Some((distance, name));
        }
        let same = plain.iter().zip(&wrong).take_while(|(a, b)| a == b).count();
        if same >= SAME_BEGINNING && beginning.is_none_or(|(most, _)| same >= most) {
            beginning = Some((same, name));
        }
    }
    slip.or(beginning).map(|(_, name)| name)
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
        let text = |text: &str| quoted(text).to_string();
        assert_eq!(text("a\nb\"\u{1b}"), r#""a\nb\"\u{1b}""#);
        assert_eq!(text(&"ä".repeat(101)), format!("\"{}\"...", "ä".repeat(100)));
        assert_eq!(text("https://u:hunter2@example.com"), "(a URL with credentials)");
    }
}
