//! The shared store and the locks, with the weaknesses of Workers KV and Durable Objects.
//!
//! KV: a write is visible at once in its own location, and up to a minute later elsewhere. A location caches each read
//! for a minute, also a read that found nothing. A key can be written once a second. A lock is what [`lock::serve`]
//! makes of its state, one call at a time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use vestibule_core::lease::lock;
use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;

use crate::clock::FakeClock;
use crate::random::FakeRandom;

const MINUTE: u64 = 60_000;

/// The store and the locks that all processes share.
pub struct FakeStore {
    clock: Rc<FakeClock>,
    random: FakeRandom,
    versions: RefCell<BTreeMap<String, Vec<Version>>>,
    cached_reads: RefCell<BTreeMap<(String, String), CachedRead>>,
    locks: RefCell<BTreeMap<String, String>>,
    /// Successful writes so far.
    pub writes: Cell<u64>,
    /// Reads so far.
    pub reads: Cell<u64>,
    /// Calls to locks so far.
    pub calls: Cell<u64>,
    /// Whether every operation fails.
    pub is_down: Cell<bool>,
    /// Whether no operation ever answers.
    pub hangs: Cell<bool>,
    /// How many operations fail before they have an effect: the next ones whose name or call contains this text.
    pub fails: Cell<(&'static str, u32)>,
    /// How many calls to locks fail after they had their effect.
    pub loses_answers: Cell<u32>,
    /// Whether a second write of a key within a second is refused.
    pub limits_writes: Cell<bool>,
    /// How long a cached read, an uncached read, a write and a call to a lock take, in milliseconds.
    pub latency: Cell<[u64; 4]>,
}

struct Version {
    value: String,
    location: String,
    written: u64,
    seen_elsewhere: u64,
    expires: u64,
}

struct CachedRead {
    value: Option<String>,
    until: u64,
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
            reads: Cell::new(0),
            calls: Cell::new(0),
            is_down: Cell::new(false),
            hangs: Cell::new(false),
            fails: Cell::new(("", 0)),
            loses_answers: Cell::new(0),
            limits_writes: Cell::new(true),
            latency: Cell::new([2, 30, 40, 40]),
        }
    }

    /// Every value that was ever written, and the state of every lock.
    pub fn contents(&self) -> Vec<String> {
        let versions = self.versions.borrow();
        let written = versions.values().flatten().map(|version| version.value.clone());
        written.chain(self.locks.borrow().values().cloned()).collect()
    }

    /// Corrupts all stored tokens, as if they were sealed with another secret.
    pub fn forgets_its_secret(&self) {
        let corrupt = |text: &mut String| *text = text.replace("eyJ", "eyK");
        self.locks.borrow_mut().values_mut().for_each(corrupt);
        self.versions.borrow_mut().values_mut().flatten().for_each(|version| corrupt(&mut version.value));
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
        self.reads.set(self.reads.get() + 1);
        self.answer_or_fail(&format!("read {key}")).await?;
        let place = (location.to_owned(), key.to_owned());
        let cached_read = |now| {
            let cached = self.cached_reads.borrow();
            cached.get(&place).filter(|read| now < read.until).map(|read| read.value.clone())
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
        let visible = versions.get(key).into_iter().flatten().rev().find(|version| {
            now < version.expires && (version.location == location || version.seen_elsewhere <= now)
        });
        let value = visible.map(|version| version.value.clone());
        let cached = CachedRead { value: value.clone(), until: now + MINUTE };
        self.cached_reads.borrow_mut().insert(place, cached);
        Ok(value)
    }

    /// [`Store::read_store_many`](vestibule_core::platform::Store::read_store_many) in this location. It takes as long as
    /// the slowest read, and counts as one read for each key.
    pub async fn read_many(&self, location: &str, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let mut reads: Vec<_> = keys.iter().map(|key| Box::pin(self.read(location, key))).collect();
        let mut values: Vec<Option<Result<Option<String>, StoreError>>> = vec![None; reads.len()];
        std::future::poll_fn(|context| {
            for (read, value) in reads.iter_mut().zip(&mut values) {
                if value.is_none()
                    && let std::task::Poll::Ready(result) = read.as_mut().poll(context)
                {
                    *value = Some(result);
                }
            }
            if values.iter().all(Option::is_some) {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
        values.into_iter().flatten().collect()
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
        let is_too_soon = |version: &Version| version.location == location && now < version.written + 1000;
        if self.limits_writes.get() && versions.iter().any(is_too_soon) {
            return Err(StoreError::Busy);
        }
        self.writes.set(self.writes.get() + 1);
        let expires = now + u64::try_from(lifetime.as_millis()).unwrap();
        versions.push(Version {
            value: value.to_owned(),
            location: location.to_owned(),
            written: now,
            seen_elsewhere: now + self.random.below(MINUTE),
            expires,
        });
        let cached = CachedRead { value: Some(value.to_owned()), until: now + MINUTE };
        self.cached_reads.borrow_mut().insert((location.to_owned(), key.to_owned()), cached);
        Ok(())
    }

    /// [`Lock::call_lock`](vestibule_core::platform::Lock::call_lock).
    pub async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.calls.set(self.calls.get() + 1);
        self.answer_or_fail(call).await?;
        let [.., round_trip] = self.latency.get();
        self.clock.sleep(Duration::from_millis(round_trip / 2)).await;
        let answer = {
            let mut locks = self.locks.borrow_mut();
            let now = Timestamp::from_millis(self.clock.now());
            let served = lock::serve(locks.get(name).map(String::as_str), call, now);
            let served = served.map_err(|error| StoreError::Failed(error.to_string()))?;
            if let Some((remember, _)) = served.remember {
                locks.insert(name.to_owned(), remember);
            }
            served.answer
        };
        self.clock.sleep(Duration::from_millis(round_trip / 2)).await;
        if self.loses_answers.get() > 0 {
            self.loses_answers.set(self.loses_answers.get() - 1);
            return Err(StoreError::Failed("the lock moved".to_owned()));
        }
        Ok(answer)
    }

    /// Fails, or never answers, if a test wants that.
    async fn answer_or_fail(&self, operation: &str) -> Result<(), StoreError> {
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
