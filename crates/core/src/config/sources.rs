//! The two places where a configuration can be written: a file that is a part of the deployment, and a variable, whose
//! values override those of the file.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

use super::error::ConfigErrors;
use super::place::{ROOT, rest_after};

/// A configuration as one of the places has it, and what messages call that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The place in messages: the file as it was named, for example `vestibule.toml`, or the variable.
    pub name: Cow<'static, str>,
    /// The table, or `null` where nothing is written. A string that contains a JSON object counts as that object.
    pub auth: Value,
}

/// What is wrong with the text of a file that is not TOML: where, in bytes of the text, and what the parser says of it. The
/// parser's whole message would quote the line, which may have what should not be in a log.
pub fn toml_problem(text: &str, at: Option<Range<usize>>, message: &str) -> String {
    let at = at.map_or_else(String::new, |at| {
        let before = text.get(..at.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!(" at line {line}, column {column}")
    });
    format!("is not TOML{at}: {message}")
}

/// Both places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    file: Source,
    overrides: Source,
}

impl Sources {
    /// The configuration of `file`, which `overrides` changes.
    pub fn new(file: Source, overrides: Source) -> Self {
        Self { file: file.parsed(), overrides: overrides.parsed() }
    }

    /// The configuration: the file's, where the overrides replace what they also have. Tables are merged key by key, at any
    /// depth. Everything else is replaced as a whole: an array in the overrides is the whole array, so `rules` there are all
    /// rules.
    ///
    /// A value that is no table is not merged, so that [`Config::load`](super::Config::load) refuses it.
    pub fn merged(&self) -> Value {
        match (&self.file.auth, &self.overrides.auth) {
            (file, Value::Null) => file.clone(),
            (Value::Object(file), Value::Object(overrides)) => Value::Object(merge(file.clone(), overrides)),
            (Value::Null | Value::Object(_), overrides) => overrides.clone(),
            (file, _) => file.clone(),
        }
    }

    /// The same, for who needs it once: it is copied only where there are two places. What [`attribute`](Self::attribute) says
    /// stays the same.
    pub fn take_merged(&mut self) -> Value {
        match (&mut self.file.auth, &self.overrides.auth) {
            // Every key is the file's, so no one looks whether it is there.
            (file @ Value::Object(_), Value::Null) => std::mem::replace(file, Value::Object(Map::new())),
            _ => self.merged(),
        }
    }

    /// The mistakes, each with the name of the place that it is written in. Where nothing comes from a file, there is only
    /// one place, and they stay as they are.
    #[must_use]
    pub fn attribute(&self, mut errors: ConfigErrors) -> ConfigErrors {
        if !self.file.auth.is_null() {
            for error in errors.iter_mut() {
                error.written_in = self.source_of(&error.place).map(str::to_owned);
            }
        }
        errors
    }

    /// The name of the place in which a key is written, `AUTH.rules[1].match`. A key that is missing belongs where its table
    /// is written. `None` if both have that table, and for what is not in the configuration, such as a secret.
    pub fn source_of(&self, place: &str) -> Option<&str> {
        let mut rest = place.strip_prefix(ROOT)?;
        if !(rest.is_empty() || rest.starts_with(['.', '['])) {
            return None;
        }
        let (mut below, mut above) = (&self.file.auth, &self.overrides.auth);
        match (below, above) {
            (_, Value::Null) => return Some(&self.file.name),
            (Value::Null, _) => return Some(&self.overrides.name),
            (Value::Object(_), _) => {}
            _ => return Some(&self.file.name),
        }
        loop {
            // Where it does not merge two tables, the override is the whole value.
            let (Value::Object(file), Value::Object(overrides)) = (below, above) else {
                return Some(&self.overrides.name);
            };
            match (step(file, rest), step(overrides, rest)) {
                (Some((value, _)), Some((override_value, next))) => {
                    (below, above, rest) = (value, override_value, next);
                }
                (Some(_), None) => return Some(&self.file.name),
                (None, Some(_)) => return Some(&self.overrides.name),
                (None, None) => return None,
            }
        }
    }
}

impl Source {
    /// A CI that sets variables from outside sets strings.
    fn parsed(mut self) -> Self {
        if let Value::String(text) = &self.auth
            && let Ok(table @ Value::Object(_)) = serde_json::from_str(text)
        {
            self.auth = table;
        }
        self
    }
}

fn merge(mut file: Map<String, Value>, overrides: &Map<String, Value>) -> Map<String, Value> {
    for (key, value) in overrides {
        let merged = match (file.remove(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => Value::Object(merge(below, above)),
            (_, value) => value.clone(),
        };
        file.insert(key.clone(), merged);
    }
    file
}

/// The value of the key with which the rest of a place begins, and what follows that key.
fn step<'a, 'b>(table: &'a Map<String, Value>, rest: &'b str) -> Option<(&'a Value, &'b str)> {
    table.iter().find_map(|(key, value)| Some((value, rest_after(key, rest)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sources(file: Value, overrides: Value) -> Sources {
        let (file, overrides) = (
            Source { name: "the file".into(), auth: file },
            Source { name: "the variable".into(), auth: overrides },
        );
        Sources::new(file, overrides)
    }

    #[test]
    fn tables_are_merged_key_by_key_and_everything_else_is_replaced() {
        let file = json!({
            "base_path": "/auth",
            "session": { "max_age": "30d", "expose": { "a": "b", "c": "d" } },
            "rules": [{ "match": "/", "access": "public" }, { "match": "/admin" }],
            "verify": { "host": "verify.example" },
            "texts": "none",
        });
        let overrides = json!({
            "base_path": "/login",
            "session": { "expose": { "c": "e" }, "update_age": "1d" },
            "rules": [{ "match": "/open", "access": "public" }],
            "verify": false,
            "texts": { "de": {} },
            "pages": null,
        });
        let merged = json!({
            "base_path": "/login",
            "session": { "max_age": "30d", "expose": { "a": "b", "c": "e" }, "update_age": "1d" },
            "rules": [{ "match": "/open", "access": "public" }],
            "verify": false,
            "texts": { "de": {} },
            "pages": null,
        });
        assert_eq!(sources(file.clone(), overrides.clone()).merged(), merged);
        assert_eq!(sources(file.clone(), Value::String(overrides.to_string())).merged(), merged);
        assert_eq!(sources(file.clone(), Value::Null).merged(), file);
        assert_eq!(sources(file.clone(), Value::Null).take_merged(), file);
        assert_eq!(sources(file.clone(), overrides.clone()).take_merged(), merged);
        assert_eq!(sources(Value::Null, file.clone()).merged(), file);
        assert_eq!(sources(Value::Null, Value::Null).merged(), Value::Null);
        assert_eq!(sources(file.clone(), json!({})).merged(), file);
    }

    #[test]
    fn what_is_no_table_is_not_merged_and_not_ignored() {
        let file = json!({ "base_path": "/auth" });
        for wrong in [json!(7), json!("{"), json!("[]"), json!([]), json!(true)] {
            assert_eq!(sources(file.clone(), wrong.clone()).merged(), wrong);
            assert_eq!(sources(wrong.clone(), file.clone()).merged(), wrong);
            assert_eq!(sources(file.clone(), wrong.clone()).source_of("AUTH"), Some("the variable"));
            assert_eq!(sources(wrong, file.clone()).source_of("AUTH"), Some("the file"));
        }
    }

    #[test]
    fn each_key_has_the_name_of_the_place_that_wrote_it() {
        let sources = sources(
            json!({
                "base_path": "/auth",
                "session": { "max_age": "30d", "expose": { "user.roles": "roles" } },
                "rules": [{ "match": "/" }],
                "claims": { "a": "b" },
            }),
            json!({
                "base_path": "/login",
                "session": { "expose": { "user.name": "name" }, "update_age": "1d" },
                "providers": [{ "id": "okta" }],
                "claims": "wrong",
            }),
        );
        let (file, variable) = (Some("the file"), Some("the variable"));
        for (place, source) in [
            ("AUTH.base_path", variable),
            ("AUTH.session.max_age", file),
            ("AUTH.session.update_age", variable),
            (r#"AUTH.session.expose."user.roles""#, file),
            (r#"AUTH.session.expose."user.name""#, variable),
            ("AUTH.rules[0].match", file),
            // A missing key belongs to the table around it.
            ("AUTH.rules[0].access", file),
            ("AUTH.providers[0].issuer", variable),
            // A table that is replaced by something else.
            ("AUTH.claims", variable),
            ("AUTH.claims.a", variable),
            // Both have the table.
            ("AUTH.session", None),
            ("AUTH.session.absolute_max_age", None),
            ("AUTH", None),
            ("AUTH.upstreams", None),
            ("AUTH.base_paths", None),
            ("AUTH_SECRET", None),
            ("AUTH_OKTA_ID", None),
            ("ELSE", None),
        ] {
            assert_eq!(sources.source_of(place), source, "{place}");
        }
    }

    #[test]
    fn with_one_place_every_key_is_there() {
        let auth = json!({ "rules": [] });
        for place in ["AUTH", "AUTH.rules", "AUTH.providers"] {
            let mut from_file = sources(auth.clone(), Value::Null);
            assert_eq!(from_file.source_of(place), Some("the file"));
            assert_eq!(
                (from_file.take_merged(), from_file.source_of(place)),
                (auth.clone(), Some("the file"))
            );
            assert_eq!(sources(Value::Null, auth.clone()).source_of(place), Some("the variable"));
        }
    }
}
