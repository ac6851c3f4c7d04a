//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3), and the corresponding endpoints of providers of OAuth 2
//! without OpenID Connect.

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
use crate::oauth::provider::{EmailsConfig, ListedEmail, UserinfoConfig, UserinfoRequest};
use crate::oauth::token::TokenResponse;
use crate::outbound;
use crate::secret::Secret;

/// The same as for the token endpoint: the user waits, and this is the last request of a sign-in.
const TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes. Enough for a profile with a few thousand groups.
const LIMIT: usize = 256 * 1024;

/// The request for the user's profile: the configured one, or a standard one (OpenID Connect Core 1.0 section 5.3.1) to
/// `published`, the endpoint of the provider's metadata. `None` if there is no endpoint.
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

/// A request with the access token in the header `Authorization` (RFC 6750 section 2.1). The token comes from
/// [`token::parse`](crate::oauth::token::parse), which accepts only tokens that fit into a header.
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
            endpoint(&text).map_err(|_| UserinfoError::Request(url_error(template)))?
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
        .map_err(|error| UserinfoError::Request(error.to_string()))?;
    url.as_str().clone_into(&mut request.url);
    if config.send_access_token {
        request.headers.set("authorization", bearer(&tokens.access_token));
    }
    Ok(Some(request))
}

pub(super) fn bearer(access_token: &Secret) -> String {
    format!("Bearer {}", access_token.expose())
}

/// The URL, with each value encoded as one segment of a path or one value of a query. All values must be present.
fn filled(template: &Template, find: &dyn Fn(&DataPath) -> Option<Value>) -> Result<String, UserinfoError> {
    let encoded = |path: &DataPath| {
        let text = find(path).as_ref().and_then(scalar_text).filter(|text| !text.is_empty())?;
        // Dot segments would be removed from the path.
        let is_segment = text != "." && text != "..";
        is_segment.then(|| Value::from(percent::encode(&text, percent::RESERVED)))
    };
    match template.paths().find(|path| encoded(path).is_none()) {
        Some(path) => {
            Err(UserinfoError::Request(format!("the token response has no usable value at {path}")))
        }
        None => Ok(template.text(&encoded)),
    }
}

fn url_error(template: &Template) -> String {
    let paths: Vec<String> = template.paths().map(ToString::to_string).collect();
    format!("the URL is not valid with the values of {}", paths.join(", "))
}

/// Parses the claims (OpenID Connect Core 1.0 section 5.3.2). Their `sub` must be `subject`, that of the ID token (section
/// 5.3.4), because an attacker may have replaced the access token by that of another user.
pub fn parse(
    response: &FetchResponse,
    root: Option<&DataPath>,
    subject: &str,
) -> Result<Map<String, Value>, UserinfoError> {
    if let Err(status) = exchange::check_status(response.status) {
        return Err(rejection(status, exchange::object(response).ok().as_ref()));
    }
    let claims = within(Value::Object(exchange::object(response)?), root);
    of_subject(claims, subject)
}

/// Whether a response says that it is a signed token (OpenID Connect Core 1.0 section 5.3.2): some clients are registered for
/// that at their provider, and nobody wrote it into the configuration.
pub fn is_signed(response: &FetchResponse) -> bool {
    exchange::has_media_type(response, "application/jwt")
}

/// The token of a signed or encrypted response (OpenID Connect Core 1.0 section 5.3.2). Nothing of it is verified here.
pub fn token(response: &FetchResponse) -> Result<&str, UserinfoError> {
    exchange::check_status(response.status)?;
    let text = std::str::from_utf8(&response.body).map_err(|_| HttpResponseError::NotJson)?;
    Ok(text.trim())
}

/// Parses the claims that were in an encrypted response, and checks that they have the ID token's subject.
pub fn parse_decrypted(
    text: &str,
    root: Option<&DataPath>,
    subject: &str,
) -> Result<Map<String, Value>, UserinfoError> {
    let claims = serde_json::from_str(text).map_err(|_| HttpResponseError::NotJson)?;
    let Value::Object(claims) = claims else { return Err(HttpResponseError::NotAnObject.into()) };
    of_subject(within(Value::Object(claims), root), subject)
}

/// Checks that the claims have the ID token's subject.
pub fn of_subject(claims: Map<String, Value>, subject: &str) -> Result<Map<String, Value>, UserinfoError> {
    match claims.get("sub") {
        Some(Value::String(found)) if found == subject => Ok(claims),
        Some(Value::String(_)) => Err(UserinfoError::SubjectMismatch),
        _ => Err(UserinfoError::SubjectMissing),
    }
}

/// The profile from a provider of OAuth 2 without OpenID Connect, and the error that the response may contain instead:
/// several providers send errors with status 200.
pub fn parse_profile(
    response: &FetchResponse,
    root: Option<&DataPath>,
) -> Result<(Map<String, Value>, Option<ErrorResponse>), UserinfoError> {
    let body = exchange::lenient(response);
    if !(200..=299).contains(&response.status)
        && let Err(status) = exchange::check_status(response.status)
    {
        return Err(rejection(status, body.ok().as_ref().and_then(Value::as_object)));
    }
    let body = body?;
    let error = body.as_object().and_then(error_body::of);
    Ok((within(body, root), error))
}

/// The object at `root`; an empty one if there is none, which identifies no user.
fn within(body: Value, root: Option<&DataPath>) -> Map<String, Value> {
    let found = match root {
        Some(root) => root.inside(&body).cloned().unwrap_or_default(),
        None => body,
    };
    match found {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

pub(super) fn rejection(cause: HttpResponseError, body: Option<&Map<String, Value>>) -> UserinfoError {
    match (cause, body.and_then(error_body::of)) {
        (HttpResponseError::Status(status), Some(error)) => UserinfoError::Rejected { status, error },
        (cause, _) => UserinfoError::Response(cause),
    }
}

/// The e-mail address from a list of addresses; `None` if no address meets the conditions.
pub fn parse_emails(
    response: &FetchResponse,
    config: &EmailsConfig,
) -> Result<Option<ListedEmail>, UserinfoError> {
    let body = exchange::lenient(response);
    if let Err(status) = exchange::check_status(response.status) {
        return Err(rejection(status, body.ok().as_ref().and_then(Value::as_object)));
    }
    Ok(config.pick(&body?))
}

/// Why there is no profile. The error is the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UserinfoError {
    /// The response is not a successful JSON object.
    #[error("userinfo: {0}")]
    Response(#[from] HttpResponseError),
    /// An error response.
    #[error("userinfo: status {status}, {error}")]
    Rejected {
        /// The status of the response.
        status: u16,
        /// The provider's error.
        error: ErrorResponse,
    },
    /// The request cannot be built from the values in the token response.
    #[error("userinfo: {0}")]
    Request(String),
    /// `sub` is missing or not a string.
    #[error("userinfo: \"sub\" is missing or not a string")]
    SubjectMissing,
    /// The claims are about another user.
    #[error("userinfo: \"sub\" is not that of the id_token: the claims are about another user")]
    SubjectMismatch,
    /// The response about the user's groups has no list of them.
    #[error("groups: the response has no array \"value\"")]
    NoGroups,
    /// The profile does not identify the user.
    #[error("the profile has no id (AUTH.providers, user.id){}", .0.as_ref().map(|e| format!("; the provider's error is {e}")).unwrap_or_default())]
    NoId(Option<ErrorResponse>),
}

impl UserinfoError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Response(error) if error.is_temporary())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::{any_json, json_response, response};

    fn read(body: &Value) -> Result<Map<String, Value>, UserinfoError> {
        parse(&json_response(200, body), None, "248289761001")
    }

    #[test]
    fn the_access_token_is_sent_in_the_header() {
        let endpoint = Url::parse("https://server.example.com/userinfo?schema=openid").unwrap();
        let request = plain_request(&endpoint, &Secret::new("SlAV32hkKG"));
        assert_eq!(request.limit, 262_144);
        assert_eq!(request.url, "https://server.example.com/userinfo?schema=openid");
        assert_eq!(request.headers.get("authorization"), Some("Bearer SlAV32hkKG"));
        assert!(request.body.is_empty());
    }

    #[test]
    fn claims_of_the_same_subject_are_accepted() {
        let claims = read(&json!({"sub": "248289761001", "email": "janedoe@example.com"})).unwrap();
        assert_eq!(claims["email"], "janedoe@example.com");
    }

    #[test]
    fn a_profile_counts_with_every_status_of_success_and_an_error_with_none() {
        let profile = json!({ "id": "7" });
        for status in [200, 201, 203, 299] {
            let (found, error) = parse_profile(&json_response(status, &profile), None).unwrap();
            assert_eq!((found["id"].as_str(), error.is_none()), (Some("7"), true), "{status}");
        }
        for status in [199, 300, 401, 429, 500] {
            assert!(parse_profile(&json_response(status, &profile), None).is_err(), "{status}");
        }
    }

    #[test]
    fn path_confusion_a_value_of_the_token_response_is_one_segment_of_the_url_or_an_error() {
        let template = Template::parse("https://idp.example/users/{account.id}/me", &|_| true).0;
        let url = |id: Value| filled(&template, &|path| (path.root() == "account").then(|| id.clone()));
        assert_eq!(url(json!("a/b?c")).unwrap(), "https://idp.example/users/a%2Fb%3Fc/me");
        assert_eq!(url(json!(7)).unwrap(), "https://idp.example/users/7/me");
        for unusable in [json!("."), json!(".."), json!(""), json!(null), json!({})] {
            let error = url(unusable.clone()).unwrap_err().to_string();
            assert!(error.contains("no usable value at account.id"), "{unusable}: {error}");
        }
        assert_eq!(url(json!("...")).unwrap(), "https://idp.example/users/.../me");
        assert!(url_error(&template).ends_with("the values of account.id"));
    }

    #[test]
    fn the_address_is_that_of_the_first_item_of_the_list_that_meets_the_conditions() {
        let config = EmailsConfig {
            url: None,
            list: None,
            conditions: vec![("primary".to_owned(), json!(true))],
            address: "email".to_owned(),
            verified: Some("verified".to_owned()),
        };
        let item =
            |email: &str, primary: bool| json!({ "email": email, "primary": primary, "verified": true });
        let list = json!([item("a@x.example", false), item("b@x.example", true), item("c@x.example", true)]);
        let email = parse_emails(&json_response(200, &list), &config).unwrap().unwrap();
        assert_eq!(email.address, "b@x.example");
        let none = json!([item("a@x.example", false), item("", true)]);
        assert!(parse_emails(&json_response(200, &none), &config).unwrap().is_none());
        assert!(parse_emails(&json_response(401, &list), &config).is_err());
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_claims_of_another_subject_are_rejected() {
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
    fn the_error_for_a_signed_response_or_a_failure_names_its_cause() {
        let subject = "248289761001";
        let signed = parse(&response(200, "application/jwt", "a.b.c"), None, subject).unwrap_err();
        assert_eq!(
            signed.to_string(),
            "userinfo: the provider answered with content type \"application/jwt\", not with application/json"
        );
        let body = json!({"sub": "248289761001"});
        for (status, temporary) in [(401, false), (403, false), (302, false), (500, true), (429, true)] {
            let error = parse(&json_response(status, &body), None, subject).unwrap_err();
            assert_eq!(error.is_temporary(), temporary, "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_response_makes_the_parser_panic(body in any_json()) {
            let _ = read(&body);
            let _ = read(&json!({"sub": body}));
        }
    }
}
