//! Values with their places.

use serde_json::{Map, Number, Value};

use super::file::At;

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
    pub(super) fn scalar(at: At, value: impl Into<Value>) -> Self {
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
pub(super) fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
