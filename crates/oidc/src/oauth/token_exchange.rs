//! Token exchange: a token for one target in place of the session's access token
//! ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)), and the on-behalf-of flow of Microsoft Entra ID, which is the same in
//! other words.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::url::Url;
use crate::jose::jws;
use crate::oauth::client::Client;
use crate::oauth::exchange::{self, ErrorResponse};
use crate::oauth::id_token;
use crate::oauth::provider::ExchangeDialect;
use crate::oauth::token::{self, ParseOptions, TokenError, TokenResponse};
use crate::secret::Secret;
use crate::time::Timestamp;

/// As long as any token request may take: a request to the app waits.
const TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes. A token of 16 kB is larger than most servers accept in a header field.
const LIMIT: usize = 64 * 1024;
/// The longest token that is accepted, in bytes: what networks and servers take in a header field.
const MAX_TOKEN: usize = 16 * 1024;
/// How long a token is used whose lifetime the response does not say (RFC 8693 section 2.2.1 only recommends `expires_in`).
const UNKNOWN_LIFETIME: Duration = Duration::from_mins(1);

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// An access token that is a JWT may be called that, too (RFC 8693 section 3).
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Who shall accept a token, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeTarget {
    /// The names of the services (`audience`).
    pub audiences: Vec<String>,
    /// The URIs of the services (`resource`).
    pub resources: Vec<String>,
    /// The scopes that the token shall have. Empty if the provider decides.
    pub scopes: Vec<String>,
}

impl fmt::Display for ExchangeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("audience", &self.audiences), ("resource", &self.resources), ("scope", &self.scopes)];
        let written = parts.iter().filter(|(_, texts)| !texts.is_empty());
        let written: Vec<String> =
            written.map(|(name, texts)| format!("{name} {}", texts.join(" "))).collect();
        f.write_str(&written.join(", "))
    }
}

/// A token that is exchanged.
#[derive(Clone, Copy, Debug)]
pub struct TokenExchange<'a> {
    /// What it is exchanged for.
    pub target: &'a ExchangeTarget,
    /// How the provider is asked.
    pub dialect: ExchangeDialect,
    /// The token itself.
    pub subject_token: &'a Secret,
}

/// The request to the token endpoint (RFC 8693 section 2.1).
///
/// The parameters that a configuration adds to other token requests are not sent: an `audience` or a `resource` among them
/// would be that of another token. Its header fields are.
pub fn request(
    endpoint: &Url,
    client: &Client<'_>,
    headers: &[(String, Secret)],
    exchange: &TokenExchange<'_>,
) -> FetchRequest {
    let TokenExchange { target, dialect, subject_token } = *exchange;
    let scope = target.scopes.join(" ");
    let mut form: Vec<(&str, Cow<'_, str>)> = match dialect {
        ExchangeDialect::TokenExchange => vec![
            ("grant_type", TOKEN_EXCHANGE.into()),
            ("subject_token", subject_token.expose().into()),
            ("subject_token_type", ACCESS_TOKEN_TYPE.into()),
            ("requested_token_type", ACCESS_TOKEN_TYPE.into()),
        ],
        ExchangeDialect::OnBehalfOf => vec![
            ("grant_type", JWT_BEARER.into()),
            ("assertion", subject_token.expose().into()),
            ("requested_token_use", "on_behalf_of".into()),
        ],
    };
    if dialect == ExchangeDialect::TokenExchange {
        form.extend(target.audiences.iter().map(|audience| ("audience", audience.into())));
        form.extend(target.resources.iter().map(|resource| ("resource", resource.into())));
    }
    if !scope.is_empty() {
        form.push(("scope", scope.into()));
    }
    let authorization = client.authenticate(&mut form);
    let mut request = exchange::post_as_client(endpoint, form, authorization, TIMEOUT, LIMIT);
    for (name, value) in headers {
        if name != "authorization" || !request.headers.contains("authorization") {
            request.headers.set(name, value.expose());
        }
    }
    request
}

/// The token that a provider gave for another one.
#[derive(Clone, Debug)]
pub struct ExchangedToken {
    /// The token.
    pub access_token: Secret,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Parses the response (RFC 8693 section 2.2). `sent` is when the request was sent: there the token's time begins.
///
/// # Errors
/// There is no token, or it is not what was asked for.
pub fn parse(
    response: &FetchResponse,
    options: ParseOptions<'_>,
    exchange: &TokenExchange<'_>,
    sent: Timestamp,
) -> Result<ExchangedToken, TokenExchangeError> {
    let tokens = token::parse(response, options).map_err(TokenExchangeError::of)?;
    if exchange.dialect == ExchangeDialect::TokenExchange {
        match tokens.raw.get("issued_token_type").and_then(Value::as_str) {
            Some(ACCESS_TOKEN_TYPE | JWT_TYPE) => {}
            other => {
                let other = other.map(|kind| exchange::name_excerpt(kind, 100));
                return Err(TokenExchangeError::IssuedTokenType(other));
            }
        }
    }
    if tokens.access_token.expose().len() > MAX_TOKEN {
        return Err(TokenExchangeError::TooLong);
    }
    if tokens.access_token.matches(exchange.subject_token.expose()) {
        return Err(TokenExchangeError::SameToken);
    }
    let claims = jws::decode_unverified(tokens.access_token.expose());
    if let Some(excess) = excess(exchange, &tokens, &claims) {
        return Err(TokenExchangeError::MoreScope(exchange::name_excerpt(&excess, 200)));
    }
    let by_response = sent.plus(tokens.expires_in.unwrap_or(UNKNOWN_LIFETIME));
    // A token that says an earlier end is refused from then on, whatever the response says.
    let by_token = id_token::time_of(claims.get("exp"));
    let expires_at = by_token.filter(|end| *end > sent).map_or(by_response, |end| end.min(by_response));
    Ok(ExchangedToken { access_token: tokens.access_token, expires_at })
}

/// A scope of the token that was not asked for. Without `scope` in the response the token has those that were asked for (RFC
/// 8693 section 2.2.1), unless it says something else itself.
fn excess(exchange: &TokenExchange<'_>, tokens: &TokenResponse, claims: &Value) -> Option<String> {
    let asked = &exchange.target.scopes;
    if asked.is_empty() {
        return None;
    }
    let granted: Vec<&str> = match &tokens.scope {
        Some(scope) => scope.split_ascii_whitespace().collect(),
        None => ["scope", "scp"].iter().filter_map(|name| claims.get(name)).flat_map(separate).collect(),
    };
    let is_asked = |granted: &str| match exchange.dialect {
        ExchangeDialect::TokenExchange => asked.iter().any(|asked| asked == granted),
        ExchangeDialect::OnBehalfOf => {
            is_of_openid(granted) || asked.iter().any(|asked| covers_at_microsoft(asked, granted))
        }
    };
    granted.into_iter().find(|granted| !is_asked(granted)).map(str::to_owned)
}

/// The words of a text, or of a list of texts.
fn separate(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().unwrap_or_default().split_ascii_whitespace().collect(),
    }
}

/// Whether a scope is about the sign-in itself. Microsoft adds those that the user has consented to.
fn is_of_openid(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "email" | "offline_access")
}

/// Whether `granted` is what `asked` stands for. At Microsoft the case of letters does not matter, a scope may be written
/// without its resource, and `RESOURCE/.default` stands for all that the user has consented to there.
fn covers_at_microsoft(asked: &str, granted: &str) -> bool {
    let name_of = |scope: &str| scope.rsplit_once('/').map_or(scope, |(_, name)| name).to_ascii_lowercase();
    let resource_of = |scope: &str| scope.rsplit_once('/').map(|(resource, _)| resource.to_ascii_lowercase());
    let (asked_resource, granted_resource) = (resource_of(asked), resource_of(granted));
    let is_same_resource = match (&asked_resource, &granted_resource) {
        (Some(asked), Some(granted)) => asked == granted,
        (_, None) => true,
        (None, Some(granted)) => granted == "https://graph.microsoft.com",
    };
    let asked_name = name_of(asked);
    is_same_resource && (asked_name == ".default" || asked_name == name_of(granted))
}

/// Why there is no token for the target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenExchangeError {
    /// `invalid_client`, `unauthorized_client`, `unsupported_grant_type`: the client may not exchange tokens.
    #[error("token exchange: {0}: check the client's secret, and whether the provider allows it this grant")]
    Client(ErrorResponse),
    /// `invalid_target`, `invalid_scope`: the provider gives no token for this target (RFC 8693 section 2.2.2).
    #[error(
        "token exchange: {0}: the provider gives this client no token for this audience, resource and scope"
    )]
    Target(ErrorResponse),
    /// Any other error that the provider names: it does not take this user's token.
    #[error("token exchange: {0}: the provider does not exchange the access token")]
    Subject(ErrorResponse),
    /// `issued_token_type` is missing, or is not that of an access token.
    #[error(
        "token exchange: \"issued_token_type\" is {}, and not that of an access token",
        .0.as_ref().map_or_else(|| "missing".to_owned(), |kind| format!("{kind:?}"))
    )]
    IssuedTokenType(Option<String>),
    /// The token has a scope that was not asked for.
    #[error("token exchange: the token has the scope {0:?}, which was not asked for")]
    MoreScope(String),
    /// The provider returned the token that it should have exchanged.
    #[error("token exchange: the provider returned the session's own access token")]
    SameToken,
    /// The token is too long for a header field.
    #[error("token exchange: the token is longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// The response is none of a token endpoint, or the provider is unavailable.
    #[error("token exchange: {0}")]
    Response(TokenError),
}

impl TokenExchangeError {
    fn of(error: TokenError) -> Self {
        match error {
            TokenError::InvalidClient(error) => Self::Client(error),
            TokenError::InvalidGrant(error) => Self::Subject(error),
            TokenError::Rejected { error, .. } => match error.error.as_str() {
                "unsupported_grant_type" => Self::Client(error),
                "invalid_target" | "invalid_scope" => Self::Target(error),
                _ => Self::Subject(error),
            },
            error => Self::Response(error),
        }
    }

    /// Whether the configuration, here or at the provider, has to change.
    pub fn is_misconfigured(&self) -> bool {
        matches!(self, Self::Client(_) | Self::Target(_) | Self::MoreScope(_) | Self::SameToken)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::client::ClientAuthentication;
    use crate::oauth::testing::json_response;

    fn target(audiences: &[&str], resources: &[&str], scopes: &[&str]) -> ExchangeTarget {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        ExchangeTarget { audiences: owned(audiences), resources: owned(resources), scopes: owned(scopes) }
    }

    fn body(exchange: &TokenExchange<'_>) -> String {
        let secret = Secret::new("s3cret");
        let client = Client {
            id: "app",
            id_param: "client_id",
            secret_param: "client_secret",
            secret: None,
            authentication: ClientAuthentication::Post(Cow::Borrowed(&secret)),
        };
        let endpoint = Url::parse("https://idp.example/token").unwrap();
        String::from_utf8(request(&endpoint, &client, &[], exchange).body).unwrap()
    }

    fn parsed(
        (dialect, target): (ExchangeDialect, &ExchangeTarget),
        is_bound: bool,
        body: &Value,
    ) -> Result<ExchangedToken, TokenExchangeError> {
        let options =
            ParseOptions { is_strict: true, response_path: None, invalid_grant_errors: &[], is_bound };
        let subject_token = Secret::new("the-subject");
        let exchange = TokenExchange { target, dialect, subject_token: &subject_token };
        parse(&json_response(200, body), options, &exchange, Timestamp::from_seconds(1000))
    }

    #[test]
    fn the_request_is_that_of_the_dialect() {
        let target = target(&["orders", "stock"], &["https://orders.example/"], &["read", "write"]);
        let subject_token = Secret::new("a+b");
        let mut exchange = TokenExchange {
            target: &target,
            dialect: ExchangeDialect::TokenExchange,
            subject_token: &subject_token,
        };
        assert_eq!(
            body(&exchange),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=a%2Bb\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &audience=orders&audience=stock&resource=https%3A%2F%2Forders.example%2F&scope=read+write\
             &client_id=app&client_secret=s3cret"
        );
        exchange.dialect = ExchangeDialect::OnBehalfOf;
        assert_eq!(
            body(&exchange),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a%2Bb\
             &requested_token_use=on_behalf_of&scope=read+write&client_id=app&client_secret=s3cret"
        );
    }

    #[test]
    fn configured_fields_are_sent_and_none_replaces_how_the_client_authenticates() {
        let (target, subject_token, secret) =
            (target(&["orders"], &[], &[]), Secret::new("a"), Secret::new("s3cret"));
        let exchange = TokenExchange {
            target: &target,
            dialect: ExchangeDialect::TokenExchange,
            subject_token: &subject_token,
        };
        let fields = [
            ("authorization".to_owned(), Secret::new("Bearer gateway")),
            ("x-tenant".to_owned(), Secret::new("acme")),
        ];
        let sent = |authentication| {
            let client = Client {
                id: "app",
                id_param: "client_id",
                secret_param: "client_secret",
                secret: None,
                authentication,
            };
            let endpoint = Url::parse("https://idp.example/token").unwrap();
            let request = request(&endpoint, &client, &fields, &exchange);
            assert_eq!(request.limit, 65_536);
            let headers = request.headers;
            ["authorization", "x-tenant"].map(|name| headers.get(name).unwrap_or_default().to_owned())
        };
        assert_eq!(sent(ClientAuthentication::Basic(&secret)), ["Basic YXBwOnMzY3JldA==", "acme"]);
        assert_eq!(sent(ClientAuthentication::Post(Cow::Borrowed(&secret))), ["Bearer gateway", "acme"]);
    }

    #[test]
    fn only_an_access_token_of_the_right_type_is_one() {
        let target = target(&["orders"], &[], &[]);
        for (patch, is_bound, is_good) in [
            (json!({}), false, true),
            (json!({ "issued_token_type": JWT_TYPE }), false, true),
            (json!({ "issued_token_type": null }), false, false),
            (json!({ "issued_token_type": "urn:ietf:params:oauth:token-type:id_token" }), false, false),
            (json!({ "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token" }), false, false),
            (json!({ "token_type": "N_A" }), false, false),
            (json!({ "token_type": null }), false, false),
            (json!({ "token_type": "DPoP" }), false, false),
            (json!({ "token_type": "DPoP" }), true, true),
            (json!({ "token_type": "Bearer" }), true, false),
            (json!({ "access_token": "" }), false, false),
            (json!({ "access_token": "two words" }), false, false),
            (json!({ "access_token": "the-subject" }), false, false),
            (json!({ "access_token": "x".repeat(MAX_TOKEN) }), false, true),
            (json!({ "access_token": "x".repeat(MAX_TOKEN + 1) }), false, false),
        ] {
            let mut body = json!({
                "access_token": "new", "issued_token_type": ACCESS_TOKEN_TYPE, "token_type": "Bearer",
                "expires_in": 60,
            });
            body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            let parsed = parsed((ExchangeDialect::TokenExchange, &target), is_bound, &body);
            assert_eq!(parsed.is_ok(), is_good, "{patch} {parsed:?}");
        }
    }

    #[test]
    fn more_scope_than_was_asked_is_refused() {
        let jwt = |claims: &Value| {
            let part = |value: &Value| crate::jose::base64url::encode(value.to_string().as_bytes());
            format!("{}.{}.c2ln", part(&json!({ "alg": "none" })), part(claims))
        };
        for (asked, scope, token, excess) in [
            (&["read", "write"][..], json!("read write"), "t".to_owned(), None),
            (&["read", "write"], json!("write"), "t".to_owned(), None),
            (&["read"], json!(null), "t".to_owned(), None),
            (&[], json!("whatever"), "t".to_owned(), None),
            (&["read"], json!("read write"), "t".to_owned(), Some("write")),
            (&["read"], json!("READ"), "t".to_owned(), Some("READ")),
            (&["read"], json!(["read", "admin"]), "t".to_owned(), Some("admin")),
            (&["read"], json!(null), jwt(&json!({ "scope": "read admin" })), Some("admin")),
            (&["read"], json!(null), jwt(&json!({ "scp": ["read", "admin"] })), Some("admin")),
            (&["read"], json!(null), jwt(&json!({ "scp": ["read"] })), None),
        ] {
            let body = json!({
                "access_token": token, "issued_token_type": ACCESS_TOKEN_TYPE, "token_type": "Bearer", "scope": scope,
            });
            let target = target(&["orders"], &[], asked);
            let parsed = parsed((ExchangeDialect::TokenExchange, &target), false, &body);
            let excess = excess.map(|scope| TokenExchangeError::MoreScope(scope.to_owned()));
            assert_eq!(parsed.err(), excess, "{asked:?} {scope}");
        }
    }

    #[test]
    fn microsoft_writes_scopes_in_its_own_way() {
        const GRAPH: &str = "https://graph.microsoft.com/";
        for (asked, granted, is_good) in [
            (format!("{GRAPH}user.read"), format!("{GRAPH}User.Read"), true),
            (format!("{GRAPH}User.Read"), "openid profile email User.Read".to_owned(), true),
            ("User.Read".to_owned(), format!("{GRAPH}User.Read"), true),
            (format!("{GRAPH}.default"), format!("{GRAPH}User.Read {GRAPH}Mail.Read"), true),
            ("api://orders/.default".to_owned(), "api://orders/Orders.Read".to_owned(), true),
            ("api://orders/Orders.Read".to_owned(), "api://orders/Orders.Write".to_owned(), false),
            ("api://orders/.default".to_owned(), "api://stock/Stock.Read".to_owned(), false),
            (format!("{GRAPH}User.Read"), format!("{GRAPH}User.Read {GRAPH}Mail.Read"), false),
            ("User.Read".to_owned(), "api://orders/User.Read".to_owned(), false),
        ] {
            let body =
                json!({ "access_token": "t", "token_type": "Bearer", "expires_in": 9, "scope": granted });
            let target = target(&[], &[], &[&asked]);
            let parsed = parsed((ExchangeDialect::OnBehalfOf, &target), false, &body);
            assert_eq!(parsed.is_ok(), is_good, "{asked} {granted} {parsed:?}");
        }
    }

    #[test]
    fn a_token_is_used_no_longer_than_it_is_valid() {
        let payload = crate::jose::base64url::encode(br#"{"exp":1100}"#);
        let over = crate::jose::base64url::encode(br#"{"exp":1000}"#);
        for (expires_in, token, seconds) in [
            (json!(600), "t".to_owned(), 1600),
            (json!("600"), "t".to_owned(), 1600),
            (json!(null), "t".to_owned(), 1060),
            (json!(0), "t".to_owned(), 1060),
            (json!(600), format!("e30.{payload}.c2ln"), 1100),
            (json!(null), format!("e30.{payload}.c2ln"), 1060),
            (json!(600), format!("e30.{over}.c2ln"), 1600),
        ] {
            let body = json!({
                "access_token": token, "issued_token_type": ACCESS_TOKEN_TYPE, "token_type": "Bearer",
                "expires_in": expires_in,
            });
            let target = target(&["orders"], &[], &[]);
            let parsed = parsed((ExchangeDialect::TokenExchange, &target), false, &body).unwrap();
            assert_eq!(parsed.expires_at, Timestamp::from_seconds(seconds), "{expires_in} {token}");
        }
    }

    #[test]
    fn an_error_says_who_has_to_act() {
        let target = target(&["orders"], &[], &[]);
        for (status, error, is_misconfigured) in [
            (400, "invalid_target", true),
            (400, "invalid_scope", true),
            (401, "invalid_client", true),
            (400, "unauthorized_client", true),
            (400, "unsupported_grant_type", true),
            (400, "invalid_grant", false),
            (400, "invalid_request", false),
            (400, "interaction_required", false),
            (503, "temporarily_unavailable", false),
        ] {
            let response = json_response(status, &json!({ "error": error }));
            let options = ParseOptions {
                is_strict: true,
                response_path: None,
                invalid_grant_errors: &[],
                is_bound: false,
            };
            let subject_token = Secret::new("s");
            let exchange = TokenExchange {
                target: &target,
                dialect: ExchangeDialect::TokenExchange,
                subject_token: &subject_token,
            };
            let failed = parse(&response, options, &exchange, Timestamp::from_seconds(1)).unwrap_err();
            assert_eq!(failed.is_misconfigured(), is_misconfigured, "{failed}");
            assert!(failed.to_string().contains(error), "{failed}");
        }
    }
}
