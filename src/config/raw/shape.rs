//! serde over a JSON value with errors of our own: they name the place, and types instead of values, so
//! that a secret in a wrong place does not end in a log.

use std::fmt::Display;

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::config::error::{Place, Problems};

/// Reads a `T` out of `value`; what is wrong is noted under `place`.
pub(super) fn read<T: DeserializeOwned>(value: &Value, place: &Place, problems: &mut Problems) -> Option<T> {
    let error = match serde_path_to_error::deserialize(Node(value)) {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    let place = error.path().iter().fold(place.clone(), |place, segment| match segment {
        Segment::Seq { index } => place.index(*index),
        Segment::Map { key } | Segment::Enum { variant: key } => place.key(key),
        Segment::Unknown => place,
    });
    match error.into_inner() {
        ShapeError::UnknownKey { key, known } => problems.unknown_key(&place, &key, known),
        other => problems.refuse(&place, other.to_string()),
    }
    None
}

/// Why a value does not have the shape that is asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShapeError {
    #[error("expected {expected}, got {got}")]
    Type { expected: String, got: &'static str },
    #[error("unknown key {key:?}")]
    UnknownKey { key: String, known: &'static [&'static str] },
    #[error("{0}")]
    Other(String),
}

impl Error for ShapeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(got: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = match expected.to_string().as_str() {
            "a map" => "a table".to_owned(),
            "a boolean" => "true or false".to_owned(),
            other => other.to_owned(),
        };
        Self::Type { expected, got: type_name(got) }
    }

    fn invalid_value(got: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(got, expected)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownKey { key: key.to_owned(), known }
    }
}

fn type_name(value: Unexpected<'_>) -> &'static str {
    match value {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "a table",
        _ => "something else",
    }
}

/// A JSON value as a source of data.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(value) => visitor.visit_str(value),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Node))),
            Value::Object(table) => visitor.visit_map(MapDeserializer::new(
                table.iter().map(|(key, value)| (key.as_str(), Node(value))),
            )),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (.., value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

impl IntoDeserializer<'_, ShapeError> for Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
