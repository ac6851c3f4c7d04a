//! Header fields in their order, with case-insensitive names.

/// Header fields (RFC 9110 section 5), in the order in which they arrived or were added.
///
/// Names are stored in lower case. Values are strings as the platform provides them. Nothing here interprets bytes
/// outside ASCII, so they keep the form that the platform gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first value of `name`, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of `name`, which is in lower case.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
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
    pub fn append(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// Replaces all fields of that name by one with this value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Keeps the fields for which `keep(name, value)` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// Every field: its name in lower case, and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(n, v)| (n.as_ref().to_ascii_lowercase(), v.into())).collect())
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
}
