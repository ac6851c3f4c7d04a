//! The small values that a configuration is made of.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::Value;

use crate::config::error::{Place, quoted};

/// A span of time: `"30d"`, `"12h"`, `"15m"`, `"60s"`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Span(pub(in crate::config) Duration);

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let unit = match text.chars().next_back()? {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return None,
        };
        let digits = text.get(..text.len() - 1)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
        Some(Self(Duration::from_secs(seconds)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;

        impl Visitor<'_> for SpanVisitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like \"30d\", \"12h\", \"15m\" or \"60s\", or whole seconds")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Span, E> {
                Ok(Span(Duration::from_secs(seconds)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| {
                    E::custom(format!(
                        "{} is no duration; write it like \"30d\", \"12h\", \"15m\" or \"60s\", or as a number of seconds",
                        quoted(text)
                    ))
                })
            }
        }

        deserializer.deserialize_any(SpanVisitor)
    }
}

/// One string, or an array of them.
#[derive(Clone, Debug)]
pub(in crate::config) struct Strings {
    values: Vec<String>,
    is_array: bool,
}

impl Strings {
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Each with its place, where `place` is that of the whole.
    pub(in crate::config) fn iter(&self, place: &Place) -> impl Iterator<Item = (Place, &str)> {
        let place = |i| if self.is_array { place.index(i) } else { place.clone() };
        self.values.iter().enumerate().map(move |(i, value)| (place(i), value.as_str()))
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringsVisitor;

        impl<'de> Visitor<'de> for StringsVisitor {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Strings, E> {
                Ok(Strings { values: vec![value.to_owned()], is_array: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strings, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(Strings { values, is_array: true })
            }
        }

        deserializer.deserialize_any(StringsVisitor)
    }
}

/// A string, a number, true or false.
#[derive(Clone, Debug)]
pub(in crate::config) struct Scalar(pub(in crate::config) Value);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)) => Ok(Self(value)),
            other => Err(Error::invalid_type(unexpected(&other), &"a string, a number, true or false")),
        }
    }
}

/// What is asked of a claim: one scalar, an array of them, or a table.
#[derive(Clone, Debug)]
pub(in crate::config) enum Asked {
    AnyOf(Vec<Value>),
    Table(AskedTable),
}

/// `{ not = … }`, `{ exists = … }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct AskedTable {
    pub(in crate::config) not: Option<Scalars>,
    pub(in crate::config) exists: Option<bool>,
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AskedVisitor;

        impl AskedVisitor {
            fn one(value: impl Into<Value>) -> Asked {
                Asked::AnyOf(vec![value.into()])
            }
        }

        impl<'de> Visitor<'de> for AskedVisitor {
            type Value = Asked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, true or false, an array of them, or { not = ... } or { exists = ... }")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Asked, E> {
                Ok(Self::one(value))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Asked, E> {
                Ok(Self::one(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Asked, E> {
                Ok(Self::one(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Asked, E> {
                Ok(Self::one(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Asked, E> {
                Ok(Self::one(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Asked, A::Error> {
                Scalars::deserialize(SeqAccessDeserializer::new(items)).map(|values| Asked::AnyOf(values.0))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Asked, A::Error> {
                AskedTable::deserialize(MapAccessDeserializer::new(table)).map(Asked::Table)
            }
        }

        deserializer.deserialize_any(AskedVisitor)
    }
}

/// One scalar, or an array of them.
#[derive(Clone, Debug)]
pub(in crate::config) struct Scalars(pub(in crate::config) Vec<Value>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match Value::deserialize(deserializer)? {
            Value::Array(values) => values,
            value => vec![value],
        };
        match values.iter().find(|value| matches!(value, Value::Null | Value::Array(_) | Value::Object(_))) {
            None => Ok(Self(values)),
            Some(other) => {
                let expected = "a string, a number, true or false, or an array of them";
                Err(Error::invalid_type(unexpected(other), &expected))
            }
        }
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
        _ => Unexpected::Unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        for (text, seconds) in [
            ("30d", Some(2_592_000)),
            ("12h", Some(43_200)),
            ("15m", Some(900)),
            ("60s", Some(60)),
            ("0s", Some(0)),
            ("", None),
            ("d", None),
            ("30", None),
            ("30D", None),
            ("30 d", None),
            ("+30d", None),
            ("-1d", None),
            ("1.5h", None),
            ("1h30m", None),
            ("1ä", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(Span::parse(text).map(|span| span.0.as_secs()), seconds, "{text}");
        }
    }
}
