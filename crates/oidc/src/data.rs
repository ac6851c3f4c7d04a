//! Paths into JSON data: the location of a value in a provider's response or in a session.

mod source;
mod template;

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

pub use source::Source;
pub use template::{Template, scalar_text};

/// A dotted path such as `profile.realm_access.roles`. A number indexes an array (`errors.0.code`). A name that
/// contains dots, such as a namespaced claim, is written in double quotes (`profile."https://example.com/roles"`). The
/// first name is the root: a member of the data's top-level object. A path of the root alone is the whole value of that
/// member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPath {
    root: String,
    rest: Vec<String>,
}

/// More segments than any configuration needs.
const MAX_SEGMENTS: usize = 16;

impl DataPath {
    /// Parses a path. The text is neither trimmed nor repaired.
    pub fn parse(text: &str) -> Result<Self, DataPathError> {
        let mut segments = Segments { whole: text, rest: text, at: 0 };
        let root = segments.next_segment()?;
        let mut rest = Vec::new();
        while segments.skip_dot()? {
            if rest.len() + 1 == MAX_SEGMENTS {
                return Err(DataPathError::TooDeep);
            }
            rest.push(segments.next_segment()?);
        }
        Ok(Self { root, rest })
    }

    /// The path of these names.
    pub fn new<'a>(root: &str, rest: impl IntoIterator<Item = &'a str>) -> Self {
        Self { root: root.to_owned(), rest: rest.into_iter().map(str::to_owned).collect() }
    }

    /// The first name.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The names after the root; none where the path is the root alone.
    pub fn rest(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rest.iter().map(String::as_str)
    }

    /// Whether this path is `other` or a path inside it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.root == other.root && self.rest.starts_with(&other.rest)
    }

    /// The value at this path, `None` where there is none. A `null` counts as a value.
    pub fn lookup<'a>(&self, data: &'a Map<String, Value>) -> Option<&'a Value> {
        self.within(data.get(&self.root)?)
    }

    /// The value at this path, where `root` is the value of the path's root.
    pub fn within<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        let mut value = root;
        for name in &self.rest {
            value = member(value, name)?;
        }
        Some(value)
    }

    /// The value at this path in `data`. Here the root may also index an array.
    pub fn inside<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        self.within(member(data, &self.root)?)
    }

    /// Puts `value` at this path. Creates the objects on the way, and replaces other values there. A number is a
    /// member's name here, not an index.
    pub fn place(&self, data: &mut Map<String, Value>, value: Value) {
        let mut slot = data.entry(self.root.clone()).or_insert(Value::Null);
        for name in &self.rest {
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            let Value::Object(object) = slot else { return };
            slot = object.entry(name.clone()).or_insert(Value::Null);
        }
        *slot = value;
    }

    /// Removes the value at this path; an item of an array becomes `null`, so that the others keep their index.
    pub fn remove(&self, data: &mut Map<String, Value>) {
        let Some((last, way)) = self.rest.split_last() else {
            data.remove(&self.root);
            return;
        };
        let Some(mut value) = data.get_mut(&self.root) else { return };
        for name in way {
            let next = match value {
                Value::Object(object) => object.get_mut(name),
                Value::Array(items) => index(name).and_then(|index| items.get_mut(index)),
                _ => None,
            };
            let Some(next) = next else { return };
            value = next;
        }
        match value {
            Value::Object(object) => drop(object.remove(last)),
            Value::Array(items) => {
                if let Some(item) = index(last).and_then(|index| items.get_mut(index)) {
                    *item = Value::Null;
                }
            }
            _ => {}
        }
    }
}

/// The path as a configuration spells it: parsing the text gives the same path.
impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |f: &mut fmt::Formatter<'_>, name: &str| {
            if name.contains(is_special) || is_url(name) {
                write!(f, "\"{name}\"")
            } else {
                f.write_str(name)
            }
        };
        name(f, &self.root)?;
        for segment in &self.rest {
            f.write_str(".")?;
            name(f, segment)?;
        }
        Ok(())
    }
}

/// Why a text is not a path. Positions count characters from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataPathError {
    /// A name is missing before, between or after the dots.
    #[error("a name is missing at position {0}")]
    MissingName(usize),
    /// A character that an unquoted name must not contain.
    #[error("unexpected {character:?} at position {at}")]
    Character {
        /// The character.
        character: char,
        /// Its position.
        at: usize,
    },
    /// A name that is a URL and has no quotes, so that its dots would separate names; the path as it is probably meant.
    #[error("a name with dots needs double quotes: write '{0}'")]
    Unquoted(String),
    /// A quote without its closing quote.
    #[error("the quote at position {0} is not closed")]
    UnclosedQuote(usize),
    /// More than 16 names.
    #[error("the path has more than 16 names")]
    TooDeep,
}

struct Segments<'a> {
    whole: &'a str,
    rest: &'a str,
    at: usize,
}

impl Segments<'_> {
    /// Skips the dot between two segments; false at the end of the text.
    fn skip_dot(&mut self) -> Result<bool, DataPathError> {
        match self.rest.chars().next() {
            None => Ok(false),
            Some('.') => {
                self.advance(1, 1);
                Ok(true)
            }
            Some(character) => Err(DataPathError::Character { character, at: self.at }),
        }
    }

    fn next_segment(&mut self) -> Result<String, DataPathError> {
        let start = self.at;
        let name = if let Some(quoted) = self.rest.strip_prefix('"') {
            let (name, _) = quoted.split_once('"').ok_or(DataPathError::UnclosedQuote(start))?;
            let name = name.to_owned();
            self.advance(name.len() + 2, name.chars().count() + 2);
            name
        } else {
            let end = self.rest.find('.').unwrap_or(self.rest.len());
            let name = self.rest.get(..end).unwrap_or_default().to_owned();
            if is_url(&name) {
                return Err(DataPathError::Unquoted(quoted_from(
                    self.whole,
                    self.whole.len() - self.rest.len(),
                )));
            }
            if let Some((before, character)) = name.chars().enumerate().find(|(_, c)| is_special(*c)) {
                return Err(DataPathError::Character { character, at: start + before });
            }
            self.advance(end, name.chars().count());
            name
        };
        if name.is_empty() { Err(DataPathError::MissingName(start)) } else { Ok(name) }
    }

    fn advance(&mut self, bytes: usize, characters: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.at += characters;
    }
}

/// Whether an unquoted name must not contain `c`: separators, the syntax of other path notations, invisible characters.
fn is_special(c: char) -> bool {
    matches!(c, '.' | '"' | '\'' | '[' | ']' | '{' | '}' | '$' | '*') || c.is_whitespace() || c.is_control()
}

/// Whether a name is the beginning of a URL, as in a namespaced claim (`https://example.com/roles`).
fn is_url(name: &str) -> bool {
    name.contains("://")
}

/// The path with quotes around everything from a byte on.
fn quoted_from(path: &str, start: usize) -> String {
    let (before, name) = path.split_at_checked(start).unwrap_or((path, ""));
    format!("{before}\"{}\"", name.replace('"', ""))
}

/// A member by name, or an item by index. An index has digits only: `usize::from_str` would accept `+1` too.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(name),
        Value::Array(items) => items.get(index(name)?),
        _ => None,
    }
}

fn index(name: &str) -> Option<usize> {
    name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is not an object"),
        }
    }

    #[test]
    fn a_path_leads_through_objects_and_arrays() {
        let data = map(json!({
            "profile": { "email": "a@b.c", "roles": ["x", { "code": 7 }], "none": null, "0": "zero",
                         "https://example.com/roles": ["admin"] },
            "flag": true,
        }));
        for (path, found) in [
            ("profile.email", Some(json!("a@b.c"))),
            ("profile.roles.0", Some(json!("x"))),
            ("profile.roles.1.code", Some(json!(7))),
            ("profile.0", Some(json!("zero"))),
            ("profile.none", Some(json!(null))),
            ("profile.\"https://example.com/roles\".0", Some(json!("admin"))),
            ("flag", Some(json!(true))),
            ("profile.roles", Some(json!(["x", { "code": 7 }]))),
            ("profile.roles.2", None),
            ("profile.roles.+1", None),
            ("profile.roles.length", None),
            ("profile.roles.99999999999999999999", None),
            ("profile.none.x", None),
            ("flag.x", None),
            ("Profile", None),
        ] {
            assert_eq!(DataPath::parse(path).unwrap().lookup(&data), found.as_ref(), "{path}");
        }
    }

    #[test]
    fn an_invalid_path_is_rejected_with_the_position_of_the_error() {
        for (text, error) in [
            ("", DataPathError::MissingName(0)),
            (".a", DataPathError::MissingName(0)),
            ("a..b", DataPathError::MissingName(2)),
            ("ä.b.", DataPathError::MissingName(4)),
            ("a.\"\"", DataPathError::MissingName(2)),
            ("a b", DataPathError::Character { character: ' ', at: 1 }),
            ("ä.b[0]", DataPathError::Character { character: '[', at: 3 }),
            ("{a}", DataPathError::Character { character: '{', at: 0 }),
            ("a.\"b\"c", DataPathError::Character { character: 'c', at: 5 }),
            ("a.b\"c\"", DataPathError::Character { character: '"', at: 3 }),
            ("a.\"b.c", DataPathError::UnclosedQuote(2)),
            (
                "profile.https://example.com/roles",
                DataPathError::Unquoted("profile.\"https://example.com/roles\"".to_owned()),
            ),
            ("http://localhost", DataPathError::Unquoted("\"http://localhost\"".to_owned())),
            ("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", DataPathError::TooDeep),
        ] {
            assert_eq!(DataPath::parse(text), Err(error), "{text}");
        }
        assert!(DataPath::parse("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a").is_ok());
    }

    #[test]
    fn placing_a_value_creates_the_objects_on_the_way() {
        let mut data = map(json!({ "user": { "name": "N" }, "flat": 1 }));
        for (path, value) in [
            ("user.roles", json!(["a"])),
            ("new.deep.er", json!(2)),
            ("flat.x", json!(3)),
            ("top", json!(4)),
            ("user.name", json!("M")),
        ] {
            let path = DataPath::parse(path).unwrap();
            path.place(&mut data, value.clone());
            assert_eq!(path.lookup(&data), Some(&value));
        }
        assert_eq!(
            Value::Object(data),
            json!({ "user": { "name": "M", "roles": ["a"] }, "new": { "deep": { "er": 2 } }, "flat": { "x": 3 },
                    "top": 4 })
        );
    }

    #[test]
    fn removing_a_value_leaves_everything_else_where_it_is() {
        let data = json!({ "a": { "b": 1, "c": [{ "d": 1 }, 2, 3] }, "e": 4 });
        for (path, rest) in [
            ("a", json!({ "e": 4 })),
            ("a.b", json!({ "a": { "c": [{ "d": 1 }, 2, 3] }, "e": 4 })),
            ("a.c.0.d", json!({ "a": { "b": 1, "c": [{}, 2, 3] }, "e": 4 })),
            ("a.c.1", json!({ "a": { "b": 1, "c": [{ "d": 1 }, null, 3] }, "e": 4 })),
            ("a.c.9", data.clone()),
            ("a.x.y", data.clone()),
            ("e.x", data.clone()),
            ("x", data.clone()),
        ] {
            let mut left = map(data.clone());
            DataPath::parse(path).unwrap().remove(&mut left);
            assert_eq!(Value::Object(left), rest, "{path}");
        }
    }

    #[test]
    fn a_path_is_within_itself_and_its_prefixes_only() {
        let path = |text| DataPath::parse(text).unwrap();
        assert!(path("user.roles").is_within(&path("user")));
        assert!(path("user").is_within(&path("user")));
        assert!(!path("user").is_within(&path("user.roles")));
        assert!(!path("users.roles").is_within(&path("user")));
    }

    proptest! {
        #[test]
        fn a_displayed_path_parses_back_unchanged(text in "[a-zäß0-9.\" {]{0,24}") {
            if let Ok(path) = DataPath::parse(&text) {
                prop_assert_eq!(DataPath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
