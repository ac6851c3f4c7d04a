//! Parses JSON objects, with control over duplicate member names, and reads single members.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Parses a JSON object. Of duplicate names the last one wins. `None` for any other text.
pub fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(text).ok()
}

/// Parses a JSON object into its members, in their order and with duplicate names. `None` for any other text.
pub fn members(text: &[u8]) -> Option<Vec<(String, Value)>> {
    serde_json::from_slice(text).ok().map(|Members(members)| members)
}

/// Parses a JSON object that has no duplicate names: two parsers could pick different members of one name. `None` for
/// any other text. Nested objects are not checked.
pub fn unambiguous_object(text: &[u8]) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for (name, value) in members(text)? {
        if object.insert(name, value).is_some() {
            return None;
        }
    }
    Some(object)
}

/// Builds an object from these members and leaves out those that are `null`.
pub fn of(members: &[(&str, Value)]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        object.insert((*name).to_owned(), value.clone());
    }
    object
}

/// The value of a member that is a string.
pub fn string(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

/// The value of a member that is a non-negative integer.
pub fn number(object: &Map<String, Value>, name: &str) -> Option<u64> {
    object.get(name)?.as_u64()
}

/// The members of an object in the order of the text, duplicates included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_duplicate_names_the_last_one_wins_or_the_object_is_rejected() {
        let twice = br#"{"a":1,"b":2,"a":3}"#;
        assert_eq!(object(twice).map(Value::Object), Some(serde_json::json!({ "a": 3, "b": 2 })));
        assert_eq!(unambiguous_object(twice), None);
        let all = [
            ("a".to_owned(), serde_json::json!(1)),
            ("b".to_owned(), serde_json::json!(2)),
            ("a".to_owned(), serde_json::json!(3)),
        ];
        assert_eq!(members(twice), Some(all.to_vec()));
        // Nested objects are not checked.
        assert!(unambiguous_object(br#"{"a":{"b":1,"b":2}}"#).is_some());
    }

    #[test]
    fn a_text_that_is_not_a_json_object_is_none() {
        let deep = "[".repeat(100_000);
        for text in ["", "null", "[]", "\"a\"", "{", "{}x", "{\"a\":}", "{\"a\":\"\\ud800\"}", &deep] {
            assert_eq!(object(text.as_bytes()), None, "{text:.10}");
            assert_eq!(members(text.as_bytes()), None, "{text:.10}");
            assert_eq!(unambiguous_object(text.as_bytes()), None, "{text:.10}");
        }
    }
}
