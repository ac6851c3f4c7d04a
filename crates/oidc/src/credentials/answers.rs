//! The data in the API's responses, under the root names of paths.

use std::fmt;

use serde_json::Value;

use super::ApiError;
use super::jar::Jar;
use crate::data::{DataPath, Source};
use crate::http::client::FetchResponse;
use crate::http::headers::Headers;
use crate::http::url::Url;
use crate::jose::jws;
use crate::oauth::exchange::{self, HttpResponseError};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The data in all responses of one sign-in.
#[derive(Default)]
pub struct Answers {
    /// The body of the response to the login: root `body`, and root `login` in the claims.
    pub login: Value,
    /// The body of the response to the profile request: root `profile`.
    pub profile: Value,
    /// The payload of the access token, if it is a JWT: root `access_token`.
    access_token_payload: Value,
    /// The access token itself.
    access_token: Option<Secret>,
    /// The header fields of the response to the login: root `header`.
    headers: Headers,
    /// The API's cookies: root `cookie`.
    pub jar: Jar,
}

impl Answers {
    /// The data in the response to the login or to a refresh.
    pub(super) fn from_response(url: &Url, response: &FetchResponse, body: Value, now: Timestamp) -> Self {
        let mut jar = Jar::default();
        jar.store(url, &response.headers, now);
        Self { login: body, headers: response.headers.clone(), jar, ..Self::default() }
    }

    /// The data in a response of which only the cookies count: the values of its `Set-Cookie` fields.
    pub fn of_cookies<'a>(url: &Url, fields: impl Iterator<Item = &'a str>, now: Timestamp) -> Self {
        let mut answers = Self::default();
        answers.jar.store_fields(url, fields, now);
        answers
    }

    /// Stores the access token.
    pub fn set_access_token(&mut self, access_token: &Secret) {
        self.access_token_payload = jws::decode_unverified(access_token.expose());
        self.access_token = Some(access_token.clone());
    }

    /// Reads the response to the profile request.
    pub fn read_profile(
        &mut self,
        url: &Url,
        response: &FetchResponse,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let error = |cause| ApiError::Response { endpoint: "profile", cause };
        if !(200..=299).contains(&response.status) {
            return Err(error(unsuccessful(response.status)));
        }
        self.profile = json(response).map_err(error)?;
        self.jar.store(url, &response.headers, now);
        Ok(())
    }

    /// Whether there is a profile: an object that does not consist of errors. Some APIs, of GraphQL for example, send
    /// their errors with status 200.
    pub fn has_profile(&self) -> bool {
        let is_failure = |name: &str| self.profile.get(name).is_some_and(is_error);
        self.profile.is_object() && !is_failure("error") && !is_failure("errors")
    }

    /// The value at `path`.
    pub fn find(&self, path: &DataPath) -> Option<Value> {
        let name = || path.rest().next();
        match path.root() {
            "body" | "login" => path.within(&self.login).cloned(),
            "profile" => path.within(&self.profile).cloned(),
            "access_token" => path.within(&self.access_token_payload).cloned(),
            "cookie" => Some(Value::from(self.jar.find(name()?)?.value.expose())),
            "header" => Some(Value::from(self.headers.get(&name()?.to_ascii_lowercase())?)),
            _ => None,
        }
    }

    /// The value at `path` for a request, where the path `access_token` is the token itself.
    pub fn find_for_request(&self, path: &DataPath) -> Option<Value> {
        if path.root() == "access_token" && path.rest().len() == 0 {
            return Some(Value::from(self.access_token.as_ref()?.expose()));
        }
        self.find(path)
    }

    /// The user's identifier.
    pub fn identifier(&self, source: &Source) -> Option<String> {
        source.whole(&|path| self.find(path))
    }

    /// The text that `source` gives.
    pub fn text(&self, source: &Source) -> Option<String> {
        source.text(&|path| self.find(path))
    }
}

impl fmt::Debug for Answers {
    /// Prints no content: all of it is personal data or a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

/// Whether the value at an error's path is an error: many APIs always send the member and leave it empty.
pub(super) fn is_error(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// The JSON of a response, of any type.
pub(super) fn json(response: &FetchResponse) -> Result<Value, HttpResponseError> {
    serde_json::from_slice(exchange::json(response)?).map_err(|_| HttpResponseError::NotJson)
}

/// The error for a status that is not a success.
pub(super) fn unsuccessful(status: u16) -> HttpResponseError {
    match status {
        408 | 425 | 429 | 500..=599 => HttpResponseError::Unavailable(status),
        300..=399 => HttpResponseError::Redirect(status),
        _ => HttpResponseError::Status(status),
    }
}
