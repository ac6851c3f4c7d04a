//! The parameters of a query, of an urlencoded body, or of a flat JSON object.

use std::fmt;

use thiserror::Error;

use crate::data::scalar_text;
use crate::json;

/// Further parameters are ignored. No flow has more than about twenty.
const MAX_PARAMS: usize = 200;

/// Names and values, in the order in which they arrived.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Parses a query, without its `?`, or the body of a form (`application/x-www-form-urlencoded`, URL Standard
    /// section 5.1). It never fails: an incomplete `%` stays unchanged, and bytes that are not UTF-8 become U+FFFD.
    pub fn from_urlencoded(text: &[u8]) -> Self {
        let mut params = Vec::new();
        for (name, value) in form_urlencoded::parse(text).take(MAX_PARAMS) {
            params.push((name.into_owned(), value.into_owned()));
        }
        Self(params)
    }

    /// Parses a JSON object. Numbers and booleans become text; `null`, arrays and objects are left out. A duplicate
    /// name gives two parameters.
    pub fn from_json(text: &[u8]) -> Result<Self, NotAnObjectError> {
        let mut params = Vec::new();
        let members = json::members(text).ok_or(NotAnObjectError)?;
        for (name, value) in members.get(..MAX_PARAMS).unwrap_or(&members) {
            if let Some(value) = scalar_text(value) {
                params.push((name.clone(), value));
            }
        }
        Ok(Self(params))
    }

    /// The value of a parameter, which must occur at most once (RFC 6749 section 3.1).
    pub fn one(&self, name: &str) -> Result<Option<&str>, DuplicateParameterError> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(DuplicateParameterError(name.to_owned())),
            (value, None) => Ok(value),
        }
    }

    /// Every name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(params: I) -> Self {
        Self(params.into_iter().take(MAX_PARAMS).collect())
    }
}

/// Prints the names only: values are codes and passwords.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A parameter that must occur at most once occurs several times.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the parameter \"{0}\" is given more than once")]
pub struct DuplicateParameterError(pub String);

/// The body is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the body is not a JSON object")]
pub struct NotAnObjectError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_and_queries_are_decoded() {
        let params = Params::from_urlencoded(b"a=1&b=x+y%26z&c&=d&e=%C3%A9&a%20b=%2B");
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y&z")),
            ("c", Some("")),
            ("e", Some("é")),
            ("a b", Some("+")),
            ("f", None),
        ] {
            assert_eq!(params.one(name), Ok(value), "{name}");
        }
    }

    #[test]
    fn crash_by_input_broken_percent_encoding_is_kept_or_replaced() {
        let params = Params::from_urlencoded(b"a=%&b=%zz&c=%ff&d=%c3");
        assert_eq!(params.one("a"), Ok(Some("%")));
        assert_eq!(params.one("b"), Ok(Some("%zz")));
        assert_eq!(params.one("c"), Ok(Some("\u{fffd}")));
    }

    #[test]
    fn a_parameter_that_occurs_twice_is_an_error_in_every_spelling() {
        for text in ["state=1&state=2", "state=1&state=1", "state=&%73tate=", "state&state"] {
            let params = Params::from_urlencoded(text.as_bytes());
            assert_eq!(params.one("state"), Err(DuplicateParameterError("state".into())), "{text}");
        }
        let json = Params::from_json(br#"{"state":"1","state":"2"}"#).unwrap();
        assert_eq!(json.one("state"), Err(DuplicateParameterError("state".into())));
    }

    #[test]
    fn nested_values_of_a_json_object_are_left_out() {
        let params =
            Params::from_json(br#"{"s":"a","n":1.5,"b":true,"z":null,"o":{"s":1},"l":[1]}"#).unwrap();
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("s", "a"), ("n", "1.5"), ("b", "true")]);
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_rejected() {
        let deep = "[".repeat(100_000);
        for text in ["", "null", "[]", "\"a\"", "{", "{}x", "{\"a\":}", "{\"a\":\"\\ud800\"}", &deep] {
            assert_eq!(Params::from_json(text.as_bytes()), Err(NotAnObjectError), "{text:.10}");
        }
    }

    #[test]
    fn work_bombs_only_the_first_parameters_are_kept() {
        assert_eq!(Params::from_urlencoded("a=1&".repeat(100_000).as_bytes()).iter().count(), MAX_PARAMS);
        let json: Vec<_> = (0..10_000).map(|n| format!("\"k{n}\":1")).collect();
        let params = Params::from_json(format!("{{{}}}", json.join(",")).as_bytes()).unwrap();
        assert_eq!(params.iter().count(), MAX_PARAMS);
    }

    #[test]
    fn debug_output_shows_no_password() {
        assert_eq!(format!("{:?}", Params::from_urlencoded(b"password=hunter2")), "[\"password\"]");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Params::from_json(&bytes);
            let params = Params::from_urlencoded(&bytes);
            for (name, _) in params.iter() {
                prop_assert!(params.one(name) != Ok(None));
            }
        }
    }
}
