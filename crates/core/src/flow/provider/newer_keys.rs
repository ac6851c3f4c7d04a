//! Newer keys, for a token whose key is unknown.
//!
//! A provider may have begun a moment ago to sign with a new key (OpenID Connect Core 1.0 section 10.1.1). So a token is
//! rejected for its key only after the key set was read as it was *after* the token arrived, however young the copy is.
//!
//! For a token that the provider itself has just given, at its token endpoint, each costs at most one fetch, and tokens that
//! arrive while one is in progress share it. A token that somebody sent may be anyone's invention: such tokens cost one fetch
//! a minute together. Between, an unknown key proves nothing against a token, so it is not rejected: who sent it may do so
//! again later. Only clients, who need to learn that a key was withdrawn, are told so also if the key set is from after the
//! first token of that key, not after theirs.

use std::rc::Rc;
use std::time::Duration;

use super::cache::{DocumentId, DocumentKind, FetchDecision, MAX_ATTEMPT};
use super::signature::{PublishedKeys, may_have_new_key};
use super::{MAX_WAIT, POLL_INTERVAL, Requester, Wanted, failed, provider_error, recently_failed};
use crate::config::Provider;
use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::http::client::FetchRequest;
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::jwks;

impl<P: Platform> RequestContext<'_, P> {
    /// Verifies the signature of a token that somebody sent. An unknown key causes the key set to be fetched again, at most
    /// once a minute. Where it is not, the error is [`ProviderError::NoNewerKeys`].
    pub(super) async fn verify_by_keys(
        &self,
        published: PublishedKeys<'_>,
        jws: &UnverifiedJws<'_>,
        accepted: &[Algorithm],
        requester: Requester,
    ) -> Result<VerifiedPayload, Error> {
        let (name, cache) = (published.cache_name, &self.vestibule.providers);
        let rejected = |cause: JwsError| failed(name, cause);
        let mut known = cache.with(name, |cached| cached.keys.begun());
        let keys = self.published_keys(published, Wanted::Current, requester).await?;
        // It may be an older copy than the newest, which came while this request waited for another answer.
        let mut tried = self.newest_keys(name).unwrap_or((keys, 0));
        loop {
            let (keys, number) = &tried;
            let error = match jws::verify(self.platform, jws, keys, accepted).await {
                Err(error) if may_have_new_key(jws, &error) => error,
                verified => return verified.map_err(rejected),
            };
            if let (Requester::Anyone, JwsError::UnknownKey, Some(kid)) = (requester, &error, jws.kid()) {
                let now = self.platform.now();
                known = cache.with(name, |cached| cached.begun_at_first_sight_of(kid, known, now));
            }
            let Some(url) = published.url.filter(|_| *number <= known) else { return Err(rejected(error)) };
            let request = jwks::request(url);
            tried = match self.keys_for_unknown(name, request, keys).await {
                Ok(newer) => newer,
                Err(Missed::Failed(unavailable)) if requester == Requester::User => return Err(unavailable),
                Err(missed) => {
                    let retry_after = missed.retry_after();
                    return Err(failed(name, ProviderError::NoNewerKeys { cause: error, retry_after }));
                }
            };
        }
    }

    /// Another key set than the one that was tried, and the number of its fetch: of a fetch in progress, or of one that this
    /// unknown key causes, unless another did in the last minute.
    async fn keys_for_unknown(
        &self,
        name: &str,
        request: FetchRequest,
        tried: &Rc<JwkSet>,
    ) -> Result<(Rc<JwkSet>, u64), Missed> {
        let (platform, cache, kind) = (self.platform, &self.vestibule.providers, DocumentKind::Keys);
        let document = DocumentId { kind, provider: name, url: &request.url };
        let mut shares = platform.stores_documents();
        if shares {
            Box::pin(self.read_stored(document, Duration::ZERO)).await;
        }
        let newer = || self.newest_keys(name).filter(|(keys, _)| !Rc::ptr_eq(keys, tried));
        let deadline = platform.now().plus(MAX_ATTEMPT);
        loop {
            if let Some(newer) = newer() {
                return Ok(newer);
            }
            let now = platform.now();
            let (decision, pause) = cache.with(name, |cached| {
                (cached.decide_fetch(kind, false, now), cached.keys.unknown_key_pause(now))
            });
            match (decision, pause) {
                (FetchDecision::Wait, _) if now < deadline => platform.sleep(POLL_INTERVAL).await,
                (FetchDecision::Wait | FetchDecision::Later, _) => return Err(Missed::Pause(MAX_ATTEMPT)),
                (FetchDecision::Fetch, Some(pause)) => return Err(Missed::Pause(pause)),
                (FetchDecision::Fetch, None) if shares => {
                    shares = false;
                    let pause = Box::pin(self.unknown_key_pause_of_all(document)).await;
                    if let Some(pause) = pause {
                        return Err(Missed::Pause(pause));
                    }
                    // Another request of this process may have begun one meanwhile.
                }
                (FetchDecision::Fetch, None) => break,
            }
        }
        self.fetch_document(name, kind, request, true, MAX_WAIT).await.map_err(Missed::Failed)?;
        newer().ok_or(Missed::Pause(MAX_ATTEMPT))
    }

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
        let (mut keys, mut tried) = self.newest_keys(&provider.id).unwrap_or((keys, 0));
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
        let newer = || self.newest_keys(&provider.id).filter(|(_, number)| *number > tried);
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
        self.fetch_document(&provider.id, kind, request, false, MAX_WAIT).await?;
        newer().ok_or_else(unavailable)
    }

    /// The newest copy of the keys of what has this name in the cache, and the number of its fetch.
    fn newest_keys(&self, name: &str) -> Option<(Rc<JwkSet>, u64)> {
        let cache = &self.vestibule.providers;
        cache.with(name, |cached| Some((cached.keys.newest()?, cached.keys.number())))
    }
}

/// Why there are no newer keys.
enum Missed {
    /// The fetch failed.
    Failed(Error),
    /// There was none, and is none for so long.
    Pause(Duration),
}

impl Missed {
    fn retry_after(&self) -> Duration {
        match self {
            Self::Failed(_) => MAX_ATTEMPT,
            Self::Pause(pause) => *pause,
        }
    }
}
