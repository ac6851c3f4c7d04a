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

/// The members that are to be kept. The map's own `retain` and `remove` have to put a tree in order again, which is
/// more code than all else that a map does.
pub(crate) fn filtered(
    object: &Map<String, Value>,
    keep: &dyn Fn(&str, &Value) -> bool,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in object {
        if keep(name, value) {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}

/// The members but for those of these names.
pub(crate) fn without(object: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    filtered(object, &|name, _| !names.contains(&name))
}

/// The value of a member, in whose place `null` stays.
pub(crate) fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    object.get_mut(name).map(Value::take)
}

/// A value, or an object of `"name": value` pairs, as `serde_json::json!` makes them, without its code at every place
/// where it is used.
macro_rules! json {
    ({ $($name:literal: $value:expr),* $(,)? }) => {
        $crate::json::object_of(&[$(($name, &$value as &dyn $crate::json::ToJson)),*])
    };
    ($value:expr) => {
        $crate::json::ToJson::to_json(&$value)
    };
}
pub(crate) use json;

/// What [`json!`] makes of pairs.
pub(crate) fn object_of(members: &[(&str, &dyn ToJson)]) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert((*name).to_owned(), value.to_json());
    }
    Value::Object(object)
}

/// What [`json!`] takes; `None` is `null`.
pub(crate) trait ToJson {
    fn to_json(&self) -> Value;
}

impl ToJson for Value {
    fn to_json(&self) -> Value {
        self.clone()
    }
}

impl ToJson for Map<String, Value> {
    fn to_json(&self) -> Value {
        Value::Object(self.clone())
    }
}

impl ToJson for str {
    fn to_json(&self) -> Value {
        self.into()
    }
}

impl ToJson for String {
    fn to_json(&self) -> Value {
        self.as_str().into()
    }
}

impl ToJson for u64 {
    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToJson::to_json)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(ToJson::to_json).collect())
    }
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
    fn the_macro_is_that_of_serde_json() {
        let (text, none, list) = ("a".to_owned(), None::<u64>, vec!["x", "y"]);
        let map = object(br#"{"m":[1,null]}"#).unwrap();
        assert_eq!(
            super::json!({ "a": text, "b": "b", "c": 7_u64, "d": none, "e": list, "f": map, "g": Some(Value::Null) }),
            serde_json::json!({ "a": text, "b": "b", "c": 7_u64, "d": none, "e": list, "f": map, "g": null })
        );
        assert_eq!(super::json!({}), serde_json::json!({}));
        assert_eq!(super::json!(text), serde_json::json!(text));
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
