//! What an isolate has kept of its providers, and how it goes with asking for it again.
//!
//! Plain data: nothing of one request's is kept for another. Whoever would ask looks here first, in one go with
//! marking that they ask, so a provider that hangs costs few of the requests that come meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::time::Timestamp;

/// How long a provider is left alone that did not give what is kept anyway; twice as long each time, up to eight of it.
const PAUSE: Duration = Duration::from_mins(1);

/// The same where nothing is kept that would do. Also how long whoever asks counts as alive: one that is cut off
/// says no word.
pub(super) const MAX_ATTEMPT: Duration = Duration::from_secs(5);

/// One isolate's knowledge of the providers.
#[derive(Default)]
pub(crate) struct ProviderCache(RefCell<BTreeMap<String, CachedProvider>>);

/// What is known of one of them.
#[derive(Default)]
pub(super) struct CachedProvider {
    pub(super) metadata: Slot<ProviderMetadata>,
    pub(super) keys: Slot<JwkSet>,
}

/// What a provider published.
pub(super) enum Published {
    Metadata(Rc<ProviderMetadata>),
    Keys(Rc<JwkSet>),
}

/// One of the things that a provider publishes.
#[derive(Clone, Copy)]
pub(super) enum DocumentKind {
    Metadata,
    Keys,
}

pub(super) struct Slot<T> {
    copy: Option<(Rc<T>, Timestamp)>,
    attempt: Option<Attempt>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { copy: None, attempt: None }
    }
}

/// What came of asking, since the last time that it helped.
pub(super) struct Attempt {
    /// When somebody asked, or when they heard that it did not help.
    at: Timestamp,
    /// Whether they still wait for the answer, as far as anybody knows.
    is_open: bool,
    /// How often it was tried before.
    earlier: u32,
}

/// What somebody does who would ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FetchDecision {
    /// They ask.
    Fetch,
    /// Somebody else is asking.
    Wait,
    /// Somebody asked a while ago, and it did not help.
    Later,
}

impl ProviderCache {
    pub(super) fn with<T>(&self, provider: &str, act: impl FnOnce(&mut CachedProvider) -> T) -> T {
        act(self.0.borrow_mut().entry(provider.to_owned()).or_default())
    }
}

impl CachedProvider {
    /// Whether to ask for it now, where there is a copy that would do, or none.
    pub(super) fn decide_fetch(
        &mut self,
        kind: DocumentKind,
        has_copy: bool,
        now: Timestamp,
    ) -> FetchDecision {
        let Some(trial) = self.attempt(kind) else { return FetchDecision::Fetch };
        let pause = if has_copy { PAUSE * (1 << trial.earlier.min(3)) } else { MAX_ATTEMPT };
        // A clock that went back says nothing about how long ago that was.
        if now < trial.at || now >= trial.at.plus(pause) {
            FetchDecision::Fetch
        } else if trial.is_open {
            FetchDecision::Wait
        } else {
            FetchDecision::Later
        }
    }

    /// Somebody asks.
    pub(super) fn begin_attempt(&mut self, kind: DocumentKind, now: Timestamp) {
        let trial = self.attempt(kind);
        let earlier = trial.as_ref().map_or(0, |trial| trial.earlier.saturating_add(1));
        *trial = Some(Attempt { at: now, is_open: true, earlier });
    }

    /// They heard nothing that helps.
    pub(super) fn attempt_failed(&mut self, kind: DocumentKind, now: Timestamp) {
        if let Some(trial) = self.attempt(kind) {
            (trial.at, trial.is_open) = (now, false);
        }
    }

    /// They heard this, and had asked at `asked`.
    pub(super) fn store(&mut self, published: Published, asked: Timestamp, now: Timestamp) {
        match published {
            Published::Metadata(metadata) => self.metadata.store(metadata, asked, now),
            Published::Keys(keys) => self.keys.store(keys, asked, now),
        }
    }

    /// Whether there is a copy that was asked for within that time.
    pub(super) fn has(&self, kind: DocumentKind, age: Duration, now: Timestamp) -> bool {
        match kind {
            DocumentKind::Metadata => self.metadata.within(age, now).is_some(),
            DocumentKind::Keys => self.keys.within(age, now).is_some(),
        }
    }

    fn attempt(&mut self, kind: DocumentKind) -> &mut Option<Attempt> {
        match kind {
            DocumentKind::Metadata => &mut self.metadata.attempt,
            DocumentKind::Keys => &mut self.keys.attempt,
        }
    }
}

impl<T> Slot<T> {
    /// The copy, if it was asked for within that time. Of one from the future nobody knows how old it is: the clock
    /// went back.
    pub(super) fn within(&self, age: Duration, now: Timestamp) -> Option<Rc<T>> {
        let (copy, at) = self.copy.as_ref()?;
        (*at <= now && now < at.plus(age)).then(|| Rc::clone(copy))
    }

    /// The copy, whatever its age.
    pub(super) fn newest(&self) -> Option<Rc<T>> {
        self.copy.as_ref().map(|(copy, _)| Rc::clone(copy))
    }

    fn store(&mut self, value: Rc<T>, asked: Timestamp, now: Timestamp) {
        // Who asked earlier and hears later knows less.
        if self.copy.as_ref().is_none_or(|(_, at)| *at <= asked || now < *at) {
            self.copy = Some((value, asked));
        }
        self.attempt = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Timestamp = Timestamp::from_seconds(1_000_000);

    fn keys(id: &str) -> Published {
        let key = format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
        );
        Published::Keys(Rc::new(JwkSet::parse(key.as_bytes()).unwrap()))
    }

    fn newest(known: &CachedProvider) -> String {
        known.keys.newest().unwrap().keys().filter_map(|key| key.kid()).collect()
    }

    #[test]
    fn who_asked_earlier_and_hears_later_brings_no_withdrawn_key_back() {
        let mut known = CachedProvider::default();
        let second = Duration::from_secs(1);
        known.store(keys("new"), ASKED.plus(second), ASKED.plus(second * 2));
        known.store(keys("old"), ASKED, ASKED.plus(second * 9));
        assert_eq!(newest(&known), "new");
        known.store(keys("newer"), ASKED.plus(second * 3), ASKED.plus(second * 10));
        assert_eq!(newest(&known), "newer");
        // Unless the clock was set back meanwhile: then nobody knows who asked first.
        let back = ASKED.minus(second * 60);
        known.store(keys("back"), back, back.plus(second));
        assert_eq!(newest(&known), "back");
    }

    #[test]
    fn a_late_failure_is_no_word_against_an_answer() {
        let mut known = CachedProvider::default();
        let second = Duration::from_secs(1);
        known.begin_attempt(DocumentKind::Keys, ASKED);
        known.begin_attempt(DocumentKind::Keys, ASKED.plus(second * 6));
        known.store(keys("new"), ASKED.plus(second * 6), ASKED.plus(second * 7));
        known.attempt_failed(DocumentKind::Keys, ASKED.plus(second * 10));
        assert!(
            known.decide_fetch(DocumentKind::Keys, false, ASKED.plus(second * 10)) == FetchDecision::Fetch
        );
    }
}
