//! The response to a login: a rejection, or tokens.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use super::ApiError;
use super::answers::{Answers, json, unsuccessful};
use super::refusal::Verdict;
use crate::credentials::provider::{Expiry, Login, TokenPaths};
use crate::data::{DataPath, scalar_text};
use crate::http::client::FetchResponse;
use crate::jose::jws;
use crate::outbound::is_field_value;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The name of this request in errors.
const ENDPOINT: &str = "login";
/// The error code of Auth.js, for an API that does not send its own.
pub const DEFAULT_CODE: &str = "credentials";
/// The error code for status 429, for an API that does not send its own.
pub const RATE_LIMITED: &str = "rate_limited";
/// Numbers from this one are milliseconds. As seconds it is in the year 5138, as milliseconds in 1973.
const MIN_MILLIS: u64 = 100_000_000_000;

/// Reads the response to the login request only so far as to decide whether the login succeeded.
///
/// The API rejects a login by status 429, and by what [`Refusals`](super::refusal::Refusals) says of any other response
/// below 500: some APIs send 200 for that, some 404 or 423. Every other unsuccessful response is a failure of the API, so
/// that no user is told that the password is wrong.
pub fn parse(login: &Login, response: &FetchResponse, now: Timestamp) -> Result<Answers, LoginError> {
    let broken = |cause| LoginError::Api(ApiError::Response { endpoint: ENDPOINT, cause });
    let body = json(response);
    let answers =
        Answers::from_response(&login.request.url, response, body.as_ref().cloned().unwrap_or_default(), now);
    let status = response.status;
    if matches!(status, 408 | 425) || !matches!(status, 200..=299 | 400..=499) {
        return Err(broken(unsuccessful(status)));
    }
    let verdict = login.refusals.verdict(status, &answers);
    let refused = |code: Option<String>, default: &str| {
        let code = code.unwrap_or_else(|| default.to_owned());
        Err(LoginError::Rejected(LoginRejectedError { status, code }))
    };
    match (status, verdict) {
        (429, Verdict::Rejected(code) | Verdict::OtherError(code)) => refused(code, RATE_LIMITED),
        (429, Verdict::NoError) => refused(None, RATE_LIMITED),
        (_, Verdict::Rejected(code)) => refused(code, DEFAULT_CODE),
        (_, Verdict::OtherError(code)) => {
            Err(LoginError::Api(ApiError::Unlisted { endpoint: ENDPOINT, status, code }))
        }
        (200..=299, Verdict::NoError) => match body {
            Ok(_) => Ok(answers),
            // An API that sends its tokens in cookies or header fields may send no JSON body.
            Err(_) if login.tokens.access_token.root() != "body" => Ok(answers),
            Err(cause) => Err(broken(cause)),
        },
        (status, Verdict::NoError) => Err(broken(unsuccessful(status))),
    }
}

/// The tokens that a login gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token for the API.
    pub access_token: Secret,
    /// When the access token expires, if that is known.
    pub expires_at: Option<Timestamp>,
    /// The refresh token, if the API sent one.
    pub refresh_token: Option<Secret>,
    /// When the refresh token expires, if that is known.
    pub refresh_expires_at: Option<Timestamp>,
}

/// The tokens in the responses so far: a later response may have set newer cookies. Errors name the request as
/// `endpoint`.
pub fn tokens(
    endpoint: &'static str,
    paths: &TokenPaths,
    answers: &Answers,
    now: Timestamp,
) -> Result<Tokens, ApiError> {
    let token = |path: &DataPath| {
        token(answers, path)
            .map_err(|InvalidTokenText| ApiError::InvalidToken { endpoint, path: path.clone() })
    };
    let path = &paths.access_token;
    let access_token =
        token(path)?.ok_or_else(|| ApiError::NoAccessToken { endpoint, path: path.clone() })?;
    let expires_at = expiry_of(answers, paths.expires.as_ref(), path, &access_token, now);
    // The API may prolong the same refresh token: the response then states when it expires, but not the token itself.
    let refresh_expires_at = stated(answers, paths.refresh_expires.as_ref(), now);
    let mut tokens = Tokens { access_token, expires_at, refresh_token: None, refresh_expires_at };
    if let Some(path) = &paths.refresh_token
        && let Some(refresh_token) = token(path)?
    {
        tokens.refresh_expires_at =
            expiry_of(answers, paths.refresh_expires.as_ref(), path, &refresh_token, now);
        tokens.refresh_token = Some(refresh_token);
    }
    Ok(tokens)
}

/// The value at a token's path has characters that a header field must not contain.
struct InvalidTokenText;

/// The token at `path`. The prefix `Bearer ` of an `Authorization` field is removed.
fn token(answers: &Answers, path: &DataPath) -> Result<Option<Secret>, InvalidTokenText> {
    let Some(Value::String(text)) = answers.find(path) else { return Ok(None) };
    let text = text.strip_prefix("Bearer ").unwrap_or(&text);
    if text.is_empty() {
        return Ok(None);
    }
    if !is_field_value(text) || text.contains([' ', '\t']) {
        return Err(InvalidTokenText);
    }
    Ok(Some(Secret::new(text)))
}

/// When a token expires: at the time that the response states; otherwise when its cookie expires or at its own `exp`,
/// whichever is first.
fn expiry_of(
    answers: &Answers,
    expiry: Option<&Expiry>,
    path: &DataPath,
    token: &Secret,
    now: Timestamp,
) -> Option<Timestamp> {
    let of_cookie = || match (path.root(), path.rest().next()) {
        ("cookie", Some(name)) => answers.jar.find(name)?.expires,
        _ => None,
    };
    let own = || jws::decode_unverified(token.expose()).get("exp").and_then(point);
    stated(answers, expiry, now).or_else(|| of_cookie().into_iter().chain(own()).min())
}

/// When a token expires, if the response states it.
fn stated(answers: &Answers, expiry: Option<&Expiry>, now: Timestamp) -> Option<Timestamp> {
    match expiry? {
        Expiry::In(path) => lifetime(&answers.find(path)?, now),
        Expiry::At(path) => point(&answers.find(path)?),
    }
}

/// The point in time that is a number of seconds from now. The number may be in a string; a negative one means now.
fn lifetime(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let seconds = u64::try_from(whole(value)?).unwrap_or(0);
    Some(now.plus(Duration::from_secs(seconds)))
}

/// A point in time: seconds or milliseconds since the epoch, as a number or in a string, or RFC 3339.
fn point(value: &Value) -> Option<Timestamp> {
    if let Some(number) = whole(value) {
        return match u64::try_from(number).unwrap_or(0) {
            seconds @ 0..MIN_MILLIS => Some(Timestamp::from_seconds(seconds)),
            millis => Some(Timestamp::from_millis(millis)),
        };
    }
    Timestamp::parse_rfc3339(value.as_str()?)
}

/// The integer part of a number, which may be in a string.
fn whole(value: &Value) -> Option<i64> {
    let text = scalar_text(value).filter(|_| !value.is_boolean())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    fraction.bytes().all(|b| b.is_ascii_digit()).then(|| whole.parse().ok())?
}

/// The API rejected the login.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the API rejected the login with status {status}, code {code}")]
pub struct LoginRejectedError {
    /// The status of the response.
    pub status: u16,
    /// The API's own error code if it sent a short and harmless one, otherwise a default.
    pub code: String,
}

/// Why a login gave no tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// The API rejected the user's input.
    #[error(transparent)]
    Rejected(LoginRejectedError),
    /// The API failed.
    #[error(transparent)]
    Api(ApiError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::credentials::refusal::is_code;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_290_000);

    #[test]
    fn seconds_and_milliseconds_are_distinguished_by_size() {
        for (value, millis) in [
            (json!(1_795_290_000), Some(1_795_290_000_000)),
            (json!(1_795_290_000.75), Some(1_795_290_000_000)),
            (json!(1_795_290_000_123_u64), Some(1_795_290_000_123)),
            (json!("1795290000123"), Some(1_795_290_000_123)),
            (json!(99_999_999_999_u64), Some(99_999_999_999_000)),
            (json!(100_000_000_000_u64), Some(100_000_000_000)),
            (json!("1970-01-01T00:00:01+00:00"), Some(1000)),
            (json!(-1), Some(0)),
            (json!("-"), None),
            (json!("1e9"), None),
            (json!("12:00"), None),
            (json!(true), None),
            (json!([1]), None),
        ] {
            assert_eq!(point(&value).map(Timestamp::millis), millis, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_the_parsers_of_times_panic(text in any::<String>(), number in any::<f64>(), whole in any::<i64>()) {
            for value in [json!(text), json!(number), json!(whole), json!(number.to_string())] {
                let _ = point(&value);
                prop_assert!(lifetime(&value, NOW).is_none_or(|end| end >= NOW));
            }
        }

        #[test]
        fn a_code_is_harmless_in_a_url_and_a_log(text in any::<String>()) {
            let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            prop_assert!(!is_code(&text) || encoded == text);
        }
    }
}
