//! Placeholders in contracts: the values that differ from attempt to attempt, and values that repeat.

use std::collections::BTreeMap;

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

/// The values by their names.
pub type Values = BTreeMap<&'static str, String>;

/// How a value is encoded at its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Plain,
    /// `application/x-www-form-urlencoded`
    Form,
}

/// `text` with each `{name}` replaced by its value. An unknown name stays as it is.
pub fn fill(text: &str, values: &Values, write: Write) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let known = behind.split_once('}').and_then(|(name, rest)| Some((values.get(name)?, rest)));
        let Some((value, behind)) = known else {
            filled.push('{');
            rest = behind;
            continue;
        };
        match write {
            Write::Plain => filled.push_str(value),
            Write::Form => filled.extend(byte_serialize(value.as_bytes())),
        }
        rest = behind;
    }
    filled + rest
}

/// The same in every text of `value`. `"{now}"` and `"{now+60}"` become numbers.
pub fn fill_json(value: &Value, values: &Values, now: u64) -> Value {
    match value {
        Value::String(text) => match instant(text, now) {
            Some(instant) => Value::from(instant),
            None => Value::from(fill(text, values, Write::Plain)),
        },
        Value::Array(items) => items.iter().map(|item| fill_json(item, values, now)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fill_json(value, values, now))).collect()
        }
        other => other.clone(),
    }
}

fn instant(text: &str, now: u64) -> Option<u64> {
    let offset = text.strip_prefix("{now")?.strip_suffix('}')?;
    match offset.split_at_checked(1) {
        None => Some(now),
        Some(("+", seconds)) => Some(now + seconds.parse::<u64>().ok()?),
        Some(("-", seconds)) => Some(now - seconds.parse::<u64>().ok()?),
        Some(_) => None,
    }
}
