//! The process's copies of providers' documents, and when to fetch them again.
//!
//! The cache is plain data, and holds no I/O of a request. A request decides about a fetch and marks it as begun in one
//! step. So while a provider hangs, few of the requests that arrive wait for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::time::Timestamp;

/// How long to wait after a failed fetch if there is a usable copy. It doubles with each failure, up to eight minutes.
const PAUSE: Duration = Duration::from_mins(1);

/// How long to wait after a failed fetch if there is no usable copy. Also how long a fetch counts as in progress: one that
/// is cut off never reports that it ended.
pub(super) const MAX_ATTEMPT: Duration = Duration::from_secs(5);

/// The documents of all providers, by the provider's id, and of transmitters of security events.
#[derive(Default)]
pub(crate) struct ProviderCache(RefCell<BTreeMap<String, CachedProvider>>);

impl ProviderCache {
    /// Reads or changes the documents of one provider.
    pub(super) fn with<T>(&self, provider: &str, act: impl FnOnce(&mut CachedProvider) -> T) -> T {
        act(self.0.borrow_mut().entry(provider.to_owned()).or_default())
    }
}

/// The documents of one provider.
#[derive(Default)]
pub(super) struct CachedProvider {
    pub(super) metadata: Slot<ProviderMetadata>,
    pub(super) keys: Slot<JwkSet>,
    /// Where the keys of a transmitter of security events are.
    pub(super) jwks_uri: Slot<Url>,
}

/// A document that was fetched.
pub(super) enum Published {
    Metadata(Rc<ProviderMetadata>),
    Keys(Rc<JwkSet>),
    JwksUri(Rc<Url>),
}

/// Which document.
#[derive(Clone, Copy)]
pub(super) enum DocumentKind {
    Metadata,
    Keys,
    JwksUri,
}

/// A document's place in the cache.
pub(super) struct Slot<T> {
    /// The last copy, and when its fetch began.
    copy: Option<(Rc<T>, Timestamp)>,
    /// The last attempt to fetch it, if that did not succeed (yet).
    attempt: Option<Attempt>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { copy: None, attempt: None }
    }
}

/// An attempt to fetch a document.
pub(super) struct Attempt {
    /// When it began, or when it failed.
    at: Timestamp,
    /// Whether it is in progress, as far as is known.
    is_open: bool,
    /// How many attempts failed before it, since the last success.
    earlier: u32,
}

/// What a request without a fresh copy does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FetchDecision {
    /// Fetch the document.
    Fetch,
    /// Wait: another request is fetching it.
    Wait,
    /// Do not fetch: an attempt failed a short time ago.
    Later,
}

impl CachedProvider {
    /// Whether to fetch a document now. `has_copy`: there is a usable copy.
    pub(super) fn decide_fetch(
        &mut self,
        kind: DocumentKind,
        has_copy: bool,
        now: Timestamp,
    ) -> FetchDecision {
        let Some(attempt) = self.attempt(kind) else { return FetchDecision::Fetch };
        let pause = if has_copy { PAUSE * (1 << attempt.earlier.min(3)) } else { MAX_ATTEMPT };
        // After the clock was set back, it is unknown how long ago the attempt was.
        if now < attempt.at || now >= attempt.at.plus(pause) {
            FetchDecision::Fetch
        } else if attempt.is_open {
            FetchDecision::Wait
        } else {
            FetchDecision::Later
        }
    }

    /// Records that a fetch begins.
    pub(super) fn begin_attempt(&mut self, kind: DocumentKind, now: Timestamp) {
        let attempt = self.attempt(kind);
        let earlier = attempt.as_ref().map_or(0, |attempt| attempt.earlier.saturating_add(1));
        *attempt = Some(Attempt { at: now, is_open: true, earlier });
    }

    /// Records that a fetch failed.
    pub(super) fn attempt_failed(&mut self, kind: DocumentKind, now: Timestamp) {
        if let Some(attempt) = self.attempt(kind) {
            (attempt.at, attempt.is_open) = (now, false);
        }
    }

    /// Stores a document whose fetch began at `begun`.
    pub(super) fn store(&mut self, published: Published, begun: Timestamp, now: Timestamp) {
        match published {
            Published::Metadata(metadata) => self.metadata.store(metadata, begun, now),
            Published::Keys(keys) => self.keys.store(keys, begun, now),
            Published::JwksUri(url) => self.jwks_uri.store(url, begun, now),
        }
    }

    /// Whether there is a copy that was fetched within `age`.
    pub(super) fn has(&self, kind: DocumentKind, age: Duration, now: Timestamp) -> bool {
        match kind {
            DocumentKind::Metadata => self.metadata.within(age, now).is_some(),
            DocumentKind::Keys => self.keys.within(age, now).is_some(),
            DocumentKind::JwksUri => self.jwks_uri.within(age, now).is_some(),
        }
    }

    fn attempt(&mut self, kind: DocumentKind) -> &mut Option<Attempt> {
        match kind {
            DocumentKind::Metadata => &mut self.metadata.attempt,
            DocumentKind::Keys => &mut self.keys.attempt,
            DocumentKind::JwksUri => &mut self.jwks_uri.attempt,
        }
    }
}

impl<T> Slot<T> {
    /// The copy, if it was fetched within `age`. A copy from the future is too old, because the clock was set back and its
    /// age is unknown.
    pub(super) fn within(&self, age: Duration, now: Timestamp) -> Option<Rc<T>> {
        let (copy, at) = self.copy.as_ref()?;
        (*at <= now && now < at.plus(age)).then(|| Rc::clone(copy))
    }

    /// The copy, whatever its age.
    pub(super) fn newest(&self) -> Option<Rc<T>> {
        self.copy.as_ref().map(|(copy, _)| Rc::clone(copy))
    }

    fn store(&mut self, value: Rc<T>, begun: Timestamp, now: Timestamp) {
        // A slow fetch must not replace the document of a fetch that began later.
        if self.copy.as_ref().is_none_or(|(_, at)| *at <= begun || now < *at) {
            self.copy = Some((value, begun));
        }
        self.attempt = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: Timestamp = Timestamp::from_seconds(1_000_000);

    fn keys(id: &str) -> Published {
        let key = format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
        );
        Published::Keys(Rc::new(JwkSet::parse(key.as_bytes()).unwrap()))
    }

    fn newest(cached: &CachedProvider) -> String {
        cached.keys.newest().unwrap().keys().filter_map(|key| key.kid()).collect()
    }

    #[test]
    fn a_slow_fetch_does_not_bring_back_a_withdrawn_key() {
        let mut cached = CachedProvider::default();
        let second = Duration::from_secs(1);
        cached.store(keys("new"), BEGUN.plus(second), BEGUN.plus(second * 2));
        cached.store(keys("old"), BEGUN, BEGUN.plus(second * 9));
        assert_eq!(newest(&cached), "new");
        cached.store(keys("newer"), BEGUN.plus(second * 3), BEGUN.plus(second * 10));
        assert_eq!(newest(&cached), "newer");
        // After the clock was set back, it is unknown which fetch began first.
        let back = BEGUN.minus(second * 60);
        cached.store(keys("back"), back, back.plus(second));
        assert_eq!(newest(&cached), "back");
    }

    #[test]
    fn a_late_failure_of_an_earlier_fetch_does_not_affect_a_newer_answer() {
        let mut cached = CachedProvider::default();
        let second = Duration::from_secs(1);
        cached.begin_attempt(DocumentKind::Keys, BEGUN);
        cached.begin_attempt(DocumentKind::Keys, BEGUN.plus(second * 6));
        cached.store(keys("new"), BEGUN.plus(second * 6), BEGUN.plus(second * 7));
        cached.attempt_failed(DocumentKind::Keys, BEGUN.plus(second * 10));
        assert!(
            cached.decide_fetch(DocumentKind::Keys, false, BEGUN.plus(second * 10)) == FetchDecision::Fetch
        );
    }
}
