//! Read access to a table of the configuration for the checks: each value by its key, and with its place. The schema was
//! checked before, so a value either has the type of its key or is `null`, which counts as missing.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{quoted, suggestion};
use super::place::{Place, refuse};

/// A table. A table that is not written reads as one without keys.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    members: Option<&'a Map<String, Value>>,
    pub(super) place: Place<'a>,
}

/// A string and its place. `Display` writes it in quotes, for messages.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place<'a>,
}

#[cfg(test)]
thread_local! {
    /// How many values this thread has read from tables: the work of the checks.
    pub(super) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl<'a> Table<'a> {
    pub(super) fn new(members: Option<&'a Map<String, Value>>, place: Place<'a>) -> Self {
        Self { members, place }
    }

    /// The place of that key.
    pub(super) fn at<'b>(&'b self, key: &'b str) -> Place<'b> {
        self.place.key(key)
    }

    /// The value of a key; `null` counts as missing.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        #[cfg(test)]
        READS.set(READS.get() + 1);
        self.members?.get(key).filter(|value| !value.is_null())
    }

    /// Whether a key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether the table is written.
    pub(super) fn is_written(&self) -> bool {
        self.members.is_some()
    }

    /// The string of a key.
    pub(super) fn str(&self, key: &str) -> Option<&'a str> {
        self.value(key)?.as_str()
    }

    /// The string of a key, owned.
    pub(super) fn string(&self, key: &str) -> Option<String> {
        self.str(key).map(str::to_owned)
    }

    /// The string of a key, with its place.
    pub(super) fn text<'b>(&'b self, key: &'b str) -> Option<Text<'b>> {
        Some(Text { text: self.str(key)?, place: self.at(key) })
    }

    /// The flag of a key.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.value(key)?.as_bool()
    }

    /// The duration of a key.
    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        duration(self.value(key)?)
    }

    /// The strings of a key that accepts one string or an array of them.
    pub(super) fn texts<'b>(&'b self, key: &'b str) -> Vec<Text<'b>> {
        let mut texts = Vec::new();
        match self.value(key) {
            Some(Value::String(text)) => texts.push(Text { text, place: self.at(key) }),
            Some(Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    if let Value::String(text) = item {
                        texts.push(Text { text, place: self.place.item(key, i) });
                    }
                }
            }
            _ => {}
        }
        texts
    }

    /// The strings of such a key, owned, without their places.
    pub(super) fn strings(&self, key: &str) -> Vec<String> {
        let mut strings = Vec::new();
        for text in self.texts(key) {
            strings.push(text.text.to_owned());
        }
        strings
    }

    /// The parsed strings of a key. For a string that cannot be parsed, the error is noted as a mistake.
    pub(super) fn parsed<T, E: fmt::Display>(&self, key: &str, parse: fn(&str) -> Result<T, E>) -> Vec<T> {
        let mut all = Vec::new();
        for text in self.texts(key) {
            if let Some(parsed) = text.parsed(parse) {
                all.push(parsed);
            }
        }
        all
    }

    /// The table of a key.
    pub(super) fn table<'b>(&'b self, key: &'b str) -> Table<'b> {
        Table { members: self.value(key).and_then(Value::as_object), place: self.at(key) }
    }

    /// The tables in the array of a key.
    pub(super) fn tables<'b>(&'b self, key: &'b str) -> Vec<Table<'b>> {
        let mut tables = Vec::new();
        let Some(Value::Array(items)) = self.value(key) else { return tables };
        for (i, item) in items.iter().enumerate() {
            if let Value::Object(members) = item {
                tables.push(Table { members: Some(members), place: self.place.item(key, i) });
            }
        }
        tables
    }

    /// All keys and values of the table.
    pub(super) fn names(&self) -> Vec<(&'a str, &'a Value)> {
        let mut names = Vec::new();
        let Some(members) = self.members else { return names };
        for (name, value) in members {
            if !value.is_null() {
                names.push((name.as_str(), value));
            }
        }
        names
    }

    /// All strings of the table. The place of each ends with its key.
    pub(super) fn entries(&self) -> Vec<Text<'_>> {
        let mut entries = Vec::new();
        for (name, value) in self.names() {
            if let Value::String(text) = value {
                entries.push(Text { text, place: self.at(name) });
            }
        }
        entries
    }

    /// The value that `choices` gives for the string of a key. Another string is noted as a mistake, with the allowed ones.
    pub(super) fn chosen<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        for (name, value) in choices {
            if *name == text.text {
                return Some(*value);
            }
        }
        text.refuse_unknown(&choices.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        None
    }
}

impl<'a> Text<'a> {
    /// Another text at the same place, for example this one with its parameters replaced.
    pub(super) fn with<'b>(&self, text: &'b str) -> Text<'b>
    where
        'a: 'b,
    {
        Text { text, place: self.place }
    }

    /// The name of the key.
    pub(super) fn name(&self) -> &'a str {
        self.place.name()
    }

    /// Notes a mistake at this place: see [`refuse`].
    pub(super) fn note(&self, problem: fmt::Arguments<'_>, fix: fmt::Arguments<'_>) {
        self.place.note(problem, fix);
    }

    /// The parsed text. If it cannot be parsed, the error is noted as a mistake.
    pub(super) fn parsed<T, E: fmt::Display>(&self, parse: fn(&str) -> Result<T, E>) -> Option<T> {
        match parse(self.text) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                self.refuse_because(&why);
                None
            }
        }
    }

    /// Notes that this text is wrong, and why.
    pub(super) fn refuse_because(&self, why: &dyn fmt::Display) {
        refuse!(self, "{self}: {why}");
    }

    /// Notes that this text is not one of the `known` values.
    pub(super) fn refuse_unknown(&self, known: &[&str]) {
        let hint = suggestion(self.text, known);
        refuse!(self, "{self} is not a known value; {hint}");
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted(self.text).fmt(f)
    }
}

/// A duration: `"30d"`, `"12h"`, `"15m"`, `"60s"`, or a number of seconds.
pub(super) fn duration(value: &Value) -> Option<Duration> {
    let Value::String(text) = value else { return value.as_u64().map(Duration::from_secs) };
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
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_one_number_with_one_unit() {
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
            let written = duration(&Value::String(text.to_owned()));
            assert_eq!(written.map(|duration| duration.as_secs()), seconds, "{text}");
        }
    }
}
