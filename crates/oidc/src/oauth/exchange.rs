//! The parts that all requests to a provider share: their header fields, the check that a response is JSON, and the
//! shortening of texts from a provider, so that they are safe in a log.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::request::Method;
use crate::http::url::Url;
use crate::outbound::common_headers;

/// Why a provider's response cannot be used. The error is the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HttpResponseError {
    /// The provider is unavailable or limits requests (5xx, 408, 425, 429): the same request may succeed later.
    #[error("the provider is unavailable, it answered with status {0}")]
    Unavailable(u16),
    /// A redirect. It is not followed: the URL behind it has not been checked.
    #[error("the provider answered with status {0}, a redirect, and redirects are not followed")]
    Redirect(u16),
    /// Any other status that is not a success.
    #[error("the provider answered with status {0}")]
    Status(u16),
    /// The media type is not JSON. Contains the media type.
    #[error("the provider answered with content type {0:?}, not with application/json")]
    MediaType(String),
    /// There is no media type.
    #[error("the provider answered without a content type, not with application/json")]
    NoMediaType,
    /// The body is not JSON (RFC 8259), or is nested too deeply.
    #[error("the provider's response has a JSON media type, but its body is not valid JSON")]
    NotJson,
    /// The body is JSON, but not an object.
    #[error("the provider's response is JSON, but not an object")]
    NotAnObject,
}

impl HttpResponseError {
    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// An error response (RFC 6749 sections 4.1.2.1 and 5.2). It is logged and decides what happens next; no page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{}", code_without_secrets(error), .description.as_ref().map(|d| format!(" ({d})")).unwrap_or_default())]
pub struct ErrorResponse {
    /// `error`, e.g. `access_denied`; at most 100 characters, none of them a control character. It is compared as it came;
    /// what is printed of it has no word that could be a token, because some APIs write sentences there.
    pub error: String,
    /// `error_description`; at most 500 characters, none of them a control character.
    pub description: Option<String>,
}

impl ErrorResponse {
    /// Shortens the texts that a provider sent, and removes their control characters.
    pub(super) fn new(error: &str, description: Option<&str>) -> Self {
        /// In characters. The longest registered code has 26.
        const ERROR_LIMIT: usize = 100;
        /// In characters. Enough for a sentence and a correlation id.
        const DESCRIPTION_LIMIT: usize = 500;
        Self {
            error: excerpt(error, ERROR_LIMIT),
            description: description
                .filter(|description| !description.is_empty())
                .map(|description| excerpt(&without_secrets(description), DESCRIPTION_LIMIT)),
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self.error.as_str(), "temporarily_unavailable" | "server_error" | "slow_down")
    }
}

/// A GET request for JSON.
pub(super) fn get(url: &str, timeout: Duration, limit: usize) -> FetchRequest {
    FetchRequest {
        method: Method::Get,
        url: url.to_owned(),
        headers: common_headers(),
        body: Vec::new(),
        timeout,
        limit,
    }
}

/// A POST request with a form body (RFC 6749 appendix B) for JSON.
pub(super) fn post_form(url: &Url, body: String, timeout: Duration, limit: usize) -> FetchRequest {
    let mut headers = common_headers();
    headers.set("content-type", "application/x-www-form-urlencoded");
    FetchRequest {
        method: Method::Post,
        url: url.as_str().to_owned(),
        headers,
        body: body.into_bytes(),
        timeout,
        limit,
    }
}

/// The same with these parameters, for a client that authenticates with them or by the value of `authorization`
/// ([`Client::authenticate`](crate::oauth::client::Client)).
pub(super) fn post_as_client(
    url: &Url,
    parameters: Vec<(&str, Cow<'_, str>)>,
    authorization: Option<String>,
    timeout: Duration,
    limit: usize,
) -> FetchRequest {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(parameters);
    let body = Zeroizing::new(body.finish());
    let mut request = post_form(url, body.to_string(), timeout, limit);
    if let Some(authorization) = authorization {
        request.headers.set("authorization", authorization);
    }
    request
}

/// The JSON object of a successful response.
pub(super) fn successful_object(response: &FetchResponse) -> Result<Map<String, Value>, HttpResponseError> {
    check_status(response.status)?;
    object(response)
}

/// Checks that a response is successful: 200 is the only success status in the specifications.
pub(super) fn check_status(status: u16) -> Result<(), HttpResponseError> {
    match status {
        200 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(HttpResponseError::Unavailable(status)),
        300..=399 => Err(HttpResponseError::Redirect(status)),
        _ => Err(HttpResponseError::Status(status)),
    }
}

/// The JSON object of a response with any status.
pub(super) fn object(response: &FetchResponse) -> Result<Map<String, Value>, HttpResponseError> {
    match serde_json::from_slice(json(response)?) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(HttpResponseError::NotAnObject),
        Err(_) => Err(HttpResponseError::NotJson),
    }
}

/// The body of a response from a provider of OAuth 2 without OpenID Connect, many of which use wrong media types.
/// Accepts JSON that is sent as a script or as text, and a form, which some token endpoints send. An HTML page is
/// rejected.
pub(super) fn lenient(response: &FetchResponse) -> Result<Value, HttpResponseError> {
    let essence = essence(response);
    let form = || {
        let mut members = Map::new();
        for (name, value) in form_urlencoded::parse(text(response)).take(64) {
            members.insert(name.into_owned(), Value::String(value.into_owned()));
        }
        Value::Object(members)
    };
    let read = || serde_json::from_slice(text(response)).map_err(|_| HttpResponseError::NotJson);
    match essence.as_deref() {
        Some("application/x-www-form-urlencoded") => Ok(form()),
        Some("text/plain") | None => match read() {
            Err(_) if response.body.contains(&b'=') && !text(response).trim_ascii().starts_with(b"<") => {
                Ok(form())
            }
            read => read,
        },
        Some("text/javascript" | "application/javascript" | "text/json") => read(),
        Some(_) => json(response).and_then(|_| read()),
    }
}

/// Whether the media type is this one, which is in lower case, with any parameters.
pub(super) fn has_media_type(response: &FetchResponse, media_type: &str) -> bool {
    essence(response).as_deref() == Some(media_type)
}

/// The media type in lower case, without parameters.
fn essence(response: &FetchResponse) -> Option<String> {
    let content_type = response.headers.get("content-type")?;
    Some(content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The body of a response whose media type is JSON: `application/json`, or a type with the suffix `+json` (RFC 6839
/// section 3.1), with any parameters. A page with another media type is not an API's response, even if its text happens
/// to be JSON.
pub fn json(response: &FetchResponse) -> Result<&[u8], HttpResponseError> {
    /// In characters. More of a wrong media type does not help to find the error.
    const MEDIA_TYPE_LIMIT: usize = 100;
    let essence = essence(response).ok_or(HttpResponseError::NoMediaType)?;
    if essence != "application/json" && !(essence.contains('/') && essence.ends_with("+json")) {
        return Err(HttpResponseError::MediaType(excerpt(&essence, MEDIA_TYPE_LIMIT)));
    }
    Ok(text(response))
}

/// The body without a byte order mark, which some servers write before JSON and which may be ignored (RFC 8259 section 8.1).
fn text(response: &FetchResponse) -> &[u8] {
    response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body)
}

/// The first `limit` characters of a provider's text, followed by `…` if there were more. Characters that would break
/// or reorder a line of the log (controls, line separators, bidirectional overrides) become U+FFFD.
pub(super) fn excerpt(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let mut kept: String = characters
        .by_ref()
        .take(limit)
        .map(|c| match c {
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

/// The first `limit` characters of a name that a provider sent, such as a type or a scope, without words that could be a code or
/// a token.
pub(super) fn name_excerpt(name: &str, limit: usize) -> String {
    excerpt(&code_without_secrets(name), limit)
}

/// The text without words that could be an authorization code or a token: some providers repeat what they were sent, and
/// the log must not have it. A UUID stays, because providers ask for it when they help.
fn without_secrets(text: &str) -> String {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_of_token) {
        let (before, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_of_token(c)).unwrap_or(word.len()));
        kept.push_str(before);
        kept.push_str(if could_be_secret(word) { "[redacted]" } else { word });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The same for an error code, which may also be a URL, or names in capitals or small letters: these stay.
fn code_without_secrets(code: &str) -> String {
    let is_name = |word: &str| {
        let is_of_one_case = word.to_ascii_uppercase() == word || word.to_ascii_lowercase() == word;
        is_of_one_case && word.split(['_', '-', '.']).all(|part| part.len() < SHORTEST_SECRET)
    };
    let kept = |word: &str| if is_name(word) { word.to_owned() } else { without_secrets(word) };
    let words = |part: &str| part.split(' ').map(kept).collect::<Vec<_>>().join(" ");
    code.split('/').map(words).collect::<Vec<_>>().join("/")
}

fn could_be_secret(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    let is_uuid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
    word.len() >= SHORTEST_SECRET
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
        && !is_uuid
}

/// Codes and tokens have at least 128 bits (RFC 6749 section 10.10), which are 20 characters or more.
const SHORTEST_SECRET: usize = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::headers::Headers;
    use crate::oauth::testing::response;

    #[test]
    fn a_byte_order_mark_before_a_body_is_ignored() {
        for (media_type, body) in
            [("application/json", "{\"a\":\"1\"}"), ("text/plain", "{\"a\":\"1\"}"), ("text/plain", "a=1")]
        {
            let marked = response(200, media_type, &format!("\u{feff}{body}"));
            assert_eq!(lenient(&marked).unwrap(), serde_json::json!({ "a": "1" }), "{media_type} {body}");
        }
        let marked = response(200, "application/json", "\u{feff}{}");
        assert_eq!(object(&marked), Ok(Map::new()));
        assert_eq!(
            object(&response(200, "application/json", "\u{feff}\u{feff}{}")),
            Err(HttpResponseError::NotJson)
        );
    }

    #[test]
    fn a_description_does_not_repeat_a_code_or_a_token() {
        for (text, kept) in [
            ("the code SplxlOBeZQQYbYS6WxSbIA1 was used", "the code [redacted] was used"),
            ("token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
            ("code 'a0-9b_8c.7d~6e+5f/4g=3h'!", "code '[redacted]'!"),
            (
                "Trace ID: 0f9e8d7c-1234-5678-9abc-def012345678",
                "Trace ID: 0f9e8d7c-1234-5678-9abc-def012345678",
            ),
            ("AADSTS70008: the refresh token has expired", "AADSTS70008: the refresh token has expired"),
            ("authorization_pending_for_this_device", "authorization_pending_for_this_device"),
            ("2026-11-29 10:00:00Z", "2026-11-29 10:00:00Z"),
        ] {
            assert_eq!(without_secrets(text), kept);
        }
    }

    #[test]
    fn no_token_reaches_the_log_as_a_type_or_a_scope() {
        for (name, printed) in [
            ("SplxlOBeZQQYbYS6WxSbIA1", "[redacted]"),
            ("read SplxlOBeZQQYbYS6WxSbIA1", "read [redacted]"),
            ("urn:ietf:params:oauth:token-type:saml2", "urn:ietf:params:oauth:token-type:saml2"),
            ("https://graph.example/auth/userinfo.email", "https://graph.example/auth/userinfo.email"),
            ("N_A", "N_A"),
        ] {
            assert_eq!(name_excerpt(name, 100), printed);
        }
    }

    #[test]
    fn no_token_reaches_the_log_in_an_error_code() {
        for (code, printed) in [
            ("SplxlOBeZQQYbYS6WxSbIA1", "[redacted]"),
            ("code SplxlOBeZQQYbYS6WxSbIA1 is used", "code [redacted] is used"),
            ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
            ("0123456789abcdef0123456789abcdef", "[redacted]"),
            ("https://idp.example/a/SplxlOBeZQQYbYS6WxSbIA1", "https://idp.example/a/[redacted]"),
            ("invalid_grant", "invalid_grant"),
            // Twenty characters could be a code; nineteen are too short for one.
            ("a123456789012345678", "a123456789012345678"),
            ("a1234567890123456789", "[redacted]"),
            ("ERR_A1234567890123456789", "[redacted]"),
            ("ERR_2FA_REQUIRED_FOR_ACCOUNT", "ERR_2FA_REQUIRED_FOR_ACCOUNT"),
            ("err_2fa_required_for_account", "err_2fa_required_for_account"),
            ("eRR_2fA_rEquireD_FoR_aCcount", "[redacted]"),
            (
                "https://tools.ietf.org/html/rfc7231#section-6.5.1",
                "https://tools.ietf.org/html/rfc7231#section-6.5.1",
            ),
        ] {
            let error = ErrorResponse::new(code, None);
            assert_eq!((error.to_string().as_str(), error.error.as_str()), (printed, code));
        }
    }

    #[test]
    fn only_json_media_types_are_accepted() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json;charset=UTF-8",
            " application/json ; charset=utf-8; x=\"y\"",
            "application/jwk-set+json",
            "application/vnd.acme.v1+json; charset=utf-8",
        ] {
            assert!(object(&response(200, good, "{}")).is_ok(), "{good}");
        }
        for bad in [
            "",
            ";",
            "json",
            "+json",
            "text/html",
            "text/plain",
            "text/html; application/json",
            "application/jsonp",
            "application/json-seq",
            "application/json, text/html",
            "application/jwt",
            "application/x-www-form-urlencoded",
        ] {
            let refused = object(&response(200, bad, "{}")).unwrap_err();
            assert!(matches!(refused, HttpResponseError::MediaType(_)), "{bad}: {refused}");
        }
        let without = FetchResponse { status: 200, headers: Headers::new(), body: b"{}".to_vec() };
        assert_eq!(object(&without), Err(HttpResponseError::NoMediaType));
    }

    #[test]
    fn an_error_names_the_rejected_media_type_and_cannot_forge_a_log_line() {
        let refused = object(&response(200, "text/html\r\nlevel=error", "{}")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the provider answered with content type \"text/html\u{fffd}\u{fffd}level=error\", \
             not with application/json"
        );
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_rejected() {
        for (body, why) in [
            ("", HttpResponseError::NotJson),
            ("{", HttpResponseError::NotJson),
            ("{} {}", HttpResponseError::NotJson),
            ("{\"a\":1,}", HttpResponseError::NotJson),
            ("{'a':1}", HttpResponseError::NotJson),
            ("<html>", HttpResponseError::NotJson),
            ("null", HttpResponseError::NotAnObject),
            ("[]", HttpResponseError::NotAnObject),
            ("[{}]", HttpResponseError::NotAnObject),
            ("\"{}\"", HttpResponseError::NotAnObject),
            ("1", HttpResponseError::NotAnObject),
        ] {
            assert_eq!(object(&response(200, "application/json", body)), Err(why), "{body}");
        }
        let bomb = "{\"a\":".repeat(100_000);
        assert_eq!(object(&response(200, "application/json", &bomb)), Err(HttpResponseError::NotJson));
        let mut broken = response(200, "application/json", "");
        broken.body = b"{\"a\":\"\xff\"}".to_vec();
        assert_eq!(object(&broken), Err(HttpResponseError::NotJson));
    }

    #[test]
    fn only_statuses_of_an_unavailable_provider_are_temporary() {
        assert_eq!(check_status(200), Ok(()));
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(check_status(status).unwrap_err().is_temporary(), "{status}");
        }
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(check_status(status), Err(HttpResponseError::Redirect(status)));
        }
        for status in [0, 100, 201, 204, 400, 401, 403, 404, 600, 999] {
            assert_eq!(check_status(status), Err(HttpResponseError::Status(status)));
        }
    }

    #[test]
    fn an_error_response_is_short_and_on_one_line() {
        let error = ErrorResponse::new(&"e".repeat(101), Some(&"d\n".repeat(300)));
        assert_eq!(error.error, format!("{}…", "e".repeat(100)));
        assert_eq!(error.description, Some(format!("{}…", "d\u{fffd}".repeat(250))));
        assert_eq!(
            excerpt("a\u{202e}b\u{2028}c\0\u{7f}\u{85}", 9),
            "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(ErrorResponse::new("x", None).to_string(), "x");
        assert_eq!(ErrorResponse::new("x", Some("")).to_string(), "x");
        assert_eq!(ErrorResponse::new("x", Some("why")).to_string(), "x (why)");
    }

    #[test]
    fn every_request_has_a_user_agent_and_accepts_json() {
        let url = Url::parse("https://idp.example/x").unwrap();
        for request in
            [get(url.as_str(), Duration::ZERO, 1), post_form(&url, String::new(), Duration::ZERO, 1)]
        {
            assert_eq!(request.headers.get("accept"), Some("application/json"));
            assert!(request.headers.get("user-agent").unwrap().starts_with("Vestibule/"));
        }
    }

    proptest! {
        #[test]
        fn an_excerpt_is_bounded_and_has_no_control_characters(text in ".{0,80}", limit in 0_usize..40) {
            let cut = excerpt(&text, limit);
            prop_assert!(cut.chars().count() <= limit + 1);
            prop_assert!(!cut.chars().any(char::is_control));
        }

        #[test]
        fn no_body_makes_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..200), status: u16) {
            let mut response_with_body = response(status, "application/json", "");
            response_with_body.body = body;
            let _ = successful_object(&response_with_body);
        }
    }
}
