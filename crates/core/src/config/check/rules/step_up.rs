//! `acr`, `amr` and `max_age` of a rule: what is asked of the user's authentication.

use std::time::Duration;

use crate::config::check::session::{MINUTE, duration};
use crate::config::place::refuse;
use crate::config::table::Table;
use crate::session::step_up::StepUp;

/// The keys.
pub(super) const KEYS: [&str; 3] = ["acr", "amr", "max_age"];

/// As long as a cookie may last. The shortest time is a minute, because the way back from the provider takes some of it.
const MAX_AGE: Duration = Duration::from_hours(24 * 400);

/// The most values of a list, which is sent in an address.
const MAX_VALUES: usize = 16;

/// The longest value, in bytes.
const MAX_VALUE: usize = 256;

pub(super) fn step_up(rule: &Table<'_>) -> StepUp {
    for key in KEYS {
        if rule.has(key) && rule.str("access") == Some("public") {
            refuse!(
                rule.at(key),
                "everyone passes with access = \"public\", so no one is asked",
                "write access = \"signed-in\", or remove {key}"
            );
        }
    }
    StepUp {
        acr: values(rule, "acr"),
        amr: values(rule, "amr"),
        max_age: duration(rule, "max_age", MINUTE, MAX_AGE),
    }
}

/// Values that `acr_values` and a challenge can carry: spaces separate them there, and quotes enclose them.
fn values(rule: &Table<'_>, key: &str) -> Vec<String> {
    let texts = rule.texts(key);
    if rule.has(key) && texts.is_empty() {
        refuse!(rule.at(key), "the list is empty, so nothing is asked", "write a value, or remove the key");
    }
    if texts.len() > MAX_VALUES {
        refuse!(rule.at(key), "there are more than {MAX_VALUES} values");
    }
    let mut values = Vec::new();
    for text in texts {
        let value = text.text;
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
        if value.is_empty() || value.len() > MAX_VALUE || !value.bytes().all(is_plain) {
            refuse!(
                text,
                "{text} is not one value: it has 1 to {MAX_VALUE} visible ASCII characters, no quotes and no spaces",
                "write several values as an array"
            );
        } else if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    values
}
