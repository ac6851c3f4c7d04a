//! The token endpoint (RFC 6749 sections 4.1.3, 4.1.4, 5 and 6, OpenID Connect Core 1.0 section 3.1.3).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thiserror::Error;
use url::{Url, form_urlencoded};

use crate::config::ClientAuthMethod;
use crate::jose::jws;
use crate::oauth::authorize::AuthorizationCode;
use crate::oauth::exchange::{self, AnswerError, ErrorResponse};
use crate::oauth::pkce::Verifier;
use crate::platform::{FetchRequest, FetchResponse};
use crate::secret::Secret;
use crate::time::Timestamp;

/// A person, or a request to the app, waits. Longer than that and a refresh lease would run out as well.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Three tokens with hundreds of groups in each stay below 64 kB; more would fit no session cookie.
const LIMIT: usize = 128 * 1024;
/// An answer beyond this is a mistake; it keeps all later arithmetic far from its limits.
const LONGEST_LIFETIME_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

/// Who asks (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// `client_id`
    pub id: &'a str,
    /// How it proves that.
    pub authentication: ClientAuthentication<'a>,
}

/// How a client authenticates, with what it takes (OpenID Connect Core 1.0 section 9).
#[derive(Clone, Copy, Debug)]
pub enum ClientAuthentication<'a> {
    /// `client_secret_basic`: in the `Authorization` header.
    Basic(&'a Secret),
    /// `client_secret_post`: in the body.
    Post(&'a Secret),
    /// `none`: a public client.
    None,
}

impl<'a> ClientAuthentication<'a> {
    /// The method to use: the `configured` one, otherwise by what the provider says it supports
    /// (`token_endpoint_auth_methods_supported`). `client_secret_basic` is the default (OpenID Connect
    /// Core 1.0 section 9, RFC 8414 section 2), also for a provider that lists only methods not known here:
    /// its answer will say so. Without a secret there is nothing to prove anything with.
    pub fn choose(
        configured: Option<ClientAuthMethod>,
        secret: Option<&'a Secret>,
        supported: &[String],
    ) -> Self {
        let Some(secret) = secret else { return Self::None };
        let lists = |method: &str| supported.iter().any(|listed| listed == method);
        match configured {
            Some(ClientAuthMethod::Post) => Self::Post(secret),
            Some(ClientAuthMethod::None) => Self::None,
            None if !lists("client_secret_basic") && lists("client_secret_post") => Self::Post(secret),
            Some(ClientAuthMethod::Basic) | None => Self::Basic(secret),
        }
    }
}

/// The request that redeems a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5). `redirect_uri` is the
/// one of the authorization request, byte for byte.
pub fn code_request(
    endpoint: &Url,
    client: &Client<'_>,
    code: &AuthorizationCode,
    redirect_uri: &str,
    verifier: &Verifier,
) -> FetchRequest {
    request(
        endpoint,
        client,
        &[
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ],
    )
}

/// The request that trades a refresh token for new tokens (RFC 6749 section 6). Without `scope`, which
/// leaves the scope as it was granted.
pub fn refresh_request(endpoint: &Url, client: &Client<'_>, refresh_token: &Secret) -> FetchRequest {
    request(endpoint, client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())])
}

fn request(endpoint: &Url, client: &Client<'_>, grant: &[(&str, &str)]) -> FetchRequest {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(grant);
    let mut authorization = None;
    match client.authentication {
        ClientAuthentication::Basic(secret) => authorization = Some(basic(client.id, secret)),
        ClientAuthentication::Post(secret) => {
            body.append_pair("client_id", client.id).append_pair("client_secret", secret.expose());
        }
        ClientAuthentication::None => {
            body.append_pair("client_id", client.id);
        }
    }
    let mut request = exchange::post_form(endpoint, body.finish(), TIMEOUT, LIMIT);
    if let Some(authorization) = authorization {
        request.headers.set("authorization", authorization);
    }
    request
}

/// Both parts are form-encoded before they are joined, so a colon in either is no separator (RFC 6749
/// section 2.3.1).
fn basic(id: &str, secret: &Secret) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose()))))
}

/// Tokens, as a successful response brings them (RFC 6749 section 5.1).
pub struct TokenResponse {
    /// `access_token`: visible ASCII, so that it fits behind `Bearer` in a header (RFC 6750 section 2.1).
    pub access_token: Secret,
    /// `refresh_token`
    pub refresh_token: Option<Secret>,
    /// `id_token`, nothing of it verified.
    pub id_token: Option<Secret>,
    /// `expires_in`; `None` where it is missing, not positive or no number: the lifetime is then not known.
    pub expires_in: Option<Duration>,
    /// `scope`, where it differs from what was asked for.
    pub scope: Option<String>,
    /// The whole object, tokens included, for what a configuration picks from `account`.
    pub raw: Map<String, Value>,
}

impl TokenResponse {
    /// The `id_token` that the answer to a sign-in must have (OpenID Connect Core 1.0 section 3.1.3.3).
    pub fn require_id_token(&self) -> Result<&Secret, TokenError> {
        self.id_token.as_ref().ok_or(TokenError::Member("id_token", "missing, although openid was asked for"))
    }
}

/// What an access token is taken to live where the response does not say, or says nothing sensible: `expires_in`
/// is missing, zero or negative, and the token is no JWT that says it. Long enough that nothing is refreshed
/// in a loop, short enough that a token that ended unseen is soon replaced.
pub const UNKNOWN_LIFETIME: Duration = Duration::from_mins(10);

impl TokenResponse {
    /// When the access token ends: by `expires_in` (RFC 6749 section 5.1), else by the `exp` of a token that is
    /// a JWT, else after [`UNKNOWN_LIFETIME`].
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        let of_jwt = || {
            let exp = jws::unproven_payload(self.access_token.expose()).get("exp")?.as_u64()?;
            Some(Timestamp::from_seconds(exp)).filter(|exp| *exp > now)
        };
        match self.expires_in {
            Some(lifetime) => now.plus(lifetime),
            None => of_jwt().unwrap_or_else(|| now.plus(UNKNOWN_LIFETIME)),
        }
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("members", &self.raw.keys().collect::<Vec<_>>())
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Reads the token endpoint's answer, tokens (RFC 6749 section 5.1) or error (section 5.2).
pub fn parse(response: &FetchResponse) -> Result<TokenResponse, TokenError> {
    if let Err(status) = exchange::check_status(response.status) {
        return Err(refusal(status, exchange::object(response).ok().as_ref().and_then(ErrorResponse::of)));
    }
    let raw = exchange::object(response)?;
    if !raw.contains_key("access_token")
        && let Some(error) = ErrorResponse::of(&raw)
    {
        // Not after the specification, but several providers answer so.
        return Err(refusal(AnswerError::Status(response.status), Some(error)));
    }
    tokens(raw)
}

fn refusal(answer: AnswerError, error: Option<ErrorResponse>) -> TokenError {
    match (answer, error) {
        (AnswerError::Unavailable(status), error) => TokenError::Unavailable { status, error },
        (AnswerError::Status(status), Some(error)) => match error.error.as_str() {
            "invalid_grant" => TokenError::InvalidGrant(error),
            "invalid_client" | "unauthorized_client" => TokenError::InvalidClient(error),
            _ if error.is_temporary() => TokenError::Unavailable { status, error: Some(error) },
            _ => TokenError::Refused { status, error },
        },
        (answer, _) => TokenError::Answer(answer),
    }
}

fn tokens(raw: Map<String, Value>) -> Result<TokenResponse, TokenError> {
    let token_type = text(&raw, "token_type")?.ok_or(TokenError::Member("token_type", "missing"))?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::TokenType(exchange::excerpt(token_type, 100)));
    }
    let access_token = text(&raw, "access_token")?.ok_or(TokenError::Member("access_token", "missing"))?;
    if !access_token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TokenError::Member("access_token", "not made of visible ASCII characters"));
    }
    Ok(TokenResponse {
        access_token: Secret::new(access_token),
        refresh_token: text(&raw, "refresh_token")?.map(Secret::new),
        id_token: text(&raw, "id_token")?.map(Secret::new),
        expires_in: raw.get("expires_in").and_then(lifetime),
        scope: text(&raw, "scope")?.map(str::to_owned),
        raw,
    })
}

/// A string; `null` and the empty string count as absent.
fn text<'a>(raw: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, TokenError> {
    match raw.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(TokenError::Member(name, "not a string")),
    }
}

/// Whole seconds of a number or of a number in a string.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(digits) => digits.trim().parse().ok()?,
        _ => return None,
    };
    if seconds.is_nan() || seconds < 1.0 {
        return None;
    }
    let longest = Duration::from_secs(LONGEST_LIFETIME_SECONDS);
    Some(Duration::try_from_secs_f64(seconds.floor()).unwrap_or(longest).min(longest))
}

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// `invalid_grant`: the code or refresh token is used up, expired or revoked. It will not get better.
    #[error("token response: {0}: the code or refresh token is not valid any more")]
    InvalidGrant(ErrorResponse),
    /// `invalid_client` or `unauthorized_client`: the configuration is to blame.
    #[error(
        "token response: {0}: check the client's id, its secret, the provider's settings for this client, \
         and the way it authenticates"
    )]
    InvalidClient(ErrorResponse),
    /// Any other error that the provider names, e.g. `invalid_request`, `invalid_scope`.
    #[error("token response: status {status}, {error}")]
    Refused {
        /// The status.
        status: u16,
        /// The error.
        error: ErrorResponse,
    },
    /// The provider is out of order or asks to be left alone: the same request may succeed later.
    #[error("token response: the provider is unavailable, status {status}{}", .error.as_ref().map(|e| format!(", {e}")).unwrap_or_default())]
    Unavailable {
        /// The status.
        status: u16,
        /// The error, where one is named.
        error: Option<ErrorResponse>,
    },
    /// The answer is neither tokens nor an error of RFC 6749.
    #[error("token response: {0}")]
    Answer(#[from] AnswerError),
    /// A member is not what it must be; the member, and what it is.
    #[error("token response: {0:?} is {1}")]
    Member(&'static str, &'static str),
    /// `token_type` is not `Bearer`, and nothing else is known here (RFC 6749 section 7.1).
    #[error("token response: \"token_type\" is {0:?}, and only \"Bearer\" is supported")]
    TokenType(String),
}

impl TokenError {
    /// Whether the same request may succeed later, which means that nothing is known about the grant.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the provider says that the grant is gone: the only answer that may end a session.
    pub fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::InvalidGrant(_))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::{any_json, json_response, response};

    fn client(authentication: ClientAuthentication<'_>) -> Client<'_> {
        Client { id: "s6BhdRkqt3", authentication }
    }

    fn code_request_of(client: &Client<'_>) -> (FetchRequest, String) {
        let verifier = Verifier::restore("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let request = code_request(
            &Url::parse("https://idp.example/token?tenant=a").unwrap(),
            client,
            &AuthorizationCode::for_tests("Splx&lO+B e"),
            "https://client.example.com/cb?x=1",
            &verifier,
        );
        let body = String::from_utf8(request.body.clone()).unwrap();
        (request, body)
    }

    #[test]
    fn the_code_goes_with_its_redirect_uri_and_verifier() {
        const GRANT: &str = "grant_type=authorization_code&code=Splx%26lO%2BB+e\
                             &redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb%3Fx%3D1\
                             &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let secret = Secret::new("7Fjfp0ZBr1KtDRbnfVdmIw");
        let (request, body) = code_request_of(&client(ClientAuthentication::Basic(&secret)));
        assert_eq!(request.url, "https://idp.example/token?tenant=a");
        assert_eq!(request.headers.get("content-type"), Some("application/x-www-form-urlencoded"));
        // The header of RFC 6749 section 2.3.1.
        assert_eq!(
            request.headers.get("authorization"),
            Some("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3")
        );
        assert_eq!(body, GRANT);

        let (request, body) = code_request_of(&client(ClientAuthentication::Post(&secret)));
        assert!(!request.headers.contains("authorization"));
        assert_eq!(body, format!("{GRANT}&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"));

        let (request, body) = code_request_of(&client(ClientAuthentication::None));
        assert!(!request.headers.contains("authorization"));
        assert_eq!(body, format!("{GRANT}&client_id=s6BhdRkqt3"));
    }

    #[test]
    fn a_refresh_token_goes_without_a_scope() {
        let secret = Secret::new("x");
        let request = refresh_request(
            &Url::parse("https://idp.example/token").unwrap(),
            &client(ClientAuthentication::Post(&secret)),
            &Secret::new("tGzv3J+OkF0"),
        );
        assert_eq!(
            String::from_utf8(request.body).unwrap(),
            "grant_type=refresh_token&refresh_token=tGzv3J%2BOkF0&client_id=s6BhdRkqt3&client_secret=x"
        );
    }

    #[test]
    fn both_parts_of_basic_credentials_are_form_encoded_first() {
        let decoded = |id: &str, secret: &str| {
            let header = basic(id, &Secret::new(secret));
            String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
        };
        assert_eq!(decoded("a:b", "c:d"), "a%3Ab:c%3Ad");
        assert_eq!(decoded("https://app.example", "p w+%ü"), "https%3A%2F%2Fapp.example:p+w%2B%25%C3%BC");
        assert_eq!(decoded("plain-id_1.x", "S3cret-_."), "plain-id_1.x:S3cret-_.");
    }

    #[test]
    fn the_way_to_authenticate_is_chosen_by_configuration_then_by_the_provider() {
        use ClientAuthMethod::{Basic, None as Public, Post};
        const BASIC: &str = "client_secret_basic";
        const POST: &str = "client_secret_post";
        let secret = Secret::new("s");
        for (configured, supported, chosen) in [
            (None, &[][..], "Basic"),
            (None, &[BASIC], "Basic"),
            (None, &[POST, BASIC], "Basic"),
            (None, &[POST], "Post"),
            (None, &["private_key_jwt", POST], "Post"),
            (None, &["private_key_jwt"], "Basic"),
            (None, &["none"], "Basic"),
            (Some(Basic), &[POST], "Basic"),
            (Some(Post), &[BASIC], "Post"),
            (Some(Public), &[BASIC], "None"),
        ] {
            let supported: Vec<_> = supported.iter().map(|&s| s.to_owned()).collect();
            let with = ClientAuthentication::choose(configured, Some(&secret), &supported);
            assert!(format!("{with:?}").starts_with(chosen), "{configured:?} {supported:?}: {with:?}");
            let without = ClientAuthentication::choose(configured, None, &supported);
            assert!(matches!(without, ClientAuthentication::None));
        }
    }

    #[test]
    fn a_whole_response_is_read() {
        let tokens = parse(&json_response(
            200,
            &json!({
                "access_token": "SlAV32hkKG",
                "token_type": "bEaReR",
                "refresh_token": "8xLOxBtZp8",
                "expires_in": 3600,
                "id_token": "a.b.c",
                "scope": "openid email",
                "tenant": "acme",
            }),
        ))
        .unwrap();
        assert_eq!(tokens.access_token.expose(), "SlAV32hkKG");
        assert_eq!(tokens.refresh_token.as_ref().unwrap().expose(), "8xLOxBtZp8");
        assert_eq!(tokens.require_id_token().unwrap().expose(), "a.b.c");
        assert_eq!(tokens.expires_in, Some(Duration::from_hours(1)));
        assert_eq!(tokens.scope.as_deref(), Some("openid email"));
        assert_eq!(tokens.raw["tenant"], "acme");
        let printed = format!("{tokens:?}");
        assert!(printed.contains("tenant"));
        for secret in ["SlAV32hkKG", "8xLOxBtZp8", "a.b.c", "acme"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }

    #[test]
    fn optional_members_may_be_absent_null_or_empty() {
        for optional in [json!(null), json!("")] {
            let tokens = parse(&json_response(
                200,
                &json!({
                    "access_token": "t", "token_type": "Bearer", "refresh_token": optional,
                    "id_token": optional, "scope": optional, "expires_in": optional,
                }),
            ))
            .unwrap();
            assert!(tokens.refresh_token.is_none() && tokens.scope.is_none() && tokens.expires_in.is_none());
            assert_eq!(
                tokens.require_id_token().unwrap_err().to_string(),
                "token response: \"id_token\" is missing, although openid was asked for"
            );
        }
    }

    #[test]
    fn a_lifetime_is_read_tolerantly_and_bounded() {
        let longest = Some(LONGEST_LIFETIME_SECONDS);
        for (value, seconds) in [
            (json!(3600), Some(3600)),
            (json!(3599.9), Some(3599)),
            (json!("3600"), Some(3600)),
            (json!(" 60 "), Some(60)),
            (json!(1), Some(1)),
            (json!(0), None),
            (json!(0.5), None),
            (json!(-1), None),
            (json!("-1"), None),
            (json!("0"), None),
            (json!("soon"), None),
            (json!("NaN"), None),
            (json!("inf"), longest),
            (json!(""), None),
            (json!(null), None),
            (json!(true), None),
            (json!([3600]), None),
            (json!(u64::MAX), longest),
            (json!(1e300), longest),
            (json!("99999999999999999999999999"), longest),
        ] {
            assert_eq!(lifetime(&value), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_response_without_usable_tokens_is_refused() {
        let good = json!({"access_token": "t", "token_type": "Bearer"});
        let member = |name, what| TokenError::Member(name, what);
        for (name, value, why) in [
            ("access_token", json!(null), member("access_token", "missing")),
            ("access_token", json!(""), member("access_token", "missing")),
            ("access_token", json!(1), member("access_token", "not a string")),
            ("access_token", json!(["t"]), member("access_token", "not a string")),
            (
                "access_token",
                json!("t\r\nx-admin: 1"),
                member("access_token", "not made of visible ASCII characters"),
            ),
            ("access_token", json!("a b"), member("access_token", "not made of visible ASCII characters")),
            ("access_token", json!("é"), member("access_token", "not made of visible ASCII characters")),
            ("token_type", json!(null), member("token_type", "missing")),
            ("token_type", json!(true), member("token_type", "not a string")),
            ("token_type", json!("DPoP"), TokenError::TokenType("DPoP".to_owned())),
            ("token_type", json!("mac"), TokenError::TokenType("mac".to_owned())),
            ("token_type", json!("Bearer "), TokenError::TokenType("Bearer ".to_owned())),
            ("refresh_token", json!(1), member("refresh_token", "not a string")),
            ("id_token", json!({}), member("id_token", "not a string")),
            ("scope", json!(["openid"]), member("scope", "not a string")),
        ] {
            let mut body = good.clone();
            body[name] = value;
            assert_eq!(parse(&json_response(200, &body)).unwrap_err(), why, "{body}");
        }
        for (content_type, body) in
            [("text/html", "{}"), ("application/x-www-form-urlencoded", "access_token=t&token_type=bearer")]
        {
            assert!(matches!(
                parse(&response(200, content_type, body)),
                Err(TokenError::Answer(AnswerError::MediaType(_)))
            ));
        }
    }

    #[test]
    fn errors_are_told_apart_by_what_they_mean_for_the_grant() {
        let error = |code: &str| ErrorResponse::new(code, Some("why"));
        let body = |code: &str| json!({"error": code, "error_description": "why"});
        for (status, code, expected) in [
            (400, "invalid_grant", TokenError::InvalidGrant(error("invalid_grant"))),
            (403, "invalid_grant", TokenError::InvalidGrant(error("invalid_grant"))),
            (200, "invalid_grant", TokenError::InvalidGrant(error("invalid_grant"))),
            (401, "invalid_client", TokenError::InvalidClient(error("invalid_client"))),
            (400, "unauthorized_client", TokenError::InvalidClient(error("unauthorized_client"))),
            (400, "invalid_request", TokenError::Refused { status: 400, error: error("invalid_request") }),
            (
                400,
                "temporarily_unavailable",
                TokenError::Unavailable { status: 400, error: Some(error("temporarily_unavailable")) },
            ),
            // A status that speaks of the provider's trouble is believed over the code beside it.
            (
                503,
                "invalid_grant",
                TokenError::Unavailable { status: 503, error: Some(error("invalid_grant")) },
            ),
            (429, "slow_down", TokenError::Unavailable { status: 429, error: Some(error("slow_down")) }),
            (302, "invalid_grant", TokenError::Answer(AnswerError::Redirect(302))),
        ] {
            let found = parse(&json_response(status, &body(code))).unwrap_err();
            assert_eq!(found, expected);
            assert_eq!(found.is_invalid_grant(), matches!(expected, TokenError::InvalidGrant(_)));
            assert_eq!(found.is_temporary(), matches!(expected, TokenError::Unavailable { .. }));
        }
    }

    #[test]
    fn an_error_that_is_no_json_ends_no_grant() {
        for (status, content_type, text) in [
            (400, "text/html", "<h1>invalid_grant</h1>"),
            (400, "text/plain", "{\"error\":\"invalid_grant\"}"),
            (400, "application/json", "{\"error\":[\"invalid_grant\"]}"),
            (400, "application/json", "[\"invalid_grant\"]"),
            (400, "application/json", "{\"error\":"),
            (404, "application/json", "{}"),
        ] {
            let found = parse(&response(status, content_type, text)).unwrap_err();
            assert_eq!(found, TokenError::Answer(AnswerError::Status(status)), "{text}");
        }
        let found = parse(&response(502, "text/html", "<h1>Bad gateway</h1>")).unwrap_err();
        assert_eq!(found, TokenError::Unavailable { status: 502, error: None });
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(body in any_json(), status in prop_oneof![Just(200), Just(400), any::<u16>()]) {
            let _ = parse(&json_response(status, &body));
            let _ = parse(&json_response(200, &json!({"access_token": "t", "token_type": "Bearer", "expires_in": body})));
        }

        #[test]
        fn every_access_token_that_is_read_fits_a_header(token in ".{0,12}") {
            if let Ok(tokens) = parse(&json_response(200, &json!({"access_token": token, "token_type": "Bearer"}))) {
                prop_assert!(tokens.access_token.expose().bytes().all(|b| (0x21..0x7f).contains(&b)));
            }
        }
    }
}
