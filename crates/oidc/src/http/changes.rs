//! The changes to a request's header fields before the request is forwarded to an upstream. A forwarded request keeps
//! most of its fields, so only the changes are computed, and only the changes are passed to the platform.

use crate::http::headers::Headers;

/// Changes to header fields, applied in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Removes every field of that name.
    Remove(String),
    /// Replaces all fields of that name by one with this value.
    Set(String, String),
}

impl Changes {
    /// Removes every field of that name. `name` is in lower case.
    pub fn remove(&mut self, name: &str) {
        self.0.push(Change::Remove(name.to_owned()));
    }

    /// Replaces all fields of that name by one with this value. `name` is in lower case.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(Change::Set(name.to_owned(), value.into()));
    }

    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.0.iter()
    }

    /// A copy of `headers` with the changes applied.
    pub fn applied_to(&self, headers: &Headers) -> Headers {
        let mut headers = headers.clone();
        for change in self.iter() {
            match change {
                Change::Remove(name) => headers.remove(name),
                Change::Set(name, value) => headers.set(name, value.as_str()),
            }
        }
        headers
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
