//! Revoking a refresh token at its provider (RFC 7009), in the background: the user who signs out does not wait for it.

use std::time::Duration;

use crate::config::{Provider, ProviderKind};
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::flow::vestibule::Vestibule;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::Platform;
use crate::session::claims::Session;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::revocation;
use vestibule_oidc::secret::Secret;

/// The pause before the second attempt, where the provider does not say how long to wait: longer than most restarts of
/// one of several servers.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// The longest `Retry-After` after which there is a second attempt. With both attempts it stays below the 30 seconds
/// that runtimes give to background work.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

impl<P: Platform> RequestContext<'_, P> {
    /// Revokes the session's refresh token at its provider, as [`revoke_refresh_token`](Self::revoke_refresh_token) does.
    pub(crate) fn revoke_refresh_token_of(&self, session: &Session) {
        let Some(provider) = session.provider() else { return };
        if let Some(token) = session.refresh_token() {
            self.revoke_refresh_token(provider, token);
        } else if session.lacks("refresh_token") && self.revokes_refresh_tokens(provider) {
            let message =
                format_args!("provider {provider}: the refresh token cannot be read from the store");
            self.log(Record::new(LogEvent::TokenRevocationFailed, message).provider(provider));
        }
    }

    /// Revokes a refresh token at the provider with this id, if its configuration says so. Returns at once; a failure is
    /// logged.
    pub(crate) fn revoke_refresh_token(&self, provider_id: &str, token: Secret) {
        if !self.revokes_refresh_tokens(provider_id) {
            return;
        }
        let revocation = TokenRevocation {
            vestibule: self.vestibule.clone(),
            platform: self.platform.clone(),
            request: self.request.clone(),
            provider: provider_id.to_owned(),
            token,
        };
        self.platform.spawn(revocation.run());
    }

    fn revokes_refresh_tokens(&self, provider_id: &str) -> bool {
        let kind = self.provider(provider_id).map(|provider| &provider.kind);
        matches!(kind, Some(ProviderKind::OAuth(oauth)) if oauth.token_revocation.is_some())
    }

    /// Sends the revocation request. After a passing failure it sends it once more.
    async fn revoke_at_provider(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &Secret,
    ) -> Result<(), Error> {
        let Some(config) = &oauth.token_revocation else { return Ok(()) };
        let metadata = self.metadata(provider, oauth).await?;
        let Some(endpoint) = config.endpoint.as_ref().or_else(|| metadata.revocation_endpoint()) else {
            let id = &provider.id;
            if !config.is_required {
                let message = format_args!("provider {id} publishes no revocation_endpoint");
                self.log(Record::new(LogEvent::TokenRevocationUnknown, message).provider(id));
                return Ok(());
            }
            return Err(Error::Configuration(format!(
                "provider {id} publishes no revocation_endpoint: set token_revocation to the URL of its endpoint, or \
                 to false"
            )));
        };
        match self.try_to_revoke(provider, oauth, &metadata, endpoint, token).await {
            Ok(()) => Ok(()),
            Err(Attempt { retry_after: Some(delay), .. }) if delay <= MAX_RETRY_DELAY => {
                self.platform.sleep(delay).await;
                let second = self.try_to_revoke(provider, oauth, &metadata, endpoint, token).await;
                second.map_err(|attempt| attempt.error)
            }
            Err(attempt) => Err(attempt.error),
        }
    }

    async fn try_to_revoke(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        endpoint: &Url,
        token: &Secret,
    ) -> Result<(), Attempt> {
        let last = |error| Attempt { error, retry_after: None };
        // A client assertion can be used once, so each attempt has its own.
        let client = self.client(oauth, metadata).await.map_err(last)?;
        let request = revocation::request(endpoint, &client, token);
        let response = self
            .ask(provider, "token revocation", request)
            .await
            .map_err(|error| Attempt { error, retry_after: Some(RETRY_DELAY) })?;
        revocation::parse(&response).map_err(|error| {
            let retry_after = error
                .is_temporary()
                .then(|| response.retry_after(self.platform.now()).unwrap_or(RETRY_DELAY).max(RETRY_DELAY));
            Attempt { error: provider_error(provider, error), retry_after }
        })
    }
}

/// An attempt that failed.
struct Attempt {
    error: Error,
    /// When a second one may succeed; `None` if it would fail the same way.
    retry_after: Option<Duration>,
}

/// The revocation of one refresh token. It owns its data, because the request that began it has ended.
struct TokenRevocation<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    /// The request in which the user signed out.
    request: Request,
    /// The provider's id.
    provider: String,
    token: Secret,
}

impl<P: Platform> TokenRevocation<P> {
    async fn run(self) {
        let Some(context) = RequestContext::new(&self.vestibule, &self.platform, &self.request) else {
            return;
        };
        let Some(provider) = context.provider(&self.provider) else { return };
        let ProviderKind::OAuth(oauth) = &provider.kind else { return };
        if let Err(error) = context.revoke_at_provider(provider, oauth, &self.token).await {
            let record = match &error {
                Error::Configuration(message) => Record::new(LogEvent::TokenRevocationFailed, message)
                    .provider(&self.provider)
                    .caused_by(ErrorSource::Configuration),
                error => error.record_as(LogEvent::TokenRevocationFailed),
            };
            context.log(record);
        }
    }
}
