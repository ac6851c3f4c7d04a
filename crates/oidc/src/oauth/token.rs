//! The token endpoint (RFC 6749 sections 4.1.3, 4.1.4, 5 and 6, OpenID Connect Core 1.0 section 3.1.3).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::data::DataPath;
use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::request::Method;
use crate::http::url::Url;
use crate::jose::jws;
use crate::oauth::authorize::AuthorizationCode;
use crate::oauth::client::Client;
use crate::oauth::error_body;
use crate::oauth::exchange::{self, ErrorResponse, HttpResponseError};
use crate::oauth::id_token;
use crate::oauth::pkce::Verifier;
use crate::oauth::provider::TokenConfig;
use crate::secret::Secret;
use crate::time::Timestamp;

/// A user, or a request to the app, waits. A longer timeout would also exceed a refresh lease.
const TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes. Three tokens with hundreds of groups each have less than 64 kB; larger ones would not fit into session
/// cookies.
const LIMIT: usize = 128 * 1024;
/// A longer lifetime is an error of the provider. The limit keeps later sums from overflowing.
const MAX_LIFETIME_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

/// The grant for which tokens are requested.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// A code (RFC 6749 section 4.1.3, RFC 7636 section 4.5). `redirect_uri` is byte for byte that of the authorization
    /// request.
    Code {
        /// `code`
        code: &'a AuthorizationCode,
        /// `redirect_uri`
        redirect_uri: &'a str,
        /// `code_verifier`, if the authorization request had a challenge.
        verifier: Option<&'a Verifier>,
        /// The value of the placeholder `{state}` in the configuration: that of the transaction.
        state: &'a Secret,
    },
    /// A refresh token (RFC 6749 section 6). `scope` is not sent, so the granted scope stays the same.
    Refresh {
        /// `refresh_token`
        refresh_token: &'a Secret,
        /// The value of the placeholder `{redirect_uri}` in the configuration.
        redirect_uri: &'a str,
    },
}

/// The request that exchanges a grant for tokens.
pub fn request(endpoint: &Url, client: &Client<'_>, config: &TokenConfig, grant: Grant<'_>) -> FetchRequest {
    let mut pairs: Vec<(&str, Cow<'_, str>)> = Vec::new();
    let (grant_value, redirect_uri) = match grant {
        Grant::Code { code, redirect_uri, verifier, .. } => {
            pairs.push(("grant_type", config.grant_type.as_deref().unwrap_or("authorization_code").into()));
            pairs.push(("code", code.expose().into()));
            pairs.push(("redirect_uri", redirect_uri.into()));
            pairs.extend(verifier.map(|verifier| ("code_verifier", verifier.expose().into())));
            (code.expose(), redirect_uri)
        }
        Grant::Refresh { refresh_token, redirect_uri } => {
            pairs.push(("grant_type", "refresh_token".into()));
            pairs.push(("refresh_token", refresh_token.expose().into()));
            (refresh_token.expose(), redirect_uri)
        }
    };
    let before_client = pairs.len();
    let authorization = client.authenticate(&mut pairs);
    let find = |path: &DataPath| match path.root() {
        "grant" => Some(Value::from(grant_value)),
        "code" if matches!(grant, Grant::Code { .. }) => Some(Value::from(grant_value)),
        "client_secret" => client.secret.map(|secret| Value::from(secret.expose())),
        "redirect_uri" => Some(Value::from(redirect_uri)),
        "state" => match grant {
            Grant::Code { state, .. } => Some(Value::from(state.expose())),
            Grant::Refresh { .. } => None,
        },
        _ => None,
    };
    let refresh_params = match grant {
        Grant::Refresh { .. } => config.refresh_params.as_slice(),
        Grant::Code { .. } => &[],
    };
    let mut at = before_client;
    for (name, template) in config.params.iter().chain(refresh_params) {
        let value = template.text(&find);
        if let Some(existing) = pairs.iter().position(|(other, _)| other == name) {
            pairs.remove(existing);
            at -= usize::from(existing < at);
        }
        if !value.is_empty() {
            pairs.insert(at, (name, value.into()));
            at += 1;
        }
    }
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(pairs);
    let body = Zeroizing::new(body.finish());
    let mut request = match config.method {
        Method::Get => {
            let query = endpoint.query().filter(|query| !query.is_empty());
            let query = query.map(|query| format!("{query}&{}", *body));
            let url = endpoint.with_query(query.as_deref().unwrap_or(&body));
            exchange::get(url.as_str(), TIMEOUT, LIMIT)
        }
        _ => exchange::post_form(endpoint, body.to_string(), TIMEOUT, LIMIT),
    };
    for (name, value) in &config.headers {
        request.headers.set(name, value.expose());
    }
    if let Some(authorization) = authorization {
        request.headers.set("authorization", authorization);
    }
    request
}

/// The tokens of a successful response (RFC 6749 section 5.1).
pub struct TokenResponse {
    /// `access_token`: visible ASCII, so that it fits into a header after `Bearer` (RFC 6750 section 2.1).
    pub access_token: Secret,
    /// `refresh_token`
    pub refresh_token: Option<Secret>,
    /// `id_token`, not verified.
    pub id_token: Option<Secret>,
    /// `expires_in`. `None` if it is missing, not positive or not a number: then the lifetime is unknown.
    pub expires_in: Option<Duration>,
    /// `scope`, which the provider sends if it differs from the requested scope.
    pub scope: Option<String>,
    /// The whole object, tokens included: `account` in the configuration.
    pub raw: Map<String, Value>,
}

impl TokenResponse {
    /// The `id_token`, which is required in the response to a sign-in (OpenID Connect Core 1.0 section 3.1.3.3).
    pub fn require_id_token(&self) -> Result<&Secret, TokenError> {
        self.id_token
            .as_ref()
            .ok_or(TokenError::Member("id_token", "missing, although the scope openid was requested"))
    }
}

/// The assumed lifetime of an access token if it is unknown: `expires_in` is missing, zero or negative, and the token
/// is not a JWT with `exp`. It is long enough to avoid constant refreshing, and short enough to soon replace a token
/// that has expired unnoticed.
pub const UNKNOWN_LIFETIME: Duration = Duration::from_mins(10);

impl TokenResponse {
    /// When the access token expires: by `expires_in` (RFC 6749 section 5.1), otherwise by the `exp` of a JWT,
    /// otherwise after [`UNKNOWN_LIFETIME`].
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        let of_jwt = || {
            let claims = jws::decode_unverified(self.access_token.expose());
            id_token::time_of(claims.get("exp")).filter(|exp| *exp > now)
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

/// How the response of a token endpoint is parsed.
#[derive(Clone, Copy, Debug)]
pub struct ParseOptions<'a> {
    /// Whether the provider supports OpenID Connect and therefore follows RFC 6749: JSON with a `token_type`.
    pub is_strict: bool,
    /// The path of the tokens in the response, if there is a value.
    pub response_path: Option<&'a DataPath>,
    /// Error codes, or whole descriptions, that mean `invalid_grant`.
    pub invalid_grant_errors: &'a [String],
    /// Whether the request had a proof of possession, so that the tokens must be bound to its key (RFC 9449 section 5).
    pub is_bound: bool,
}

/// Parses the response of a token endpoint: tokens (RFC 6749 section 5.1) or an error (section 5.2).
pub fn parse(response: &FetchResponse, options: ParseOptions<'_>) -> Result<TokenResponse, TokenError> {
    let status = match response.status {
        200..=299 if !options.is_strict => Ok(()),
        status => exchange::check_status(status),
    };
    let body = if options.is_strict { exchange::object(response) } else { object(response) };
    if let Err(status) = status {
        return Err(error_for(
            status,
            body.ok().as_ref().and_then(error_body::of),
            options.invalid_grant_errors,
        ));
    }
    let mut raw = body?;
    let inner = options.response_path.and_then(|path| path.lookup(&raw)).cloned();
    if let Some(Value::Object(inner)) = inner {
        raw = inner;
    }
    if !raw.contains_key("access_token")
        && let Some(error) = error_body::of(&raw)
    {
        // The specification does not allow an error with a success status, but several providers send one.
        return Err(error_for(
            HttpResponseError::Status(response.status),
            Some(error),
            options.invalid_grant_errors,
        ));
    }
    tokens(raw, options)
}

fn object(response: &FetchResponse) -> Result<Map<String, Value>, HttpResponseError> {
    match exchange::lenient(response)? {
        Value::Object(object) => Ok(object),
        _ => Err(HttpResponseError::NotAnObject),
    }
}

fn error_for(
    body: HttpResponseError,
    error: Option<ErrorResponse>,
    invalid_grant_errors: &[String],
) -> TokenError {
    match (body, error) {
        (HttpResponseError::Unavailable(status), error) => TokenError::Unavailable { status, error },
        (HttpResponseError::Status(status), Some(error)) => match error.error.as_str() {
            "invalid_grant" => TokenError::InvalidGrant(error),
            code if invalid_grant_errors
                .iter()
                .any(|known| known == code || error.description.as_ref() == Some(known)) =>
            {
                TokenError::InvalidGrant(error)
            }
            "invalid_client" | "unauthorized_client" => TokenError::InvalidClient(error),
            _ if error.is_temporary() => TokenError::Unavailable { status, error: Some(error) },
            _ => TokenError::Rejected { status, error },
        },
        (body, _) => TokenError::Response(body),
    }
}

fn tokens(raw: Map<String, Value>, options: ParseOptions<'_>) -> Result<TokenResponse, TokenError> {
    let ParseOptions { is_strict, is_bound, .. } = options;
    match text(&raw, "token_type")? {
        Some(kind) if is_bound && kind.eq_ignore_ascii_case("dpop") => {}
        found if is_bound => {
            return Err(TokenError::NotBound(found.map(|kind| exchange::name_excerpt(kind, 100))));
        }
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
        // Some providers send the name of the grant instead of the token's type.
        Some("jwt-bearer") if !is_strict => {}
        Some(kind) => return Err(TokenError::TokenType(exchange::name_excerpt(kind, 100))),
        None if is_strict => return Err(TokenError::Member("token_type", "missing")),
        None => {}
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
        scope: scope(&raw)?,
        raw,
    })
}

/// `scope`: a string, or an array, which some providers send.
fn scope(raw: &Map<String, Value>) -> Result<Option<String>, TokenError> {
    let Some(Value::Array(scopes)) = raw.get("scope") else {
        return Ok(text(raw, "scope")?.map(str::to_owned));
    };
    let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
    Ok(Some(scopes.join(" ")).filter(|scope| !scope.is_empty()))
}

/// A string; `null` and the empty string count as missing.
fn text<'a>(raw: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, TokenError> {
    match raw.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(TokenError::Member(name, "not a string")),
    }
}

/// The whole seconds of a number, which may be in a string; `None` for less than one.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => whole(text.trim())?,
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast drops the fraction and saturates"
        )]
        value => value.as_f64()? as u64,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds.min(MAX_LIFETIME_SECONDS)))
}

/// The integer part of a non-negative decimal number; saturates. Parsing it as a float with the standard library would
/// add ten kilobytes of tables that do not compress.
fn whole(number: &str) -> Option<u64> {
    let number = number.strip_prefix('+').unwrap_or(number);
    if number.eq_ignore_ascii_case("inf") || number.eq_ignore_ascii_case("infinity") {
        return Some(u64::MAX);
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || before.bytes().chain(behind.bytes());
    if digits().next().is_none() || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places = i32::try_from(before.len()).ok()?.saturating_add(exponent.parse().ok()?);
    let mut digits = digits();
    let mut whole: u64 = 0;
    // More places would only saturate the number, or leave it zero.
    for _ in 0..places.min(1000) {
        let digit = digits.next().map_or(0, |b| b - b'0');
        whole = whole.saturating_mul(10).saturating_add(digit.into());
    }
    Some(whole)
}

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// `invalid_grant`: the code or refresh token is used, expired or revoked. A retry does not help.
    #[error("token response: {0}: the code or refresh token is not valid any more")]
    InvalidGrant(ErrorResponse),
    /// `invalid_client` or `unauthorized_client`: the configuration is wrong.
    #[error(
        "token response: {0}: check the client's id, its secret, the provider's settings for this client, \
         and the way it authenticates (token_endpoint_auth_method: a secret with `+`, `/` or `=` may need \"client_secret_post\")"
    )]
    InvalidClient(ErrorResponse),
    /// Any other error that the provider names, e.g. `invalid_request`, `invalid_scope`.
    #[error("token response: status {status}, {error}")]
    Rejected {
        /// The status of the response.
        status: u16,
        /// The provider's error.
        error: ErrorResponse,
    },
    /// The provider is unavailable or limits requests: the same request may succeed later.
    #[error("token response: the provider is unavailable, status {status}{}", .error.as_ref().map(|e| format!(", {e}")).unwrap_or_default())]
    Unavailable {
        /// The status of the response.
        status: u16,
        /// The provider's error, if there is one.
        error: Option<ErrorResponse>,
    },
    /// The response contains neither tokens nor an error of RFC 6749.
    #[error("token response: {0}")]
    Response(#[from] HttpResponseError),
    /// A member is invalid. Contains its name and what is wrong with it.
    #[error("token response: {0:?} is {1}")]
    Member(&'static str, &'static str),
    /// `token_type` is not `Bearer`; no other type is supported (RFC 6749 section 7.1).
    #[error("token response: \"token_type\" is {0:?}, and only \"Bearer\" is supported")]
    TokenType(String),
    /// `token_type` is not `DPoP`, although the request had a proof: the token is not bound to the key. Contains the type.
    #[error(
        "token response: \"token_type\" is {}, so the token is not bound to the session's key, as dpop = true requires: \
         have the provider issue DPoP tokens to this client, or remove dpop",
        .0.as_ref().map_or_else(|| "missing".to_owned(), |kind| format!("{kind:?}"))
    )]
    NotBound(Option<String>),
}

impl TokenError {
    /// Whether the same request may succeed later. The error then says nothing about the grant.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the provider says that the grant is not valid any more. Only this error may end a session.
    pub fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::InvalidGrant(_))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::data::Template;
    use crate::oauth::client::ClientAuthentication;
    use crate::oauth::testing::{any_json, json_response, response};

    fn client(authentication: ClientAuthentication<'_>) -> Client<'_> {
        let (id_param, secret_param) = ("client_id", "client_secret");
        Client { id: "s6BhdRkqt3", id_param, secret_param, secret: None, authentication }
    }

    /// Parses a response of OpenID Connect.
    fn parse(response: &FetchResponse) -> Result<TokenResponse, TokenError> {
        super::parse(
            response,
            ParseOptions { is_strict: true, response_path: None, invalid_grant_errors: &[], is_bound: false },
        )
    }

    fn template(text: &str) -> Template {
        Template::parse(text, &|_| true).0
    }

    fn code_request_of(client: &Client<'_>, config: &TokenConfig) -> (FetchRequest, String) {
        let verifier = Verifier::restore("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let code = AuthorizationCode::for_tests("Splx&lO+B e");
        let redirect_uri = "https://client.example.com/cb?x=1";
        let state = Secret::new("st");
        let grant = Grant::Code { code: &code, redirect_uri, verifier: Some(&verifier), state: &state };
        let request =
            request(&Url::parse("https://idp.example/token?tenant=a").unwrap(), client, config, grant);
        let body = String::from_utf8(request.body.clone()).unwrap();
        (request, body)
    }

    #[test]
    fn a_code_is_sent_with_its_redirect_uri_and_verifier() {
        const GRANT: &str = "grant_type=authorization_code&code=Splx%26lO%2BB+e\
                             &redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb%3Fx%3D1\
                             &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let (secret, plain) = (Secret::new("7Fjfp0ZBr1KtDRbnfVdmIw"), TokenConfig::default());
        let (request, body) = code_request_of(&client(ClientAuthentication::Basic(&secret)), &plain);
        assert_eq!((&*request.url, request.limit), ("https://idp.example/token?tenant=a", 131_072));
        assert_eq!(request.headers.get("content-type"), Some("application/x-www-form-urlencoded"));
        // The example in RFC 6749 section 2.3.1.
        assert_eq!(
            request.headers.get("authorization"),
            Some("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3")
        );
        assert_eq!(body, GRANT);

        let (request, body) =
            code_request_of(&client(ClientAuthentication::Post(Cow::Borrowed(&secret))), &plain);
        assert!(!request.headers.contains("authorization"));
        assert_eq!(body, format!("{GRANT}&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"));

        let (request, body) = code_request_of(&client(ClientAuthentication::None), &plain);
        assert!(!request.headers.contains("authorization"));
        assert_eq!(body, format!("{GRANT}&client_id=s6BhdRkqt3"));

        let assertion = ClientAuthentication::Assertion(Secret::new("a.b.c"));
        let (request, body) = code_request_of(&client(assertion), &plain);
        assert!(!request.headers.contains("authorization"));
        assert_eq!(
            body,
            format!(
                "{GRANT}&client_id=s6BhdRkqt3&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                 client-assertion-type%3Ajwt-bearer&client_assertion=a.b.c"
            )
        );
    }

    #[test]
    fn the_configuration_can_adapt_the_request_to_a_nonstandard_endpoint() {
        let secret = Secret::new("s&");
        let odd = Client {
            id: "me",
            id_param: "appid",
            secret_param: "key",
            secret: Some(&secret),
            authentication: ClientAuthentication::Post(Cow::Borrowed(&secret)),
        };
        let config = TokenConfig {
            method: Method::Get,
            grant_type: Some("odd".to_owned()),
            params: vec![
                ("assertion".to_owned(), template("{grant}/{client_secret}")),
                ("code_verifier".to_owned(), template("")),
                ("redirect_uri".to_owned(), template("x{redirect_uri}")),
                ("state".to_owned(), template("{state}")),
            ],
            headers: vec![("user-agent".to_owned(), Secret::new("app:1.0"))],
            ..TokenConfig::default()
        };
        let (request, body) = code_request_of(&odd, &config);
        assert_eq!(
            request.url,
            "https://idp.example/token?tenant=a&grant_type=odd&code=Splx%26lO%2BB+e\
             &assertion=Splx%26lO%2BB+e%2Fs%26&redirect_uri=xhttps%3A%2F%2Fclient.example.com%2Fcb%3Fx%3D1\
             &state=st&appid=me&key=s%26"
        );
        assert!(body.is_empty() && request.method == Method::Get);
        assert_eq!(request.headers.get("user-agent"), Some("app:1.0"));
        assert!(!request.headers.contains("content-type"));
    }

    #[test]
    fn responses_of_oauth_2_providers_are_parsed_in_every_known_form() {
        let root = DataPath::parse("data.0").unwrap();
        let invalid_grant_errors = ["bad_refresh_token".to_owned(), "40030".to_owned()];
        let read = |response: &FetchResponse| {
            super::parse(
                response,
                ParseOptions {
                    is_strict: false,
                    response_path: Some(&root),
                    invalid_grant_errors: &invalid_grant_errors,
                    is_bound: false,
                },
            )
        };
        for (kind, body) in [
            ("application/json", r#"{"access_token":"t","expires_in":"3600","scope":["a","b"]}"#),
            ("text/plain", r#"{"access_token":"t","expires_in":3600,"scope":"a b","token_type":"bearer"}"#),
            ("text/javascript; charset=utf-8", r#"{"access_token":"t","expires_in":3600,"scope":"a b"}"#),
            ("application/x-www-form-urlencoded", "access_token=t&expires_in=3600&scope=a+b"),
            ("text/plain;charset=utf-8", "access_token=t&expires_in=3600&scope=a%20b"),
            ("application/json", r#"{"data":[{"access_token":"t","expires_in":3600,"scope":"a b"}]}"#),
        ] {
            for status in [200, 201] {
                let tokens = read(&response(status, kind, body)).unwrap();
                assert_eq!(tokens.access_token.expose(), "t", "{body}");
                assert_eq!(tokens.expires_in, Some(Duration::from_hours(1)), "{body}");
                assert_eq!(tokens.scope.as_deref(), Some("a b"), "{body}");
            }
        }
        for (status, kind, body, is_invalid_grant, description) in [
            (200, "application/json", r#"{"error":"bad_refresh_token"}"#, true, "bad_refresh_token"),
            (
                200,
                "text/plain",
                r#"{"errcode":40030,"errmsg":"invalid refresh_token"}"#,
                true,
                "40030 (invalid refresh_token)",
            ),
            (
                200,
                "application/x-www-form-urlencoded",
                "error=bad_verification_code&error_description=used",
                false,
                "used",
            ),
            (
                400,
                "application/json",
                r#"{"error":{"message":"Bad code","type":"OAuthException","code":100}}"#,
                false,
                "100 (OAuthException: Bad code)",
            ),
            (401, "text/plain", r#"{"message":"Who are you"}"#, false, "Who are you"),
        ] {
            let error = read(&response(status, kind, body)).unwrap_err();
            assert_eq!(error.is_invalid_grant(), is_invalid_grant, "{error}");
            assert!(error.to_string().contains(description), "{error}");
        }
        for (kind, body) in
            [("text/html", "access_token=t"), ("text/plain", "<a href=x>"), ("application/json", "[]")]
        {
            assert!(matches!(read(&response(200, kind, body)), Err(TokenError::Response(_))), "{body}");
        }
        assert!(matches!(
            read(&json_response(200, &json!({ "access_token": "t", "token_type": "mac" }))),
            Err(TokenError::TokenType(_))
        ));
    }

    #[test]
    fn a_provider_of_openid_connect_gives_tokens_with_the_status_200_only() {
        let tokens = json!({ "access_token": "t", "token_type": "Bearer" });
        for status in [201, 204, 206, 299, 302] {
            assert!(
                matches!(parse(&json_response(status, &tokens)), Err(TokenError::Response(_))),
                "{status}"
            );
        }
        assert!(parse(&json_response(200, &tokens)).is_ok());
    }

    #[test]
    fn a_refresh_token_is_sent_without_a_scope() {
        let secret = Secret::new("x");
        let refresh_token = Secret::new("tGzv3J+OkF0");
        let request = request(
            &Url::parse("https://idp.example/token").unwrap(),
            &client(ClientAuthentication::Post(Cow::Borrowed(&secret))),
            &TokenConfig::default(),
            Grant::Refresh { refresh_token: &refresh_token, redirect_uri: "https://client.example.com/cb" },
        );
        assert_eq!(
            String::from_utf8(request.body).unwrap(),
            "grant_type=refresh_token&refresh_token=tGzv3J%2BOkF0&client_id=s6BhdRkqt3&client_secret=x"
        );
    }

    #[test]
    fn a_parameter_in_place_of_one_of_the_clients_stands_where_that_one_stood() {
        let secret = Secret::new("x");
        let config = TokenConfig {
            params: vec![("client_id".to_owned(), template("other"))],
            ..TokenConfig::default()
        };
        let (_, body) = code_request_of(&client(ClientAuthentication::Post(Cow::Borrowed(&secret))), &config);
        assert!(
            body.ends_with("&client_id=other&client_secret=x") && body.contains("&code_verifier="),
            "{body}"
        );
        assert!(body.find("&code_verifier=") < body.find("&client_id="), "{body}");
    }

    #[test]
    fn a_template_of_the_code_is_empty_where_there_is_none() {
        let params = vec![("copy".to_owned(), template("{code}")), ("any".to_owned(), template("{grant}"))];
        let config = TokenConfig { params, ..TokenConfig::default() };
        let (_, body) = code_request_of(&client(ClientAuthentication::None), &config);
        assert!(body.contains("&copy=Splx%26lO%2BB+e&any=Splx%26lO%2BB+e&"), "{body}");
        let (endpoint, token) = (Url::parse("https://idp.example/token").unwrap(), Secret::new("r"));
        let grant = Grant::Refresh { refresh_token: &token, redirect_uri: "https://client.example.com/cb" };
        let request = request(&endpoint, &client(ClientAuthentication::None), &config, grant);
        let body = String::from_utf8(request.body).unwrap();
        assert_eq!(body, "grant_type=refresh_token&refresh_token=r&any=r&client_id=s6BhdRkqt3");
    }

    #[test]
    fn the_name_of_the_grant_is_a_type_of_tokens_only_where_openid_connect_asks_for_none() {
        let read = |is_strict, kind: &str| {
            let body = json!({ "access_token": "t", "token_type": kind });
            let options =
                ParseOptions { is_strict, response_path: None, invalid_grant_errors: &[], is_bound: false };
            super::parse(&json_response(200, &body), options)
                .map(|tokens| tokens.access_token.expose().to_owned())
        };
        assert_eq!(read(false, "jwt-bearer").unwrap(), "t");
        assert!(matches!(read(true, "jwt-bearer"), Err(TokenError::TokenType(_))));
        assert!(matches!(read(false, "authorization_code"), Err(TokenError::TokenType(_))));
    }

    #[test]
    fn a_complete_response_is_parsed() {
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
    fn optional_members_may_be_missing_null_or_empty() {
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
                "token response: \"id_token\" is missing, although the scope openid was requested"
            );
        }
    }

    #[test]
    fn a_lifetime_is_parsed_leniently_and_limited() {
        let max = Some(MAX_LIFETIME_SECONDS);
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
            (json!("inf"), max),
            (json!("+3600"), Some(3600)),
            (json!("3.6e3"), Some(3600)),
            (json!("36000e-1"), Some(3600)),
            (json!("3599.9"), Some(3599)),
            (json!(".5"), None),
            (json!("5."), Some(5)),
            (json!("1e400"), max),
            (json!("1e-400"), None),
            (json!("0e99999"), None),
            (json!("1e"), None),
            (json!("."), None),
            (json!("1.2.3"), None),
            (json!(""), None),
            (json!(null), None),
            (json!(true), None),
            (json!([3600]), None),
            (json!(u64::MAX), max),
            (json!(1e300), max),
            (json!("99999999999999999999999999"), max),
        ] {
            assert_eq!(lifetime(&value), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_token_expires_when_the_response_says_or_else_when_it_says_so_itself() {
        let now = Timestamp::from_seconds(1000);
        let jwt = |claims: Value| {
            format!("e30.{}.c2ln", crate::jose::base64url::encode(claims.to_string().as_bytes()))
        };
        let unknown = 1000 + UNKNOWN_LIFETIME.as_secs();
        for (token, expires_in, end) in [
            ("opaque".to_owned(), json!(60), 1060),
            (jwt(json!({ "exp": 1100 })), json!(60), 1060),
            (jwt(json!({ "exp": 1100 })), json!(null), 1100),
            (jwt(json!({ "exp": 1001 })), json!(0), 1001),
            (jwt(json!({ "exp": 1000 })), json!(null), unknown),
            (jwt(json!({ "exp": "1100" })), json!(null), unknown),
            (jwt(json!({})), json!(null), unknown),
            ("opaque".to_owned(), json!(null), unknown),
        ] {
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
            let tokens = parse(&json_response(200, &body)).unwrap();
            assert_eq!(tokens.expires_at(now), Timestamp::from_seconds(end), "{token} {expires_in}");
        }
    }

    #[test]
    fn a_response_without_usable_tokens_is_rejected() {
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
            ("scope", json!({"openid": true}), member("scope", "not a string")),
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
                Err(TokenError::Response(HttpResponseError::MediaType(_)))
            ));
        }
    }

    #[test]
    fn errors_are_classified_by_their_meaning_for_the_grant() {
        let error = |code: &str| ErrorResponse::new(code, Some("why"));
        let body = |code: &str| json!({"error": code, "error_description": "why"});
        for (status, code, expected) in [
            (400, "invalid_grant", TokenError::InvalidGrant(error("invalid_grant"))),
            (403, "invalid_grant", TokenError::InvalidGrant(error("invalid_grant"))),
            (200, "invalid_grant", TokenError::InvalidGrant(error("invalid_grant"))),
            (401, "invalid_client", TokenError::InvalidClient(error("invalid_client"))),
            (400, "unauthorized_client", TokenError::InvalidClient(error("unauthorized_client"))),
            (400, "invalid_request", TokenError::Rejected { status: 400, error: error("invalid_request") }),
            (
                400,
                "temporarily_unavailable",
                TokenError::Unavailable { status: 400, error: Some(error("temporarily_unavailable")) },
            ),
            // A status of an unavailable provider has precedence over the error code.
            (
                503,
                "invalid_grant",
                TokenError::Unavailable { status: 503, error: Some(error("invalid_grant")) },
            ),
            (429, "slow_down", TokenError::Unavailable { status: 429, error: Some(error("slow_down")) }),
            (302, "invalid_grant", TokenError::Response(HttpResponseError::Redirect(302))),
        ] {
            let found = parse(&json_response(status, &body(code))).unwrap_err();
            assert_eq!(found, expected);
            assert_eq!(found.is_invalid_grant(), matches!(expected, TokenError::InvalidGrant(_)));
            assert_eq!(found.is_temporary(), matches!(expected, TokenError::Unavailable { .. }));
        }
    }

    #[test]
    fn an_error_response_that_is_not_json_is_not_invalid_grant() {
        for (status, content_type, text) in [
            (400, "text/html", "<h1>invalid_grant</h1>"),
            (400, "text/plain", "{\"error\":\"invalid_grant\"}"),
            (400, "application/json", "[\"invalid_grant\"]"),
            (400, "application/json", "{\"error\":"),
            (404, "application/json", "{}"),
        ] {
            let found = parse(&response(status, content_type, text)).unwrap_err();
            assert_eq!(found, TokenError::Response(HttpResponseError::Status(status)), "{text}");
        }
        let found = parse(&response(502, "text/html", "<h1>Bad gateway</h1>")).unwrap_err();
        assert_eq!(found, TokenError::Unavailable { status: 502, error: None });
    }

    proptest! {
        #[test]
        fn no_response_makes_the_parser_panic(body in any_json(), status in prop_oneof![Just(200), Just(400), any::<u16>()]) {
            let _ = parse(&json_response(status, &body));
            let _ = parse(&json_response(200, &json!({"access_token": "t", "token_type": "Bearer", "expires_in": body})));
        }

        #[test]
        fn a_number_in_a_string_is_parsed_as_the_standard_library_does(
            text in "[+-]?[0-9]{0,12}(\\.[0-9]{0,4})?([eE][+-]?[0-9]{1,3})?",
        ) {
            let read = lifetime(&json!(text)).map(|lifetime| lifetime.as_secs());
            let number = text.parse::<f64>().ok().filter(|number| *number >= 1.0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let expected = number.map(|number| (number as u64).min(MAX_LIFETIME_SECONDS));
            prop_assert_eq!(read, expected, "{}", text);
        }

        #[test]
        fn every_accepted_access_token_fits_into_a_header(token in ".{0,12}") {
            if let Ok(tokens) = parse(&json_response(200, &json!({"access_token": token, "token_type": "Bearer"}))) {
                prop_assert!(tokens.access_token.expose().bytes().all(|b| (0x21..0x7f).contains(&b)));
            }
        }
    }
}
