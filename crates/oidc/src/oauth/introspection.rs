//! Token introspection (RFC 7662): the provider says what an access token is that only it can read. Where it signs its
//! answers, they are JWTs (RFC 9701).
//!
//! Only an answer that says so plainly makes a token active. What else the answer says of it is checked in
//! [`access_token`](crate::oauth::access_token), as for a token that is a JWT itself.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::url::Url;
use crate::jose::jws::{self, JwsError, VerifiedPayload};
use crate::json;
use crate::oauth::client::Client;
use crate::oauth::discovery;
use crate::oauth::error_body;
use crate::oauth::exchange::{self, ErrorResponse, HttpResponseError};
use crate::oauth::id_token::{self, ClaimError};
use crate::secret::constant_time_eq;
use crate::time::Timestamp;

/// A client waits, and so do all requests that wait for the same answer.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// In bytes. An answer has some claims; one with hundreds of groups has some ten thousand bytes.
const LIMIT: usize = 64 * 1024;

/// The media type of a signed answer (RFC 9701 section 4).
const SIGNED: &str = "application/token-introspection+jwt";

/// Which answers are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// JSON.
    Plain,
    /// A signed one if the provider signs answers for this client, otherwise JSON.
    SignedIfOffered,
    /// A signed one.
    Signed,
}

impl Wanted {
    /// What the configuration wants, or else what the provider offers.
    pub fn of(is_configured: Option<bool>, metadata: &discovery::IntrospectionMetadata) -> Self {
        let is_offered = metadata.signing_algorithms.as_ref().is_some_and(|listed| !listed.is_empty());
        match is_configured {
            Some(true) => Self::Signed,
            None if is_offered => Self::SignedIfOffered,
            Some(false) | None => Self::Plain,
        }
    }
}

/// The request that asks about an access token
/// ([RFC 7662 section 2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)).
pub fn request(endpoint: &Url, client: &Client<'_>, token: &str, wanted: Wanted) -> FetchRequest {
    let mut pairs: Vec<(&str, Cow<'_, str>)> =
        vec![("token", token.into()), ("token_type_hint", "access_token".into())];
    let authorization = client.authenticate(&mut pairs);
    let mut request = exchange::post_as_client(endpoint, pairs, authorization, TIMEOUT, LIMIT);
    match wanted {
        Wanted::Plain => {}
        Wanted::SignedIfOffered => {
            request.headers.set("accept", format!("{SIGNED}, application/json;q=0.5"));
        }
        Wanted::Signed => request.headers.set("accept", SIGNED),
    }
    request
}

/// A successful answer.
pub enum Answer<'a> {
    /// What it says.
    Plain(Introspected),
    /// A JWT that says it. Nothing of it is verified yet: [`verify_signed`] does that.
    Signed(&'a str),
}

/// Prints nothing of a JWT: what it says is personal data.
impl std::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(introspected) => f.debug_tuple("Plain").field(introspected).finish(),
            Self::Signed(_) => f.write_str("Signed"),
        }
    }
}

/// What the provider says of a token.
#[derive(Clone, Debug)]
pub enum Introspected {
    /// The token is active.
    Active(ActiveToken),
    /// It is not, or is not for this client to know.
    Inactive,
}

/// What the provider says of an active token. Only this module creates one.
#[derive(Clone)]
pub struct ActiveToken(Map<String, Value>);

impl ActiveToken {
    /// What it says. No value is checked.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The same by value.
    pub fn into_claims(self) -> Map<String, Value> {
        self.0
    }
}

/// Prints the names only: the values are personal data.
impl std::fmt::Debug for ActiveToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveToken").field("claims", &self.0.keys().collect::<Vec<_>>()).finish()
    }
}

/// Parses the answer about `token` ([RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).
pub fn parse<'a>(
    response: &'a FetchResponse,
    token: &str,
    wanted: Wanted,
) -> Result<Answer<'a>, IntrospectionError> {
    if let Err(status) = exchange::check_status(response.status) {
        return Err(rejection(status, response));
    }
    if exchange::has_media_type(response, SIGNED) {
        let text = std::str::from_utf8(&response.body).map_err(|_| HttpResponseError::NotJson)?;
        return match wanted {
            Wanted::Plain => Err(HttpResponseError::MediaType(SIGNED.to_owned()).into()),
            Wanted::SignedIfOffered | Wanted::Signed => Ok(Answer::Signed(text.trim())),
        };
    }
    if wanted == Wanted::Signed {
        return Err(IntrospectionError::NotSigned);
    }
    // Two members of one name could be read in two ways.
    let claims = json::unambiguous_object(exchange::json(response)?).ok_or(HttpResponseError::NotAnObject)?;
    read(claims, token).map(Answer::Plain)
}

/// Who signs an answer, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedSigned<'a> {
    /// The provider's issuer.
    pub issuer: &'a str,
    /// The names of this resource server: our `client_id`, and the audiences of its access tokens.
    pub audiences: &'a [String],
}

/// Verifies a signed answer about `token`
/// ([RFC 9701 section 5](https://www.rfc-editor.org/rfc/rfc9701#section-5)). Its signature is already verified.
pub fn verify_signed(
    payload: VerifiedPayload,
    token: &str,
    expected: &ExpectedSigned<'_>,
    now: Timestamp,
) -> Result<Introspected, IntrospectionError> {
    // Without the type, an access token of the same issuer could be taken for an answer (section 8.1).
    if payload.typ().map(jws::type_name).as_deref() != Some("token-introspection+jwt") {
        return Err(IntrospectionError::Type);
    }
    let mut claims = payload.into_claims();
    let wrong = |name| move |error| IntrospectionError::Claim(name, error);
    id_token::check_issuer(claims.get("iss"), expected.issuer).map_err(wrong("iss"))?;
    check_audience(claims.get("aud"), expected.audiences).map_err(wrong("aud"))?;
    id_token::check_issued_at(claims.get("iat"), now).map_err(wrong("iat"))?;
    match claims.remove("token_introspection") {
        Some(Value::Object(claims)) => read(claims, token),
        Some(_) => Err(wrong("token_introspection")(ClaimError::Malformed("an object"))),
        None => Err(wrong("token_introspection")(ClaimError::Missing)),
    }
}

/// Checks that one of `names` is an audience.
fn check_audience(claim: Option<&Value>, names: &[String]) -> Result<(), ClaimError> {
    let mut error = ClaimError::Missing;
    for name in names {
        match id_token::check_audience(claim, name) {
            Ok(_) => return Ok(()),
            Err(found) => error = found,
        }
    }
    Err(error)
}

fn read(claims: Map<String, Value>, token: &str) -> Result<Introspected, IntrospectionError> {
    match claims.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Ok(Introspected::Inactive),
        _ => return Err(IntrospectionError::Active),
    }
    // No specification has these members. A server that repeats the token must repeat this one.
    for name in ["token", "access_token"] {
        if let Some(Value::String(about)) = claims.get(name)
            && !constant_time_eq(about.as_bytes(), token.as_bytes())
        {
            return Err(IntrospectionError::OtherToken);
        }
    }
    Ok(Introspected::Active(ActiveToken(claims)))
}

fn rejection(cause: HttpResponseError, response: &FetchResponse) -> IntrospectionError {
    let status = match cause {
        HttpResponseError::Status(status) => status,
        other => return IntrospectionError::Response(other),
    };
    let error = exchange::object(response).ok().as_ref().and_then(error_body::of);
    match error {
        Some(error) if matches!(error.error.as_str(), "invalid_client" | "unauthorized_client") => {
            IntrospectionError::InvalidClient(error)
        }
        Some(error) => IntrospectionError::Rejected { status, error },
        None => IntrospectionError::Response(HttpResponseError::Status(status)),
    }
}

/// Why it is unknown what a token is. The error is the provider's, or the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IntrospectionError {
    /// The response is not a successful JSON object.
    #[error("introspection: {0}")]
    Response(#[from] HttpResponseError),
    /// `invalid_client` or `unauthorized_client`: the configuration is wrong.
    #[error(
        "introspection: {0}: check that the provider lets this client introspect tokens, and the way it authenticates"
    )]
    InvalidClient(ErrorResponse),
    /// Any other error that the provider names.
    #[error("introspection: status {status}, {error}")]
    Rejected {
        /// The status of the response.
        status: u16,
        /// The provider's error.
        error: ErrorResponse,
    },
    /// `active` is neither `true` nor `false`.
    #[error("introspection: \"active\" is neither true nor false")]
    Active,
    /// The answer is about another token.
    #[error("introspection: the answer is about another token")]
    OtherToken,
    /// The answer must be signed, and is not.
    #[error(
        "introspection: the answer is not signed, and accept_bearer.introspection_signed_response is true"
    )]
    NotSigned,
    /// The header of a signed answer names another type.
    #[error("introspection: \"typ\" of the signed answer is not token-introspection+jwt")]
    Type,
    /// The signature of a signed answer is invalid.
    #[error("introspection: the signed answer: {0}")]
    Signature(#[from] JwsError),
    /// A claim of a signed answer is wrong.
    #[error("introspection: {0:?} of the signed answer {1}")]
    Claim(&'static str, ClaimError),
}

impl IntrospectionError {
    /// Whether the provider refused to read this request, of which only the token differs from any other: it may be as long,
    /// or as odd, as its client likes.
    pub fn may_be_of_this_token(&self) -> bool {
        let status = match self {
            Self::Rejected { status, .. } | Self::Response(HttpResponseError::Status(status)) => *status,
            _ => return false,
        };
        matches!(status, 400 | 413 | 414 | 422)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::client::ClientAuthentication;
    use crate::oauth::testing::{any_json, json_response, response};
    use crate::secret::Secret;

    const TOKEN: &str = "mF_9.B5f-4.1JqM&x";

    fn requested(authentication: ClientAuthentication<'_>, wanted: Wanted) -> (FetchRequest, String) {
        let endpoint = Url::parse("https://idp.example/introspect?tenant=a").unwrap();
        let (id_param, secret_param) = ("client_id", "client_secret");
        let client = Client { id: "s6BhdRkqt3", id_param, secret_param, secret: None, authentication };
        let request = request(&endpoint, &client, TOKEN, wanted);
        let body = String::from_utf8(request.body.clone()).unwrap();
        (request, body)
    }

    #[test]
    fn an_active_token_is_printed_without_its_values() {
        let token = ActiveToken(json!({ "sub": "alice" }).as_object().unwrap().clone());
        assert_eq!(format!("{token:?}"), r#"ActiveToken { claims: ["sub"] }"#);
    }

    #[test]
    fn the_request_names_the_token_and_authenticates_the_client() {
        const BODY: &str = "token=mF_9.B5f-4.1JqM%26x&token_type_hint=access_token";
        let secret = Secret::new("gX1fBat3bV");
        let (request, body) = requested(ClientAuthentication::Basic(&secret), Wanted::Plain);
        assert_eq!((&*request.url, request.limit), ("https://idp.example/introspect?tenant=a", 65_536));
        assert_eq!(request.headers.get("authorization"), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
        assert_eq!(request.headers.get("accept"), Some("application/json"));
        assert_eq!(body, BODY);
        let (request, body) =
            requested(ClientAuthentication::Assertion(Secret::new("a.b.c")), Wanted::Signed);
        assert!(!request.headers.contains("authorization"));
        assert_eq!(request.headers.get("accept"), Some(SIGNED));
        assert!(
            body.starts_with(&format!("{BODY}&client_id=s6BhdRkqt3&client_assertion_type=urn")),
            "{body}"
        );
        let (request, _) = requested(ClientAuthentication::Basic(&secret), Wanted::SignedIfOffered);
        assert!(request.headers.get("accept").unwrap().starts_with(SIGNED));
    }

    #[test]
    fn only_a_plain_true_makes_a_token_active() {
        let parsed = |body: &Value| match parse(&json_response(200, body), TOKEN, Wanted::Plain) {
            Ok(Answer::Plain(Introspected::Active(token))) => Ok(Some(token.into_claims())),
            Ok(Answer::Plain(Introspected::Inactive)) => Ok(None),
            Ok(Answer::Signed(_)) => panic!("signed"),
            Err(error) => Err(error),
        };
        assert_eq!(parsed(&json!({ "active": false, "sub": "a" })), Ok(None));
        assert_eq!(parsed(&json!({ "active": true, "sub": "a" })).unwrap().unwrap()["sub"], "a");
        for active in [json!("true"), json!(1), json!(null), json!([true]), json!({})] {
            assert_eq!(parsed(&json!({ "active": active })), Err(IntrospectionError::Active), "{active}");
        }
        assert_eq!(parsed(&json!({})), Err(IntrospectionError::Active));
        for name in ["token", "access_token"] {
            assert_eq!(
                parsed(&json!({ "active": true, name: "other" })),
                Err(IntrospectionError::OtherToken)
            );
            assert!(parsed(&json!({ "active": true, name: TOKEN })).is_ok());
        }
        let twice = response(200, "application/json", r#"{"active":false,"active":true}"#);
        assert!(parse(&twice, TOKEN, Wanted::Plain).is_err());
    }

    #[test]
    fn an_error_is_not_an_answer() {
        for (response, said) in [
            (json_response(500, &json!({ "active": true })), "status 500"),
            (json_response(429, &json!({})), "status 429"),
            (json_response(302, &json!({ "active": true })), "redirects are not followed"),
            (json_response(401, &json!({ "error": "invalid_client" })), "lets this client introspect"),
            (json_response(400, &json!({ "error": "invalid_request" })), "status 400, invalid_request"),
            (json_response(404, &json!({ "active": true })), "status 404"),
            (response(200, "text/html", r#"{"active":true}"#), "text/html"),
            (response(200, "application/json", "[true]"), "not an object"),
        ] {
            let error = parse(&response, TOKEN, Wanted::Plain).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn only_an_answer_that_the_token_itself_can_cause_is_of_this_token() {
        let of_this_token = |response: &FetchResponse| {
            parse(response, TOKEN, Wanted::Plain).unwrap_err().may_be_of_this_token()
        };
        for status in [400, 413, 414, 422] {
            assert!(
                of_this_token(&json_response(status, &json!({ "error": "invalid_request" }))),
                "{status}"
            );
            assert!(of_this_token(&response(status, "text/html", "<html>")), "{status}");
        }
        for status in [302, 401, 403, 404, 429, 500, 503] {
            assert!(
                !of_this_token(&json_response(status, &json!({ "error": "invalid_client" }))),
                "{status}"
            );
            assert!(!of_this_token(&response(status, "text/html", "<html>")), "{status}");
        }
        assert!(!of_this_token(&json_response(200, &json!({ "active": 1 }))));
        assert!(!of_this_token(&json_response(200, &json!({ "active": true, "token": "other" }))));
    }

    #[test]
    fn a_signed_answer_is_read_where_it_was_asked_for_and_is_needed_where_that_is_configured() {
        let signed = response(200, "application/token-introspection+jwt; charset=utf-8", " a.b.c\n");
        for wanted in [Wanted::Signed, Wanted::SignedIfOffered] {
            let answer = parse(&signed, TOKEN, wanted);
            assert!(matches!(answer, Ok(Answer::Signed("a.b.c"))));
            assert_eq!(format!("{answer:?}"), "Ok(Signed)");
        }
        assert!(parse(&signed, TOKEN, Wanted::Plain).is_err());
        let plain = json_response(200, &json!({ "active": true }));
        assert!(matches!(parse(&plain, TOKEN, Wanted::Signed), Err(IntrospectionError::NotSigned)));
        assert!(parse(&plain, TOKEN, Wanted::SignedIfOffered).is_ok());
    }

    proptest! {
        #[test]
        fn crash_by_input_no_response_crashes(status in 100u16..600, body in any_json()) {
            let _ = parse(&json_response(status, &body), TOKEN, Wanted::SignedIfOffered);
        }
    }
}
