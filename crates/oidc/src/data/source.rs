//! Where a text about a user comes from.

use serde_json::Value;

use super::{DataPath, Template, scalar_text};

/// Where a text comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The value at this path.
    Path(DataPath),
    /// A text composed of several values.
    Text(Template),
    /// The first of these sources that gives a text.
    FirstOf(Vec<Source>),
}

impl Source {
    /// The text of this source, trimmed; a number becomes text. `None` where the text is empty. A template may lack
    /// some of its values, but not all of them.
    pub fn text(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<String> {
        let text = match self {
            Self::FirstOf(sources) => return sources.iter().find_map(|source| source.text(find)),
            Self::Path(path) => {
                find(path).filter(|value| !value.is_boolean()).as_ref().and_then(scalar_text)?
            }
            Self::Text(template) if template.paths().all(|path| find(path).is_none_or(|v| v.is_null())) => {
                return None;
            }
            // A missing value leaves its surrounding spaces: collapse them.
            Self::Text(template) => {
                let text = template.text(find);
                let mut spaced = String::new();
                for part in text.split(' ').filter(|part| !part.is_empty()) {
                    spaced.push_str(if spaced.is_empty() { "" } else { " " });
                    spaced.push_str(part);
                }
                spaced
            }
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The same where a partial text is useless: a user's identifier, or an address. A template with a missing value
    /// gives `None`: otherwise all users who lack that value would share one identifier.
    pub fn whole(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<String> {
        let is_there = |path| find(path).as_ref().and_then(scalar_text).is_some_and(|text| !text.is_empty());
        match self {
            Self::FirstOf(sources) => sources.iter().find_map(|source| source.whole(find)),
            Self::Text(template) if !template.paths().all(is_there) => None,
            source => source.text(find),
        }
    }

    /// Every path in the source.
    pub fn paths(&self) -> Vec<&DataPath> {
        match self {
            Self::Path(path) => vec![path],
            Self::Text(template) => template.paths().collect(),
            Self::FirstOf(sources) => sources.iter().flat_map(Self::paths).collect(),
        }
    }
}
