//! Names and values of header fields in one text: two texts of its own for each field cost more than all else that is done to
//! it.

/// Where a field's name and its value are in a text that has those of several fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    name: usize,
    value: usize,
    end: usize,
}

impl Place {
    /// Adds a field to the text.
    pub(super) fn append(text: &mut String, name: &str, value: &str) -> Self {
        let at = text.len();
        text.reserve(name.len() + value.len());
        text.push_str(name);
        text.push_str(value);
        Self { name: at, value: at + name.len(), end: text.len() }
    }

    /// The name.
    pub(super) fn name(self, text: &str) -> &str {
        text.get(self.name..self.value).unwrap_or_default()
    }

    /// Turns the name into lower case, and gives it.
    pub(super) fn make_lower_case(self, text: &mut str) -> &str {
        let Some(name) = text.get_mut(self.name..self.value) else { return "" };
        name.make_ascii_lowercase();
        name
    }

    /// The value.
    pub(super) fn value(self, text: &str) -> &str {
        text.get(self.value..self.end).unwrap_or_default()
    }

    /// Whether the field has this name.
    pub(super) fn is_named(self, text: &str, name: &str) -> bool {
        self.value - self.name == name.len() && self.name(text) == name
    }
}
