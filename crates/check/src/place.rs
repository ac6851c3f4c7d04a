//! Finds the places of the configuration, as the core's messages name them, in the files.

use std::str::Chars;

use crate::document::{At, Node, Written};

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// The beginning of a key that a message cut.
    KeyPrefix(String),
    Index(usize),
}

/// Where `AUTH.rules[1].match` is written; without such a key, the innermost table around it that is. `text` may go on behind
/// the place. `None` if it does not begin with one.
pub(crate) fn find(auth: &Node, begin: &At, text: &str) -> Option<At> {
    let behind = text.strip_prefix("AUTH")?;
    // `AUTH_SECRET` is a variable.
    if behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let (mut node, mut at) = (auth, begin.clone());
    for step in steps(behind) {
        let found = match (&step, &node.value) {
            (Step::Key(key), Written::Table(members)) => members.iter().find(|member| member.key == *key),
            (Step::KeyPrefix(prefix), Written::Table(members)) => {
                members.iter().find(|member| member.key.starts_with(prefix.as_str()))
            }
            (Step::Index(index), Written::Array(items)) => {
                let Some(item) = items.get(*index) else { break };
                (node, at) = (item, item.at.clone());
                continue;
            }
            _ => None,
        };
        let Some(member) = found else { break };
        (node, at) = (&member.value, member.at.clone());
    }
    Some(at)
}

/// The steps at the beginning of a text: `.rules[1].match`.
fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = text.chars();
    loop {
        match rest.next() {
            Some('.') if rest.as_str().starts_with('"') => {
                rest.next();
                let Some(key) = quoted(&mut rest) else { return steps };
                match rest.as_str().strip_prefix("...") {
                    Some(behind) => {
                        rest = behind.chars();
                        steps.push(Step::KeyPrefix(key));
                    }
                    None => steps.push(Step::Key(key)),
                }
            }
            Some('.') => {
                let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let text = rest.as_str();
                let end = text.find(|c| !is_bare(c)).unwrap_or(text.len());
                let (key, behind) = text.split_at(end);
                if key.is_empty() {
                    return steps;
                }
                steps.push(Step::Key(key.to_owned()));
                rest = behind.chars();
            }
            Some('[') => {
                let Some((index, behind)) = rest.as_str().split_once(']') else { return steps };
                let Ok(index) = index.parse() else { return steps };
                steps.push(Step::Index(index));
                rest = behind.chars();
            }
            _ => return steps,
        }
    }
}

/// A text as `{:?}` writes it, without the quote before it.
fn quoted(rest: &mut Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => text.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let (digits, behind) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    *rest = behind.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                other => other,
            }),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::File;

    #[test]
    fn places_are_found_and_otherwise_the_table_around_them() {
        let long = "k".repeat(120);
        let text = format!(
            "base_path = \"/\"\n[[rules]]\nmatch = \"/\"\n[[rules]]\n  [rules.require]\n  \"user.roles\\n\" = 1\n  \"{long}\" = 2\n"
        );
        let auth = File::new("f", text).parse().unwrap();
        let begin = At { file: "f".to_owned(), line: 9, column: 9 };
        let cut = format!("AUTH.rules[1].require.\"{}\"...", "k".repeat(100));
        for (place, line) in [
            ("AUTH", Some(9)),
            ("AUTH.base_path", Some(1)),
            ("AUTH.base_path: what is wrong", Some(1)),
            ("AUTH.rules", Some(2)),
            ("AUTH.rules[1]", Some(4)),
            ("AUTH.rules[1].match", Some(4)),
            ("AUTH.rules[1].require.\"user.roles\\n\"", Some(6)),
            (cut.as_str(), Some(7)),
            ("AUTH.rules[7].match", Some(2)),
            ("AUTH.session.max_age", Some(9)),
            ("AUTH = 1", Some(9)),
            ("AUTH.rules[x", Some(2)),
            ("AUTH.", Some(9)),
            ("AUTH_SECRET", None),
            ("provider okta", None),
        ] {
            assert_eq!(find(&auth, &begin, place).map(|at| at.line), line, "{place}");
        }
    }
}
