//! What is written, as checks ask for it: by key, with the place at hand. It was held against the schema before, so
//! that a value is either there and of its type, or is none.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{quoted, suggestion};
use super::place::{Place, refuse};

/// A table; where there is none, one without keys.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    members: Option<&'a Map<String, Value>>,
    pub(super) place: Place<'a>,
}

/// A text, and where it stands. Written into a message, it is in quotes.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn new(members: Option<&'a Map<String, Value>>, place: Place<'a>) -> Self {
        Self { members, place }
    }

    /// The place of that key.
    pub(super) fn at<'b>(&'b self, key: &'b str) -> Place<'b> {
        self.place.key(key)
    }

    /// The value of a key; `null` is none.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.members?.get(key).filter(|value| !value.is_null())
    }

    /// Whether a key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether there is such a table.
    pub(super) fn is_written(&self) -> bool {
        self.members.is_some()
    }

    /// The string of a key.
    pub(super) fn str(&self, key: &str) -> Option<&'a str> {
        self.value(key)?.as_str()
    }

    /// The string of a key, to keep.
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

    /// The strings of a key that may have one or several.
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

    /// The same without their places, to keep.
    pub(super) fn strings(&self, key: &str) -> Vec<String> {
        let mut strings = Vec::new();
        for text in self.texts(key) {
            strings.push(text.text.to_owned());
        }
        strings
    }

    /// What a parser made of the strings of a key; where it made nothing, why not is noted.
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

    /// Every name in it, and its value.
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

    /// Every name in it, which its place ends with, and the string there.
    pub(super) fn entries(&self) -> Vec<Text<'_>> {
        let mut entries = Vec::new();
        for (name, value) in self.names() {
            if let Value::String(text) = value {
                entries.push(Text { text, place: self.at(name) });
            }
        }
        entries
    }

    /// What the string of a key stands for among `choices`; otherwise what could have been written is noted.
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
    /// Another text that was made of it.
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

    /// Notes what is wrong here: see [`refuse`].
    pub(super) fn note(&self, problem: fmt::Arguments<'_>, fix: fmt::Arguments<'_>) {
        self.place.note(problem, fix);
    }

    /// What a parser made of it; otherwise why not is noted.
    pub(super) fn parsed<T, E: fmt::Display>(&self, parse: fn(&str) -> Result<T, E>) -> Option<T> {
        match parse(self.text) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                self.refuse_because(&why);
                None
            }
        }
    }

    /// Notes why it cannot be.
    pub(super) fn refuse_because(&self, why: &dyn fmt::Display) {
        refuse!(self, "{self}: {why}");
    }

    /// Notes that it is none of what could have been written.
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
            let written = duration(&Value::String(text.to_owned()));
            assert_eq!(written.map(|duration| duration.as_secs()), seconds, "{text}");
        }
    }
}
