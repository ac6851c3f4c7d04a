//! What an API's response means: a refusal of the user's input or of the refresh token, or a failure that passes.

use serde_json::Value;

use super::answers::{Answers, is_error};
use crate::data::{DataPath, scalar_text};

/// Codes of GraphQL servers that refuse, where the configuration has no list. Any other error of GraphQL may be a failure
/// of what stands behind the server, which also comes with the status 200.
pub const GRAPHQL_REFUSALS: [&str; 4] =
    ["UNAUTHENTICATED", "UNAUTHORIZED", "FORBIDDEN", "INVALID_CREDENTIALS"];

/// Which responses are refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// The path of the error, if the API states one in its responses.
    pub error: Option<DataPath>,
    /// The errors that are refusals; any other one is a failure. `None`: every error is a refusal.
    pub errors: Option<Vec<String>>,
    /// The statuses that are refusals whatever the error is.
    pub statuses: Vec<u16>,
    /// The values at `error` of a success.
    pub success: Vec<String>,
}

/// What a response with status 2xx or 4xx means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It states no error.
    NoError,
    /// A refusal, with the error's code if it is one that may be shown.
    Rejected(Option<String>),
    /// An error that is not in the list of refusals, with its code if it is one that may be shown.
    OtherError(Option<String>),
}

impl Refusals {
    /// Whether `error` is in the list of errors that GraphQL puts into its responses (GraphQL specification, section 7).
    pub fn is_of_graphql(error: &DataPath) -> bool {
        error.root() == "body" && error.rest().next() == Some("errors")
    }

    /// What the response means.
    pub(super) fn verdict(&self, status: u16, answers: &Answers) -> Verdict {
        let error = self.stated(answers);
        let is_refused = match (&self.errors, &error) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(refused), Some(error)) => holds_one(error, refused),
        };
        let code = error.as_ref().and_then(scalar_text).filter(|text| is_code(text));
        if is_refused || self.statuses.contains(&status) {
            Verdict::Rejected(code)
        } else if error.is_some() {
            Verdict::OtherError(code)
        } else {
            Verdict::NoError
        }
    }

    /// The value at `error`, if it is an error.
    pub(super) fn stated(&self, answers: &Answers) -> Option<Value> {
        let value = answers.find(self.error.as_ref()?)?;
        let is_success = scalar_text(&value).is_some_and(|text| self.success.contains(&text));
        (is_error(&value) && !is_success).then_some(value)
    }
}

/// Whether the error is one of these texts, or has one of them as a member: its code, or its whole message.
fn holds_one(error: &Value, texts: &[String]) -> bool {
    match error {
        Value::Array(items) => items.iter().any(|item| holds_one(item, texts)),
        Value::Object(members) => members.values().any(|member| holds_one(member, texts)),
        scalar => scalar_text(scalar).is_some_and(|text| texts.contains(&text)),
    }
}

/// Whether a text may be put into a URL and a log as an error code. Sentences, and texts as long as a token, may not.
pub(super) fn is_code(text: &str) -> bool {
    const MAX_LEN: usize = 64;
    (1..=MAX_LEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}
