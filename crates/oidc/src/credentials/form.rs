//! The values of the sign-in form.

use serde_json::Value;
use thiserror::Error;

use crate::credentials::provider::Field;
use crate::data::DataPath;
use crate::http::form::{DuplicateParameterError, Params};
use crate::secret::Secret;

/// Longer than the passwords of any password manager, and than the tokens that some users log in with. In bytes.
const MAX_VALUE_LEN: usize = 4096;

/// The values of the configured fields. All of them are secrets: users also type passwords into other fields.
#[derive(Debug)]
pub struct FormValues<'a>(Vec<(&'a str, Secret)>);

impl<'a> FormValues<'a> {
    /// Reads the configured fields from `form` and ignores all others. An empty optional field counts as absent.
    pub fn read(fields: &'a [Field], form: &Params) -> Result<Self, FormError> {
        let mut filled = Vec::new();
        for field in fields {
            let value = form.one(&field.name)?.unwrap_or_default();
            if value.len() > MAX_VALUE_LEN {
                return Err(FormError::TooLong(field.name.clone()));
            }
            if !value.is_empty() {
                filled.push((field.name.as_str(), Secret::new(value)));
            } else if field.required {
                return Err(FormError::Missing(field.name.clone()));
            }
        }
        Ok(Self(filled))
    }

    /// Whether `text` is one of the values, ignoring ASCII case.
    pub fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|(_, value)| value.expose().eq_ignore_ascii_case(text))
    }

    /// The name of the account that the user signs in to, as they typed it: what is in the fields with the `autocomplete`
    /// of a user name and of an organization; without a user name, the first other value that is neither a password nor a
    /// one-time code. Empty if there is none.
    pub fn account_name(&self, fields: &[Field]) -> Vec<&str> {
        let is_filled_with = |field: &Field, what: &[&str]| {
            let autocomplete = field.autocomplete.as_deref().unwrap_or_default();
            autocomplete
                .split_ascii_whitespace()
                .any(|token| what.contains(&token.to_ascii_lowercase().as_str()))
        };
        let value = |field: &Field| {
            self.0.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value.expose())
        };
        let of = |what: &'static [&'static str]| {
            fields.iter().filter(move |field| is_filled_with(field, what)).filter_map(value)
        };
        let mut names: Vec<&str> = of(&["username"]).collect();
        if names.is_empty() {
            let is_secret = |field: &&Field| {
                field.kind == "password"
                    || is_filled_with(field, &["one-time-code", "current-password", "organization"])
            };
            names.extend(fields.iter().filter(|field| !is_secret(field)).find_map(value));
        }
        if !names.is_empty() {
            names.extend(of(&["organization"]));
        }
        names
    }

    /// The value of a placeholder in the login request.
    pub fn find(&self, path: &DataPath) -> Option<Value> {
        let (_, value) = self.0.iter().find(|(name, _)| *name == path.root())?;
        Some(Value::String(value.expose().to_owned()))
    }
}

/// Why the form is rejected before a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// A field occurs twice.
    #[error(transparent)]
    Duplicate(#[from] DuplicateParameterError),
    /// A required field is empty.
    #[error("the field {0} is not filled in")]
    Missing(String),
    /// A field is too long.
    #[error("the field {0} has more than {MAX_VALUE_LEN} bytes")]
    TooLong(String),
}
