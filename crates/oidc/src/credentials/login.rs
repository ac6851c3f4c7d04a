//! The answer to a login: a refusal, or tokens.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use super::ApiError;
use super::answers::{Answers, json, unsuccessful};
use crate::credentials::provider::{Expiry, Login, TokenPaths};
use crate::data::{DataPath, scalar_text};
use crate::http::client::FetchResponse;
use crate::jose::jws;
use crate::outbound::is_field_value;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Auth.js's code where the API has none of its own.
pub const DEFAULT_CODE: &str = "credentials";
/// The code for status 429 where the API has none of its own.
const RATE_LIMITED: &str = "rate_limited";
/// Numbers from here on are milliseconds: as seconds this is the year 5138, as milliseconds 1973.
const LEAST_MILLIS: u64 = 100_000_000_000;

/// Reads the answer to the login request, as far as saying whether it is a success.
///
/// A refusal is 400, 401, 403, 422 or 429, or any other answer below 500 in which something stands at
/// `login.error`: some APIs say so with 200, some with 404 or 423. Everything else that is no success is a
/// failure of the API's, and nobody is told that their password is wrong.
pub fn parse(login: &Login, response: &FetchResponse, now: Timestamp) -> Result<Answers, LoginError> {
    let broken = |cause| LoginError::Broken(ApiError::Answer { endpoint: "login", cause });
    let body = json(response);
    let facts =
        Answers::of_answer(&login.request.url, response, body.as_ref().cloned().unwrap_or_default(), now);
    let stated = login.error.as_ref().and_then(|path| facts.find(path)).filter(says_something);
    let refused = |default: &str| {
        let own = stated.as_ref().and_then(scalar_text).filter(|code| is_code(code));
        let code = own.unwrap_or_else(|| default.to_owned());
        Err(LoginError::Refused(LoginRejectedError { status: response.status, code }))
    };
    match response.status {
        429 => refused(RATE_LIMITED),
        400 | 401 | 403 | 422 => refused(DEFAULT_CODE),
        200..=299 | 404..=499 if stated.is_some() && !matches!(response.status, 408 | 425) => {
            refused(DEFAULT_CODE)
        }
        200..=299 => match body {
            Ok(_) => Ok(facts),
            // An API that puts its tokens into cookies or header fields may have nothing more to say.
            Err(_) if login.tokens.access_token.root() != "body" => Ok(facts),
            Err(cause) => Err(broken(cause)),
        },
        status => Err(broken(unsuccessful(status))),
    }
}

/// What a login gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For the API.
    pub access_token: Secret,
    /// When it ends, where anything says so.
    pub expires_at: Option<Timestamp>,
    /// For new ones.
    pub refresh_token: Option<Secret>,
    /// When that ends, where anything says so.
    pub refresh_expires_at: Option<Timestamp>,
}

/// The tokens in the answers so far: a later answer may have set newer cookies. `endpoint` is what errors call
/// the request.
pub fn tokens(
    endpoint: &'static str,
    paths: &TokenPaths,
    facts: &Answers,
    now: Timestamp,
) -> Result<Tokens, ApiError> {
    let token = |path: &DataPath| {
        token(facts, path).map_err(|InvalidTokenText| ApiError::UnfitToken { endpoint, path: path.clone() })
    };
    let path = &paths.access_token;
    let access_token =
        token(path)?.ok_or_else(|| ApiError::NoAccessToken { endpoint, path: path.clone() })?;
    let expires_at = end(facts, paths.expires.as_ref(), path, &access_token, now);
    // The same refresh token may go on for longer: the answer says when it ends and not what it is.
    let refresh_expires_at = stated(facts, paths.refresh_expires.as_ref(), now);
    let mut tokens = Tokens { access_token, expires_at, refresh_token: None, refresh_expires_at };
    if let Some(path) = &paths.refresh_token
        && let Some(refresh_token) = token(path)?
    {
        tokens.refresh_expires_at = end(facts, paths.refresh_expires.as_ref(), path, &refresh_token, now);
        tokens.refresh_token = Some(refresh_token);
    }
    Ok(tokens)
}

/// What stands in a token's place has characters that no header field carries.
struct InvalidTokenText;

/// The token at `path`; without the word before it where it came as an `Authorization` field.
fn token(facts: &Answers, path: &DataPath) -> Result<Option<Secret>, InvalidTokenText> {
    let Some(Value::String(text)) = facts.find(path) else { return Ok(None) };
    let text = text.strip_prefix("Bearer ").unwrap_or(&text);
    if text.is_empty() {
        return Ok(None);
    }
    if !is_field_value(text) || text.contains([' ', '\t']) {
        return Err(InvalidTokenText);
    }
    Ok(Some(Secret::new(text)))
}

/// When a token ends: as the answer says; otherwise with its cookie or by its own `exp`, whichever is first.
fn end(
    facts: &Answers,
    expiry: Option<&Expiry>,
    path: &DataPath,
    token: &Secret,
    now: Timestamp,
) -> Option<Timestamp> {
    let of_cookie = || match (path.root(), path.rest().next()) {
        ("cookie", Some(name)) => facts.jar.find(name)?.expires,
        _ => None,
    };
    let own = || jws::decode_unverified(token.expose()).get("exp").and_then(point);
    stated(facts, expiry, now).or_else(|| of_cookie().into_iter().chain(own()).min())
}

/// When a token ends as the answer says.
fn stated(facts: &Answers, expiry: Option<&Expiry>, now: Timestamp) -> Option<Timestamp> {
    match expiry? {
        Expiry::In(path) => lifetime(&facts.find(path)?, now),
        Expiry::At(path) => point(&facts.find(path)?),
    }
}

/// Seconds from now, as a number or a text with one; less than none is now.
fn lifetime(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let seconds = u64::try_from(whole(value)?).unwrap_or(0);
    Some(now.plus(Duration::from_secs(seconds)))
}

/// A point in time: seconds or milliseconds since the epoch, as a number or a text with one, or RFC 3339.
fn point(value: &Value) -> Option<Timestamp> {
    if let Some(number) = whole(value) {
        return match u64::try_from(number).unwrap_or(0) {
            seconds @ 0..LEAST_MILLIS => Some(Timestamp::from_seconds(seconds)),
            millis => Some(Timestamp::from_millis(millis)),
        };
    }
    Timestamp::parse_rfc3339(value.as_str()?)
}

/// The whole part of a number, or of a text that is one.
fn whole(value: &Value) -> Option<i64> {
    let text = scalar_text(value).filter(|_| !value.is_boolean())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    fraction.bytes().all(|b| b.is_ascii_digit()).then(|| whole.parse().ok())?
}

/// Whether what stands at the place of an error is one: many APIs always have the member, and leave it empty.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// What may go into a URL and a log as a code: no sentence, and nothing as long as a token.
fn is_code(text: &str) -> bool {
    const LONGEST: usize = 64;
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// The API said no.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the API refused the login with status {status}, code {code}")]
pub struct LoginRejectedError {
    /// Its status.
    pub status: u16,
    /// Its own code where it has one that is short and harmless.
    pub code: String,
}

/// Why a login gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// Whoever tried is to blame.
    #[error(transparent)]
    Refused(LoginRejectedError),
    /// The API is to blame.
    #[error(transparent)]
    Broken(ApiError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_290_000);

    #[test]
    fn seconds_and_milliseconds_are_told_apart() {
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
        fn any_end_is_read_or_is_none(text in any::<String>(), number in any::<f64>(), whole in any::<i64>()) {
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
