//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3), and whatever takes its place at a provider of
//! OAuth 2 alone.

use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::data::{DataPath, Template, scalar_text};
use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::origin::endpoint;
use crate::http::percent;
use crate::http::url::Url;
use crate::oauth::error_body;
use crate::oauth::exchange::{self, ErrorResponse, HttpResponseError};
use crate::oauth::id_token::VerifiedIdToken;
use crate::oauth::provider::{EmailsConfig, UserinfoConfig, UserinfoRequest};
use crate::oauth::token::TokenResponse;
use crate::outbound;
use crate::secret::Secret;

/// As for the token endpoint: it is the last of the requests that a person waits for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A profile with a few thousand groups in it.
const LIMIT: usize = 256 * 1024;

/// The request for the profile of who signed in: at `published`, the endpoint of the provider's metadata, as
/// OpenID Connect Core 1.0 section 5.3.1 has it, or as it is configured. `None` where there is no endpoint.
pub fn request(
    config: &UserinfoConfig,
    published: Option<&Url>,
    tokens: &TokenResponse,
) -> Result<Option<FetchRequest>, UserinfoError> {
    match &config.request {
        None => Ok(published.map(|url| plain_request(url, &tokens.access_token))),
        Some(request) => configured_request(request, published, tokens),
    }
}

/// With the access token in the header (RFC 6750 section 2.1). It is one that
/// [`token::parse`](crate::oauth::token::parse) has read, so it fits there.
pub fn plain_request(endpoint: &Url, access_token: &Secret) -> FetchRequest {
    let mut request = exchange::get(endpoint.as_str(), TIMEOUT, LIMIT);
    request.headers.set("authorization", bearer(access_token));
    request
}

fn configured_request(
    config: &UserinfoRequest,
    published: Option<&Url>,
    tokens: &TokenResponse,
) -> Result<Option<FetchRequest>, UserinfoError> {
    let account = Value::Object(tokens.raw.clone());
    let find = |path: &DataPath| match path.root() {
        "access_token" => Some(Value::from(tokens.access_token.expose())),
        "api_key" => config.api_key.as_ref().map(|key| Value::from(key.expose())),
        "account" => path.within(&account).cloned(),
        _ => None,
    };
    let mut url = match (&config.url, published) {
        (Some(template), _) => {
            let text = filled(template, &find)?;
            endpoint(&text).map_err(|_| UserinfoError::Unfit(template_name(template)))?
        }
        (None, Some(url)) => url.clone(),
        (None, None) => return Ok(None),
    };
    for (name, template) in &config.params {
        let value = template.text(&find);
        if !value.is_empty() {
            let mut query = form_urlencoded::Serializer::new(url.query().unwrap_or_default().to_owned());
            url = url.with_query(&query.append_pair(name, &value).finish());
        }
    }
    let mut request = outbound::build("userinfo", &config.rest, None, &find)
        .map_err(|error| UserinfoError::Unfit(error.to_string()))?;
    url.as_str().clone_into(&mut request.url);
    if config.bearer {
        request.headers.set("authorization", bearer(&tokens.access_token));
    }
    Ok(Some(request))
}

fn bearer(access_token: &Secret) -> String {
    format!("Bearer {}", access_token.expose())
}

/// The URL, with each value as one piece of a path or a query. All of them have to be there.
fn filled(template: &Template, find: &dyn Fn(&DataPath) -> Option<Value>) -> Result<String, UserinfoError> {
    let piece = |path: &DataPath| {
        let text = find(path).as_ref().and_then(scalar_text).filter(|text| !text.is_empty())?;
        // What a path would be cleaned of is no piece of one.
        let is_piece = text != "." && text != "..";
        is_piece.then(|| Value::from(percent::encode(&text, percent::RESERVED)))
    };
    match template.paths().find(|path| piece(path).is_none()) {
        Some(path) => Err(UserinfoError::Unfit(format!("the token response has nothing fit at {path}"))),
        None => Ok(template.text(&piece)),
    }
}

fn template_name(template: &Template) -> String {
    let paths: Vec<String> = template.paths().map(ToString::to_string).collect();
    format!("the URL does not fit together with {}", paths.join(", "))
}

/// Reads the claims (OpenID Connect Core 1.0 section 5.3.2). Their `sub` must be the id_token's (section
/// 5.3.4): the access token may have been swapped for another person's.
pub fn parse(
    response: &FetchResponse,
    root: Option<&DataPath>,
    id_token: &VerifiedIdToken,
) -> Result<Map<String, Value>, UserinfoError> {
    if let Err(status) = exchange::check_status(response.status) {
        return Err(refused(status, exchange::object(response).ok().as_ref()));
    }
    let claims = within(Value::Object(exchange::object(response)?), root);
    of_subject(claims, id_token)
}

/// The token that a signed answer is (OpenID Connect Core 1.0 section 5.3.2), nothing of it verified.
pub fn signed_token(response: &FetchResponse) -> Result<&str, UserinfoError> {
    exchange::check_status(response.status)?;
    let text = std::str::from_utf8(&response.body).map_err(|_| HttpResponseError::NotJson)?;
    Ok(text.trim())
}

/// That claims are about the id_token's subject.
pub fn of_subject(
    claims: Map<String, Value>,
    id_token: &VerifiedIdToken,
) -> Result<Map<String, Value>, UserinfoError> {
    match claims.get("sub") {
        Some(Value::String(subject)) if subject == id_token.subject() => Ok(claims),
        Some(Value::String(_)) => Err(UserinfoError::SubjectMismatch),
        _ => Err(UserinfoError::SubjectMissing),
    }
}

/// What a provider of OAuth 2 alone says of the person, and the complaint that the answer may be instead:
/// several answer 200 whatever happens.
pub fn parse_profile(
    response: &FetchResponse,
    root: Option<&DataPath>,
) -> Result<(Map<String, Value>, Option<ErrorResponse>), UserinfoError> {
    let answer = exchange::lenient(response);
    if !(200..=299).contains(&response.status)
        && let Err(status) = exchange::check_status(response.status)
    {
        return Err(refused(status, answer.ok().as_ref().and_then(Value::as_object)));
    }
    let answer = answer?;
    let complaint = answer.as_object().and_then(error_body::of);
    Ok((within(answer, root), complaint))
}

/// The object at `root`; an empty one where there is none, of whom nobody can be.
fn within(answer: Value, root: Option<&DataPath>) -> Map<String, Value> {
    let found = match root {
        Some(root) => root.inside(&answer).cloned().unwrap_or_default(),
        None => answer,
    };
    match found {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn refused(answer: HttpResponseError, body: Option<&Map<String, Value>>) -> UserinfoError {
    match (answer, body.and_then(error_body::of)) {
        (HttpResponseError::Status(status), Some(error)) => UserinfoError::Rejected { status, error },
        (answer, _) => UserinfoError::Response(answer),
    }
}

/// The e-mail address in the answer to a request for all of a person's; `None` where none is as it must be.
pub fn parse_emails(
    response: &FetchResponse,
    config: &EmailsConfig,
) -> Result<Option<String>, UserinfoError> {
    let answer = exchange::lenient(response);
    if let Err(status) = exchange::check_status(response.status) {
        return Err(refused(status, answer.ok().as_ref().and_then(Value::as_object)));
    }
    Ok(config.pick(&answer?).map(str::to_owned))
}

/// Whether a text can tell one person from another, as the subject of an id_token can.
pub fn is_identifier(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Why a userinfo response cannot be used. The provider is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UserinfoError {
    /// There is no JSON object in the answer.
    #[error("userinfo: {0}")]
    Response(#[from] HttpResponseError),
    /// The provider says why it gives none.
    #[error("userinfo: status {status}, {error}")]
    Rejected {
        /// The status.
        status: u16,
        /// Its own words.
        error: ErrorResponse,
    },
    /// The request cannot be made of what the token response has.
    #[error("userinfo: {0}")]
    Unfit(String),
    /// `sub` is absent or no string.
    #[error("userinfo: \"sub\" is missing or not a string")]
    SubjectMissing,
    /// The claims are about somebody else.
    #[error("userinfo: \"sub\" is not the id_token's: these claims are about somebody else")]
    SubjectMismatch,
    /// Nobody knows who that is.
    #[error("the profile has no id (AUTH.providers, user.id){}", .0.as_ref().map(|e| format!("; the provider says {e}")).unwrap_or_default())]
    NoId(Option<ErrorResponse>),
}

impl UserinfoError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Response(answer) if answer.is_temporary())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::id_token::verified_for_tests;
    use crate::oauth::testing::{any_json, json_response, response};

    fn read(body: &Value) -> Result<Map<String, Value>, UserinfoError> {
        parse(&json_response(200, body), None, &verified_for_tests("248289761001"))
    }

    #[test]
    fn the_access_token_goes_in_the_header() {
        let endpoint = Url::parse("https://server.example.com/userinfo?schema=openid").unwrap();
        let request = plain_request(&endpoint, &Secret::new("SlAV32hkKG"));
        assert_eq!(request.url, "https://server.example.com/userinfo?schema=openid");
        assert_eq!(request.headers.get("authorization"), Some("Bearer SlAV32hkKG"));
        assert!(request.body.is_empty());
    }

    #[test]
    fn the_same_subjects_claims_are_read() {
        let claims = read(&json!({"sub": "248289761001", "email": "janedoe@example.com"})).unwrap();
        assert_eq!(claims["email"], "janedoe@example.com");
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_another_subjects_claims_are_refused() {
        for (sub, error) in [
            (json!("248289761002"), UserinfoError::SubjectMismatch),
            (json!("24828976100"), UserinfoError::SubjectMismatch),
            (json!("248289761001 "), UserinfoError::SubjectMismatch),
            (json!(""), UserinfoError::SubjectMismatch),
            (json!(248_289_761_001_u64), UserinfoError::SubjectMissing),
            (json!(["248289761001"]), UserinfoError::SubjectMissing),
            (json!(null), UserinfoError::SubjectMissing),
        ] {
            assert_eq!(read(&json!({"sub": sub, "email": "x"})), Err(error), "{sub}");
        }
        assert_eq!(read(&json!({"email": "x"})), Err(UserinfoError::SubjectMissing));
    }

    #[test]
    fn a_signed_answer_and_an_error_are_named() {
        let id_token = verified_for_tests("248289761001");
        let signed = parse(&response(200, "application/jwt", "a.b.c"), None, &id_token).unwrap_err();
        assert_eq!(
            signed.to_string(),
            "userinfo: the provider answered with content type \"application/jwt\", not with application/json"
        );
        let body = json!({"sub": "248289761001"});
        for (status, temporary) in [(401, false), (403, false), (302, false), (500, true), (429, true)] {
            let error = parse(&json_response(status, &body), None, &id_token).unwrap_err();
            assert_eq!(error.is_temporary(), temporary, "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(body in any_json()) {
            let _ = read(&body);
            let _ = read(&json!({"sub": body}));
        }
    }
}
