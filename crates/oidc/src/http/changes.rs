//! What becomes of a request's header fields on their way to an upstream. A forwarded request keeps most of what it
//! came with, so only the rest is worked out, and only the rest crosses to the platform.

use crate::http::headers::Headers;

/// Changes to header fields, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Every field of that name goes.
    Remove(String),
    /// The value becomes the only one of that name.
    Set(String, String),
}

impl Changes {
    /// Takes every field of that name away, which is given in lower case.
    pub fn remove(&mut self, name: &str) {
        self.0.push(Change::Remove(name.to_owned()));
    }

    /// Makes `value` the only one of that name, which is given in lower case.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(Change::Set(name.to_owned(), value.into()));
    }

    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.0.iter()
    }

    /// The fields that `headers` become.
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
    fn changes_are_made_one_after_the_other() {
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
