//! The shared store and the locks, with the weaknesses of Workers KV and Durable Objects.
//!
//! KV: a write is visible at once in its own location. When it is visible elsewhere depends on the [`KvReading`]. A
//! location caches each read for a minute, or for as long as a test says, also a read that found nothing. A lock is what [`WaitingCalls`] makes of its
//! record, one call at a time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use vestibule_core::lease::lock::{Answers, WaitingCalls};
use vestibule_core::platform::{Limit, StoreError, join_all};
use vestibule_core::time::Timestamp;

use crate::clock::FakeClock;
use crate::random::FakeRandom;

const MINUTE: u64 = 60_000;

/// What Workers KV's documentation promises about a write in one location and a read in another. It can be read in two
/// ways; the code must hold in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvReading {
    /// Every write is visible elsewhere up to a minute later, by chance.
    Delayed,
    /// A first read goes up to the central store, and sees the newest write that has arrived there, in 50 to 300 ms. If the
    /// location has read the key before, or the regional tier above it, its cached copy counts. Locations whose names
    /// have the same beginning before a `/` share a tier.
    FreshFirstReads,
}

/// Which second write of a key within a second is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteLimit {
    /// None: Workers KV does not promise its limit for two writes at the very same time.
    Off,
    /// One in the same location.
    InLocation,
    /// One in any location.
    Everywhere,
}

/// The store and the locks that all processes share.
pub struct FakeStore {
    clock: Rc<FakeClock>,
    random: FakeRandom,
    versions: RefCell<BTreeMap<String, Vec<Version>>>,
    cached_reads: RefCell<BTreeMap<(String, String), CachedRead>>,
    locks: RefCell<BTreeMap<String, FakeLock>>,
    /// Successful writes so far.
    pub writes: Cell<u64>,
    /// Deletions so far.
    pub deletes: Cell<u64>,
    /// Reads so far, without those of facts about revoked sessions.
    pub reads: Cell<u64>,
    /// Reads of facts about revoked sessions so far.
    pub revocation_reads: Cell<u64>,
    /// Calls to locks so far.
    pub calls: Cell<u64>,
    /// The text of each call to a lock so far.
    pub call_texts: RefCell<Vec<String>>,
    /// Whether the documents of providers are stored, too.
    pub has_documents: Cell<bool>,
    /// Whether every operation fails.
    pub is_down: Cell<bool>,
    /// Whether the store is not bound at all.
    pub is_missing: Cell<bool>,
    /// Whether no operation ever answers.
    pub hangs: Cell<bool>,
    /// How many operations fail before they have an effect: the next ones whose name or call contains this text.
    pub fails: Cell<(&'static str, u32)>,
    /// How many calls to locks fail after they had their effect.
    pub loses_answers: Cell<u32>,
    /// How often an address may use the operators' route; `None` if the operator set no limit.
    pub rate_limit: Cell<Option<u32>>,
    /// How often sign-in forms may be sent: the tight limit and the loose one; `None` if the operator set none.
    pub login_limits: Cell<Option<(u32, u32)>>,
    /// Whether every limiter fails.
    pub limiters_fail: Cell<bool>,
    uses: RefCell<BTreeMap<String, u32>>,
    /// How the documentation of Workers KV is read.
    pub reading: Cell<KvReading>,
    /// After how many milliseconds a write is visible elsewhere; `None` leaves it to chance.
    pub visible_after: Cell<Option<u64>>,
    /// Which second write of a key within a second is refused.
    pub write_limit: Cell<WriteLimit>,
    /// How many writes are refused because of another limit: the next ones whose key contains this text.
    pub refuses_writes: Cell<(&'static str, u32)>,
    /// How long a read is cached, in milliseconds: Workers KV's `cacheTtl`.
    pub cache_time: Cell<u64>,
    /// How long a cached read, an uncached read, a write and a call to a lock take, in milliseconds.
    pub latency: Cell<[u64; 4]>,
}

struct Version {
    value: String,
    location: String,
    written: u64,
    /// When other locations see it, unless they have cached an earlier read.
    seen_elsewhere: u64,
    expires: u64,
}

struct CachedRead {
    value: Option<String>,
    until: u64,
}

/// A lock, and the calls that wait at it.
#[derive(Default)]
struct FakeLock {
    record: Option<String>,
    waiting: WaitingCalls<Caller>,
}

/// What a caller gets its answer by.
type Caller = Rc<RefCell<CallerState>>;

#[derive(Default)]
struct CallerState {
    answer: Option<Result<String, StoreError>>,
    waker: Option<Waker>,
    /// Whether the caller's future was dropped.
    is_gone: bool,
}

/// Says that the caller is gone when its future is dropped.
struct CallerGuard(Caller);

impl Drop for CallerGuard {
    fn drop(&mut self) {
        self.0.borrow_mut().is_gone = true;
    }
}

impl FakeLock {
    /// Stores the new record, and gives the answers.
    fn settle(&mut self, answers: Answers<Caller>) {
        if let Some((record, _)) = answers.remember {
            self.record = Some(record);
        }
        for (caller, answer) in answers.answers {
            caller.borrow_mut().settle(answer.map_err(|error| StoreError::Failed(error.to_string())));
        }
    }
}

impl CallerState {
    fn settle(&mut self, answer: Result<String, StoreError>) {
        self.answer = Some(answer);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl FakeStore {
    /// An empty store. `random` decides how late a write is visible elsewhere.
    pub fn new(clock: Rc<FakeClock>, random: FakeRandom) -> Self {
        Self {
            clock,
            random,
            versions: RefCell::default(),
            cached_reads: RefCell::default(),
            locks: RefCell::default(),
            writes: Cell::new(0),
            deletes: Cell::new(0),
            reads: Cell::new(0),
            revocation_reads: Cell::new(0),
            calls: Cell::new(0),
            call_texts: RefCell::default(),
            has_documents: Cell::new(false),
            is_down: Cell::new(false),
            is_missing: Cell::new(false),
            hangs: Cell::new(false),
            fails: Cell::new(("", 0)),
            loses_answers: Cell::new(0),
            rate_limit: Cell::new(None),
            login_limits: Cell::new(None),
            limiters_fail: Cell::new(false),
            uses: RefCell::default(),
            reading: Cell::new(KvReading::Delayed),
            visible_after: Cell::new(None),
            write_limit: Cell::new(WriteLimit::InLocation),
            refuses_writes: Cell::new(("", 0)),
            cache_time: Cell::new(MINUTE),
            latency: Cell::new([2, 30, 40, 40]),
        }
    }

    /// Every value that was ever written, and the state of every lock.
    pub fn contents(&self) -> Vec<String> {
        let versions = self.versions.borrow();
        let written = versions.values().flatten().map(|version| version.value.clone());
        written.chain(self.locks.borrow().values().filter_map(|lock| lock.record.clone())).collect()
    }

    /// Corrupts all stored tokens, as if they were sealed with another secret.
    pub fn forgets_its_secret(&self) {
        let corrupt = |text: &mut String| *text = text.replace("eyJ", "eyK");
        self.locks.borrow_mut().values_mut().filter_map(|lock| lock.record.as_mut()).for_each(corrupt);
        self.versions.borrow_mut().values_mut().flatten().for_each(|version| corrupt(&mut version.value));
        self.cached_reads.borrow_mut().clear();
    }

    /// Replaces the values of all keys in KV that begin with this text, as if something else had written them.
    pub fn garbles(&self, prefix: &str, value: &str) {
        let mut versions = self.versions.borrow_mut();
        for version in versions.iter_mut().filter(|(key, _)| key.starts_with(prefix)).flat_map(|(_, all)| all)
        {
            value.clone_into(&mut version.value);
        }
        self.cached_reads.borrow_mut().clear();
    }

    /// Extends every lease in KV by so many milliseconds.
    pub fn leases_end_later(&self, by: u64) {
        let leases = |key: &str| key.starts_with("lease/");
        let mut versions = self.versions.borrow_mut();
        for version in versions.iter_mut().filter(|(key, _)| leases(key)).flat_map(|(_, all)| all) {
            let mut held: serde_json::Value = serde_json::from_str(&version.value).unwrap();
            held["until"] = (held["until"].as_u64().unwrap() + by).into();
            version.value = held.to_string();
        }
        self.cached_reads.borrow_mut().clear();
    }

    /// [`Store::read_store`](vestibule_core::platform::Store::read_store) in this location.
    pub async fn read(&self, location: &str, key: &str) -> Result<Option<String>, StoreError> {
        let counter = if key.starts_with("revoked/") { &self.revocation_reads } else { &self.reads };
        counter.set(counter.get() + 1);
        self.answer_or_fail(&format!("read {key}")).await?;
        let cached_read = |now| {
            let cached = self.cached_reads.borrow();
            let at =
                |place: &str| cached.get(&(place.to_owned(), key.to_owned())).filter(|read| now < read.until);
            at(location).or_else(|| at(tier(location)?)).map(|read| read.value.clone())
        };
        let cache = |place: &str, value: &Option<String>, now| {
            let read = CachedRead { value: value.clone(), until: now + self.cache_time.get() };
            self.cached_reads.borrow_mut().insert((place.to_owned(), key.to_owned()), read);
        };
        let [cached, uncached, ..] = self.latency.get();
        if let Some(value) = cached_read(self.clock.now()) {
            self.clock.sleep(Duration::from_millis(cached)).await;
            return Ok(value);
        }
        self.clock.sleep(Duration::from_millis(uncached)).await;
        let now = self.clock.now();
        // A write in this location may have happened meanwhile.
        if let Some(value) = cached_read(now) {
            return Ok(value);
        }
        let versions = self.versions.borrow();
        let is_delayed = self.reading.get() == KvReading::Delayed;
        let visible = versions.get(key).into_iter().flatten().rev().find(|version| {
            let is_own = is_delayed && version.location == location;
            now < version.expires && (is_own || version.seen_elsewhere <= now)
        });
        let value = visible.map(|version| version.value.clone());
        cache(location, &value, now);
        if let (Some(tier), false) = (tier(location), is_delayed) {
            cache(tier, &value, now);
        }
        Ok(value)
    }

    /// [`Store::read_store_many`](vestibule_core::platform::Store::read_store_many) in this location. It takes as long as
    /// the slowest read, and counts as one read for each key.
    pub async fn read_many(&self, location: &str, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        join_all(keys.iter().map(|key| self.read(location, key))).await.into_iter().collect()
    }

    /// [`Store::write_store`](vestibule_core::platform::Store::write_store) in this location.
    pub async fn write(
        &self,
        location: &str,
        key: &str,
        value: &str,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        assert!(lifetime >= Duration::from_mins(1), "KV refuses to keep {key} for {lifetime:?}");
        self.answer_or_fail(&format!("write {key}")).await?;
        let [_, _, write, _] = self.latency.get();
        self.clock.sleep(Duration::from_millis(write)).await;
        let now = self.clock.now();
        let mut versions = self.versions.borrow_mut();
        let versions = versions.entry(key.to_owned()).or_default();
        let is_limited = |version: &Version| match self.write_limit.get() {
            WriteLimit::Off => false,
            WriteLimit::InLocation => version.location == location,
            WriteLimit::Everywhere => true,
        };
        if versions.iter().any(|version| now < version.written + 1000 && is_limited(version)) {
            return Err(StoreError::Busy);
        }
        let (part, count) = self.refuses_writes.get();
        if count > 0 && key.contains(part) {
            self.refuses_writes.set((part, count - 1));
            return Err(StoreError::Busy);
        }
        self.writes.set(self.writes.get() + 1);
        let expires = now + u64::try_from(lifetime.as_millis()).unwrap();
        versions.push(Version {
            value: value.to_owned(),
            location: location.to_owned(),
            written: now,
            seen_elsewhere: now
                + match (self.visible_after.get(), self.reading.get()) {
                    (Some(time), _) => time,
                    (None, KvReading::Delayed) => self.random.below(MINUTE),
                    (None, KvReading::FreshFirstReads) => self.random.between(50, 300),
                },
            expires,
        });
        let cached = CachedRead { value: Some(value.to_owned()), until: now + self.cache_time.get() };
        self.cached_reads.borrow_mut().insert((location.to_owned(), key.to_owned()), cached);
        Ok(())
    }

    /// [`Store::delete_store`](vestibule_core::platform::Store::delete_store) in this location: like a write of nothing.
    pub async fn delete(&self, location: &str, key: &str) -> Result<(), StoreError> {
        self.answer_or_fail(&format!("delete {key}")).await?;
        let [_, _, write, _] = self.latency.get();
        self.clock.sleep(Duration::from_millis(write)).await;
        self.deletes.set(self.deletes.get() + 1);
        self.versions.borrow_mut().remove(key);
        self.cached_reads.borrow_mut().remove(&(location.to_owned(), key.to_owned()));
        Ok(())
    }

    /// The keys in KV that begin with this text.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let now = self.clock.now();
        let versions = self.versions.borrow();
        let is_there = |versions: &Vec<Version>| versions.iter().any(|version| now < version.expires);
        let keys = versions.iter().filter(|(key, versions)| key.starts_with(prefix) && is_there(versions));
        keys.map(|(key, _)| key.clone()).collect()
    }

    /// The newest value of a key, and in how many milliseconds it expires.
    pub fn value(&self, key: &str) -> Option<(String, u64)> {
        let versions = self.versions.borrow();
        let newest = versions.get(key)?.last()?;
        Some((newest.value.clone(), newest.expires.saturating_sub(self.clock.now())))
    }

    /// Removes what keys that begin with this text hold, as if it had been lost.
    pub fn loses(&self, prefix: &str) {
        self.versions.borrow_mut().retain(|key, _| !key.starts_with(prefix));
        self.cached_reads.borrow_mut().retain(|(_, key), _| !key.starts_with(prefix));
    }

    /// [`Lock::call_lock`](vestibule_core::platform::Lock::call_lock).
    pub async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.calls.set(self.calls.get() + 1);
        self.call_texts.borrow_mut().push(call.to_owned());
        self.answer_or_fail(call).await?;
        let [.., round_trip] = self.latency.get();
        self.clock.sleep(Duration::from_millis(round_trip / 2)).await;
        let answer = self.answer_of_lock(name, call).await?;
        self.clock.sleep(Duration::from_millis(round_trip / 2)).await;
        if self.loses_answers.get() > 0 {
            self.loses_answers.set(self.loses_answers.get() - 1);
            return Err(StoreError::Failed("the lock moved".to_owned()));
        }
        Ok(answer)
    }

    /// [`RateLimit::is_within_limit`](vestibule_core::platform::RateLimit::is_within_limit).
    pub fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        if self.limiters_fail.get() {
            return Err(StoreError::Failed("the limiter is down".to_owned()));
        }
        let max = match limit {
            Limit::Revoke => self.rate_limit.get(),
            Limit::Login => self.login_limits.get().map(|(tight, _)| tight),
            Limit::LoginLoose => self.login_limits.get().map(|(_, loose)| loose),
        };
        let Some(max) = max else { return Err(StoreError::Missing("rate limit")) };
        let mut uses = self.uses.borrow_mut();
        let count = uses.entry(format!("{limit:?} {key}")).or_insert(0);
        *count += 1;
        Ok(*count <= max)
    }

    /// The keys of all limits so far.
    pub fn limited_keys(&self) -> Vec<String> {
        self.uses.borrow().keys().cloned().collect()
    }

    /// The answer of a lock, at once or when the call has waited.
    async fn answer_of_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let now = || Timestamp::from_millis(self.clock.now());
        let caller = CallerGuard(Caller::default());
        self.with_lock(name, |lock| {
            // A runtime may tell which callers are gone; this one can.
            lock.waiting.remove(|caller| caller.borrow().is_gone);
            let answers = lock.waiting.receive(lock.record.as_deref(), call, Rc::clone(&caller.0), now());
            lock.settle(answers);
        });
        loop {
            if let Some(answer) = caller.0.borrow_mut().answer.take() {
                return answer;
            }
            let Some(wake_at) = self.with_lock(name, |lock| lock.waiting.wake_at()) else {
                return Err(StoreError::Failed("the lock forgot a call".to_owned()));
            };
            let mut timer = pin!(self.clock.sleep(wake_at.since(now())));
            poll_fn(|context| {
                let mut caller = caller.0.borrow_mut();
                caller.waker = Some(context.waker().clone());
                if caller.answer.is_some() { Poll::Ready(()) } else { timer.as_mut().poll(context) }
            })
            .await;
            self.with_lock(name, |lock| {
                lock.waiting.remove(|caller| caller.borrow().is_gone);
                let answers = lock.waiting.wake(lock.record.as_deref(), now());
                lock.settle(answers);
            });
        }
    }

    fn with_lock<T>(&self, name: &str, work: impl FnOnce(&mut FakeLock) -> T) -> T {
        work(self.locks.borrow_mut().entry(name.to_owned()).or_default())
    }

    /// Restarts every lock, as when a new version is deployed: the calls that wait fail.
    pub fn restarts_locks(&self) {
        for lock in self.locks.borrow_mut().values_mut() {
            lock.waiting.remove(|caller| {
                caller.borrow_mut().settle(Err(StoreError::Failed("the lock restarted".to_owned())));
                true
            });
        }
    }

    /// How many calls wait at locks.
    pub fn waiting_calls(&self) -> usize {
        self.locks.borrow().values().map(|lock| lock.waiting.len()).sum()
    }

    /// Fails, or never answers, if a test wants that.
    async fn answer_or_fail(&self, operation: &str) -> Result<(), StoreError> {
        if self.is_missing.get() && !operation.starts_with('{') {
            return Err(StoreError::Missing("binding named AUTH_KV"));
        }
        if self.hangs.get() {
            std::future::pending::<()>().await;
        }
        let (part, count) = self.fails.get();
        if count > 0 && operation.contains(part) {
            self.fails.set((part, count - 1));
            return Err(StoreError::Failed("the store stumbles".to_owned()));
        }
        if self.is_down.get() {
            return Err(StoreError::Failed("the store is down".to_owned()));
        }
        Ok(())
    }
}

/// The regional tier that a location reads through.
fn tier(location: &str) -> Option<&str> {
    location.split_once('/').map(|(tier, _)| tier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn store() -> (Rc<FakeClock>, FakeStore) {
        let clock = FakeClock::starting_at(0);
        (Rc::clone(&clock), FakeStore::new(clock, FakeRandom::new(1)))
    }

    #[test]
    fn a_write_is_visible_at_once_in_its_location_and_after_a_minute_everywhere() {
        let (clock, store) = store();
        clock.run(store.write("here", "key", "value", HOUR)).unwrap();
        let read = |location| clock.run(store.read(location, "key")).unwrap();
        assert_eq!(read("here").as_deref(), Some("value"));
        clock.pass(Duration::from_mins(1));
        assert_eq!(read("there").as_deref(), Some("value"));
        clock.pass(HOUR);
        assert_eq!((read("here"), read("there")), (None, None));
    }

    #[test]
    fn a_read_that_found_nothing_is_cached_for_a_minute() {
        let (clock, store) = store();
        assert_eq!(clock.run(store.read("there", "key")), Ok(None));
        clock.run(store.write("here", "key", "value", HOUR)).unwrap();
        clock.pass(Duration::from_secs(50));
        assert_eq!(clock.run(store.read("there", "key")), Ok(None));
        clock.pass(Duration::from_mins(1));
        assert_eq!(clock.run(store.read("there", "key")), Ok(Some("value".to_owned())));
    }

    #[test]
    fn with_fresh_first_reads_a_location_sees_a_write_unless_it_or_its_tier_has_read_the_key() {
        let (clock, store) = store();
        store.reading.set(KvReading::FreshFirstReads);
        let read = |location| clock.run(store.read(location, "key")).unwrap();
        assert_eq!(read("west/one"), None);
        clock.run(store.write("here", "key", "value", HOUR)).unwrap();
        assert_eq!(read("here").as_deref(), Some("value"), "its own location at once");
        clock.pass(Duration::from_millis(300));
        assert_eq!(
            (read("there").as_deref(), read("west/one"), read("west/two")),
            (Some("value"), None, None)
        );
        clock.run(store.write("west/two", "key", "newer", HOUR)).unwrap();
        assert_eq!((read("west/one"), read("west/two").as_deref()), (None, Some("newer")));
        clock.pass(Duration::from_mins(2));
        assert_eq!((read("west/one").as_deref(), read("there").as_deref()), (Some("newer"), Some("newer")));
    }

    #[test]
    fn a_second_write_of_a_key_within_a_second_is_refused() {
        let (clock, store) = store();
        let write = |key| clock.run(store.write("here", key, "value", HOUR));
        assert_eq!((write("key"), write("key"), write("other")), (Ok(()), Err(StoreError::Busy), Ok(())));
        clock.pass(Duration::from_secs(1));
        assert_eq!(write("key"), Ok(()));
    }

    #[test]
    fn a_test_can_make_chosen_operations_fail() {
        let (clock, store) = store();
        store.fails.set(("read key", 1));
        assert_eq!(clock.run(store.read("here", "other")), Ok(None));
        assert!(clock.run(store.read("here", "key")).is_err());
        assert_eq!(clock.run(store.read("here", "key")), Ok(None));
        store.is_down.set(true);
        assert!(clock.run(store.write("here", "key", "value", HOUR)).is_err());
    }
}
