//! The files of a configuration, read with the place of every key and value.

mod dotenv;
mod jsonc;
mod toml;

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Number, Value};

pub use self::dotenv::{Variable, variables};

/// A file, as it is: its name as messages show it, and its text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The name that was given on the command line, or found beside it.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl File {
    /// A file with this name and content.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The place of a byte of the text.
    pub fn at(&self, offset: usize) -> At {
        let (mut line, mut column) = (1, 1);
        for (at, character) in self.text.char_indices() {
            if at >= offset {
                break;
            }
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        At { file: self.name.clone(), line, column }
    }

    /// The content as a table, with the place of each of its keys.
    ///
    /// # Errors
    /// Everything that keeps the text from being TOML, or the first thing that keeps it from being JSON.
    pub fn parse(&self) -> Result<Node, Vec<SyntaxError>> {
        let is_json = self.name.ends_with(".json") || self.name.ends_with(".jsonc");
        if is_json { jsonc::parse(self) } else { toml::parse(self) }
    }
}

/// A place in a file. Lines and columns count from 1; a column is a character.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The file's name.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}

/// Why a text is neither TOML nor JSON.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// Where.
    pub at: At,
    /// What is wrong there, in the parser's words.
    pub problem: String,
}

/// A value, with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value begins.
    pub at: At,
    /// What it is.
    pub value: Written,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Written {
    /// A string, a number, true, false or null.
    Scalar(Value),
    /// An array.
    Array(Vec<Node>),
    /// A table.
    Table(Vec<Member>),
}

/// A key of a table, with its value.
#[derive(Clone, Debug)]
pub struct Member {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub at: At,
    /// Its value.
    pub value: Node,
}

impl Node {
    fn scalar(at: At, value: impl Into<Value>) -> Self {
        Self { at, value: Written::Scalar(value.into()) }
    }

    /// The key of a table, with its value.
    pub fn member(&self, key: &str) -> Option<&Member> {
        match &self.value {
            Written::Table(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The value at a key of a table.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.member(key).map(|member| &member.value)
    }

    /// The keys of a table; of any other value, none.
    pub fn members(&self) -> &[Member] {
        match &self.value {
            Written::Table(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; of any other value, none.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Written::Array(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Written::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value, Written::Table(_))
    }

    /// This value; if it is a string with a JSON object, that object, all of which is where the string is.
    #[must_use]
    pub fn parsed(&self) -> Self {
        let parsed = self.text().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        parsed.map_or_else(|| self.clone(), |table| self.made_of(Value::Object(table)))
    }

    fn made_of(&self, value: Value) -> Self {
        let at = self.at.clone();
        let value = match value {
            Value::Array(items) => Written::Array(items.into_iter().map(|item| self.made_of(item)).collect()),
            Value::Object(table) => {
                let member = |(key, value)| Member { key, at: at.clone(), value: self.made_of(value) };
                Written::Table(table.into_iter().map(member).collect())
            }
            scalar => Written::Scalar(scalar),
        };
        Self { at: self.at.clone(), value }
    }

    /// The value without places, as wrangler sends it to the Worker.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Written::Scalar(value) => value.clone(),
            Written::Array(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Written::Table(members) => {
                let members = members.iter().map(|member| (member.key.clone(), member.value.to_json()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// This table with the keys of `other` in place of its own. Tables are merged key by key; anything else is replaced.
    #[must_use]
    pub fn overridden_by(mut self, other: &Node) -> Self {
        let (Written::Table(own), Written::Table(others)) = (&mut self.value, &other.value) else {
            return other.clone();
        };
        for member in others {
            match own.iter_mut().find(|known| known.key == member.key) {
                Some(known) => {
                    let value = known.value.clone().overridden_by(&member.value);
                    *known = Member { value, ..member.clone() };
                }
                None => own.push(member.clone()),
            }
        }
        self
    }
}

/// A number of JSON; what JSON cannot write is null, as in `JSON.stringify`.
fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let file = File::new("wrangler.toml", "a = \"ä\" # b\r\nb");
        let at = |offset| file.at(offset).to_string();
        assert_eq!(at(0), "wrangler.toml:1:1");
        assert_eq!(at(7), "wrangler.toml:1:7");
        assert_eq!(at(file.text.len() - 1), "wrangler.toml:2:1");
        assert_eq!(at(usize::MAX), "wrangler.toml:2:2");
    }

    #[test]
    fn a_table_is_overridden_key_by_key_and_an_array_as_a_whole() {
        let parse = |name: &str, text: &str| File::new(name, text).parse().unwrap();
        let below = parse("vestibule.toml", "a = [1, 2]\nb = 1\n[c]\nd = 1\ne = 2");
        let above = parse("wrangler.toml", "a = [3]\n[c]\ne = 5");
        let merged = below.overridden_by(&above);
        let expected = serde_json::json!({"a": [3], "b": 1, "c": {"d": 1, "e": 5}});
        assert_eq!(merged.to_json(), expected);
        let at = |key: &str| merged.get("c").unwrap().member(key).unwrap().at.to_string();
        assert_eq!((at("d").as_str(), at("e").as_str()), ("vestibule.toml:4:1", "wrangler.toml:3:1"));
    }
}
