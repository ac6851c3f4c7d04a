//! New tokens for old ones.

use serde_json::Value;
use thiserror::Error;

use super::ApiError;
use super::answers::{Answers, json, unsuccessful};
use super::login::says_something;
use crate::credentials::provider::ApiRefresh;
use crate::data::DataPath;
use crate::http::client::{FetchRequest, FetchResponse};
use crate::outbound::{self, HeaderValueError};
use crate::time::Timestamp;

/// What errors call this request.
pub const ENDPOINT: &str = "refresh";

/// Builds the request, with the values that `find` has. A cookie for which the session has nothing is left out.
pub fn request(
    refresh: &ApiRefresh,
    client_address: Option<&str>,
    find: &dyn Fn(&DataPath) -> Option<Value>,
) -> Result<FetchRequest, ApiError> {
    let mut request = outbound::build(ENDPOINT, &refresh.request, client_address, find)?;
    let mut field = String::new();
    for (name, value) in &refresh.cookies {
        if !value.paths().all(|path| find(path).is_some()) {
            continue;
        }
        let pair = format!("{name}={}", value.text(find));
        // A semicolon would begin another cookie.
        if pair.contains(';') || !outbound::is_field_value(&pair) {
            return Err(HeaderValueError { endpoint: ENDPOINT, name: "cookie".to_owned() }.into());
        }
        if !field.is_empty() {
            field.push_str("; ");
        }
        field.push_str(&pair);
    }
    if !field.is_empty() {
        request.headers.set("cookie", field);
    }
    Ok(request)
}

/// Reads the answer, as far as saying whether it is a success.
///
/// A refusal is 400, 401 or 403, or any other answer below 500 in which something stands at `error`. Whoever is
/// refused is signed out; so what may pass, 408, 425, 429 and everything from 500 on, never is one.
pub fn parse(
    refresh: &ApiRefresh,
    response: &FetchResponse,
    now: Timestamp,
) -> Result<Answers, RefreshError> {
    let broken = |cause| RefreshError::Broken(ApiError::Answer { endpoint: ENDPOINT, cause });
    let body = json(response);
    let url = &refresh.request.url;
    let facts = Answers::of_answer(url, response, body.as_ref().cloned().unwrap_or_default(), now);
    let is_stated =
        || refresh.error.as_ref().and_then(|path| facts.find(path)).as_ref().is_some_and(says_something);
    match response.status {
        status @ (408 | 425 | 429) => Err(broken(unsuccessful(status))),
        status @ (400 | 401 | 403) => Err(RefreshError::Refused { status }),
        status @ (200..=299 | 404..=499) if is_stated() => Err(RefreshError::Refused { status }),
        200..=299 => match body {
            Ok(_) => Ok(facts),
            Err(_) if refresh.tokens.access_token.root() != "body" => Ok(facts),
            Err(cause) => Err(broken(cause)),
        },
        status => Err(broken(unsuccessful(status))),
    }
}

/// Why a refresh gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefreshError {
    /// The API gives no more tokens for these.
    #[error("the API refused the refresh with status {status}")]
    Refused {
        /// Its status.
        status: u16,
    },
    /// The API does not work.
    #[error(transparent)]
    Broken(ApiError),
}
