//! The keys for a token that the provider itself has just given, at its token endpoint.
//!
//! The provider may have begun a moment ago to sign with a new key (OpenID Connect Core 1.0 section 10.1.1). So such a token
//! is rejected for its key only after the key set was read as it was *after* the token arrived, however young the copy is.
//! Each token costs at most one fetch, and tokens that arrive while one is in progress share it. A token that a client sent
//! may be anyone's invention; it has to do with a copy that is younger than a minute.

use std::rc::Rc;
use std::time::Duration;

use super::cache::{DocumentKind, MAX_ATTEMPT};
use super::signature::{PublishedKeys, may_have_new_key};
use super::{MAX_WAIT, POLL_INTERVAL, Requester, Wanted, provider_error, recently_failed};
use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::http::client::FetchRequest;
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::jwks;

impl<P: Platform> RequestContext<'_, P> {
    /// Verifies the signature of a token that the provider has just given.
    pub(super) async fn verify_given(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        jws: &UnverifiedJws<'_>,
        accepted: &[Algorithm],
    ) -> Result<VerifiedPayload, Error> {
        let rejected = |cause: JwsError| provider_error(provider, cause);
        let cache = &self.vestibule.providers;
        let known = cache.with(&provider.id, |cached| cached.keys.begun());
        let published = PublishedKeys::of(provider, metadata);
        let keys = self.published_keys(published, Wanted::Current, Requester::User).await?;
        // It may be an older copy than the newest, which came while this request waited for another answer.
        let (mut keys, mut tried) = self.newest_keys(provider).unwrap_or((keys, 0));
        // Whether this token, or one that came with it, has cost a fetch already.
        let mut has_fetched = cache.with(&provider.id, |cached| cached.keys.begun()) > known;
        loop {
            let error = match jws::verify(self.platform, jws, &keys, accepted).await {
                Err(error) if may_have_new_key(jws, &error) => error,
                verified => return verified.map_err(rejected),
            };
            let url = published.url.filter(|_| tried <= known);
            let Some(url) = url else { return Err(rejected(error)) };
            (keys, tried) = self.newer_keys(provider, jwks::request(url), tried, &mut has_fetched).await?;
        }
    }

    /// The key set of a later fetch than the one that was tried, and the number of that fetch: of one that is in progress, or
    /// else of its own. An error if the keys are unavailable.
    async fn newer_keys(
        &self,
        provider: &Provider,
        request: FetchRequest,
        tried: u64,
        has_fetched: &mut bool,
    ) -> Result<(Rc<JwkSet>, u64), Error> {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        let kind = DocumentKind::Keys;
        let unavailable = || recently_failed(&provider.id, kind);
        let newer = || self.newest_keys(provider).filter(|(_, number)| *number > tried);
        let deadline = platform.now().plus(request.timeout);
        // A fetch of this request lasts until its own timeout; another's may have been cut off.
        let max_age = if *has_fetched { request.timeout + Duration::from_secs(1) } else { MAX_ATTEMPT };
        loop {
            if let Some(newer) = newer() {
                return Ok(newer);
            }
            let now = platform.now();
            let is_fetching = cache.with(&provider.id, |cached| cached.keys.is_fetching(max_age, now));
            if !is_fetching || now >= deadline {
                break;
            }
            platform.sleep(POLL_INTERVAL).await;
        }
        if *has_fetched {
            return Err(unavailable());
        }
        *has_fetched = true;
        self.fetch_document(&provider.id, kind, request, MAX_WAIT).await?;
        newer().ok_or_else(unavailable)
    }

    /// The newest copy of the provider's keys, and the number of its fetch.
    fn newest_keys(&self, provider: &Provider) -> Option<(Rc<JwkSet>, u64)> {
        let cache = &self.vestibule.providers;
        cache.with(&provider.id, |cached| Some((cached.keys.newest()?, cached.keys.number())))
    }
}
