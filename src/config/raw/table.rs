//! Tables of the configuration, read key by key. What is wrong is noted with its place and with types instead
//! of values, so that a secret in a wrong place does not end in a log.
//!
//! By hand and not through serde: its derived code for these tables would be a quarter of the Worker.

use serde_json::{Map, Value};

use crate::config::error::{Place, Problems};

/// Declares a table: each key once, with its field, its type and how it is read (see [`Table`]'s methods and
/// `value`'s functions).
macro_rules! table {
    ($(#[$doc:meta])* $name:ident<$a:lifetime> { $($field:ident: $type:ty = $how:ident($($with:tt)*),)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(in crate::config) struct $name<$a> {
            $(pub(in crate::config) $field: $type,)*
        }

        impl<$a> $name<$a> {
            /// Reads its keys out of `table`, which may have others beside them.
            pub(in crate::config::raw) fn of(table: &mut $crate::config::raw::table::Table<$a, '_>) -> Self {
                Self { $($field: table.$how($($with)*),)* }
            }
        }
    };
}
pub(super) use table;

/// A table that is being read; it learns its keys as they are asked for.
pub(super) struct Table<'a, 'p> {
    map: &'a Map<String, Value>,
    place: Place,
    known: Vec<&'static str>,
    problems: &'p mut Problems,
}

impl<'a, 'p> Table<'a, 'p> {
    pub(super) fn new(map: &'a Map<String, Value>, place: Place, problems: &'p mut Problems) -> Self {
        Self { map, place, known: Vec::new(), problems }
    }

    /// The value of a key; `null` is none.
    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// What `read` makes of the key's value.
    pub(super) fn key<T>(&mut self, key: &'static str, read: Read<'a, T>) -> Option<T> {
        let value = self.value(key)?;
        read(value, &self.place.key(key), self.problems)
    }

    /// The table at that key; an empty one where there is none.
    pub(super) fn section<T: Default>(&mut self, key: &'static str, of: fn(&mut Table<'a, '_>) -> T) -> T {
        self.table(key, of).unwrap_or_default()
    }

    /// The table at that key.
    pub(super) fn table<T>(&mut self, key: &'static str, of: fn(&mut Table<'a, '_>) -> T) -> Option<T> {
        let value = self.value(key)?;
        read_table(value, &self.place.key(key), self.problems, of)
    }

    /// The tables in the array at that key.
    pub(super) fn tables<T>(&mut self, key: &'static str, of: fn(&mut Table<'a, '_>) -> T) -> Option<Vec<T>> {
        let place = self.place.key(key);
        let Value::Array(items) = self.value(key)? else {
            expected("a sequence", self.map.get(key)?, &place, self.problems);
            return None;
        };
        let item = |(i, item)| read_table(item, &place.index(i), self.problems, of);
        Some(items.iter().enumerate().filter_map(item).collect())
    }

    /// The same where the array is one of the configuration's own, with the index of each: those that could
    /// not be read are left out.
    pub(super) fn numbered<T>(
        &mut self,
        key: &'static str,
        of: fn(&mut Table<'a, '_>) -> T,
    ) -> Vec<(usize, T)> {
        let place = self.place.key(key);
        let Some(value) = self.value(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.problems.refuse(&place, format!("expected an array of tables, written [[vars.AUTH.{key}]]"));
            return Vec::new();
        };
        let item = |(i, item)| Some((i, read_table(item, &place.index(i), self.problems, of)?));
        items.iter().enumerate().filter_map(item).collect()
    }

    /// Whatever names the table at that key has, and what `read` makes of each one's value.
    pub(super) fn names<T>(&mut self, key: &'static str, read: Read<'a, T>) -> Option<Vec<(&'a str, T)>> {
        let value = self.value(key)?;
        let place = self.place.key(key);
        let members = members(value, &place, self.problems)?;
        let member = |(name, value): (&'a String, &'a Value)| {
            Some((name.as_str(), read(value, &place.key(name), self.problems)?))
        };
        Some(members.iter().filter_map(member).collect())
    }

    /// Keys of this table that are a group of their own.
    pub(super) fn part<T>(&mut self, of: fn(&mut Table<'a, '_>) -> T) -> T {
        of(self)
    }

    /// Refuses every key that was not asked for. Those of `unnamed` are known, and proposed to nobody.
    pub(super) fn refuse_unknown(self, unnamed: &[&str]) {
        let named: Vec<&str> = self.known.iter().copied().filter(|key| !unnamed.contains(key)).collect();
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            self.problems.unknown_key(&self.place.key(key), key, &named);
        }
    }
}

/// Makes something of a value; what is wrong with it is noted under the place.
pub(super) type Read<'a, T> = fn(&'a Value, &Place, &mut Problems) -> Option<T>;

/// Reads a table whole. One in which anything is wrong is none: what it lacks would be taken as not written.
pub(super) fn read_table<'a, T>(
    value: &'a Value,
    place: &Place,
    problems: &mut Problems,
    of: fn(&mut Table<'a, '_>) -> T,
) -> Option<T> {
    let before = problems.count();
    let mut table = Table::new(members(value, place, problems)?, place.clone(), problems);
    let read = of(&mut table);
    table.refuse_unknown(&[]);
    (problems.count() == before).then_some(read)
}

fn members<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<&'a Map<String, Value>> {
    if !value.is_object() {
        expected("a table", value, place, problems);
    }
    value.as_object()
}

/// Notes that a value is of another type.
pub(super) fn expected(what: &str, got: &Value, place: &Place, problems: &mut Problems) {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    };
    problems.refuse(place, format!("expected {what}, got {got}"));
}
