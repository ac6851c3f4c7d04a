//! What the tables of differences look at: tokens as a reader sees them that forgives everything.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use vestibule_core::json;

/// Reads what an encoder would not have written: padding, and bits that are left over.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// base64url.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// base64url, in whatever form: characters of no alphabet are left out, those of the other one count.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let kept: String = text
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            c => c,
        })
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    FORGIVING.decode(&kept).unwrap_or_default()
}

/// Whether the text is what an encoder writes.
pub(crate) fn is_canonical(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok()
}

/// A token's parts and its header.
pub(crate) struct Token<'a> {
    pub(crate) parts: Vec<&'a str>,
    /// The members of the header, those of one name included.
    header: Vec<(String, Value)>,
}

impl<'a> Token<'a> {
    pub(crate) fn of(token: &'a str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let header = json::members(&decode(parts[0])).unwrap_or_default();
        Self { parts, header }
    }

    /// A parameter of the header; the last one of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&Value> {
        self.header.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// Whether two parameters have one name.
    pub(crate) fn has_duplicates(&self) -> bool {
        let names: std::collections::BTreeSet<&str> =
            self.header.iter().map(|(name, _)| name.as_str()).collect();
        names.len() < self.header.len()
    }

    /// Whether one of the parts is not what an encoder writes.
    pub(crate) fn is_encoded_otherwise(&self) -> bool {
        !self.parts.iter().all(|part| is_canonical(part))
    }
}

/// Whether two JSON values are the same to JavaScript: numbers are doubles, and the order of members does not count.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}
