//! Header fields in their order, with case-insensitive names.

use std::fmt;

use crate::http::place::Place;

/// Header fields (RFC 9110 section 5), in the order in which they arrived or were added.
///
/// Names are stored in lower case. Values are strings as the platform provides them. Nothing here interprets bytes
/// outside ASCII, so they keep the form that the platform gives them.
#[derive(Clone, Default)]
pub struct Headers {
    text: String,
    fields: Vec<Place>,
    /// The [bits](bit) of the names, and maybe of some that were removed. A request is asked for dozens of fields, most of
    /// which it does not have.
    bits: u64,
}

impl Headers {
    /// No fields.
    pub const fn new() -> Self {
        Self { text: String::new(), fields: Vec::new(), bits: 0 }
    }

    /// No fields, with room for so many, whose names and values have so many bytes together.
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), fields: Vec::with_capacity(fields), bits: 0 }
    }

    /// The first value of `name`, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let first = self.fields_or_none(name).iter().find(|field| field.is_named(&self.text, name));
        first.map(|field| field.value(&self.text))
    }

    /// All values of `name`, which is in lower case.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields_or_none(name).iter().filter(move |field| field.is_named(&self.text, name));
        named.map(|field| field.value(&self.text))
    }

    /// All fields, or none if there is certainly none of that name.
    fn fields_or_none(&self, name: &str) -> &[Place] {
        if self.bits & bit(name) == 0 { &[] } else { &self.fields }
    }

    /// The values of all fields of that name, joined by commas (RFC 9110 section 5.3).
    pub fn joined(&self, name: &str) -> String {
        let mut joined = String::new();
        let mut separator = "";
        for value in self.get_all(name) {
            joined.push_str(separator);
            joined.push_str(value);
            separator = ", ";
        }
        joined
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field after all others.
    pub fn append(&mut self, name: &str, value: impl AsRef<str>) {
        let field = Place::append(&mut self.text, name, value.as_ref());
        self.bits |= bit(field.make_lower_case(&mut self.text));
        self.fields.push(field);
    }

    /// Replaces all fields of that name by one with this value.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: &str) {
        self.retain(|n, _| !n.eq_ignore_ascii_case(name));
    }

    /// Keeps the fields for which `keep(name, value)` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        let text = &self.text;
        self.fields.retain(|field| keep(field.name(text), field.value(text)));
    }

    /// Every field: its name in lower case, and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (field.name(&self.text), field.value(&self.text)))
    }
}

/// One of 64 bits for a name in lower case. Many names share one.
fn bit(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let (first, last) =
        (bytes.first().copied().unwrap_or_default(), bytes.last().copied().unwrap_or_default());
    1 << (((bytes.len() * 5) ^ usize::from(first) ^ (usize::from(last) << 2)) % 64)
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in fields {
            headers.append(name.as_ref(), value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_insensitive() {
        let mut headers: Headers = [("Accept", "a"), ("ACCEPT", "b"), ("Host", "h")].into_iter().collect();
        assert_eq!(headers.get("accept"), Some("a"));
        assert_eq!(headers.get_all("accept").collect::<Vec<_>>(), ["a", "b"]);
        headers.set("aCCept", "c");
        assert_eq!(headers.get_all("accept").collect::<Vec<_>>(), ["c"]);
        headers.remove("Accept");
        assert!(!headers.contains("accept"));
        assert!(headers.contains("host"));
    }

    #[test]
    fn fields_are_found_however_many_there_are_and_only_those() {
        let names: Vec<String> =
            (0..300).map(|number| format!("x-{}-{number}", "a".repeat(number % 7))).collect();
        for count in [0, 1, 3, 300] {
            let headers: Headers = names[..count].iter().map(|name| (name, name.as_str())).collect();
            for (at, name) in names.iter().enumerate() {
                let expected = (at < count).then_some(name.as_str());
                assert_eq!(
                    (headers.get(name), headers.get_all(name).next()),
                    (expected, expected),
                    "{count}"
                );
            }
        }
    }

    #[test]
    fn headers_are_equal_by_what_they_have_and_not_by_what_they_had() {
        let one: Headers = [("a", "1")].into_iter().collect();
        let mut other: Headers = [("a", "1"), ("b", "2")].into_iter().collect();
        assert_ne!(one, other);
        other.remove("b");
        assert_eq!(one, other);
    }
}
