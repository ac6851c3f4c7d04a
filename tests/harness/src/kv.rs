//! A KV namespace in the test process. A test can switch on the weaknesses of the real service: delays, caches, faults.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::watched::Watched;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvFault {
    /// The service answers with this status, for example 429 or 500.
    Status(u16),
    /// The service does not answer.
    Hang,
    /// The connection is closed without a response.
    Close,
}

/// The number of operations that the Worker has requested, including failed ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvCounts {
    /// Keys that were read.
    pub reads: usize,
    /// Calls of `put`.
    pub writes: usize,
    /// Calls of `delete`.
    pub deletes: usize,
    /// Calls of `list`.
    pub lists: usize,
}

/// The test's handle to one namespace. Clones refer to the same namespace.
///
/// The test's own operations take effect immediately and are not counted. The namespace's clock runs like the real clock.
/// [`advance`](Kv::advance) moves it forward, so that a test does not have to wait for a delay or an expiry.
#[derive(Clone, Default)]
pub struct Kv {
    state: Arc<Watched<State>>,
}

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv").field("keys", &self.keys()).field("counts", &self.counts()).finish()
    }
}

impl Kv {
    /// The last value written to a key, even if the Worker cannot see it yet.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        state.newest(key).map(|entry| entry.value.clone())
    }

    /// The value as text; invalid UTF-8 becomes U+FFFD.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// The time until the key expires; `None` if it does not exist or does not expire.
    pub fn time_to_live(&self, key: &str) -> Option<Duration> {
        let state = self.state.lock();
        let expires = state.newest(key)?.expires?;
        Some(expires.saturating_sub(state.now()))
    }

    /// All keys that have not expired, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state.lock().keys()
    }

    /// Writes a value that is visible immediately and does not expire.
    pub fn put(&self, key: &str, value: impl Into<Vec<u8>>) {
        let mut state = self.state.lock();
        let entry = Entry { value: value.into(), expires: None, metadata: None };
        state.replace(key, Some(entry));
    }

    /// Deletes a key; the deletion is visible immediately.
    pub fn delete(&self, key: &str) {
        self.state.lock().replace(key, None);
    }

    /// The Worker's operations since the start or the last [`reset_counts`](Kv::reset_counts).
    pub fn counts(&self) -> KvCounts {
        self.state.lock().counts
    }

    /// Sets all counts to zero.
    pub fn reset_counts(&self) {
        self.state.lock().counts = KvCounts::default();
    }

    /// Calls `found` after each operation of the Worker until it returns `Some`, and gives that value. For operations
    /// after the Worker's response.
    ///
    /// # Panics
    /// If `found` does not return `Some` within `timeout`.
    pub fn wait_until<T>(&self, timeout: Duration, mut found: impl FnMut(&KvView<'_>) -> Option<T>) -> T {
        let waited = self.state.wait_until(timeout, |state| found(&KvView { state }));
        waited.unwrap_or_else(|| panic!("the condition was not met within {timeout:?}: {self:?}"))
    }

    /// From now on a write of the Worker becomes visible only after this time, as in another location.
    pub fn lag_writes(&self, by: Duration) {
        self.state.lock().lag = by;
    }

    /// From now on reads are cached like in a location of the real service (60 s in production): a value for the time
    /// `found`, and a missing key for the time `missed`.
    pub fn cache_reads(&self, found: Duration, missed: Duration) {
        let mut state = self.state.lock();
        state.cache_times = (found, missed);
        state.cached.clear();
    }

    /// From now on each location ([`HarnessBuilder::isolates`](crate::HarnessBuilder::isolates)) sees its own writes
    /// immediately, and those of other locations ([`lag_writes`](Kv::lag_writes) later) unless it has read the key before:
    /// then what it read counts for this time, also that there was nothing (60 s in production).
    pub fn remember_reads(&self, time: Duration) {
        self.cache_reads(time, time);
        self.state.lock().caches_own_writes = true;
    }

    /// From now on the locations ([`HarnessBuilder::isolates`](crate::HarnessBuilder::isolates)) are partitioned: each sees
    /// its own writes immediately, and no writes of other locations. It also caches everything that it has read, including
    /// missing keys. This is the worst behaviour that the real service may have.
    pub fn partition_locations(&self) {
        self.state.lock().partitioned = true;
    }

    /// Ends the partition: every location sees all writes.
    pub fn join_locations(&self) {
        self.state.change(|state| {
            state.partitioned = false;
            state.cached.clear();
            let now = state.now();
            for version in state.entries.values_mut().flatten() {
                version.from = version.from.min(now);
            }
        });
    }

    /// From now on a second write to a key within this time is rejected with 429 (1 s in production).
    pub fn limit_writes(&self, per: Duration) {
        self.state.lock().write_interval = per;
    }

    /// The next `count` reads fail. Replaces an earlier call.
    pub fn fail_reads(&self, count: usize, fault: KvFault) {
        self.state.lock().read_faults = (count, fault);
    }

    /// The next `count` writes and deletes fail without an effect. Replaces an earlier call.
    pub fn fail_writes(&self, count: usize, fault: KvFault) {
        self.state.lock().write_faults = (count, fault);
    }

    /// Moves the namespace's clock forward.
    pub fn advance(&self, by: Duration) {
        self.state.lock().advanced += by;
    }

    /// The namespace as seen in a location.
    pub(crate) fn at(&self, location: &str) -> At<'_> {
        At { kv: self, location: location.to_owned() }
    }
}

/// A namespace as seen in one location.
pub(crate) struct At<'a> {
    kv: &'a Kv,
    location: String,
}

impl At<'_> {
    pub(crate) fn read(&self, key: &str) -> Result<Option<Entry>, KvFault> {
        self.kv.state.change(|state| {
            state.counts.reads += 1;
            take(&mut state.read_faults)?;
            Ok(state.read(&self.location, key))
        })
    }

    pub(crate) fn write(&self, key: &str, value: Option<NewValue>) -> Result<(), KvFault> {
        self.kv.state.change(|state| {
            if value.is_some() {
                state.counts.writes += 1;
            } else {
                state.counts.deletes += 1;
            }
            take(&mut state.write_faults)?;
            state.write(&self.location, key, value)
        })
    }

    /// The visible keys after `after` that begin with `prefix`, and whether the list is complete.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Listed>, bool), KvFault> {
        let mut state = self.kv.state.lock();
        state.counts.lists += 1;
        take(&mut state.read_faults)?;
        let now = state.now();
        let names = state.entries.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after);
        let mut found: Vec<Listed> = names
            .filter_map(|key| {
                let entry = state.visible(&self.location, key)?;
                let left = entry.expires.map(|expires| expires.saturating_sub(now));
                Some((key.clone(), left, entry.metadata.clone()))
            })
            .take(limit + 1)
            .collect();
        let complete = found.len() <= limit;
        found.truncate(limit);
        Ok((found, complete))
    }
}

/// The content of a namespace at one moment.
pub struct KvView<'a> {
    state: &'a State,
}

impl KvView<'_> {
    /// The value of a key as text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.state.newest(key).map(|entry| String::from_utf8_lossy(&entry.value).into_owned())
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state.keys()
    }

    /// The Worker's operations so far.
    pub fn counts(&self) -> KvCounts {
        self.state.counts
    }
}

/// Value, time to live, metadata.
pub(crate) type NewValue = (Vec<u8>, Option<Duration>, Option<Value>);
/// Key, time to live, metadata.
pub(crate) type Listed = (String, Option<Duration>, Option<Value>);

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) metadata: Option<Value>,
    /// The time on the namespace's clock.
    expires: Option<Duration>,
}

struct State {
    started: Instant,
    advanced: Duration,
    /// All versions of each key.
    entries: BTreeMap<String, Vec<Version>>,
    /// The time of the last write, by location and key.
    written: BTreeMap<(String, String), Duration>,
    /// The read caches, by location and key: the time until which an entry is cached, and the entry.
    cached: BTreeMap<(String, String), (Duration, Option<Entry>)>,
    /// Whether the locations do not see each other's writes.
    partitioned: bool,
    cache_times: (Duration, Duration),
    /// Whether a location sees its own writes in its cache.
    caches_own_writes: bool,
    lag: Duration,
    write_interval: Duration,
    read_faults: (usize, KvFault),
    write_faults: (usize, KvFault),
    counts: KvCounts,
}

struct Version {
    /// The location of the write, and the time from which other locations see it.
    location: String,
    from: Duration,
    /// `None` for a deletion.
    entry: Option<Entry>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            advanced: Duration::ZERO,
            entries: BTreeMap::new(),
            written: BTreeMap::new(),
            cached: BTreeMap::new(),
            partitioned: false,
            cache_times: (Duration::ZERO, Duration::ZERO),
            caches_own_writes: false,
            lag: Duration::ZERO,
            write_interval: Duration::ZERO,
            read_faults: (0, KvFault::Close),
            write_faults: (0, KvFault::Close),
            counts: KvCounts::default(),
        }
    }
}

impl State {
    fn now(&self) -> Duration {
        self.started.elapsed() + self.advanced
    }

    fn keys(&self) -> Vec<String> {
        self.entries.keys().filter(|key| self.newest(key).is_some()).cloned().collect()
    }

    fn newest(&self, key: &str) -> Option<&Entry> {
        self.alive(self.entries.get(key)?.last()?.entry.as_ref())
    }

    fn visible(&self, location: &str, key: &str) -> Option<&Entry> {
        let now = self.now();
        let is_seen = |version: &&Version| {
            version.from <= now || (version.from == Duration::MAX && version.location == location)
        };
        self.alive(self.entries.get(key)?.iter().rev().find(is_seen)?.entry.as_ref())
    }

    fn alive<'a>(&self, entry: Option<&'a Entry>) -> Option<&'a Entry> {
        entry.filter(|entry| entry.expires.is_none_or(|expires| expires > self.now()))
    }

    fn read(&mut self, location: &str, key: &str) -> Option<Entry> {
        let now = self.now();
        let place = (location.to_owned(), key.to_owned());
        if let Some((_, entry)) = self.cached.get(&place).filter(|(until, _)| *until > now) {
            return entry.clone();
        }
        let found = self.visible(location, key).cloned();
        let (hit, miss) = if self.partitioned { (Duration::MAX, Duration::MAX) } else { self.cache_times };
        let until = now.saturating_add(if found.is_some() { hit } else { miss });
        self.cached.insert(place, (until, found.clone()));
        found
    }

    fn write(&mut self, location: &str, key: &str, value: Option<NewValue>) -> Result<(), KvFault> {
        let now = self.now();
        // Partitioned locations do not count each other's writes.
        let counter = if self.partitioned { location } else { "" };
        let counter = (counter.to_owned(), key.to_owned());
        if self.written.get(&counter).is_some_and(|last| now.saturating_sub(*last) < self.write_interval) {
            return Err(KvFault::Status(429));
        }
        self.written.insert(counter, now);
        let entry =
            value.map(|(value, ttl, metadata)| Entry { value, expires: ttl.map(|ttl| now + ttl), metadata });
        let mut from = now + self.lag;
        if self.partitioned {
            from = Duration::MAX;
            self.cached.insert((location.to_owned(), key.to_owned()), (from, entry.clone()));
        } else if self.caches_own_writes {
            let until = now + self.cache_times.0;
            self.cached.insert((location.to_owned(), key.to_owned()), (until, entry.clone()));
        }
        let version = Version { location: location.to_owned(), from, entry };
        self.entries.entry(key.to_owned()).or_default().push(version);
        Ok(())
    }

    fn replace(&mut self, key: &str, entry: Option<Entry>) {
        let version = Version { location: String::new(), from: Duration::ZERO, entry };
        self.entries.insert(key.to_owned(), vec![version]);
        self.cached.retain(|(_, cached), _| cached != key);
    }
}

fn take(faults: &mut (usize, KvFault)) -> Result<(), KvFault> {
    if faults.0 == 0 {
        return Ok(());
    }
    faults.0 -= 1;
    Err(faults.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn write(kv: &Kv, value: &str) -> Result<(), KvFault> {
        kv.at("").write("k", Some((value.into(), None, None)))
    }

    fn read(kv: &Kv) -> Option<String> {
        kv.at("").read("k").unwrap().map(|entry| String::from_utf8(entry.value).unwrap())
    }

    #[test]
    fn a_delayed_write_becomes_visible_after_its_delay_and_the_old_value_is_visible_until_then() {
        let kv = Kv::default();
        kv.put("k", "old");
        kv.lag_writes(HOUR);
        write(&kv, "new").unwrap();
        assert_eq!(read(&kv).as_deref(), Some("old"));
        assert_eq!(kv.text("k").as_deref(), Some("new"));
        kv.advance(HOUR);
        assert_eq!(read(&kv).as_deref(), Some("new"));
    }

    #[test]
    fn a_cached_miss_hides_a_later_write() {
        let kv = Kv::default();
        kv.cache_reads(Duration::ZERO, HOUR);
        assert_eq!(read(&kv), None);
        write(&kv, "v").unwrap();
        assert_eq!(read(&kv), None);
        kv.advance(HOUR);
        assert_eq!(read(&kv).as_deref(), Some("v"));
    }

    #[test]
    fn an_entry_expires_on_the_namespaces_clock() {
        let kv = Kv::default();
        kv.at("").write("k", Some((b"v".to_vec(), Some(HOUR), None))).unwrap();
        assert!(kv.time_to_live("k").unwrap() > HOUR / 2);
        kv.advance(HOUR);
        assert_eq!((read(&kv), kv.get("k"), kv.keys().len()), (None, None, 0));
    }

    #[test]
    fn faults_are_counted_down_and_change_nothing() {
        let kv = Kv::default();
        kv.fail_writes(1, KvFault::Status(500));
        assert_eq!(write(&kv, "v"), Err(KvFault::Status(500)));
        assert_eq!(read(&kv), None);
        assert_eq!(write(&kv, "v"), Ok(()));
        assert_eq!(kv.counts(), KvCounts { reads: 1, writes: 2, ..KvCounts::default() });
    }

    #[test]
    fn a_second_write_within_the_interval_is_rejected() {
        let kv = Kv::default();
        kv.limit_writes(HOUR);
        assert_eq!(write(&kv, "a"), Ok(()));
        assert_eq!(write(&kv, "b"), Err(KvFault::Status(429)));
        kv.advance(HOUR);
        assert_eq!(write(&kv, "c"), Ok(()));
    }

    #[test]
    fn a_location_that_remembers_reads_sees_a_first_read_and_its_own_writes() {
        let kv = Kv::default();
        kv.remember_reads(HOUR);
        kv.lag_writes(HOUR / 4);
        let write = |location, value: &str| kv.at(location).write("k", Some((value.into(), None, None)));
        let read = |location| {
            kv.at(location).read("k").unwrap().map(|entry| String::from_utf8(entry.value).unwrap())
        };
        assert_eq!((read("here"), read("there")), (None, None));
        write("here", "a").unwrap();
        assert_eq!((read("here").as_deref(), read("there")), (Some("a"), None));
        kv.advance(HOUR / 2);
        assert_eq!((read("there"), read("elsewhere").as_deref()), (None, Some("a")));
        kv.advance(HOUR);
        assert_eq!(read("there").as_deref(), Some("a"));
    }

    #[test]
    fn partitioned_locations_see_only_their_own_writes_and_cache_their_reads() {
        let kv = Kv::default();
        let write = |location, value: &str| kv.at(location).write("k", Some((value.into(), None, None)));
        let read = |location| {
            kv.at(location).read("k").unwrap().map(|entry| String::from_utf8(entry.value).unwrap())
        };
        kv.put("k", "before");
        kv.limit_writes(HOUR);
        kv.partition_locations();
        assert_eq!(read("here").as_deref(), Some("before"));
        write("here", "a").unwrap();
        assert_eq!((read("here").as_deref(), read("there").as_deref()), (Some("a"), Some("before")));
        assert_eq!(write("here", "b"), Err(KvFault::Status(429)));
        write("there", "c").unwrap();
        kv.advance(HOUR);
        assert_eq!((read("here").as_deref(), read("there").as_deref()), (Some("a"), Some("c")));
        kv.join_locations();
        assert_eq!((read("here").as_deref(), read("there").as_deref()), (Some("c"), Some("c")));
    }
}
