//! The changes to a request's header fields before the request is forwarded to an upstream. A forwarded request keeps
//! most of its fields, so only the changes are computed, and only the changes are passed to the platform.

use std::fmt;

use crate::http::headers::Headers;
use crate::http::place::Place;

/// Changes to header fields, applied in their order.
#[derive(Clone, Default)]
pub struct Changes {
    text: String,
    changes: Vec<(Kind, Place)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Remove,
    Set,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Removes every field of that name.
    Remove(&'a str),
    /// Replaces all fields of that name by one with this value.
    Set(&'a str, &'a str),
}

impl Changes {
    /// None, with room for so many, whose names and values have so many bytes together.
    pub fn with_capacity(changes: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), changes: Vec::with_capacity(changes) }
    }

    /// Removes every field of that name. `name` is in lower case.
    pub fn remove(&mut self, name: &str) {
        self.changes.push((Kind::Remove, Place::append(&mut self.text, name, "")));
    }

    /// Replaces all fields of that name by one with this value. `name` is in lower case.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.changes.push((Kind::Set, Place::append(&mut self.text, name, value.as_ref())));
    }

    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.changes.iter().map(|(kind, field)| match kind {
            Kind::Remove => Change::Remove(field.name(&self.text)),
            Kind::Set => Change::Set(field.name(&self.text), field.value(&self.text)),
        })
    }

    /// How many bytes the names and values have together.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.changes.len()
    }

    /// A copy of `headers` with the changes applied.
    pub fn applied_to(&self, headers: &Headers) -> Headers {
        let mut headers = headers.clone();
        for change in self.iter() {
            match change {
                Change::Remove(name) => headers.remove(name),
                Change::Set(name, value) => headers.set(name, value),
            }
        }
        headers
    }
}

impl PartialEq for Changes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Changes {}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_applied_in_their_order() {
        let headers: Headers = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")].into_iter().collect();
        let mut changes = Changes::default();
        assert_eq!(changes.applied_to(&headers), headers);
        changes.remove("a");
        changes.set("c", "5");
        changes.set("d", "6");
        changes.remove("x");
        changes.set("d", "7");
        let expected: Headers = [("b", "2"), ("c", "5"), ("d", "7")].into_iter().collect();
        assert_eq!(changes.applied_to(&headers), expected);
    }
}
