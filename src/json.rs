//! JSON is read and written here and nowhere else, as [`Value`]s: what serde derives for one more type is some
//! thousand bytes of the Worker, and what is generic over its source is there once for each.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};

/// Any JSON text. Of a name that an object has twice, the last one counts (RFC 8259 section 4).
pub(crate) fn parse(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text)
}

/// The members of an object; `None` for any other text.
pub(crate) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match parse(text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// The members of an object, in their order, a name that is there twice twice.
pub(crate) fn members(text: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let members = json.deserialize_any(Members).ok()?;
    json.end().ok()?;
    members
}

/// The members of an object that has no name twice: where two readers could take different ones.
pub(crate) fn unambiguous_object(text: &[u8]) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for (name, value) in members(text)? {
        if object.insert(name, value).is_some() {
            return None;
        }
    }
    Some(object)
}

/// A value as text.
pub(crate) fn text(value: &Value) -> String {
    // Maps have strings for keys, so nothing can fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// An object of these members; those that are `null` are left out.
pub(crate) fn of(members: &[(&str, Value)]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        object.insert((*name).to_owned(), value.clone());
    }
    object
}

/// A member that is a string.
pub(crate) fn string(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

/// A member that is a whole number, not negative.
pub(crate) fn number(object: &Map<String, Value>, name: &str) -> Option<u64> {
    object.get(name)?.as_u64()
}

/// Says `None` for what is no object. serde's own refusals would write the value into an error, and bring all of
/// the printing of floating point numbers along.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Option<Vec<(String, Value)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Some(members))
    }

    // An array is not even read to its end.
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_is_there_twice_is_the_last_one_or_refused() {
        let twice = br#"{"a":1,"b":2,"a":3}"#;
        assert_eq!(object(twice).map(Value::Object), Some(json!({ "a": 3, "b": 2 })));
        assert_eq!(unambiguous_object(twice), None);
        let all = [("a".to_owned(), json!(1)), ("b".to_owned(), json!(2)), ("a".to_owned(), json!(3))];
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
