//! The refresh itself, for both kinds of providers: redeems the session's refresh token for new tokens.

mod credentials;

pub(super) use self::credentials::granted_by_api;

use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::config::{Provider, ProviderKind};
use crate::error::{Error, ProviderError};
use crate::flow::dpop::TokenAnswer;
use crate::flow::refresh::granted::{GrantError, GrantedTokens, MAX_CLAIMS_WAIT, temporary};
use crate::flow::signin::profile::TokenSource;
use crate::flow::{RequestContext, provider};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, within};
use crate::session::claims::Session;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::jws;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::id_token::{self, VerifiedIdToken};
use vestibule_oidc::oauth::provider::{OAuthProvider, OpenId};
use vestibule_oidc::oauth::token::{self, TokenError};
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// What a refresh needs before it redeems the refresh token: the metadata of an OAuth provider.
pub(super) struct PreparedRefresh(Option<Rc<ProviderMetadata>>);

impl<P: Platform> RequestContext<'_, P> {
    /// Fetches what a refresh needs. Until here the refresh token is not used.
    pub(super) async fn prepare_refresh(&self, provider: &Provider) -> Result<PreparedRefresh, GrantError> {
        let ProviderKind::OAuth(oauth) = &provider.kind else { return Ok(PreparedRefresh(None)) };
        let metadata = self.metadata(provider, oauth).await.map_err(|error| temporary(&error))?;
        Ok(PreparedRefresh(Some(metadata)))
    }

    /// Redeems the session's refresh token. An error says whether the refresh token may still be valid.
    pub(super) async fn redeem_refresh_token(
        &self,
        provider: &Provider,
        prepared: PreparedRefresh,
        session: &Session,
    ) -> Result<GrantedTokens, GrantError> {
        let not_configured = || Err(GrantError::Misconfigured("no refresh is configured".to_owned()));
        match (&provider.kind, prepared) {
            (ProviderKind::OAuth(oauth), PreparedRefresh(Some(metadata))) => {
                self.redeem_at_provider(provider, oauth, &metadata, session).await
            }
            (ProviderKind::Credentials(credentials), _) => match &credentials.refresh {
                Some(refresh) => self.redeem_at_api(provider, (credentials, refresh), session).await,
                None => not_configured(),
            },
            (ProviderKind::OAuth(_), PreparedRefresh(None)) => not_configured(),
        }
    }

    /// The refresh token grant (RFC 6749 section 6, OpenID Connect Core 1.0 section 12).
    async fn redeem_at_provider(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        session: &Session,
    ) -> Result<GrantedTokens, GrantError> {
        let refresh_token = session
            .refresh_token()
            .ok_or_else(|| GrantError::InvalidGrant("the session has no refresh token".to_owned()))?;
        // The session may be older than `dpop` in the configuration: then its next tokens are bound to a new key.
        let dpop_key = oauth.dpop.then(|| session.dpop_key().unwrap_or_else(|| self.new_dpop_key()));
        let redirect_uri = self.redirect_uri(&provider.id);
        let grant = token::Grant::Refresh { refresh_token: &refresh_token, redirect_uri: &redirect_uri };
        let endpoint = oauth.token.refresh_endpoint.as_ref().unwrap_or(metadata.token_endpoint());
        // The token's time begins at the provider, somewhere between the request and its answer.
        let TokenAnswer { response, sent } = self
            .exchange(provider, (oauth, metadata), endpoint, grant, dpop_key.as_ref())
            .await
            .map_err(|error| match error {
                Error::Configuration(_) => GrantError::Misconfigured(error.to_string()),
                error => temporary(&error),
            })?;
        let reading = provider::reading(oauth, dpop_key.is_some());
        let mut tokens = token::parse(&response, reading).map_err(|error| match error {
            TokenError::InvalidGrant(_) => GrantError::InvalidGrant(error.to_string()),
            TokenError::InvalidClient(_) => GrantError::Misconfigured(error.to_string()),
            _ => GrantError::Unavailable(error.to_string(), response.retry_after(self.platform.now())),
        })?;
        self.check_authorization_details(provider, oauth, &mut tokens);
        self.decrypt_id_token_of(provider, oauth, &mut tokens).await.map_err(|error| temporary(&error))?;
        let issued_at = self.platform.now();
        let deadline = issued_at.plus(MAX_CLAIMS_WAIT);
        let source = TokenSource { provider, oauth, metadata, tokens: &tokens, dpop_key: dpop_key.as_ref() };
        let id_token = match (&tokens.id_token, &oauth.openid) {
            (Some(id_token), Some(openid)) => {
                // With `user.id`, the session's subject is another identifier than the ID token's `sub`.
                let subject = session.subject().filter(|_| oauth.user.id.is_none());
                self.verify_refreshed_id_token((&source, openid), endpoint, id_token, subject)
                    .await
                    .map_err(|error| temporary(&error))?
            }
            _ => None,
        };
        let ends_at = match &id_token {
            Some(id_token) => self.refreshed_session_end(provider, id_token, session)?,
            None => None,
        };
        let new_id_token = tokens.id_token.clone().filter(|_| id_token.is_some());
        let id_token = id_token.map(|id_token| id_token.verified);
        let asked = self.claims_of_provider(&source, id_token.as_ref(), session);
        let claims = self.refreshed_claims(provider, deadline, pin!(asked)).await?;
        Ok(GrantedTokens {
            expires_at: tokens.expires_at(sent),
            access_token: tokens.access_token,
            refresh_token: Some(tokens.refresh_token.unwrap_or(refresh_token)),
            refresh_expires_at: None,
            api_cookies: BTreeMap::default(),
            issued_at,
            claims,
            ends_at,
            dpop_key,
            id_token: new_id_token,
        })
    }

    /// When the provider ends the session, as its new ID token says: the newest signed token counts, also if it is later
    /// than the one before, because the provider has just confirmed the session (IPSIE SL1 section 3.2.2). `None` if the
    /// token does not say it: then the end stays as it was.
    fn refreshed_session_end(
        &self,
        provider: &Provider,
        id_token: &RefreshedIdToken,
        session: &Session,
    ) -> Result<Option<Timestamp>, GrantError> {
        let Some(end) = self.session_expiry(provider, id_token.verified.claims()) else { return Ok(None) };
        if end <= self.platform.now() {
            let message = "the provider's new ID token says that the session is over (session_expiry)";
            return Err(GrantError::InvalidGrant(message.to_owned()));
        }
        Ok(Some(match session.ends_at() {
            Some(before) if !id_token.is_signature_verified => end.min(before),
            _ => end,
        }))
    }

    /// Verifies that the tokens belong to the same user (OpenID Connect Core 1.0 section 12.2).
    ///
    /// If the provider's keys are unavailable, the TLS connection to the token endpoint takes the place of the signature,
    /// as section 3.1.3.7 permits: the old refresh token is redeemed, so the refresh cannot be repeated. Without TLS, at
    /// an endpoint on loopback, the token then says nothing about the user.
    async fn verify_refreshed_id_token(
        &self,
        (source, openid): (&TokenSource<'_>, &OpenId),
        endpoint: &Url,
        id_token: &Secret,
        subject: Option<&str>,
    ) -> Result<Option<RefreshedIdToken>, Error> {
        let TokenSource { provider, oauth, metadata, .. } = *source;
        let verified = self.verify_signature(provider, oauth, metadata, id_token.expose());
        let (claims, is_signature_verified) =
            match within(self.platform, MAX_CLAIMS_WAIT, pin!(verified)).await {
                Some(Ok(payload)) => (payload.into_claims(), true),
                None
                | Some(Err(Error::Provider {
                    cause:
                        ProviderError::Unreachable { .. }
                        | ProviderError::RecentlyFailed { .. }
                        | ProviderError::Jwks(_),
                    ..
                })) => {
                    let id = &provider.id;
                    let message = format_args!("provider {id}: its keys are unavailable");
                    self.log(Record::new(LogEvent::IdTokenNotVerified, message).provider(id));
                    let claims = match jws::decode_unverified(id_token.expose()) {
                        Value::Object(claims) => claims,
                        _ => Map::new(),
                    };
                    (claims, false)
                }
                Some(Err(error)) => return Err(error),
            };
        let (client_id, now) = (&oauth.client.id, self.platform.now());
        provider::issuer_of_token(openid, metadata, &claims)
            .and_then(|issuer| id_token::verify_refreshed(claims, &issuer, client_id, subject, now))
            .map(|verified| {
                let is_authentic = is_signature_verified || endpoint.as_str().starts_with("https://");
                let verified = verified.filter(|_| is_authentic)?;
                Some(RefreshedIdToken { verified, is_signature_verified })
            })
            .map_err(|cause| provider::provider_error(provider, cause))
    }
}

/// The ID token that came with refreshed tokens. It is the same user's.
struct RefreshedIdToken {
    verified: VerifiedIdToken,
    /// `false` where the provider's keys were unavailable.
    is_signature_verified: bool,
}

/// Whether [`RequestContext::redeem_refresh_token`] can refresh this session at this provider.
pub(super) fn can_refresh(provider: &Provider, session: &Session) -> bool {
    match &provider.kind {
        ProviderKind::OAuth(_) => session.has_refresh_token(),
        ProviderKind::Credentials(api) => {
            api.refresh.as_ref().is_some_and(|refresh| credentials::can_refresh(refresh, session))
        }
    }
}
