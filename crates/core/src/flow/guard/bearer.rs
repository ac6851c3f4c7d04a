//! Bearer tokens (RFC 6750): a client without a browser may send a provider's access token instead of a session cookie,
//! if that provider has `accept_bearer`.
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
use crate::flow::responses::TokenDenied;
use crate::flow::signin::identity::{Identity, IdentityError, ProviderClaims, Tokens, VerifiedClaims};
use crate::guard::resource::{Resource, ResourceRequest};
use crate::log::{ErrorSource, LogEvent};
use crate::platform::Platform;
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::scope;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::jose::jws::{self, UnverifiedJws};
use vestibule_oidc::oauth::access_token::{self, AccessTokenError, Expected, VerifiedAccessToken};
use vestibule_oidc::oauth::provider::{AcceptBearer, OAuthProvider, OpenId};
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

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
        let Some(token) = bearer_token(&self.request.headers) else { return Ok(None) };
        let session = if requested.is_some_and(|requested| !requested.is_certain) {
            let message = "some servers read the path as one of another resource, so no token is for all that it may mean";
            Err(ClientError::UnsupportedAction(message).into())
        } else if is_token(token) {
            self.verify_bearer_token(token, resource).await
        } else {
            Err(ClientError::UnsupportedAction("the Authorization header does not hold one bearer token")
                .into())
        };
        session.map(Some).map_err(|error| {
            let refused = TokenDenied::of(&error);
            // Where the provider did answer, the token is what is wrong: the client brought it.
            let error_source = match refused {
                TokenDenied::Unavailable(_) => error.error_source(),
                TokenDenied::Invalid { .. } | TokenDenied::Insufficient => ErrorSource::Client,
            };
            self.log(error.record_as(LogEvent::BearerTokenRejected).caused_by(error_source));
            refused
        })
    }

    /// Whether the request has such a token, valid or not.
    pub(super) fn has_bearer_token(&self) -> bool {
        bearer_token(&self.request.headers).is_some()
    }

    /// The providers whose access tokens are accepted, and which of their tokens: at a resource those for it, and no others.
    fn accepting_bearer<'r>(
        &self,
        resource: Option<&'r Resource>,
    ) -> impl Iterator<Item = (&'r Provider, &'r OAuthProvider, &'r OpenId, &'r AcceptBearer)>
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
            Some((provider, &**oauth, openid, accepted))
        })
    }

    async fn verify_bearer_token(&self, token: &str, resource: Option<&Resource>) -> Result<Session, Error> {
        // The unverified issuer only selects the keys. The signature then proves the issuer.
        let unverified = jws::decode_unverified(token);
        let issuer = unverified.get("iss").and_then(Value::as_str);
        let of_issuer = || {
            self.accepting_bearer(resource).filter(|(_, _, openid, _)| Some(openid.issuer.as_str()) == issuer)
        };
        let is_for = |accepted: &AcceptBearer| {
            access_token::audience(unverified.get("aud"), &accepted.audiences).is_ok()
        };
        // The same issuer may be configured several times, for several clients.
        let found = of_issuer().find(|(.., accepted)| is_for(accepted)).or_else(|| of_issuer().next());
        let Some((provider, oauth, openid, accepted)) = found else {
            let message = match resource {
                Some(_) => "the access token is not a JWT of the provider of this resource",
                None => "the access token is not a JWT of a provider with accept_bearer",
            };
            return Err(ClientError::UnsupportedAction(message).into());
        };
        let jws = UnverifiedJws::parse(token).map_err(|cause| provider_error(provider, cause))?;
        let payload = self.verify_client_token(provider, oauth, &jws).await?;
        let expected = Expected { issuer: &openid.issuer, accepted };
        let verified = access_token::verify(payload, &expected, self.now)
            .map_err(|cause: AccessTokenError| provider_error(provider, cause))?;
        self.session_of_token(provider, oauth, token, verified).await
    }

    /// The session that a sign-in would create, except that the token's payload is the only source of claims.
    async fn session_of_token(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &str,
        verified: VerifiedAccessToken,
    ) -> Result<Session, Error> {
        let (subject, expires_at) = (verified.subject().to_owned(), verified.expires_at());
        let payload = verified.into_claims();
        let issued_at = payload.get("iat").and_then(Value::as_u64).map(Timestamp::from_seconds);
        let scope = scope::of_token(&payload);
        let mut account = Map::new();
        account.insert("access_token".to_owned(), json!(token));
        account.insert("token_type".to_owned(), json!("Bearer"));
        account.extend(payload.get("scope").map(|scope| ("scope".to_owned(), scope.clone())));
        let claims = ProviderClaims {
            verified: Some(VerifiedClaims { subject, claims: payload.clone() }),
            profile: payload.clone(),
            account,
            access_token: Value::Object(payload),
            listed_email: None,
            known_subject: None,
        };
        let access_token = Secret::new(token);
        let tokens = Tokens { access_token, refresh_token: None, expires_at: Some(expires_at) };
        let identity = Identity::from_claims(provider, oauth, claims, tokens).map_err(|error| {
            let cause = match error {
                IdentityError::ParamClaim(error) => AccessTokenError::from(error),
                IdentityError::NoId => AccessTokenError::NoUserId,
            };
            provider_error(provider, cause)
        })?;
        let session = self.session_from_token(identity).await?.issued(issued_at).with_scope(scope);
        if !session.names_user() {
            // A hook removed `sub`.
            return Err(provider_error(provider, AccessTokenError::NoUserId));
        }
        match self.bearer_revocation(&session).await {
            RevocationStatus::Accepted | RevocationStatus::Unconfirmed => Ok(session),
            RevocationStatus::Revoked => Err(provider_error(provider, AccessTokenError::Revoked)),
            RevocationStatus::Unavailable => {
                Err(provider_error(provider, AccessTokenError::RevocationUnknown))
            }
        }
    }
}

/// The text after `Bearer` in the `Authorization` header (RFC 6750 section 2.1); `None` if the header is absent or has
/// another scheme. The text is empty if the header is repeated, because it is then unclear which token is meant.
fn bearer_token(headers: &Headers) -> Option<&str> {
    let mut fields = headers.get_all("authorization");
    let (field, other) = (fields.next()?, fields.next());
    let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
    let token = if other.is_none() { token.trim_start_matches(' ') } else { "" };
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Whether the text is a `b64token` (RFC 6750 section 2.1) of at most [`MAX_TOKEN`] bytes.
fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
}

impl TokenDenied {
    fn of(error: &Error) -> Self {
        match error {
            Error::Client(ClientError::AccessDenied)
            | Error::Provider { cause: ProviderError::Profile(_), .. } => Self::Insufficient,
            Error::Provider {
                cause: ProviderError::AccessToken(AccessTokenError::RevocationUnknown),
                ..
            } => Self::Unavailable(RETRY_AFTER),
            Error::Provider { cause: ProviderError::AccessToken(cause), .. } => {
                Self::Invalid { is_expired: cause.is_expired() }
            }
            Error::Client(_) | Error::Provider { cause: ProviderError::Signature(_), .. } => {
                Self::Invalid { is_expired: false }
            }
            Error::Provider { .. } | Error::Configuration(_) => Self::Unavailable(RETRY_AFTER),
        }
    }
}
