//! A client without a browser brings a provider's access token (RFC 6750) in place of a session, where the provider
//! has `accept_bearer`.
//!
//! A session cookie comes first: who a browser's request is made by is not changed by a header. A browser never
//! adds such a header by itself, so nobody can forge a request that passes by one. What a token stands for holds for
//! its request alone: nothing is sealed, renewed or kept.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::flow::responses::TokenDenied;
use crate::flow::signin::identity::{Identity, IdentityError, ProviderClaims, Tokens, VerifiedClaims};
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::jose::jws::{self, UnverifiedJws};
use vestibule_oidc::oauth::access_token::{self, AccessTokenError, Expected, VerifiedAccessToken};
use vestibule_oidc::oauth::provider::{AcceptBearer, OAuthProvider, OpenId};
use vestibule_oidc::secret::Secret;

/// A longer token is none: networks in front take header fields of 128 KB in all at most, and providers' tokens have some thousand
/// characters.
const MAX_TOKEN: usize = 16 * 1024;

/// When to come back where the provider's keys cannot be had.
const RETRY: Duration = Duration::from_secs(5);

impl<'a, P: Platform> RequestContext<'a, P> {
    /// What the request's access token says of whom it stands for; `None` where it brings none, or none is accepted.
    pub(crate) async fn bearer_session(&self) -> Result<Option<Session>, TokenDenied> {
        if self.accepting_bearer().next().is_none() {
            return Ok(None);
        }
        let Some(token) = presented(&self.request.headers) else { return Ok(None) };
        let session = if is_token(token) {
            self.borne(token).await
        } else {
            Err(ClientError::UnsupportedAction("the Authorization field holds no token").into())
        };
        session.map(Some).map_err(|error| {
            let refused = TokenDenied::of(&error);
            let level =
                if matches!(refused, TokenDenied::Unavailable(_)) { Level::Warn } else { Level::Info };
            self.log(level, "bearer_refused", &error.to_string());
            refused
        })
    }

    /// The providers whose access tokens may be brought.
    fn accepting_bearer(
        &self,
    ) -> impl Iterator<Item = (&'a Provider, &'a OAuthProvider, &'a OpenId, &'a AcceptBearer)> {
        self.config().providers.iter().filter_map(|provider| {
            let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
            let openid = oauth.openid.as_ref()?;
            Some((provider, &**oauth, openid, openid.accept_bearer.as_ref()?))
        })
    }

    async fn borne(&self, token: &str) -> Result<Session, Error> {
        // Which provider's keys to look at; whether it is that provider's, the signature says.
        let unproven = jws::decode_unverified(token);
        let issuer = unproven.get("iss").and_then(Value::as_str);
        let of_issuer =
            || self.accepting_bearer().filter(|(_, _, openid, _)| Some(openid.issuer.as_str()) == issuer);
        let is_for = |accepted: &AcceptBearer| {
            access_token::audience(unproven.get("aud"), &accepted.audiences).is_ok()
        };
        // One provider may be there several times, for several clients.
        let found = of_issuer().find(|(.., accepted)| is_for(accepted)).or_else(|| of_issuer().next());
        let Some((provider, oauth, openid, accepted)) = found else {
            let message = "the access token is no JWT of a provider with accept_bearer";
            return Err(ClientError::UnsupportedAction(message).into());
        };
        let jws = UnverifiedJws::parse(token).map_err(|cause| provider_error(provider, cause))?;
        let payload = self.verify_client_token(provider, oauth, &jws).await?;
        let expected = Expected { issuer: &openid.issuer, accepted };
        let verified = access_token::verify(payload, &expected, self.now)
            .map_err(|cause: AccessTokenError| provider_error(provider, cause))?;
        self.recognized(provider, oauth, token, verified).await
    }

    /// The user as a sign-in would know them: the token's payload is everything that the provider says.
    async fn recognized(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &str,
        verified: VerifiedAccessToken,
    ) -> Result<Session, Error> {
        let (subject, expires_at) = (verified.subject().to_owned(), verified.expires_at());
        let payload = verified.into_claims();
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
        };
        let access_token = Secret::new(token);
        let tokens = Tokens { access_token, refresh_token: None, expires_at: Some(expires_at) };
        let person = Identity::from_claims(provider, oauth, claims, tokens).map_err(|error| {
            let cause = match error {
                IdentityError::ParamClaim(error) => AccessTokenError::from(error),
                IdentityError::NoId => AccessTokenError::NoUserId,
            };
            provider_error(provider, cause)
        })?;
        let session = self.session_from_token(person).await?;
        if session.names_user() {
            Ok(session)
        } else {
            // A hook took it away.
            Err(provider_error(provider, AccessTokenError::NoUserId))
        }
    }
}

/// What stands behind `Bearer` (RFC 6750 section 2.1), which is nothing where several fields leave open which token
/// is meant; `None` where no such field is there.
fn presented(headers: &Headers) -> Option<&str> {
    let mut fields = headers.get_all("authorization");
    let (field, other) = (fields.next()?, fields.next());
    let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
    let token = if other.is_none() { token.trim_start_matches(' ') } else { "" };
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// `b64token` (RFC 6750 section 2.1), of a length that we read.
fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
}

impl TokenDenied {
    fn of(error: &Error) -> Self {
        match error {
            Error::Client(ClientError::AccessDenied)
            | Error::Provider { cause: ProviderError::Profile(_), .. } => Self::Insufficient,
            Error::Provider { cause: ProviderError::AccessToken(cause), .. } => {
                Self::Invalid { is_expired: cause.is_expired() }
            }
            Error::Client(_) | Error::Provider { cause: ProviderError::Signature(_), .. } => {
                Self::Invalid { is_expired: false }
            }
            Error::Provider { .. } | Error::Configuration(_) => Self::Unavailable(RETRY),
        }
    }
}
