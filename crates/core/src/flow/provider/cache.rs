//! The process's copies of providers' documents, and when to fetch them again.
//!
//! The cache is plain data, and holds no I/O of a request. A request decides about a fetch and marks it as begun in one
//! step. So while a provider hangs, few of the requests that arrive wait for it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::transmitter::{EventTransmitter, TransmitterKeys};
use vestibule_oidc::time::Timestamp;

/// How long a copy is used while the provider does not answer, so that a short outage does not stop users who come back
/// from the provider's login page.
pub(super) const USABLE_FOR: Duration = Duration::from_hours(24);

/// How long to wait after a failed fetch if there is a usable copy. It doubles with each failure, up to eight minutes.
const PAUSE: Duration = Duration::from_mins(1);

/// How long to wait after a failed fetch if there is no usable copy. Also how long a fetch counts as in progress: one that
/// is cut off never reports that it ended.
pub(super) const MAX_ATTEMPT: Duration = Duration::from_secs(5);

/// How often an unknown key may cause the key set to be fetched again. Anyone can send a token with an invented `kid`, which
/// must not cost one request to the provider each. Fetches for other reasons do not count: such a one may have been answered
/// a moment before the provider began to sign with a new key.
pub(super) const UNKNOWN_KEY_THROTTLE: Duration = Duration::from_mins(1);

/// How many names of unknown keys are remembered for each key set, and how long each may be in bytes.
const MAX_UNKNOWN_KIDS: usize = 64;
const MAX_UNKNOWN_KID: usize = 512;

/// How long the store is not asked for documents after it failed. So long a document is not asked for again, either.
const STORE_PAUSE: Duration = Duration::from_secs(30);

/// The documents of all providers, by the provider's id, and of transmitters of security events.
#[derive(Default)]
pub(crate) struct ProviderCache {
    providers: RefCell<BTreeMap<String, CachedProvider>>,
    /// When the store last failed to answer.
    store_failed: Cell<Option<Timestamp>>,
}

impl ProviderCache {
    /// Reads or changes the documents of one provider.
    pub(super) fn with<T>(&self, provider: &str, act: impl FnOnce(&mut CachedProvider) -> T) -> T {
        act(self.providers.borrow_mut().entry(provider.to_owned()).or_default())
    }

    /// Whether to look for a document in the store now, because there is no copy that was fetched within `age`. Records that it
    /// is done.
    pub(super) fn may_read_store(&self, document: DocumentId<'_>, age: Duration, now: Timestamp) -> bool {
        let DocumentId { kind, provider, .. } = document;
        !self.has_store_failed(now)
            && self.with(provider, |cached| {
                let may = !cached.has(kind, age, now)
                    && !cached.attempts(kind).0.as_ref().is_some_and(|attempt| attempt.is_open)
                    && !is_recent(*cached.store_read(kind), now);
                if may {
                    *cached.store_read(kind) = Some(now);
                }
                may
            })
    }

    /// Whether the store has just failed to answer.
    pub(super) fn has_store_failed(&self, now: Timestamp) -> bool {
        is_recent(self.store_failed.get(), now)
    }

    /// Records that the store did not answer.
    pub(super) fn store_failed(&self, now: Timestamp) {
        self.store_failed.set(Some(now));
    }
}

/// How long from now on no unknown key causes a fetch, after one did at this time; `None` if one may. After the clock was set
/// back one may.
pub(super) fn unknown_key_pause(at: Timestamp, now: Timestamp) -> Option<Duration> {
    now.is_within(UNKNOWN_KEY_THROTTLE, at).then(|| at.plus(UNKNOWN_KEY_THROTTLE).since(now))
}

/// Whether this was within [`STORE_PAUSE`].
fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.is_within(STORE_PAUSE, at))
}

/// What a transmitter's name in the cache begins with. No provider's id has a colon.
const TRANSMITTER: &str = "transmitter:";

/// The name of a transmitter of security events in the cache. It depends on all that its documents depend on: several
/// transmitters may have one issuer, each with keys of its own.
pub(super) fn transmitter_name(transmitter: &EventTransmitter) -> String {
    let issuer = &transmitter.issuer;
    match &transmitter.keys {
        TransmitterKeys::At(url) => format!("{TRANSMITTER}{issuer} with the keys of {}", url.as_str()),
        TransmitterKeys::OfProvider | TransmitterKeys::Discovered => format!("{TRANSMITTER}{issuer}"),
    }
}

/// The issuer of a transmitter that has this name, and publishes metadata.
pub(super) fn transmitter_issuer(name: &str) -> &str {
    name.strip_prefix(TRANSMITTER).unwrap_or(name)
}

/// The documents of one provider.
#[derive(Default)]
pub(super) struct CachedProvider {
    pub(super) metadata: Slot<ProviderMetadata>,
    pub(super) keys: Slot<JwkSet>,
    /// Where the keys of a transmitter of security events are.
    pub(super) jwks_uri: Slot<Url>,
    /// The unknown keys that clients' tokens named lately.
    unknown_kids: Vec<UnknownKid>,
}

/// A key that a client's token named, and that was unknown.
struct UnknownKid {
    kid: String,
    at: Timestamp,
    /// How many fetches of the keys had begun.
    begun: u64,
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

/// Which document: its kind, the provider's name in the cache, and its address.
#[derive(Clone, Copy)]
pub(super) struct DocumentId<'a> {
    pub(super) kind: DocumentKind,
    pub(super) provider: &'a str,
    pub(super) url: &'a str,
}

/// A document's place in the cache.
pub(super) struct Slot<T> {
    /// The last copy, and its fetch.
    copy: Option<(Rc<T>, Fetch)>,
    /// The last attempt to fetch it, if that did not succeed (yet).
    attempt: Option<Attempt>,
    /// How many fetches of it have begun in this process.
    begun: u64,
    /// When the store was last asked for it.
    store_read: Option<Timestamp>,
    /// When the last fetch began that an unknown key caused, and that succeeded.
    unknown_key_at: Option<Timestamp>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { copy: None, attempt: None, begun: 0, store_read: None, unknown_key_at: None }
    }
}

/// One fetch of a document.
#[derive(Clone, Copy)]
pub(super) struct Fetch {
    /// When it began.
    pub(super) at: Timestamp,
    /// Its number in this process: a clock cannot tell which of two fetches in one moment began first.
    pub(super) number: u64,
    /// Whether an unknown key caused it.
    pub(super) for_unknown_key: bool,
}

/// An attempt to fetch a document.
pub(super) struct Attempt {
    /// The number of its fetch.
    number: u64,
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
        let (Some(attempt), _) = self.attempts(kind) else { return FetchDecision::Fetch };
        let pause = if has_copy { PAUSE * (1 << attempt.earlier.min(3)) } else { MAX_ATTEMPT };
        if !now.is_within(pause, attempt.at) {
            FetchDecision::Fetch
        } else if attempt.is_open {
            FetchDecision::Wait
        } else {
            FetchDecision::Later
        }
    }

    /// Records that a fetch begins, and whether an unknown key causes it.
    pub(super) fn begin_attempt(
        &mut self,
        kind: DocumentKind,
        for_unknown_key: bool,
        now: Timestamp,
    ) -> Fetch {
        let (attempt, begun) = self.attempts(kind);
        *begun += 1;
        let earlier = attempt.as_ref().map_or(0, |attempt| attempt.earlier.saturating_add(1));
        *attempt = Some(Attempt { number: *begun, at: now, is_open: true, earlier });
        Fetch { at: now, number: *begun, for_unknown_key }
    }

    /// How many fetches of the keys had begun when a client's token first named this unknown key, in the last minute. A key set
    /// of a later fetch shows that there is no such key: who has many tokens of a withdrawn key learns that of each.
    pub(super) fn begun_at_first_sight_of(&mut self, kid: &str, begun: u64, now: Timestamp) -> u64 {
        self.unknown_kids.retain(|seen| now.is_within(UNKNOWN_KEY_THROTTLE, seen.at));
        if let Some(seen) = self.unknown_kids.iter().find(|seen| seen.kid == kid) {
            return seen.begun.min(begun);
        }
        if self.unknown_kids.len() < MAX_UNKNOWN_KIDS && kid.len() <= MAX_UNKNOWN_KID {
            self.unknown_kids.push(UnknownKid { kid: kid.to_owned(), at: now, begun });
        }
        begun
    }

    /// Records that a fetch failed.
    pub(super) fn attempt_failed(&mut self, kind: DocumentKind, fetch: Fetch, now: Timestamp) {
        let (attempt, _) = self.attempts(kind);
        if let Some(attempt) = attempt.as_mut().filter(|attempt| attempt.number == fetch.number) {
            (attempt.at, attempt.is_open) = (now, false);
        }
    }

    /// Stores what a fetch brought.
    pub(super) fn store(&mut self, published: Published, fetch: Fetch) {
        match published {
            Published::Metadata(metadata) => self.metadata.store(metadata, fetch),
            Published::Keys(keys) => self.keys.store(keys, fetch),
            Published::JwksUri(url) => self.jwks_uri.store(url, fetch),
        }
    }

    /// Takes over a document that another process fetched at this time.
    pub(super) fn adopt(&mut self, published: Published, at: Timestamp) {
        match published {
            Published::Metadata(metadata) => self.metadata.adopt(metadata, at),
            Published::Keys(keys) => self.keys.adopt(keys, at),
            Published::JwksUri(url) => self.jwks_uri.adopt(url, at),
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

    fn store_read(&mut self, kind: DocumentKind) -> &mut Option<Timestamp> {
        match kind {
            DocumentKind::Metadata => &mut self.metadata.store_read,
            DocumentKind::Keys => &mut self.keys.store_read,
            DocumentKind::JwksUri => &mut self.jwks_uri.store_read,
        }
    }

    /// The last attempt, and how many fetches have begun.
    fn attempts(&mut self, kind: DocumentKind) -> (&mut Option<Attempt>, &mut u64) {
        match kind {
            DocumentKind::Metadata => (&mut self.metadata.attempt, &mut self.metadata.begun),
            DocumentKind::Keys => (&mut self.keys.attempt, &mut self.keys.begun),
            DocumentKind::JwksUri => (&mut self.jwks_uri.attempt, &mut self.jwks_uri.begun),
        }
    }
}

impl<T> Slot<T> {
    /// The copy, if it was fetched within `age`. A copy from the future is too old, because the clock was set back and its
    /// age is unknown.
    pub(super) fn within(&self, age: Duration, now: Timestamp) -> Option<Rc<T>> {
        let (copy, Fetch { at, .. }) = self.copy.as_ref()?;
        now.is_within(age, *at).then(|| Rc::clone(copy))
    }

    /// The copy, whatever its age.
    pub(super) fn newest(&self) -> Option<Rc<T>> {
        self.copy.as_ref().map(|(copy, _)| Rc::clone(copy))
    }

    /// How many fetches have begun: a copy with a higher number was requested after this moment.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// The number of the copy's fetch; 0 if there is no copy.
    pub(super) fn number(&self) -> u64 {
        self.copy.as_ref().map_or(0, |(_, fetch)| fetch.number)
    }

    /// How long from now on no unknown key causes a fetch; `None` if one may.
    pub(super) fn unknown_key_pause(&self, now: Timestamp) -> Option<Duration> {
        unknown_key_pause(self.unknown_key_at?, now)
    }

    /// Whether a fetch is in progress, as far as is known: one that began longer than `max_age` ago counts as cut off.
    pub(super) fn is_fetching(&self, max_age: Duration, now: Timestamp) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.is_open && now.is_within(max_age, attempt.at))
    }

    /// A fetch of this process that has begun replaces it, because it may be of any moment before that.
    fn adopt(&mut self, value: Rc<T>, at: Timestamp) {
        let is_fetching = self.attempt.as_ref().is_some_and(|attempt| attempt.is_open);
        let is_newer = self.copy.as_ref().is_none_or(|(_, fetch)| fetch.at < at);
        if is_newer && !is_fetching {
            self.copy = Some((value, Fetch { at, number: self.number(), for_unknown_key: false }));
        }
    }

    fn store(&mut self, value: Rc<T>, fetch: Fetch) {
        if fetch.for_unknown_key {
            self.unknown_key_at = Some(fetch.at);
        }
        // A slow fetch must not replace the document of a fetch that began later.
        if self.number() < fetch.number {
            self.copy = Some((value, fetch));
        }
        if self.attempt.as_ref().is_some_and(|attempt| attempt.number <= fetch.number) {
            self.attempt = None;
        }
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
        // They begin in one moment; then the clock is set back.
        let old = cached.begin_attempt(DocumentKind::Keys, false, BEGUN);
        let new = cached.begin_attempt(DocumentKind::Keys, false, BEGUN);
        let newer = cached.begin_attempt(DocumentKind::Keys, false, BEGUN.minus(Duration::from_mins(1)));
        cached.store(keys("new"), new);
        cached.store(keys("old"), old);
        assert_eq!(newest(&cached), "new");
        cached.store(keys("newer"), newer);
        assert_eq!(newest(&cached), "newer");
    }

    #[test]
    fn a_stored_copy_never_replaces_a_newer_one_or_that_of_a_fetch_in_progress() {
        let mut cached = CachedProvider::default();
        let second = Duration::from_secs(1);
        cached.adopt(keys("stored"), BEGUN);
        // It counts as requested before this moment.
        assert_eq!((newest(&cached), cached.keys.number()), ("stored".to_owned(), 0));
        let fetch = cached.begin_attempt(DocumentKind::Keys, false, BEGUN.plus(second));
        cached.adopt(keys("between"), BEGUN.plus(second * 2));
        assert_eq!(newest(&cached), "stored");
        cached.store(keys("fetched"), fetch);
        assert_eq!(newest(&cached), "fetched");
        cached.adopt(keys("old"), BEGUN);
        assert_eq!(newest(&cached), "fetched");
        cached.adopt(keys("new"), BEGUN.plus(second * 3));
        assert_eq!((newest(&cached), cached.keys.number()), ("new".to_owned(), fetch.number));
    }

    #[test]
    fn of_two_copies_of_one_moment_the_one_that_is_known_stays() {
        let mut cached = CachedProvider::default();
        cached.adopt(keys("known"), BEGUN);
        cached.adopt(keys("stored"), BEGUN);
        assert_eq!(newest(&cached), "known");
    }

    #[test]
    fn the_store_is_asked_once_for_a_document_and_not_after_it_failed() {
        let cache = ProviderCache::default();
        let id = |kind| DocumentId { kind, provider: "okta", url: "https://issuer.example" };
        let may = |kind, now| cache.may_read_store(id(kind), Duration::from_hours(1), now);
        assert!(may(DocumentKind::Keys, BEGUN));
        assert!(!may(DocumentKind::Keys, BEGUN));
        assert!(may(DocumentKind::Keys, BEGUN.plus(STORE_PAUSE)));
        cache.store_failed(BEGUN);
        assert!(!may(DocumentKind::Metadata, BEGUN));
        assert!(may(DocumentKind::Metadata, BEGUN.plus(STORE_PAUSE)));
        cache.with("okta", |cached| cached.begin_attempt(DocumentKind::JwksUri, false, BEGUN));
        assert!(!may(DocumentKind::JwksUri, BEGUN.plus(STORE_PAUSE)));
    }

    #[test]
    fn a_provider_that_fails_is_asked_more_and_more_rarely_if_there_is_a_copy() {
        let (mut cached, mut now) = (CachedProvider::default(), BEGUN);
        let second = Duration::from_secs(1);
        let decide = |cached: &mut CachedProvider, has_copy, now| {
            cached.decide_fetch(DocumentKind::Keys, has_copy, now)
        };
        assert!(decide(&mut cached, true, now) == FetchDecision::Fetch);
        for pause in [60, 120, 240, 480, 480] {
            let fetch = cached.begin_attempt(DocumentKind::Keys, false, now);
            assert!(decide(&mut cached, true, now) == FetchDecision::Wait);
            cached.attempt_failed(DocumentKind::Keys, fetch, now);
            let end = now.plus(second * pause);
            assert!(decide(&mut cached, true, now) == FetchDecision::Later, "{pause}");
            assert!(decide(&mut cached, true, end.minus(second)) == FetchDecision::Later, "{pause}");
            assert!(decide(&mut cached, true, end) == FetchDecision::Fetch, "{pause}");
            // Without a copy users wait, so it is asked again soon.
            assert!(decide(&mut cached, false, now.plus(second * 4)) == FetchDecision::Later);
            assert!(decide(&mut cached, false, now.plus(second * 5)) == FetchDecision::Fetch);
            assert!(
                decide(&mut cached, true, now.minus(second)) == FetchDecision::Fetch,
                "the clock was set back"
            );
            now = end;
        }
    }

    #[test]
    fn a_copy_and_an_attempt_count_until_the_moment_at_which_they_are_too_old() {
        let (mut cached, age) = (CachedProvider::default(), Duration::from_secs(5));
        let [before, last, end] =
            [BEGUN.minus(Duration::from_secs(1)), BEGUN.plus(Duration::from_secs(4)), BEGUN.plus(age)];
        let fetch = cached.begin_attempt(DocumentKind::Keys, false, BEGUN);
        let is_fetching = |now| cached.keys.is_fetching(age, now);
        assert_eq!([before, BEGUN, last, end].map(is_fetching), [false, true, true, false]);
        cached.store(keys("a"), fetch);
        let has = |now| cached.has(DocumentKind::Keys, age, now);
        assert_eq!([before, BEGUN, last, end].map(has), [false, true, true, false]);
        assert!(
            !cached.has(DocumentKind::Metadata, age, BEGUN) && !cached.has(DocumentKind::JwksUri, age, BEGUN)
        );
        assert_eq!((cached.keys.begun(), cached.keys.number()), (1, 1));
    }

    #[test]
    fn tokens_with_made_up_key_ids_fill_no_memory() {
        let mut cached = CachedProvider::default();
        let longest = "x".repeat(MAX_UNKNOWN_KID);
        for kid in [format!("{longest}x"), longest.clone()] {
            assert_eq!(cached.begun_at_first_sight_of(&kid, 1, BEGUN), 1);
        }
        assert_eq!((cached.unknown_kids.len(), cached.begun_at_first_sight_of(&longest, 2, BEGUN)), (1, 1));
        for number in 0..2 * MAX_UNKNOWN_KIDS {
            cached.begun_at_first_sight_of(&number.to_string(), 3, BEGUN);
        }
        assert_eq!(cached.unknown_kids.len(), MAX_UNKNOWN_KIDS);
        // What is not remembered counts as seen now; after a minute there is room again.
        assert_eq!(cached.begun_at_first_sight_of("another", 4, BEGUN), 4);
        let later = BEGUN.plus(UNKNOWN_KEY_THROTTLE);
        assert_eq!(cached.begun_at_first_sight_of("another", 5, later), 5);
        assert_eq!(cached.begun_at_first_sight_of("another", 6, later), 5);
    }

    #[test]
    fn a_late_failure_of_an_earlier_fetch_does_not_affect_a_newer_one() {
        let mut cached = CachedProvider::default();
        let second = Duration::from_secs(1);
        let first = cached.begin_attempt(DocumentKind::Keys, false, BEGUN);
        let now = BEGUN.plus(second * 6);
        let newer = cached.begin_attempt(DocumentKind::Keys, false, now);
        cached.attempt_failed(DocumentKind::Keys, first, now.plus(second));
        assert!(cached.keys.is_fetching(second * 5, now.plus(second)));
        cached.store(keys("old"), first);
        assert!(cached.keys.is_fetching(second * 5, now.plus(second)));
        cached.store(keys("new"), newer);
        assert!(!cached.keys.is_fetching(second * 5, now.plus(second)));
        cached.attempt_failed(DocumentKind::Keys, newer, now.plus(second * 2));
        assert!(cached.decide_fetch(DocumentKind::Keys, false, now.plus(second * 2)) == FetchDecision::Fetch);
    }
}
