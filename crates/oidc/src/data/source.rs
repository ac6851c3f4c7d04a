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
    /// gives `None`: otherwise all users who lack that value would share one identifier. Nor is it trimmed: to a
    /// provider, `bob` and `bob ` may be two users. What has white space at an end is none, because others would trim it: the
    /// value of a header field has none.
    pub fn whole(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<String> {
        let is_there = |path| find(path).as_ref().and_then(scalar_text).is_some_and(|text| !text.is_empty());
        let text = match self {
            Self::FirstOf(sources) => return sources.iter().find_map(|source| source.whole(find)),
            Self::Path(path) => {
                find(path).filter(|value| !value.is_boolean()).as_ref().and_then(scalar_text)?
            }
            Self::Text(template) => template.paths().all(is_there).then(|| template.text(find))?,
        };
        (!text.is_empty() && text.trim() == text).then_some(text)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> DataPath {
        DataPath::parse(text).unwrap()
    }

    #[test]
    fn unproven_identity_no_two_identifiers_become_one_by_trimming() {
        let template = |text: &str| Source::Text(Template::parse(text, &|path| path.root() == "profile").0);
        let first = Source::FirstOf(vec![
            Source::Path(path("profile.id")),
            template("{profile.realm}/{profile.name}"),
        ]);
        for (profile, id, text) in [
            (json!({ "id": "bob" }), Some("bob"), Some("bob")),
            (json!({ "id": "bob " }), None, Some("bob")),
            (json!({ "id": "\u{3000}bob" }), None, Some("bob")),
            (json!({ "id": "bob  b" }), Some("bob  b"), Some("bob  b")),
            (json!({ "id": " ", "realm": "a", "name": "b  c" }), Some("a/b  c"), Some("a/b c")),
            (json!({ "id": "\u{a0}", "realm": "a" }), None, Some("a/")),
            (json!({ "id": 7.0 }), Some("7"), Some("7")),
            (json!({ "id": true }), None, None),
            (json!({}), None, None),
        ] {
            let find = |path: &DataPath| path.within(&profile).cloned();
            assert_eq!(first.whole(&find).as_deref(), id, "{profile}");
            assert_eq!(first.text(&find).as_deref(), text, "{profile}");
        }
    }
}
