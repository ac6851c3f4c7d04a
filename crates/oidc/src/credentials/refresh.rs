//! The request for new tokens, and its response.

use serde_json::Value;
use thiserror::Error;

use super::ApiError;
use super::answers::{Answers, json, unsuccessful};
use super::refusal::Verdict;
use crate::credentials::provider::ApiRefresh;
use crate::data::DataPath;
use crate::http::client::{FetchRequest, FetchResponse};
use crate::outbound::{self, HeaderValueError};
use crate::time::Timestamp;

/// The name of this request in errors.
pub const ENDPOINT: &str = "refresh";

/// Builds the request; `find` returns the values of the placeholders. A cookie with a missing value is left out.
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
        // A semicolon would start another cookie.
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

/// Reads the response only so far as to decide whether the request succeeded.
///
/// [`Refusals`](super::refusal::Refusals) says which responses below 500 reject the request. A rejection signs the user
/// out. So 408, 425, 429 and all statuses from 500, which may be temporary, never count as one.
pub fn parse(
    refresh: &ApiRefresh,
    response: &FetchResponse,
    now: Timestamp,
) -> Result<Answers, RefreshError> {
    let broken = |cause| RefreshError::Api(ApiError::Response { endpoint: ENDPOINT, cause });
    let body = json(response);
    let url = &refresh.request.url;
    let answers = Answers::from_response(url, response, body.as_ref().cloned().unwrap_or_default(), now);
    let status = response.status;
    if matches!(status, 408 | 425 | 429) || !matches!(status, 200..=299 | 400..=499) {
        return Err(broken(unsuccessful(status)));
    }
    match (status, refresh.refusals.verdict(status, &answers)) {
        (_, Verdict::Rejected(_)) => Err(RefreshError::Rejected { status }),
        (_, Verdict::OtherError(code)) => {
            Err(RefreshError::Api(ApiError::Unlisted { endpoint: ENDPOINT, status, code }))
        }
        (200..=299, Verdict::NoError) => match body {
            Ok(_) => Ok(answers),
            Err(_) if refresh.tokens.access_token.root() != "body" => Ok(answers),
            Err(cause) => Err(broken(cause)),
        },
        (status, Verdict::NoError) => Err(broken(unsuccessful(status))),
    }
}

/// Why a refresh gave no tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefreshError {
    /// The API does not issue new tokens for these.
    #[error("the API rejected the refresh with status {status}")]
    Rejected {
        /// The status of the response.
        status: u16,
    },
    /// The API failed.
    #[error(transparent)]
    Api(ApiError),
}
