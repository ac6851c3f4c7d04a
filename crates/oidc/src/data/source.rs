//! Where a text about a person comes from.

use serde_json::Value;

use super::{DataPath, Template, scalar_text};

/// Where a text comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The value at this path.
    Path(DataPath),
    /// Put together of several.
    Text(Template),
    /// The first of these that gives something.
    FirstOf(Vec<Source>),
}

impl Source {
    /// What it gives: text, or a number as text; nothing where it is empty. A template may lack a part, but not
    /// all of them.
    pub fn text(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<String> {
        let text = match self {
            Self::FirstOf(sources) => return sources.iter().find_map(|source| source.text(find)),
            Self::Path(path) => {
                find(path).filter(|value| !value.is_boolean()).as_ref().and_then(scalar_text)?
            }
            Self::Text(template) if template.paths().all(|path| find(path).is_none_or(|v| v.is_null())) => {
                return None;
            }
            // The part that lacks leaves the spaces around it.
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

    /// The same where half of it is worth nothing: what tells one person from another, or an address. A template
    /// of which a part is missing gives nothing: people who lack the same part would be one.
    pub fn whole(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<String> {
        let is_there = |path| find(path).as_ref().and_then(scalar_text).is_some_and(|text| !text.is_empty());
        match self {
            Self::FirstOf(sources) => sources.iter().find_map(|source| source.whole(find)),
            Self::Text(template) if !template.paths().all(is_there) => None,
            source => source.text(find),
        }
    }

    /// Every path in it.
    pub fn paths(&self) -> Vec<&DataPath> {
        match self {
            Self::Path(path) => vec![path],
            Self::Text(template) => template.paths().collect(),
            Self::FirstOf(sources) => sources.iter().flat_map(Self::paths).collect(),
        }
    }
}
