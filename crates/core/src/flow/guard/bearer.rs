//! Access tokens of clients (RFC 6750, RFC 9449): a client without a browser may send a provider's access token instead of a
//! session cookie, if that provider has `accept_bearer`.
//!
//! A JWT is verified by its signature. About any other token the provider is asked, if the configuration says so
//! ([`introspection`](super::introspection)). A token that is bound to a key needs a proof ([`possession`](super::possession)).
//!
//! A session cookie takes precedence, so a header cannot change the user of a browser's request. Browsers never add this
//! header on their own, so cross-site request forgery is impossible with it. The token's session lasts for this request
//! only: it is not sealed, renewed or stored.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::flow::responses::{self, TokenDenied, Unproven};
use crate::flow::signin::identity::{Identity, IdentityError, ProviderClaims, Tokens, VerifiedClaims};
use crate::guard::resource::{Resource, ResourceRequest};
use crate::log::{ErrorSource, LogEvent};
use crate::platform::Platform;
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::scope;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::jws::{self, UnverifiedJws};
use vestibule_oidc::json;
use vestibule_oidc::oauth::access_token::{self, AccessTokenError, Expected, VerifiedAccessToken};
use vestibule_oidc::oauth::dpop;
use vestibule_oidc::oauth::dpop_proof::ProofError;
use vestibule_oidc::oauth::id_token;
use vestibule_oidc::oauth::provider::{AcceptBearer, OAuthProvider, OpenId};
use vestibule_oidc::secret::Secret;

/// The longest access token that is read, in bytes. Providers' tokens have some thousand characters, and networks in front
/// accept at most 128 KB of header fields in total.
const MAX_TOKEN: usize = 16 * 1024;

/// `Retry-After` while the provider's keys are unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl<'a, P: Platform> RequestContext<'a, P> {
    /// The session that the request's access token grants at this resource, or outside of every one; `None` if the request
    /// has no token, or if no provider accepts bearer tokens.
    pub(crate) async fn bearer_session(
        &self,
        requested: Option<ResourceRequest<'_>>,
    ) -> Result<Option<Session>, TokenDenied> {
        let resource = requested.map(|requested| requested.resource);
        if self.accepting_bearer(resource).next().is_none() {
            return Ok(None);
        }
        let Some((scheme, token)) = sent_token(&self.request.headers) else { return Ok(None) };
        let session = if requested.is_some_and(|requested| !requested.is_certain) {
            let message = "some servers read the path as one of another resource, so no token is for all that it may mean";
            Err(ClientError::UnsupportedAction(message).into())
        } else if is_token(token) {
            // Boxed: otherwise the future of every guarded request would have its size.
            Box::pin(self.verify_token(scheme, token, resource)).await
        } else {
            Err(ClientError::UnsupportedAction("the Authorization header does not hold one bearer token")
                .into())
        };
        session.map(Some).map_err(|error| {
            let refused = TokenDenied::of(&error, scheme);
            // Where the provider did answer, the token is what is wrong: the client brought it.
            let error_source = match refused {
                TokenDenied::Unavailable(_) => error.error_source(),
                TokenDenied::Invalid { .. } | TokenDenied::Insufficient | TokenDenied::Unproven(_) => {
                    ErrorSource::Client
                }
            };
            self.log(error.record_as(LogEvent::BearerTokenRejected).caused_by(error_source));
            refused
        })
    }

    /// The response to a request whose token is not accepted, or not enough.
    pub(super) fn token_denied(&self, denied: TokenDenied) -> Response {
        let response = responses::token_denied(denied);
        match denied {
            TokenDenied::Unproven(Unproven::Nonce) => response.with(dpop::NONCE, self.proof_nonce()),
            _ => response,
        }
    }

    /// Whether the request has an access token, valid or not.
    pub(super) fn has_bearer_token(&self) -> bool {
        sent_token(&self.request.headers).is_some()
    }

    /// The providers whose access tokens are accepted, and which of their tokens: at a resource those for it, and no others.
    fn accepting_bearer<'r>(&self, resource: Option<&'r Resource>) -> impl Iterator<Item = Accepting<'r>>
    where
        'a: 'r,
    {
        self.config().providers.iter().filter_map(move |provider| {
            let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
            let openid = oauth.openid.as_ref()?;
            let accepted = match resource {
                Some(resource) if resource.provider == provider.id => &resource.accepted,
                Some(_) => return None,
                None => openid.accept_bearer.as_ref()?,
            };
            Some(Accepting { provider, oauth, openid, accepted })
        })
    }

    async fn verify_token(
        &self,
        scheme: Scheme,
        token: &str,
        resource: Option<&Resource>,
    ) -> Result<Session, Error> {
        let of =
            if is_jwt(token) { self.issuer_of_jwt(token, resource) } else { self.introspecting(resource) };
        let Some(of) = of else {
            let message = match resource {
                Some(_) => "the access token is not a JWT of the provider of this resource",
                None => "the access token is not a JWT of a provider with accept_bearer",
            };
            return Err(ClientError::UnsupportedAction(message).into());
        };
        let Accepting { provider, oauth, openid, accepted } = of;
        // A proof that is wrong must not cost a request to the provider.
        let proof = match scheme {
            Scheme::Bearer => None,
            Scheme::Dpop => Some(self.verified_proof(accepted, token).await?),
        };
        let expected = Expected { issuer: &openid.issuer, accepted };
        let rejected = |cause: AccessTokenError| provider_error(provider, cause);
        let unconfirmed = match &accepted.introspection {
            Some(introspection) if !is_jwt(token) => {
                let active = self.introspected(provider, oauth, (accepted, introspection), token).await?;
                access_token::verify_active(active, &expected, self.now)
            }
            _ => {
                let jws = UnverifiedJws::parse(token).map_err(|cause| provider_error(provider, cause))?;
                let payload = self.verify_client_token(provider, oauth, &jws).await?;
                access_token::verify(payload, &expected, self.now)
            }
        };
        let unconfirmed = unconfirmed.map_err(rejected)?;
        let verified = unconfirmed.confirmed_by(proof.as_ref()).map_err(rejected)?;
        if let Some(proof) = &proof {
            self.use_proof(provider, accepted, proof).await?;
        }
        self.session_of_token(of, scheme, token, verified).await
    }

    /// The provider whose JWT the token says to be. Its signature then proves the issuer.
    fn issuer_of_jwt<'r>(&self, token: &str, resource: Option<&'r Resource>) -> Option<Accepting<'r>>
    where
        'a: 'r,
    {
        let unverified = jws::decode_unverified(token);
        let issuer = unverified.get("iss").and_then(Value::as_str);
        let of_issuer =
            || self.accepting_bearer(resource).filter(|of| Some(of.openid.issuer.as_str()) == issuer);
        let is_for = |of: &Accepting<'_>| {
            access_token::audience(unverified.get("aud"), &of.accepted.audiences).is_ok()
        };
        // The same issuer may be configured several times, for several clients.
        of_issuer().find(is_for).or_else(|| of_issuer().next())
    }

    /// The only provider that is asked about tokens that are no JWTs.
    fn introspecting<'r>(&self, resource: Option<&'r Resource>) -> Option<Accepting<'r>>
    where
        'a: 'r,
    {
        self.accepting_bearer(resource).find(|of| of.accepted.introspection.is_some())
    }

    /// The session that a sign-in would create, except that the token's claims are the only ones.
    async fn session_of_token(
        &self,
        Accepting { provider, oauth, accepted, .. }: Accepting<'_>,
        scheme: Scheme,
        token: &str,
        verified: VerifiedAccessToken,
    ) -> Result<Session, Error> {
        let (subject, expires_at) = (verified.subject().to_owned(), verified.expires_at());
        let client = verified.client().map(str::to_owned).filter(|_| !self.are_clients_users(accepted));
        let payload = verified.into_claims();
        let issued_at = id_token::time_of(payload.get("iat"));
        let scope = scope::of_token(&payload);
        let mut account = Map::new();
        if scheme == Scheme::Bearer {
            account.insert("access_token".to_owned(), json!(token));
        }
        account.insert("token_type".to_owned(), json!(scheme.name()));
        account.extend(payload.get("scope").map(|scope| ("scope".to_owned(), scope.clone())));
        let claims = ProviderClaims {
            verified: Some(VerifiedClaims { subject, claims: payload.clone() }),
            profile: payload.clone(),
            account,
            access_token: Value::Object(payload.clone()),
            listed_email: None,
            known_subject: None,
        };
        let access_token = Secret::new(token);
        let tokens = Tokens { access_token, refresh_token: None, expires_at: Some(expires_at) };
        let mut identity = Identity::from_claims(provider, oauth, claims, tokens).map_err(|error| {
            let cause = match error {
                IdentityError::ParamClaim(error) => AccessTokenError::from(error),
                IdentityError::NoId => AccessTokenError::NoUserId,
            };
            provider_error(provider, cause)
        })?;
        // Only the provider can read a token that is no JWT.
        identity.sources.push(("access_token", Value::Object(payload)));
        if scheme == Scheme::Dpop {
            // No upstream gets a token that it cannot use: it has no proof.
            identity.access_token = None;
        }
        let session = self.session_from_token(identity).await?.issued(issued_at).with_scope(scope);
        if !session.names_user() {
            // A hook removed `sub`.
            return Err(provider_error(provider, AccessTokenError::NoUserId));
        }
        let session = client.map_or_else(|| session.clone(), |client| session.of_client(&client));
        match self.bearer_revocation(&session).await {
            RevocationStatus::Accepted | RevocationStatus::Unconfirmed => Ok(session),
            RevocationStatus::Revoked => Err(provider_error(provider, AccessTokenError::Revoked)),
            RevocationStatus::Unavailable => {
                Err(provider_error(provider, AccessTokenError::RevocationUnknown))
            }
        }
    }

    /// Whether a client without a user counts as one. It did before rules could name clients; where they do, or where the
    /// provider is asked about tokens, it does not.
    fn are_clients_users(&self, accepted: &AcceptBearer) -> bool {
        let is_unset = || accepted.introspection.is_none() && !self.config().rules.names_clients();
        accepted.clients_are_users.unwrap_or_else(is_unset)
    }
}

/// A provider whose access tokens are accepted.
#[derive(Clone, Copy)]
struct Accepting<'a> {
    provider: &'a Provider,
    oauth: &'a OAuthProvider,
    openid: &'a OpenId,
    accepted: &'a AcceptBearer,
}

/// How a client sends its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// As a bearer token (RFC 6750 section 2.1).
    Bearer,
    /// As one that is bound to a key, with a proof (RFC 9449 section 7.1).
    Dpop,
}

impl Scheme {
    fn of(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop].into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// Whether the request's `Authorization` sends a token with a proof, which is for this hop.
pub(super) fn is_proven(request: &Request) -> bool {
    sent_token(&request.headers).is_some_and(|(scheme, _)| scheme == Scheme::Dpop)
}

/// Whether the token is a JWT: its signature shows whose it is. Any other has to be asked about.
fn is_jwt(token: &str) -> bool {
    let Some((header, rest)) = token.split_once('.') else { return false };
    let is_signed = rest.split('.').count() == 2;
    let header = base64url::decode(header).ok();
    is_signed && header.as_deref().and_then(json::object).is_some_and(|header| header.contains_key("alg"))
}

/// The scheme and the text after it in the `Authorization` header; `None` if the header is absent or has another scheme. The
/// text is empty if the header is repeated, because it is then unclear which token is meant.
fn sent_token(headers: &Headers) -> Option<(Scheme, &str)> {
    let mut fields = headers.get_all("authorization");
    let (field, other) = (fields.next()?, fields.next());
    let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
    let token = if other.is_none() { token.trim_start_matches(' ') } else { "" };
    Scheme::of(scheme).map(|scheme| (scheme, token))
}

/// Whether the text is a `b64token` (RFC 6750 section 2.1) of at most [`MAX_TOKEN`] bytes.
fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
}

impl TokenDenied {
    fn of(error: &Error, scheme: Scheme) -> Self {
        let invalid = |is_expired| match scheme {
            Scheme::Bearer => Self::Invalid { is_expired },
            Scheme::Dpop => Self::Unproven(Unproven::Token { is_expired }),
        };
        match error {
            Error::Client(ClientError::AccessDenied)
            | Error::Provider { cause: ProviderError::Profile(_), .. } => Self::Insufficient,
            Error::Client(ClientError::Proof(ProofError::Nonce)) => Self::Unproven(Unproven::Nonce),
            Error::Client(ClientError::Proof(_)) => Self::Unproven(Unproven::Proof),
            Error::Provider { cause: ProviderError::AccessToken(cause), .. } => match cause {
                AccessTokenError::RevocationUnknown | AccessTokenError::ProofNotChecked(_) => {
                    Self::Unavailable(RETRY_AFTER)
                }
                AccessTokenError::Unproven => Self::Unproven(Unproven::Missing),
                cause => invalid(cause.is_expired()),
            },
            Error::Client(_) | Error::Provider { cause: ProviderError::Signature(_), .. } => invalid(false),
            Error::Provider { .. } | Error::Configuration(_) => {
                Self::Unavailable(error.retry_after().unwrap_or(RETRY_AFTER))
            }
        }
    }
}
