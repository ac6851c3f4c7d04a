//! The authorization request and its response (RFC 6749 sections 4.1.1 and 4.1.2, OpenID Connect Core 1.0
//! section 3.1.2).

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use crate::http::form::{DuplicateParameterError, Params};
use crate::http::url::Url;
use crate::oauth::discovery::ProviderMetadata;
use crate::oauth::exchange::{ErrorResponse, excerpt};
use crate::oauth::pkce;
use crate::oauth::provider::OAuthProvider;
use crate::secret::{Secret, constant_time_eq};

/// Parameters of the authorization request that only Vestibule sets. `request` and `request_uri` are among them because
/// they would replace all others (OpenID Connect Core 1.0 section 6).
pub const RESERVED: [&str; 11] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "dpop_jkt",
];

/// Query parameters of `POST /signin/:provider` that are forwarded in the authorization request: those of OpenID
/// Connect Core 1.0 section 3.1.2.1 that affect the provider's dialogue with the user, and similar ones of single
/// providers. `id_token_hint` is not among them: tokens must not be in URLs, because URLs are logged.
const FORWARDED_PARAMETERS: [&str; 17] = [
    "login_hint",
    "prompt",
    "ui_locales",
    "claims_locales",
    "acr_values",
    "max_age",
    "display",
    // Parameters of Auth0, which others adopted.
    "screen_hint",
    "connection",
    "organization",
    "invitation",
    // Google, Microsoft, Keycloak, Okta, Cognito: the identity provider behind the provider.
    "hd",
    "domain_hint",
    "kc_idp_hint",
    "idp",
    "identity_provider",
    "idp_identifier",
];

/// A hint about the user's account (OpenID Connect Core 1.0 sections 3.1.2.1 and 4).
pub const LOGIN_HINT: &str = "login_hint";

/// In bytes. An e-mail address has at most 254; `acr_values` and `ui_locales` are lists of short names.
const MAX_VALUE_LEN: usize = 512;

/// In bytes. RFC 6749 section 4.1.2 does not limit the length of a code; encrypted ones have about 2 kB.
const MAX_CODE_LEN: usize = 4096;

/// The parameters of an authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1, RFC
/// 7636 section 4.3).
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// The provider's `authorization_endpoint`. Its query is kept (RFC 6749 section 3.1).
    pub endpoint: &'a Url,
    /// `client_id`
    pub client_id: &'a str,
    /// The name of the parameter for `client_id`.
    pub client_id_param: &'a str,
    /// `response_type`
    pub response_type: &'a str,
    /// `response_mode`, if it is not the default.
    pub response_mode: Option<&'a str>,
    /// The fragment of the URL, without the `#`.
    pub fragment: Option<&'a str>,
    /// `redirect_uri`. The token request repeats it.
    pub redirect_uri: &'a str,
    /// Further parameters, from [`parameters`]. Those in [`RESERVED`] are left out.
    pub parameters: &'a [(String, String)],
    /// `scope`. For OpenID Connect it contains `openid`.
    pub scope: Option<&'a str>,
    /// The verifier from which `code_challenge` is computed, if PKCE is used.
    pub verifier: Option<&'a pkce::Verifier>,
    /// `state`, bound to this browser by its transaction (RFC 6749 section 10.12).
    pub state: &'a Secret,
    /// `nonce`, which the ID token must repeat, if one is used.
    pub nonce: Option<&'a Secret>,
    /// `dpop_jkt`, the thumbprint of the key to which the code is bound (RFC 9449 section 10), if tokens are bound.
    pub dpop_jkt: Option<&'a str>,
}

/// The values of one attempt to sign in, which the provider's response is compared with.
#[derive(Clone, Copy, Debug)]
pub struct AttemptValues<'a> {
    /// The verifier of PKCE.
    pub verifier: &'a pkce::Verifier,
    /// `state`
    pub state: &'a Secret,
    /// `nonce`
    pub nonce: &'a Secret,
}

impl<'a> AuthorizationRequest<'a> {
    /// The request as the provider is configured, without `dpop_jkt`. Of the values it has those that the configuration
    /// uses.
    pub fn of(
        oauth: &'a OAuthProvider,
        metadata: &'a ProviderMetadata,
        redirect_uri: &'a str,
        parameters: &'a [(String, String)],
        AttemptValues { verifier, state, nonce }: AttemptValues<'a>,
    ) -> Self {
        let authorization = &oauth.authorization;
        Self {
            endpoint: metadata.authorization_endpoint(),
            client_id: &oauth.client.id,
            client_id_param: &oauth.client.id_param,
            response_type: &authorization.response_type,
            response_mode: authorization.response_mode.name(),
            fragment: authorization.fragment.as_deref(),
            redirect_uri,
            parameters,
            scope: oauth.scope.as_deref(),
            verifier: authorization.pkce.then_some(verifier),
            state,
            nonce: oauth.openid.as_ref().filter(|openid| openid.nonce).map(|_| nonce),
            dpop_jkt: None,
        }
    }

    /// The URL to which the browser is redirected, with all parameters in its query.
    pub fn url(&self) -> String {
        self.url_with(&self.parameters())
    }

    /// The URL with a reference to a request that was pushed (RFC 9126 section 4): the provider has everything else.
    pub fn url_with_reference(&self, request_uri: &str) -> String {
        self.url_with(&[(self.client_id_param, self.client_id.into()), ("request_uri", request_uri.into())])
    }

    /// The URL with a signed request object (RFC 9101 section 5.1). OpenID Connect requires `response_type` and `scope`
    /// beside it (OpenID Connect Core 1.0 section 6.1): they are the same as in the object, which alone counts.
    pub fn url_with_object(&self, object: &Secret) -> String {
        let mut parameters = vec![
            ("response_type", self.response_type.into()),
            (self.client_id_param, Cow::Borrowed(self.client_id)),
        ];
        parameters.extend(self.scope.map(|scope| ("scope", scope.into())));
        parameters.push(("request", object.expose().into()));
        self.url_with(&parameters)
    }

    /// All parameters, in the order of Auth.js, followed by `state` and `nonce`. None occurs twice (RFC 6749 section
    /// 3.1).
    pub fn parameters(&self) -> Vec<(&str, Cow<'_, str>)> {
        let mut parameters = vec![
            ("response_type", self.response_type.into()),
            (self.client_id_param, self.client_id.into()),
            ("redirect_uri", self.redirect_uri.into()),
        ];
        parameters.extend(self.response_mode.map(|mode| ("response_mode", mode.into())));
        let further = self.parameters.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
        parameters.extend(further.map(|(name, value)| (name.as_str(), value.into())));
        if let Some(verifier) = self.verifier {
            parameters.push(("code_challenge", verifier.challenge().into()));
            parameters.push(("code_challenge_method", pkce::CHALLENGE_METHOD.into()));
        }
        parameters.extend(self.scope.map(|scope| ("scope", scope.into())));
        parameters.push(("state", self.state.expose().into()));
        parameters.extend(self.nonce.map(|nonce| ("nonce", nonce.expose().into())));
        parameters.extend(self.dpop_jkt.map(|thumbprint| ("dpop_jkt", thumbprint.into())));
        parameters
    }

    /// The endpoint with these parameters. Its own query keeps what the request does not set, also where the request is
    /// inside an object: then a parameter in the query would contradict it.
    fn url_with(&self, parameters: &[(&str, Cow<'_, str>)]) -> String {
        let mut query =
            form_urlencoded::Serializer::new(self.endpoint.query_without(&|name| self.sets(name)));
        query.extend_pairs(parameters);
        let url = self.endpoint.with_query(&query.finish());
        self.fragment.map_or(url.as_str().to_owned(), |fragment| format!("{url}#{fragment}"))
    }

    fn sets(&self, name: &str) -> bool {
        RESERVED.contains(&name)
            || name == self.client_id_param
            || (self.response_mode.is_some() && name == "response_mode")
            || self.parameters.iter().any(|(set, _)| set == name)
    }
}

/// The further parameters of an authorization request: those that are `configured`, and those of the sign-in request's
/// `query` that may be forwarded. As in Auth.js, a value of the query replaces a configured one. The exception is
/// `max_age`, whose smaller value is used: it is the only parameter that is enforced afterwards, so a client must not
/// be able to weaken it. Empty values are left out (RFC 6749 section 3.1).
pub fn parameters(
    configured: &[(String, String)],
    query: &Params,
) -> Result<Vec<(String, String)>, ParameterError> {
    let mut merged = configured.to_vec();
    for (name, _) in query.iter() {
        let Some(&name) = FORWARDED_PARAMETERS.iter().find(|&&listed| listed == name) else { continue };
        let Some(value) = query.one(name)?.filter(|value| !value.is_empty()) else { continue };
        check_length(name, value)?;
        if name == "max_age" && parse_max_age(value).is_none() {
            return Err(ParameterError::MaxAge);
        }
        match merged.iter_mut().find(|(set, _)| set == name) {
            Some((_, set)) if name == "max_age" && parse_max_age(set) <= parse_max_age(value) => {}
            Some((_, set)) => value.clone_into(set),
            None => merged.push((name.to_owned(), value.to_owned())),
        }
    }
    Ok(merged)
}

/// Checks the length of a parameter that a client wants to have forwarded.
pub fn check_length(name: &'static str, value: &str) -> Result<(), ParameterError> {
    if value.len() > MAX_VALUE_LEN { Err(ParameterError::TooLong(name)) } else { Ok(()) }
}

/// Why the parameters of a sign-in request are rejected. The error is the client's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// A parameter occurs twice.
    #[error(transparent)]
    Duplicate(#[from] DuplicateParameterError),
    /// A value has more than 512 bytes.
    #[error("the parameter {0:?} is longer than {MAX_VALUE_LEN} bytes")]
    TooLong(&'static str),
    /// `max_age` is not a number.
    #[error("the parameter \"max_age\" is not a whole number of seconds")]
    MaxAge,
}

/// The `max_age` among the parameters of an authorization request. If there is one, the ID token must state when the
/// user last authenticated (OpenID Connect Core 1.0 section 3.1.2.1).
pub fn max_age(parameters: &[(String, String)]) -> Option<Duration> {
    let (_, value) = parameters.iter().find(|(name, _)| name == "max_age")?;
    // A configured value that is not a number counts as the strictest one.
    Some(parse_max_age(value).unwrap_or(Duration::ZERO))
}

fn parse_max_age(value: &str) -> Option<Duration> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    // A number that does not fit is replaced by the maximum, 136 years, which limits nothing.
    digits.then(|| Duration::from_secs(value.parse::<u32>().unwrap_or(u32::MAX).into()))
}

/// An authorization code (RFC 6749 section 4.1.2) from a response that has been checked.
#[derive(Debug)]
pub struct AuthorizationCode(Secret);

impl AuthorizationCode {
    /// The code, for the token request.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    #[cfg(test)]
    pub(super) fn for_tests(code: &str) -> Self {
        Self(Secret::new(code))
    }
}

/// Checks an authorization response (RFC 6749 sections 4.1.2 and 4.1.2.1) and returns its code. `params` are those of
/// the query, or of the form if the response was sent by POST.
///
/// `state` is that of the transaction in this browser, and `metadata` is that of the provider for which the transaction
/// was started. With `requires_issuer` the response must name its issuer, whatever the metadata say. The checks in their
/// order: No parameter may occur twice (RFC 6749 section 3.1). `state` must be that of
/// the transaction: another response is not for us, so not even its error counts (RFC 6749 section 10.12). `iss` must
/// be the provider's (RFC 9207 section 2.4), which prevents a mix-up (RFC 9700 section 4.4) for error responses too.
/// Only then are the error and the code used.
pub fn parse_response(
    params: &Params,
    state: &Secret,
    metadata: &ProviderMetadata,
    requires_issuer: bool,
) -> Result<AuthorizationCode, AuthorizationResponseError> {
    let code = params.one("code")?;
    let given_state = params.one("state")?;
    let issuer = params.one("iss")?;
    let error = error(params)?;
    params.one("error_uri")?;
    let of_other_flows = [
        ("response", params.one("response")?),
        ("id_token", params.one("id_token")?),
        ("access_token", params.one("access_token")?),
    ];

    let given_state = given_state.ok_or(AuthorizationResponseError::StateMissing)?;
    if state.is_empty() || !constant_time_eq(state.expose().as_bytes(), given_state.as_bytes()) {
        return Err(AuthorizationResponseError::StateMismatch);
    }
    match issuer {
        Some(found) if metadata.issuer().is_none_or(|issuer| is_same_issuer(issuer, found)) => {}
        Some(found) => {
            return Err(AuthorizationResponseError::IssuerMismatch {
                expected: metadata.issuer().unwrap_or_default().to_owned(),
                found: excerpt(found, 200),
            });
        }
        None if requires_issuer || metadata.authorization_response_iss_parameter_supported() => {
            return Err(AuthorizationResponseError::IssuerMissing);
        }
        None => {}
    }
    if let Some(error) = error {
        return Err(AuthorizationResponseError::Error(error));
    }
    if let Some((name, _)) = of_other_flows.iter().find(|(_, value)| value.is_some()) {
        return Err(AuthorizationResponseError::OtherFlow(name));
    }
    match code {
        None | Some("") => Err(AuthorizationResponseError::CodeMissing),
        Some(code) if code.len() > MAX_CODE_LEN => Err(AuthorizationResponseError::CodeTooLong),
        Some(code) => Ok(AuthorizationCode(Secret::new(code))),
    }
}

/// The error in a response: `error` (RFC 6749 section 4.1.2.1), or a parameter with another name that some providers
/// use.
fn error(params: &Params) -> Result<Option<ErrorResponse>, DuplicateParameterError> {
    const OTHER_CODES: [&str; 4] = ["error_code", "error_type", "errcode", "errCode"];
    const DESCRIPTIONS: [&str; 4] = ["error_description", "error_message", "error_reason", "errmsg"];
    let first = |names: &[&str]| {
        for name in names {
            if let Some(value) = params.one(name)?.filter(|value| !value.is_empty()) {
                return Ok(Some(value.to_owned()));
            }
        }
        Ok(None)
    };
    let description = first(&DESCRIPTIONS)?;
    // Without a value a parameter counts as omitted (RFC 6749 section 3.1).
    let standard = params.one("error")?.filter(|error| !error.is_empty());
    // If there is a code, only the standard parameter `error` makes the response an error.
    let other = first(&OTHER_CODES)?.filter(|_| matches!(params.one("code"), Ok(None | Some(""))));
    Ok(match (standard, other) {
        (Some(standard), _) => Some(ErrorResponse::new(standard, description.as_deref())),
        (None, Some(other)) => Some(ErrorResponse::new(&other, description.as_deref())),
        (None, None) => None,
    })
}

/// Whether the issuers are equal: byte for byte for a provider with one tenant. The metadata of a provider with many
/// tenants has a template instead, which any tenant matches; the ID token names the tenant.
fn is_same_issuer(expected: &str, found: &str) -> bool {
    match expected.split_once("{tenantid}") {
        Some((before, behind)) => found.starts_with(before) && found.ends_with(behind),
        None => found == expected,
    }
}

/// Why an authorization response gives no code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationResponseError {
    /// A parameter occurs twice.
    #[error("authorization response: {0}")]
    Duplicate(#[from] DuplicateParameterError),
    /// `state` is missing: the response belongs to no transaction.
    #[error("authorization response: \"state\" is missing")]
    StateMissing,
    /// `state` is that of another transaction, or forged.
    #[error("authorization response: \"state\" is not the one of this sign-in")]
    StateMismatch,
    /// `iss` is missing, although the provider's metadata or its profile says that it is always sent.
    #[error(
        "authorization response: \"iss\" is missing, and the provider's metadata or its profile says that it is sent"
    )]
    IssuerMissing,
    /// `iss` names another provider than that of the authorization request.
    #[error("authorization response: \"iss\" is {found:?}, but the request was sent to {expected:?}")]
    IssuerMismatch {
        /// The provider of the authorization request.
        expected: String,
        /// The provider that the response names.
        found: String,
    },
    /// The provider or the user denied the request, or the provider failed.
    #[error("authorization response: the provider answered with the error {0}")]
    Error(ErrorResponse),
    /// A response of the implicit or hybrid flow, or a signed one (JARM). None of these was requested.
    #[error("authorization response: {0:?} is present, although it was not requested")]
    OtherFlow(&'static str),
    /// Neither code nor error.
    #[error("authorization response: \"code\" is missing")]
    CodeMissing,
    /// The code has more than 4096 bytes.
    #[error("authorization response: \"code\" is longer than {MAX_CODE_LEN} bytes")]
    CodeTooLong,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oauth::testing::{metadata, with_request};

    const STATE: &str = "af0ifjsldkj";

    fn url_of(endpoint: &str, parameters: &[(&str, &str)]) -> String {
        let url = |request: &AuthorizationRequest<'_>| request.url();
        with_request(endpoint, parameters, url)
    }

    fn params(query: &str) -> Params {
        Params::from_urlencoded(query.as_bytes())
    }

    fn read(query: &str) -> Result<String, AuthorizationResponseError> {
        parse_response(&params(query), &Secret::new(STATE), &metadata(false), false)
            .map(|code| code.expose().to_owned())
    }

    #[test]
    fn the_url_is_that_of_auth_js_followed_by_state_and_nonce() {
        assert_eq!(
            url_of(
                "https://accounts.google.com/o/oauth2/v2/auth",
                &[("login_hint", "a"), ("prompt", "consent")]
            ),
            "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=gid\
             &redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback%2Fgoogle&login_hint=a&prompt=consent\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &scope=openid+profile+email&state=s+t%26a%3Dte&nonce=n%7E%C3%A9"
        );
    }

    #[test]
    fn a_url_with_a_reference_has_only_the_client_beside_it_and_keeps_the_endpoints_query() {
        let endpoint = "https://idp.example/authorize?tenant=a&scope=admin&prompt=none";
        let reference =
            |request: &AuthorizationRequest<'_>| request.url_with_reference("urn:example:bwc4JK-ESC0w8");
        assert_eq!(
            with_request(endpoint, &[("prompt", "login")], reference),
            "https://idp.example/authorize?tenant=a&client_id=gid&request_uri=urn%3Aexample%3Abwc4JK-ESC0w8"
        );
        let object = |request: &AuthorizationRequest<'_>| request.url_with_object(&Secret::new("a.b.c"));
        assert_eq!(
            with_request(endpoint, &[("prompt", "login")], object),
            "https://idp.example/authorize?tenant=a&response_type=code&client_id=gid&scope=openid+profile+email\
             &request=a.b.c"
        );
    }

    #[test]
    fn the_endpoints_query_keeps_no_response_mode_beside_that_of_the_request() {
        let endpoint = "https://idp.example/authorize?tenant=a&response_mode=query";
        assert!(url_of(endpoint, &[]).contains("?tenant=a&response_mode=query&response_type=code&"));
        let posted = |request: &AuthorizationRequest<'_>| {
            AuthorizationRequest { response_mode: Some("form_post"), ..*request }.url()
        };
        let url = with_request(endpoint, &[], posted);
        assert!(
            url.contains("?tenant=a&response_type=code&") && url.contains("&response_mode=form_post"),
            "{url}"
        );
        assert_eq!(url.matches("response_mode").count(), 1, "{url}");
    }

    #[test]
    fn the_issuer_of_a_provider_with_many_tenants_differs_in_the_tenant_only() {
        let expected = "https://login.example/{tenantid}/v2.0";
        for (found, is_same) in [
            ("https://login.example/acme/v2.0", true),
            ("https://login.example/acme/v1.0", false),
            ("https://evil.example/acme/v2.0", false),
            ("https://evil.example/acme", false),
        ] {
            assert_eq!(is_same_issuer(expected, found), is_same, "{found}");
        }
        assert!(is_same_issuer("https://a.example", "https://a.example"));
        assert!(!is_same_issuer("https://a.example", "https://a.example/"));
    }

    #[test]
    fn the_query_of_an_endpoint_is_kept_byte_for_byte() {
        let url = url_of("https://idp.example/authorize?tenant=a%2fb&p=B2C_1 x&flag", &[]);
        assert!(
            url.starts_with(
                "https://idp.example/authorize?tenant=a%2fb&p=B2C_1%20x&flag&response_type=code&client_id=gid&"
            ),
            "{url}"
        );
        assert!(
            url_of("https://idp.example/authorize?", &[]).starts_with("https://idp.example/authorize?resp")
        );
        assert!(
            url_of("https://idp.example/authorize?&&", &[]).starts_with("https://idp.example/authorize?resp")
        );
    }

    #[test]
    fn no_parameter_occurs_twice_in_the_url() {
        let url = url_of(
            "https://idp.example/authorize?client%5fid=other&prompt=none&state=x&a=1",
            &[
                ("prompt", "login"),
                ("state", "evil"),
                ("redirect_uri", "https://evil.example"),
                ("request_uri", "https://evil.example"),
                ("request", "x"),
                ("nonce", "x"),
                ("scope", "admin"),
            ],
        );
        let parsed = url::Url::parse(&url).unwrap();
        let mut names: Vec<_> = parsed.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert!(url.contains("?a=1&response_type=code&") && url.contains("&prompt=login&"), "{url}");
        assert!(!url.contains("evil") && !url.contains("other") && !url.contains("request="), "{url}");
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{url}");
    }

    #[test]
    fn only_listed_parameters_of_a_sign_in_request_are_forwarded() {
        let query = "redirect_uri=https%3A%2F%2Fevil.example&scope=admin&state=x&nonce=x&client_id=x&request=x\
                     &response_mode=form_post&claims=%7B%7D&id_token_hint=x&code_challenge_method=plain&other=1\
                     &ui_locales=de+en&prompt=login&hd=&login_hint=a%40example.com";
        let configured =
            [("audience".to_owned(), "api".to_owned()), ("prompt".to_owned(), "consent".to_owned())];
        let merged = parameters(&configured, &params(query)).unwrap();
        let merged: Vec<_> = merged.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            merged,
            [
                ("audience", "api"),
                ("prompt", "login"),
                ("ui_locales", "de en"),
                ("login_hint", "a@example.com")
            ]
        );
    }

    #[test]
    fn a_parameter_that_occurs_twice_or_is_too_long_is_rejected() {
        let refused = |query: &str| parameters(&[], &params(query)).unwrap_err();
        assert!(matches!(refused("prompt=login&prompt=none"), ParameterError::Duplicate(_)));
        assert_eq!(
            refused(&format!("login_hint={}", "a".repeat(513))),
            ParameterError::TooLong("login_hint")
        );
        assert!(parameters(&[], &params(&format!("login_hint={}", "a".repeat(512)))).is_ok());
        for value in ["-1", "1.5", "x", "+1", "%201", "1e3"] {
            assert_eq!(refused(&format!("max_age={}", value.replace('+', "%2B"))), ParameterError::MaxAge);
        }
        assert!(parameters(&[], &params("other=1&other=2")).is_ok());
    }

    #[test]
    fn the_smaller_max_age_is_used() {
        for (configured, query, wins) in [
            (Some("300"), "max_age=99999", Some(300)),
            (Some("300"), "max_age=60", Some(60)),
            (Some("300"), "max_age=0", Some(0)),
            (Some("300"), "", Some(300)),
            (None, "max_age=99999999999999999999999999", Some(u64::from(u32::MAX))),
            (None, "max_age=10", Some(10)),
            (None, "max_age=", None),
            (None, "", None),
        ] {
            let configured: Vec<_> =
                configured.map(|v| ("max_age".to_owned(), v.to_owned())).into_iter().collect();
            let merged = parameters(&configured, &params(query)).unwrap();
            assert_eq!(max_age(&merged), wins.map(Duration::from_secs), "{query}");
        }
        assert_eq!(max_age(&[("max_age".to_owned(), "soon".to_owned())]), Some(Duration::ZERO));
    }

    #[test]
    fn a_valid_response_gives_its_code() {
        assert_eq!(read("code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkj").unwrap(), "SplxlOBeZQQYbYS6WxSbIA");
        assert_eq!(
            read("iss=https%3A%2F%2Fidp.example&session_state=x&state=af0ifjsldkj&code=4%2F0A%2Bb").unwrap(),
            "4/0A+b"
        );
        let longest = "c".repeat(4096);
        assert_eq!(read(&format!("code={longest}&state={STATE}")).unwrap(), longest);
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_every_invalid_response_is_rejected_with_its_own_error() {
        let mismatch = |found: &str| AuthorizationResponseError::IssuerMismatch {
            expected: "https://idp.example".to_owned(),
            found: found.to_owned(),
        };
        let long = format!("state={STATE}&code={}", "c".repeat(4097));
        for (query, reason) in [
            ("", AuthorizationResponseError::StateMissing),
            ("code=c", AuthorizationResponseError::StateMissing),
            ("error=access_denied", AuthorizationResponseError::StateMissing),
            ("code=c&state=", AuthorizationResponseError::StateMismatch),
            ("code=c&state=af0ifjsldk", AuthorizationResponseError::StateMismatch),
            ("code=c&state=af0ifjsldkjj", AuthorizationResponseError::StateMismatch),
            ("code=c&state=AF0IFJSLDKJ", AuthorizationResponseError::StateMismatch),
            ("code=c&state=af0ifjsldkj%00", AuthorizationResponseError::StateMismatch),
            ("error=access_denied&state=other", AuthorizationResponseError::StateMismatch),
            (
                "error=access_denied&state=other&iss=https://evil.example",
                AuthorizationResponseError::StateMismatch,
            ),
            ("code=c&state=af0ifjsldkj&iss=https://evil.example", mismatch("https://evil.example")),
            ("code=c&state=af0ifjsldkj&iss=https://idp.example/", mismatch("https://idp.example/")),
            ("code=c&state=af0ifjsldkj&iss=https://IDP.example", mismatch("https://IDP.example")),
            ("code=c&state=af0ifjsldkj&iss=", mismatch("")),
            ("error=x&state=af0ifjsldkj&iss=https://evil.example", mismatch("https://evil.example")),
            ("state=af0ifjsldkj", AuthorizationResponseError::CodeMissing),
            ("state=af0ifjsldkj&code=", AuthorizationResponseError::CodeMissing),
            (&long, AuthorizationResponseError::CodeTooLong),
            ("state=af0ifjsldkj&code=c&id_token=x", AuthorizationResponseError::OtherFlow("id_token")),
            ("state=af0ifjsldkj&access_token=x", AuthorizationResponseError::OtherFlow("access_token")),
            ("state=af0ifjsldkj&code=c&response=x", AuthorizationResponseError::OtherFlow("response")),
        ] {
            assert_eq!(read(query), Err(reason), "{query}");
        }
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_a_parameter_that_occurs_twice_is_rejected() {
        for name in [
            "code",
            "state",
            "iss",
            "error",
            "error_description",
            "error_uri",
            "response",
            "id_token",
            "access_token",
        ] {
            for (first, second) in [("a", "a"), ("a", "b"), ("", "")] {
                let query = format!("{name}={first}&state={STATE}&code=c&{name}={second}");
                assert!(matches!(read(&query), Err(AuthorizationResponseError::Duplicate(_))), "{query}");
            }
        }
        assert!(read(&format!("code=c&state={STATE}&other=1&other=2")).is_ok());
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_iss_is_required_if_the_metadata_says_that_it_is_sent() {
        let strict = metadata(true);
        let read =
            |query: &str| parse_response(&params(query), &Secret::new(STATE), &strict, false).map(|_| ());
        assert_eq!(read("code=c&state=af0ifjsldkj"), Err(AuthorizationResponseError::IssuerMissing));
        assert_eq!(
            read("error=access_denied&state=af0ifjsldkj"),
            Err(AuthorizationResponseError::IssuerMissing)
        );
        assert_eq!(read("code=c&state=af0ifjsldkj&iss=https://idp.example"), Ok(()));
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_an_empty_expected_state_matches_nothing() {
        let refused = parse_response(&params("code=c&state="), &Secret::default(), &metadata(false), false);
        assert_eq!(refused.unwrap_err(), AuthorizationResponseError::StateMismatch);
    }

    #[test]
    fn an_error_of_this_transaction_is_returned_with_its_description() {
        let Err(AuthorizationResponseError::Error(error)) = read(
            "error=access_denied&error_description=no%0Alevel%3Dfatal&error_uri=https://x&code=c&state=af0ifjsldkj",
        ) else {
            panic!("an error response is an error")
        };
        assert!(error.error == "access_denied" && !error.is_temporary());
        assert_eq!(error.description.as_deref(), Some("no\u{fffd}level=fatal"));
        let Err(AuthorizationResponseError::Error(error)) =
            read("error=temporarily_unavailable&state=af0ifjsldkj")
        else {
            panic!("an error response is an error")
        };
        assert!(error.is_temporary());
        assert_eq!(read("error=&state=af0ifjsldkj&code=c").as_deref(), Ok("c"));
        assert_eq!(read("error=&state=af0ifjsldkj"), Err(AuthorizationResponseError::CodeMissing));
    }

    #[test]
    fn neither_code_nor_state_is_printed() {
        let code = parse_response(
            &params("code=hush&state=af0ifjsldkj"),
            &Secret::new(STATE),
            &metadata(false),
            false,
        );
        assert!(!format!("{code:?}").contains("hush"));
        let refused = read("code=hush&state=quiet").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("quiet"));
    }

    proptest! {
        #[test]
        fn no_response_makes_the_parser_panic(query in "[a-z=&%+0-9]{0,60}|.{0,60}") {
            let _ = read(&query);
            let _ = read(&format!("state={STATE}&{query}"));
            let _ = parameters(&[], &params(&query));
        }

        #[test]
        fn no_other_state_is_accepted(state in "[a-zA-Z0-9_-]{1,43}") {
            prop_assume!(state != STATE);
            prop_assert_eq!(read(&format!("code=c&state={state}")), Err(AuthorizationResponseError::StateMismatch));
        }

        #[test]
        fn every_parameter_is_in_the_url_unchanged(name in "[a-z]{11,13}", value in ".{0,20}") {
            let url = url::Url::parse(&url_of("https://idp.example/a", &[(&name, &value)])).unwrap();
            prop_assert!(url.query_pairs().any(|(n, v)| n == name && v == value));
        }
    }
}
