//! Texts with placeholders for values: `{profile.firstName} {profile.lastName}`.

use serde_json::Value;

use super::DataPath;
use crate::secret::Secret;

/// A text in which `{known.path}` is a placeholder for a value.
///
/// All other braces are literal, because GraphQL queries contain many: `{ email }`, with its spaces, is never a
/// placeholder, and `{viewer}` is one only if `viewer` is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path(DataPath),
    Secret(Secret),
}

impl Template {
    /// Parses a template. `known` decides which paths are placeholders. The second result lists the paths in braces
    /// that are not known, in the order of the text: the caller may report them as typing errors.
    pub fn parse(text: &str, known: &dyn Fn(&DataPath) -> bool) -> (Self, Vec<DataPath>) {
        let mut parts = Vec::new();
        let mut unknown = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            literal.push_str(before);
            let path =
                behind.split_once('}').and_then(|(path, rest)| Some((DataPath::parse(path).ok()?, rest)));
            match path {
                Some((path, behind)) if known(&path) => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Path(path));
                    rest = behind;
                }
                path => {
                    unknown.extend(path.map(|(path, _)| path));
                    literal.push('{');
                    rest = behind;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        (Self(parts), unknown)
    }

    /// The same template with a secret in the place of each placeholder for which `secret` returns one. A secret is never
    /// searched for placeholders.
    #[must_use]
    pub fn with_secrets(self, secret: &mut dyn FnMut(&DataPath) -> Option<Secret>) -> Self {
        let bound = |part| match part {
            Part::Path(path) => secret(&path).map_or(Part::Path(path), Part::Secret),
            part => part,
        };
        Self(self.0.into_iter().map(bound).collect())
    }

    /// The paths of the placeholders.
    pub fn paths(&self) -> impl Iterator<Item = &DataPath> {
        self.0.iter().filter_map(|part| match part {
            Part::Path(path) => Some(path),
            Part::Text(_) | Part::Secret(_) => None,
        })
    }

    /// Whether the text has a secret in it.
    pub fn has_secret(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Secret(_)))
    }

    /// Whether `text` is one of its secrets, ignoring ASCII case.
    pub fn is_secret(&self, text: &str) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Secret(secret) if secret.expose().eq_ignore_ascii_case(text)))
    }

    /// The path of a template that is exactly one placeholder.
    pub fn as_path(&self) -> Option<&DataPath> {
        match self.0.as_slice() {
            [Part::Path(path)] => Some(path),
            _ => None,
        }
    }

    /// The text with each placeholder replaced by the text that `find` returns; `None` if one has none.
    pub fn whole(&self, find: &mut dyn FnMut(&DataPath) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Secret(secret) => text.push_str(secret.expose()),
                Part::Path(path) => text.push_str(&find(path)?),
            }
        }
        Some(text)
    }

    /// The text with each placeholder replaced by the value that `find` returns. A missing value, and one that is not a
    /// string, number or boolean, is replaced by nothing.
    pub fn text(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Secret(secret) => text.push_str(secret.expose()),
                Part::Path(path) => {
                    text.push_str(&find(path).as_ref().and_then(scalar_text).unwrap_or_default());
                }
            }
        }
        text
    }

    /// The value for a member of a JSON document. A template that is exactly one placeholder gives the value itself, of
    /// any type, or `None` where there is none. Every other template gives its text.
    pub fn value(&self, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<Value> {
        match self.0.as_slice() {
            [Part::Path(path)] => find(path),
            _ => Some(Value::String(self.text(find))),
        }
    }
}

/// 2^53: a float of this size or more may stand for several whole numbers.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A string, number or boolean as text. A whole number is written as one, also if its JSON has a fraction of zero: `7.0` and
/// `7` are one user's identifier.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64() {
            #[allow(clippy::cast_possible_truncation, reason = "a whole number of that size fits")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < MAX_WHOLE => {
                (float as i64).to_string()
            }
            _ => number.to_string(),
        }),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    fn data() -> Map<String, Value> {
        let data = json!({
            "email": "a@b.c",
            "password": "{email}\"}{",
            "profile": { "first": "Ada", "age": 36, "list": [1], "none": null },
        });
        data.as_object().cloned().unwrap()
    }

    fn template(text: &str) -> Template {
        Template::parse(text, &|path| ["email", "password", "profile"].contains(&path.root())).0
    }

    fn render(text: &str) -> String {
        template(text).text(&|path| path.lookup(&data()).cloned())
    }

    #[test]
    fn known_paths_are_replaced_and_all_other_braces_are_literal() {
        for (text, rendered) in [
            ("", ""),
            ("{email}", "a@b.c"),
            ("x{email}y{email}", "xa@b.cya@b.c"),
            ("{profile.first} {profile.last}", "Ada "),
            ("{profile.age}/{profile.list.0}", "36/1"),
            ("{profile.none}{profile.list}{profile}", ""),
            ("{{email}}", "{a@b.c}"),
            ("{ email }", "{ email }"),
            ("{emial}", "{emial}"),
            ("{email", "{email"),
            ("email}", "email}"),
            ("{}{", "{}{"),
            ("{a{email}", "{aa@b.c"),
            ("query($e:String!){user(email:$e){id}}", "query($e:String!){user(email:$e){id}}"),
            ("query { me { email } }", "query { me { email } }"),
            // A replaced value is not searched for placeholders.
            ("{password}", "{email}\"}{"),
        ] {
            assert_eq!(render(text), rendered, "{text}");
        }
    }

    #[test]
    fn a_template_of_one_placeholder_keeps_the_type_of_the_value() {
        for (text, value) in [
            ("{profile.age}", Some(json!(36))),
            ("{profile.list}", Some(json!([1]))),
            ("{profile.none}", Some(json!(null))),
            ("{profile.absent}", None),
            (" {profile.age}", Some(json!(" 36"))),
            ("x{profile.absent}", Some(json!("x"))),
            ("", Some(json!(""))),
        ] {
            assert_eq!(template(text).value(&|path| path.lookup(&data()).cloned()), value, "{text}");
        }
    }

    #[test]
    fn a_whole_number_has_one_text_however_json_writes_it() {
        for (json, text) in [
            ("7", "7"),
            ("7.0", "7"),
            ("7e0", "7"),
            ("1.2e3", "1200"),
            ("-0.0", "0"),
            ("-3.0", "-3"),
            ("7.5", "7.5"),
            ("9007199254740991.0", "9007199254740991"),
            ("18446744073709551615", "18446744073709551615"),
            // It may stand for several numbers.
            ("9007199254740993.0", "9007199254740992.0"),
        ] {
            let number: Value = serde_json::from_str(json).unwrap();
            assert_eq!(scalar_text(&number).as_deref(), Some(text), "{json}");
        }
    }

    #[test]
    fn a_secret_is_replaced_in_one_pass_and_printed_nowhere() {
        let known = |path: &DataPath| ["email", "password", "secret"].contains(&path.root());
        let (template, _) = Template::parse("{secret.KEY}/{password}/{email}", &known);
        let template = template.with_secrets(&mut |path| {
            (path.root() == "secret").then(|| Secret::new("k-{email}{secret.KEY}"))
        });
        let text = template.text(&|path| path.lookup(&data()).cloned());
        assert_eq!(text, "k-{email}{secret.KEY}/{email}\"}{/a@b.c");
        let paths: Vec<String> = template.paths().map(ToString::to_string).collect();
        assert_eq!((paths, template.has_secret()), (vec!["password".to_owned(), "email".to_owned()], true));
        assert!(!format!("{template:?}").contains("k-"));
        let whole = |value: Option<&str>| template.whole(&mut |_| value.map(str::to_owned));
        assert_eq!((whole(Some("x")).unwrap(), whole(None)), ("k-{email}{secret.KEY}/x/x".to_owned(), None));
    }

    #[test]
    fn paths_in_braces_that_are_not_known_are_listed() {
        let (_, unknown) =
            Template::parse("{a.b} { c } {d} {{e}} {f[g]} {$i} {h j} {k", &|path| path.root() == "d");
        let unknown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        assert_eq!(unknown, ["a.b", "e"]);
    }

    proptest! {
        #[test]
        fn a_text_without_known_paths_stays_unchanged(text in "[a-z{}. \"]{0,40}") {
            let (template, _) = Template::parse(&text, &|_| false);
            prop_assert_eq!(template.text(&|_| Some(json!("x"))), text);
        }
    }
}
