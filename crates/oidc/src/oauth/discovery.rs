//! The metadata that a provider publishes (OpenID Connect Discovery 1.0 section 4).

mod document;
mod error;
mod introspection;
mod requests;

use std::time::Duration;

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::origin::endpoint;
use crate::http::url::Url;
use crate::jose::jws::Algorithm;
use crate::oauth::discovery::document::{Document, URL_LIMIT, is_address_or_localhost};
pub use crate::oauth::discovery::error::DiscoveryError;
pub use crate::oauth::discovery::introspection::IntrospectionMetadata;
pub use crate::oauth::discovery::requests::RequestMetadata;
use crate::oauth::exchange::{self, excerpt};
use crate::oauth::provider::OAuthProvider;

/// A user waits, and so do all requests that wait for the same fetch. A healthy provider serves this static document in
/// well under a second, and after a cold start in a few seconds.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes. The largest documents of known providers have about 10 kB.
pub(super) const LIMIT: usize = 128 * 1024;
/// The issuer whose metadata is requested, from the checked configuration.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    /// The issuer identifier, an `https` URL.
    pub identifier: &'a str,
    /// The template of the issuer if one provider has many tenants: `{tid}` is replaced by a tenant's id.
    pub template: Option<&'a str>,
    /// The URL of its document, if it is not below the issuer.
    pub well_known: Option<&'a Url>,
}

impl<'a> Issuer<'a> {
    /// An issuer with one tenant and its document at the standard URL.
    pub fn plain(identifier: &'a str) -> Self {
        Self { identifier, template: None, well_known: None }
    }

    /// Whether the issuer's document may name the issuer `found`: the configured issuer byte for byte, because
    /// otherwise one provider could impersonate another.
    ///
    /// A provider with many tenants differs. If the tenant was configured by its domain or by a word for several
    /// tenants, the document names the tenant's id, or the template itself. If it was configured by its id, only that
    /// id is accepted.
    pub fn accepts(&self, found: &str) -> bool {
        let Some(template) = self.template else { return found == self.identifier };
        found == self.identifier
            || (tenant_of(template, self.identifier).is_none()
                && (tenant_of(template, found).is_some() || found == template.replace("{tid}", ANY_TENANT)))
    }
}

/// The placeholder for a tenant's id in the metadata of several tenants.
const ANY_TENANT: &str = "{tenantid}";

/// The tenant's id in an issuer that matches the template: 32 hexadecimal digits with four hyphens.
fn tenant_of<'a>(template: &str, issuer: &'a str) -> Option<&'a str> {
    let (before, behind) = template.split_once("{tid}")?;
    issuer.strip_prefix(before)?.strip_suffix(behind).filter(|tenant| is_tenant(tenant))
}

fn is_tenant(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The issuer that a token must name if its claim `tid` is `tenant`. `None` if the configuration does not accept that
/// tenant.
pub fn issuer_of_token(
    issuer: &Issuer<'_>,
    metadata: &ProviderMetadata,
    tenant: Option<&str>,
) -> Option<String> {
    /// The tenant of all personal accounts, which belong to no organisation.
    const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let named = metadata.issuer()?;
    let Some(template) = issuer.template.filter(|_| named.contains(ANY_TENANT)) else {
        return Some(named.to_owned());
    };
    let tenant = tenant.filter(|tenant| is_tenant(tenant))?;
    if tenant == PERSONAL && issuer.identifier.contains("/organizations/") {
        return None;
    }
    Some(template.replace("{tid}", tenant))
}

/// The request for the metadata of `issuer` (OpenID Connect Discovery 1.0 section 4.1).
pub fn request(issuer: &Issuer<'_>) -> FetchRequest {
    let base = issuer.identifier.strip_suffix('/').unwrap_or(issuer.identifier);
    let below = || format!("{base}/.well-known/openid-configuration");
    let url = issuer.well_known.map_or_else(below, |url| url.as_str().to_owned());
    exchange::get(&url, TIMEOUT, LIMIT)
}

/// Parses the metadata of `issuer` (OpenID Connect Discovery 1.0 sections 4.2 and 4.3).
///
/// The document must name the requested issuer. Every endpoint must be `https`, or `http` on loopback. Only if the
/// issuer is an IP address or `localhost`, its endpoints may be so too: a provider must not decide that requests are
/// sent to machines of our network.
pub fn parse(issuer: &Issuer<'_>, response: &FetchResponse) -> Result<ProviderMetadata, DiscoveryError> {
    let document = Document(exchange::successful_object(response)?);
    let found = document.text("issuer")?.ok_or(DiscoveryError::Missing("issuer"))?;
    if !issuer.accepts(found) {
        return Err(DiscoveryError::IssuerMismatch {
            configured: excerpt(issuer.identifier, URL_LIMIT),
            found: excerpt(found, URL_LIMIT),
        });
    }
    let issuer_url =
        endpoint(issuer.identifier).map_err(|cause| DiscoveryError::Endpoint { member: "issuer", cause })?;
    let allow_internal = is_address_or_localhost(&issuer_url);
    let optional = |member| document.endpoint(member, allow_internal);
    let required = |member| optional(member)?.ok_or(DiscoveryError::Missing(member));
    Ok(ProviderMetadata {
        issuer: Some(found.to_owned()),
        authorization_endpoint: required("authorization_endpoint")?,
        token_endpoint: required("token_endpoint")?,
        jwks_uri: Some(required("jwks_uri")?),
        userinfo_endpoint: optional("userinfo_endpoint")?,
        // A document with an endpoint that is not accepted remains usable for all else.
        end_session_endpoint: optional("end_session_endpoint").unwrap_or_default(),
        revocation_endpoint: optional("revocation_endpoint").unwrap_or_default(),
        token_endpoint_auth_methods_supported: document.list("token_endpoint_auth_methods_supported")?,
        id_token_signing_alg_values_supported: document.list("id_token_signing_alg_values_supported")?,
        code_challenge_methods_supported: document.list("code_challenge_methods_supported")?,
        authorization_response_iss_parameter_supported: document
            .flag("authorization_response_iss_parameter_supported")?,
        dpop_signing_alg_values_supported: document.list("dpop_signing_alg_values_supported")?,
        // What is malformed counts as absent: a document without these members remains usable.
        requests: RequestMetadata {
            pushed_authorization_request_endpoint: optional("pushed_authorization_request_endpoint")
                .unwrap_or_default(),
            require_pushed_authorization_requests: document
                .flag("require_pushed_authorization_requests")
                .unwrap_or_default(),
            require_signed_request_object: document.flag("require_signed_request_object").unwrap_or_default(),
            authorization_signing_algorithms: document
                .list("authorization_signing_alg_values_supported")
                .unwrap_or_default()
                .map(|names| requests::supported(&names)),
        },
        claims_parameter_supported: document.flag("claims_parameter_supported")?,
        introspection: IntrospectionMetadata {
            endpoint: optional("introspection_endpoint").unwrap_or_default(),
            signing_algorithms: document
                .list("introspection_signing_alg_values_supported")
                .unwrap_or_default()
                .map(|names| requests::supported(&names)),
        },
    })
}

/// Parses a document of `issuer` of which only the address of its keys is wanted, with the same checks.
pub(super) fn parse_jwks_uri(issuer: &str, response: &FetchResponse) -> Result<Url, DiscoveryError> {
    let document = Document(exchange::successful_object(response)?);
    let found = document.text("issuer")?.ok_or(DiscoveryError::Missing("issuer"))?;
    if found != issuer {
        return Err(DiscoveryError::IssuerMismatch {
            configured: excerpt(issuer, URL_LIMIT),
            found: excerpt(found, URL_LIMIT),
        });
    }
    let issuer_url =
        endpoint(issuer).map_err(|cause| DiscoveryError::Endpoint { member: "issuer", cause })?;
    let jwks_uri = document.endpoint("jwks_uri", is_address_or_localhost(&issuer_url))?;
    jwks_uri.ok_or(DiscoveryError::Missing("jwks_uri"))
}

/// The supported part of a provider's metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2). Only
/// [`parse`] and [`ProviderMetadata::configured`] create it, so its issuer and endpoints have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    issuer: Option<String>,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Option<Url>,
    userinfo_endpoint: Option<Url>,
    end_session_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: bool,
    dpop_signing_alg_values_supported: Option<Vec<String>>,
    requests: RequestMetadata,
    claims_parameter_supported: bool,
    introspection: IntrospectionMetadata,
}

impl ProviderMetadata {
    /// The metadata from the configuration alone, for a provider of OAuth 2 without OpenID Connect or with all
    /// endpoints configured. `None` if an endpoint is missing.
    pub fn configured(provider: &OAuthProvider) -> Option<Self> {
        let jwks_uri = match &provider.openid {
            Some(openid) => Some(openid.jwks.clone()?),
            None => None,
        };
        Some(Self {
            issuer: provider.issuer.clone(),
            authorization_endpoint: provider.authorization.endpoint.clone()?,
            token_endpoint: provider.token.endpoint.clone()?,
            jwks_uri,
            userinfo_endpoint: None,
            end_session_endpoint: None,
            revocation_endpoint: None,
            token_endpoint_auth_methods_supported: None,
            id_token_signing_alg_values_supported: None,
            code_challenge_methods_supported: None,
            authorization_response_iss_parameter_supported: false,
            dpop_signing_alg_values_supported: None,
            requests: RequestMetadata::default(),
            claims_parameter_supported: false,
            introspection: IntrospectionMetadata::default(),
        })
    }

    /// Replaces the endpoints of the document by those that are configured.
    #[must_use]
    pub fn with_configured(mut self, provider: &OAuthProvider) -> Self {
        let replace = |url: &mut Url, configured: &Option<Url>| {
            if let Some(configured) = configured {
                url.clone_from(configured);
            }
        };
        replace(&mut self.authorization_endpoint, &provider.authorization.endpoint);
        replace(&mut self.token_endpoint, &provider.token.endpoint);
        if let Some(jwks) = provider.openid.as_ref().and_then(|openid| openid.jwks.as_ref()) {
            self.jwks_uri = Some(jwks.clone());
        }
        self
    }

    /// `issuer`, if there is one.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `authorization_endpoint`. It may have a query.
    pub fn authorization_endpoint(&self) -> &Url {
        &self.authorization_endpoint
    }

    /// `token_endpoint`
    pub fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// `jwks_uri`; `None` for a provider that signs nothing.
    pub fn jwks_uri(&self) -> Option<&Url> {
        self.jwks_uri.as_ref()
    }

    /// `userinfo_endpoint`
    pub fn userinfo_endpoint(&self) -> Option<&Url> {
        self.userinfo_endpoint.as_ref()
    }

    /// `end_session_endpoint` (OpenID Connect RP-Initiated Logout 1.0 section 2.1).
    pub fn end_session_endpoint(&self) -> Option<&Url> {
        self.end_session_endpoint.as_ref()
    }

    /// `revocation_endpoint` (RFC 8414 section 2).
    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.revocation_endpoint.as_ref()
    }

    /// `token_endpoint_auth_methods_supported`. If it is empty, the provider supports `client_secret_basic` (OpenID
    /// Connect Discovery 1.0 section 3).
    pub fn token_endpoint_auth_methods_supported(&self) -> &[String] {
        self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default()
    }

    /// The algorithms of `id_token_signing_alg_values_supported` that are supported here: those that an ID token may be
    /// signed with. RS256, which every provider must support, if the provider lists none (OpenID Connect Discovery 1.0
    /// section 3). Empty if the provider supports only other algorithms: then none of its ID tokens can be verified.
    pub fn id_token_algorithms(&self) -> Vec<Algorithm> {
        let names = self.id_token_signing_alg_values_supported.as_ref();
        names.map_or_else(|| vec![Algorithm::Rs256], |names| requests::supported(names))
    }

    /// Whether the provider says that it supports PKCE with S256 (RFC 8414 section 2); `None` if it says nothing. The
    /// challenge is always sent: a provider that does not support it ignores it (RFC 6749 section 3.1).
    pub fn supports_pkce(&self) -> Option<bool> {
        let methods = self.code_challenge_methods_supported.as_ref()?;
        Some(methods.iter().any(|method| method == crate::oauth::pkce::CHALLENGE_METHOD))
    }

    /// `authorization_response_iss_parameter_supported` (RFC 9207 section 3). If it is true, an authorization response
    /// without `iss` is not from this provider.
    pub fn authorization_response_iss_parameter_supported(&self) -> bool {
        self.authorization_response_iss_parameter_supported
    }

    /// What it says of authorization requests and responses.
    pub fn requests(&self) -> &RequestMetadata {
        &self.requests
    }

    /// What it says of token introspection.
    pub fn introspection(&self) -> &IntrospectionMetadata {
        &self.introspection
    }

    /// `dpop_signing_alg_values_supported` (RFC 9449 section 5.1); `None` if the provider says nothing about it.
    pub fn dpop_algorithms(&self) -> Option<&[String]> {
        self.dpop_signing_alg_values_supported.as_deref()
    }

    /// `claims_parameter_supported`: whether an authorization request may name the claims that it needs (OpenID Connect
    /// Core 1.0 section 5.5).
    pub fn claims_parameter_supported(&self) -> bool {
        self.claims_parameter_supported
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::oauth::exchange::HttpResponseError;
    use crate::oauth::testing::{any_json, json_response, response};

    const ISSUER: &str = "https://idp.example";

    fn document() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://idp.example/authorize?tenant=a",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://keys.idp.example/jwks",
            "userinfo_endpoint": "https://idp.example/me",
            "end_session_endpoint": "https://idp.example/logout",
            "revocation_endpoint": "https://idp.example/revoke",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "id_token_signing_alg_values_supported": ["none", "HS256", "ES256", "RS256"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": true,
            "scopes_supported": ["openid"],
        })
    }

    fn with(member: &str, value: Value) -> Value {
        let mut document = document();
        document[member] = value;
        document
    }

    fn refused(document: &Value) -> DiscoveryError {
        parse(&Issuer::plain(ISSUER), &json_response(200, document)).unwrap_err()
    }

    #[test]
    fn the_url_of_the_document_is_below_the_issuers_path() {
        for (issuer, url) in [
            ("https://idp.example", "https://idp.example/.well-known/openid-configuration"),
            ("https://idp.example/", "https://idp.example/.well-known/openid-configuration"),
            ("https://idp.example/a/b", "https://idp.example/a/b/.well-known/openid-configuration"),
            ("https://idp.example/a/", "https://idp.example/a/.well-known/openid-configuration"),
        ] {
            assert_eq!(request(&Issuer::plain(issuer)).url, url);
        }
    }

    #[test]
    fn a_complete_document_is_parsed() {
        let metadata = parse(&Issuer::plain(ISSUER), &json_response(200, &document())).unwrap();
        assert_eq!(metadata.issuer(), Some(ISSUER));
        assert_eq!(metadata.authorization_endpoint().as_str(), "https://idp.example/authorize?tenant=a");
        assert_eq!(metadata.token_endpoint().as_str(), "https://idp.example/token");
        assert_eq!(metadata.jwks_uri().unwrap().as_str(), "https://keys.idp.example/jwks");
        assert_eq!(metadata.userinfo_endpoint().unwrap().as_str(), "https://idp.example/me");
        assert_eq!(metadata.end_session_endpoint().unwrap().as_str(), "https://idp.example/logout");
        assert_eq!(metadata.revocation_endpoint().unwrap().as_str(), "https://idp.example/revoke");
        assert_eq!(
            metadata.token_endpoint_auth_methods_supported(),
            ["client_secret_post", "private_key_jwt"]
        );
        assert_eq!(metadata.id_token_algorithms(), [Algorithm::Es256, Algorithm::Rs256]);
        assert_eq!(metadata.supports_pkce(), Some(true));
        let mut without_s256 = document();
        without_s256["code_challenge_methods_supported"] = json!(["plain"]);
        let metadata_without = parse(&Issuer::plain(ISSUER), &json_response(200, &without_s256)).unwrap();
        assert_eq!(metadata_without.supports_pkce(), Some(false));
        assert!(metadata.authorization_response_iss_parameter_supported());
        assert!(metadata.claims_parameter_supported());
    }

    #[test]
    fn optional_members_may_be_missing_or_null() {
        const OPTIONAL: [&str; 8] = [
            "userinfo_endpoint",
            "end_session_endpoint",
            "revocation_endpoint",
            "token_endpoint_auth_methods_supported",
            "id_token_signing_alg_values_supported",
            "code_challenge_methods_supported",
            "authorization_response_iss_parameter_supported",
            "claims_parameter_supported",
        ];
        let mut absent = document();
        let mut null = document();
        for member in OPTIONAL {
            absent.as_object_mut().unwrap().remove(member);
            null[member] = Value::Null;
        }
        for document in [absent, null] {
            let metadata = parse(&Issuer::plain(ISSUER), &json_response(200, &document)).unwrap();
            assert_eq!(metadata.userinfo_endpoint(), None);
            assert_eq!(metadata.end_session_endpoint(), None);
            assert_eq!(metadata.revocation_endpoint(), None);
            assert!(metadata.token_endpoint_auth_methods_supported().is_empty());
            assert_eq!(metadata.id_token_algorithms(), [Algorithm::Rs256]);
            assert_eq!(metadata.supports_pkce(), None);
            assert!(!metadata.authorization_response_iss_parameter_supported());
            assert!(!metadata.claims_parameter_supported());
        }
    }

    #[test]
    fn required_members_must_be_present_and_strings() {
        for member in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
            let mut absent = document();
            absent.as_object_mut().unwrap().remove(member);
            assert_eq!(refused(&absent), DiscoveryError::Missing(member));
            assert_eq!(refused(&with(member, Value::Null)), DiscoveryError::Missing(member));
            for wrong in [json!(1), json!(true), json!([ISSUER]), json!({})] {
                assert_eq!(refused(&with(member, wrong)), DiscoveryError::Malformed(member, "a string"));
            }
            let long = json!(format!("https://idp.example/{}", "a".repeat(2048)));
            assert_eq!(refused(&with(member, long)), DiscoveryError::Malformed(member, "at most 2048 bytes"));
        }
    }

    #[test]
    fn an_address_of_exactly_the_largest_size_is_accepted() {
        let address = |length: usize| json!(format!("https://idp.example/{}", "a".repeat(length - 20)));
        let read = |length| {
            let document = with("token_endpoint", address(length));
            parse(&Issuer::plain(ISSUER), &json_response(200, &document)).map(drop)
        };
        assert_eq!(read(URL_LIMIT), Ok(()));
        assert!(read(URL_LIMIT + 1).is_err());
    }

    #[test]
    fn a_list_or_flag_of_another_type_is_rejected() {
        for (member, wrong) in [
            ("token_endpoint_auth_methods_supported", json!("client_secret_basic")),
            ("id_token_signing_alg_values_supported", json!({})),
            ("code_challenge_methods_supported", json!("S256")),
            ("authorization_response_iss_parameter_supported", json!("true")),
            ("authorization_response_iss_parameter_supported", json!(1)),
            ("claims_parameter_supported", json!("true")),
        ] {
            let error = refused(&with(member, wrong));
            assert!(matches!(error, DiscoveryError::Malformed(named, _) if named == member), "{error}");
        }
    }

    #[test]
    fn lists_are_cut_to_a_bounded_size() {
        let mut items = vec![json!("x".repeat(65)), json!(1), json!(null), json!("x".repeat(64))];
        items.extend((0..1000).map(|n| json!(format!("m{n}"))));
        let metadata = parse(
            &Issuer::plain(ISSUER),
            &json_response(200, &with("token_endpoint_auth_methods_supported", json!(items))),
        )
        .unwrap();
        let kept = metadata.token_endpoint_auth_methods_supported();
        assert_eq!((kept.len(), kept[0].len(), kept[1].as_str()), (64, 64, "m0"));
    }

    #[test]
    fn a_provider_without_a_supported_algorithm_has_no_id_token_algorithms() {
        let document = with("id_token_signing_alg_values_supported", json!(["none", "HS256", "ES256K"]));
        let metadata = parse(&Issuer::plain(ISSUER), &json_response(200, &document)).unwrap();
        assert!(metadata.id_token_algorithms().is_empty());
    }

    #[test]
    fn provider_mix_up_and_skipped_checks_an_issuer_that_differs_by_one_byte_is_rejected() {
        for found in [
            "https://idp.example/",
            "https://IDP.example",
            "https://idp.example:443",
            "http://idp.example",
            "https://idp.example.",
            "https://evil.example",
            "https://idp.example/tenant",
            " https://idp.example",
            "https://idp.example\u{0}",
            "",
        ] {
            let error = refused(&with("issuer", json!(found)));
            assert!(matches!(error, DiscoveryError::IssuerMismatch { .. }), "{found}: {error}");
        }
    }

    #[test]
    fn the_error_for_a_wrong_trailing_slash_contains_the_correct_issuer() {
        assert_eq!(
            refused(&with("issuer", json!("https://idp.example/"))).to_string(),
            "discovery: the provider calls itself \"https://idp.example/\", the configured issuer is \
             \"https://idp.example\"; the configured one lacks the slash at its end: \
             set issuer = \"https://idp.example/\""
        );
        let error =
            parse(&Issuer::plain("https://idp.example/"), &json_response(200, &document())).unwrap_err();
        assert!(error.to_string().ends_with(
            "the configured one has a slash too many at its end: set issuer = \"https://idp.example\""
        ));
        let error = refused(&with("issuer", json!("https://other.example")));
        assert!(error.to_string().ends_with("they must be equal, byte for byte"));
    }

    #[test]
    fn server_side_request_forgery_by_discovery_endpoints_must_be_https() {
        for member in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
            for url in [
                "http://idp.example/x",
                "http://169.254.169.254/latest/meta-data/",
                "file:///etc/passwd",
                "ftp://idp.example/x",
                "gopher://idp.example/x",
                "javascript:alert(1)",
                "data:application/json,{}",
                "//idp.example/x",
                "/token",
                "",
                "https://",
                "https:///x",
                "https://user:password@idp.example/x",
                "https://idp.example/x#fragment",
            ] {
                let error = refused(&with(member, json!(url)));
                assert!(
                    matches!(error, DiscoveryError::Endpoint { member: named, .. } if named == member),
                    "{member} {url}: {error}"
                );
            }
        }
    }

    #[test]
    fn server_side_request_forgery_by_discovery_a_bad_endpoint_of_a_sign_out_is_not_used_and_prevents_no_sign_in()
     {
        for url in [
            json!("http://idp.example/revoke"),
            json!("https://127.0.0.1/revoke"),
            json!("https://localhost/revoke"),
            json!("/revoke"),
            json!(""),
            json!(1),
            json!("https://idp.example/".to_owned() + &"a".repeat(2048)),
        ] {
            let mut document = with("revocation_endpoint", url.clone());
            document["end_session_endpoint"] = url.clone();
            let metadata = parse(&Issuer::plain(ISSUER), &json_response(200, &document)).unwrap();
            assert_eq!(
                (metadata.revocation_endpoint(), metadata.end_session_endpoint()),
                (None, None),
                "{url}"
            );
        }
    }

    #[test]
    fn server_side_request_forgery_by_discovery_a_public_issuer_cannot_name_an_internal_host() {
        for host in [
            "localhost",
            "localhost:8443",
            "idp.localhost",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
        ] {
            for scheme in ["https", "http"] {
                let url = format!("{scheme}://{host}/token");
                let error = refused(&with("token_endpoint", json!(url)));
                assert!(
                    matches!(error, DiscoveryError::InternalHost { .. } | DiscoveryError::Endpoint { .. }),
                    "{url}: {error}"
                );
            }
        }
    }

    #[test]
    fn an_issuer_on_loopback_may_have_endpoints_on_loopback() {
        let issuer = "http://localhost:3000";
        let document = json!({
            "issuer": issuer,
            "authorization_endpoint": "http://localhost:3000/auth",
            "token_endpoint": "http://127.0.0.1:3000/token",
            "jwks_uri": "http://[::1]:3000/jwks",
        });
        let metadata = parse(&Issuer::plain(issuer), &json_response(200, &document)).unwrap();
        assert_eq!(metadata.token_endpoint().as_str(), "http://127.0.0.1:3000/token");
        let remote = with("issuer", json!("http://idp.example"));
        assert!(parse(&Issuer::plain("http://idp.example"), &json_response(200, &remote)).is_err());
    }

    #[test]
    fn server_side_request_forgery_by_discovery_redirects_are_not_followed() {
        let mut redirect = response(302, "application/json", &document().to_string());
        redirect.headers.set("location", "http://169.254.169.254/");
        let error = parse(&Issuer::plain(ISSUER), &redirect).unwrap_err();
        assert_eq!(error, DiscoveryError::Response(HttpResponseError::Redirect(302)));
        assert!(!error.is_temporary());
    }

    #[test]
    fn only_errors_of_an_unavailable_provider_are_temporary() {
        for (status, temporary) in [(500, true), (503, true), (429, true), (404, false), (403, false)] {
            let error = parse(&Issuer::plain(ISSUER), &json_response(status, &document())).unwrap_err();
            assert_eq!(error.is_temporary(), temporary, "{status}");
        }
    }

    const TENANT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";
    const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

    fn entra(tenant: &str) -> String {
        format!("https://login.microsoftonline.com/{tenant}/v2.0")
    }

    /// The issuer that a token with the claim `tid` must name, if `configured` is configured and the document names
    /// `found`.
    fn of_tenant(configured: &str, found: &str, tid: Option<&str>) -> Option<String> {
        let (configured, found) = (entra(configured), entra(found));
        let issuer = Issuer {
            identifier: &configured,
            template: Some("https://login.microsoftonline.com/{tid}/v2.0"),
            well_known: None,
        };
        let metadata = parse(&issuer, &json_response(200, &with("issuer", json!(found)))).ok()?;
        issuer_of_token(&issuer, &metadata, tid)
    }

    #[test]
    fn a_provider_with_many_tenants_is_accepted_for_the_configured_ones_only() {
        let other = "00000000-1111-2222-3333-444444444444";
        for (configured, found, tid, accepted) in [
            // A tenant that is configured by its id: `tid` in tokens is ignored.
            (TENANT, TENANT, None, Some(TENANT)),
            (TENANT, TENANT, Some(other), Some(TENANT)),
            (TENANT, other, Some(other), None),
            (TENANT, "{tenantid}", Some(TENANT), None),
            // A tenant that is configured by its domain: the document names its id.
            ("contoso.onmicrosoft.com", TENANT, Some(other), Some(TENANT)),
            ("consumers", PERSONAL, Some(other), Some(PERSONAL)),
            // Several tenants: the token names its tenant.
            ("common", "{tenantid}", Some(TENANT), Some(TENANT)),
            ("common", "{tenantid}", Some(PERSONAL), Some(PERSONAL)),
            ("organizations", "{tenantid}", Some(TENANT), Some(TENANT)),
            ("organizations", "{tenantid}", Some(PERSONAL), None),
            ("common", "{tenantid}", None, None),
            ("common", "{tenantid}", Some(""), None),
            ("common", "{tenantid}", Some("common"), None),
            ("common", "{tenantid}", Some("{tenantid}"), None),
            ("common", "{tenantid}", Some("F8CDEF31-A31E-4B4A-93E4-5F571E91255A"), None),
            ("common", "{tenantid}", Some("f8cdef31-a31e-4b4a-93e4-5f571e91255a/../evil"), None),
            ("common", "evil.example", Some(TENANT), None),
            ("common", "f8cdef31_a31e_4b4a_93e4_5f571e91255a", Some(TENANT), None),
        ] {
            let accepted = accepted.map(entra);
            assert_eq!(of_tenant(configured, found, tid), accepted, "{configured} {found} {tid:?}");
        }
    }

    #[test]
    fn a_document_at_another_url_must_name_the_issuer_too() {
        let well_known = Url::parse("https://idp.example/other?tenant=1").unwrap();
        let issuer = Issuer { well_known: Some(&well_known), ..Issuer::plain(ISSUER) };
        let request = request(&issuer);
        assert_eq!((&*request.url, request.limit), (well_known.as_str(), 131_072));
        assert!(parse(&issuer, &json_response(200, &document())).is_ok());
        let other = with("issuer", json!("https://evil.example"));
        assert!(parse(&issuer, &json_response(200, &other)).is_err());
    }

    proptest! {
        #[test]
        fn no_document_makes_the_parser_panic(value in any_json(), member in 0_usize..11) {
            let _ = parse(&Issuer::plain(ISSUER), &json_response(200, &value));
            let name = document().as_object().unwrap().keys().nth(member).unwrap().clone();
            let _ = parse(&Issuer::plain(ISSUER), &json_response(200, &with(&name, value)));
        }

        #[test]
        fn an_accepted_document_names_the_configured_issuer(issuer in "https://[a-z]{1,8}\\.example/?") {
            let parsed = parse(&Issuer::plain(ISSUER), &json_response(200, &with("issuer", json!(issuer))));
            prop_assert_eq!(parsed.is_ok(), issuer == ISSUER);
        }
    }
}
