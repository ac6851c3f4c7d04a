//! What a person filled in.

use serde_json::Value;
use thiserror::Error;

use crate::credentials::provider::Field;
use crate::data::DataPath;
use crate::http::form::{DuplicateParameterError, Params};
use crate::secret::Secret;

/// Longer than any password manager's passwords, and than the tokens that some people log in with.
const LONGEST_VALUE: usize = 4096;

/// The values of the configured fields. All of them are secrets: nobody knows what is typed where.
#[derive(Debug)]
pub struct FormValues<'a>(Vec<(&'a str, Secret)>);

impl<'a> FormValues<'a> {
    /// Takes the configured fields out of `form`, and nothing else. An optional one that was left empty is as
    /// if it were not there.
    pub fn read(fields: &'a [Field], form: &Params) -> Result<Self, FormError> {
        let mut filled = Vec::new();
        for field in fields {
            let value = form.one(&field.name)?.unwrap_or_default();
            if value.len() > LONGEST_VALUE {
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

    /// Whether `text` is one of the values.
    pub fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|(_, value)| value.expose().eq_ignore_ascii_case(text))
    }

    /// What a template of the login request stands for.
    pub fn find(&self, path: &DataPath) -> Option<Value> {
        let (_, value) = self.0.iter().find(|(name, _)| *name == path.root())?;
        Some(Value::String(value.expose().to_owned()))
    }
}

/// Why the API is not asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// A field came twice.
    #[error(transparent)]
    Duplicate(#[from] DuplicateParameterError),
    /// A required field is not filled in.
    #[error("the field {0} is not filled in")]
    Missing(String),
    /// A field is longer than anything that people type.
    #[error("the field {0} has more than {LONGEST_VALUE} bytes")]
    TooLong(String),
}
