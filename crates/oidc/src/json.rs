//! JSON objects, read where a name that is there twice matters, and their members.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The members of an object; `None` for any other text.
pub fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(text).ok()
}

/// The members of an object, in their order, a name that is there twice twice.
pub fn members(text: &[u8]) -> Option<Vec<(String, Value)>> {
    serde_json::from_slice(text).ok().map(|Members(members)| members)
}

/// The members of an object that has no name twice: where two readers could take different ones.
pub fn unambiguous_object(text: &[u8]) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for (name, value) in members(text)? {
        if object.insert(name, value).is_some() {
            return None;
        }
    }
    Some(object)
}

/// An object of these members; those that are `null` are left out.
pub fn of(members: &[(&str, Value)]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        object.insert((*name).to_owned(), value.clone());
    }
    object
}

/// A member that is a string.
pub fn string(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

/// A member that is a whole number, not negative.
pub fn number(object: &Map<String, Value>, name: &str) -> Option<u64> {
    object.get(name)?.as_u64()
}

/// An object's members as they are written.
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
    fn a_name_that_is_there_twice_is_the_last_one_or_refused() {
        let twice = br#"{"a":1,"b":2,"a":3}"#;
        assert_eq!(object(twice).map(Value::Object), Some(serde_json::json!({ "a": 3, "b": 2 })));
        assert_eq!(unambiguous_object(twice), None);
        let all = [
            ("a".to_owned(), serde_json::json!(1)),
            ("b".to_owned(), serde_json::json!(2)),
            ("a".to_owned(), serde_json::json!(3)),
        ];
        assert_eq!(members(twice), Some(all.to_vec()));
        // Inside of its members nobody looks.
        assert!(unambiguous_object(br#"{"a":{"b":1,"b":2}}"#).is_some());
    }

    #[test]
    fn what_is_no_object_is_none() {
        let deep = "[".repeat(100_000);
        for text in ["", "null", "[]", "\"a\"", "{", "{}x", "{\"a\":}", "{\"a\":\"\\ud800\"}", &deep] {
            assert_eq!(object(text.as_bytes()), None, "{text:.10}");
            assert_eq!(members(text.as_bytes()), None, "{text:.10}");
            assert_eq!(unambiguous_object(text.as_bytes()), None, "{text:.10}");
        }
    }
}
