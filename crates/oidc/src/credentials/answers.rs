//! What the API's answers say, under the roots that paths begin with.

use std::fmt;

use serde_json::Value;

use super::ApiError;
use super::jar::Jar;
use crate::data::{DataPath, Source};
use crate::http::client::FetchResponse;
use crate::http::headers::Headers;
use crate::http::url::Url;
use crate::jose::jws;
use crate::oauth::exchange::{self, AnswerError};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Everything that the answers of one sign-in say.
#[derive(Default)]
pub struct Answers {
    /// The body of the login's answer: `body`, and `login` in the claims.
    pub login: Value,
    /// The body of the profile's answer: `profile`.
    pub profile: Value,
    /// The payload of an access token that is a JWT: `access_token`.
    access_token_payload: Value,
    /// The access token itself.
    access_token: Option<Secret>,
    /// The header fields of the login's answer: `header`.
    headers: Headers,
    /// `cookie`
    pub jar: Jar,
}

impl Answers {
    /// What the answer to the login, or to a refresh, says so far.
    pub(super) fn of_answer(url: &Url, response: &FetchResponse, body: Value, now: Timestamp) -> Self {
        let mut jar = Jar::default();
        jar.store(url, &response.headers, now);
        Self { login: body, headers: response.headers.clone(), jar, ..Self::default() }
    }

    /// Takes note of the access token.
    pub fn hold(&mut self, access_token: &Secret) {
        self.access_token_payload = jws::decode_unverified(access_token.expose());
        self.access_token = Some(access_token.clone());
    }

    /// Reads the answer to the request for the profile.
    pub fn profile_answered(
        &mut self,
        url: &Url,
        response: &FetchResponse,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let refused = |cause| ApiError::Answer { endpoint: "profile", cause };
        if !(200..=299).contains(&response.status) {
            return Err(refused(unsuccessful(response.status)));
        }
        self.profile = json(response).map_err(refused)?;
        self.jar.store(url, &response.headers, now);
        Ok(())
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

    /// The value at `path` for a request, where `access_token` alone is the token itself.
    pub fn find_for_request(&self, path: &DataPath) -> Option<Value> {
        if path.root() == "access_token" && path.rest().len() == 0 {
            return Some(Value::from(self.access_token.as_ref()?.expose()));
        }
        self.find(path)
    }

    /// What tells one person from another.
    pub fn identifier(&self, source: &Source) -> Option<String> {
        source.whole(&|path| self.find(path))
    }

    /// What `source` gives.
    pub fn text(&self, source: &Source) -> Option<String> {
        source.text(&|path| self.find(path))
    }
}

impl fmt::Debug for Answers {
    /// Nothing: all of it is somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").finish_non_exhaustive()
    }
}

/// The JSON of an answer, of any type.
pub(super) fn json(response: &FetchResponse) -> Result<Value, AnswerError> {
    serde_json::from_slice(exchange::json(response)?).map_err(|_| AnswerError::NotJson)
}

/// What a status says that is no success.
pub(super) fn unsuccessful(status: u16) -> AnswerError {
    match status {
        408 | 425 | 429 | 500..=599 => AnswerError::Unavailable(status),
        300..=399 => AnswerError::Redirect(status),
        _ => AnswerError::Status(status),
    }
}
