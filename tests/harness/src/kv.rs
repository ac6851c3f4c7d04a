//! A KV namespace in the test process, with the real one's weaknesses at the test's command.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::watched::Watched;

/// How an operation fails instead of being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvFault {
    /// The service answers with this status, 429 or 500, say.
    Status(u16),
    /// No answer comes.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// How many operations the Worker has asked for, failed ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvCounts {
    /// Keys read.
    pub reads: usize,
    /// `put`.
    pub writes: usize,
    /// `delete`.
    pub deletes: usize,
    /// `list`.
    pub lists: usize,
}

/// A handle to one namespace: the test's view of what the Worker stores. Clones are the same namespace.
///
/// The test's own operations act at once and are not counted. Time in it runs with the real clock, and leaps with
/// [`advance`](Kv::advance), so that a test can wait out a lag or an expiry without waiting.
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
    /// The value of a key as it is written (whether or not the Worker can see it yet).
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        state.newest(key).map(|entry| entry.value.clone())
    }

    /// The value as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// The time until the key expires; `None` where it is missing or does not.
    pub fn time_to_live(&self, key: &str) -> Option<Duration> {
        let state = self.state.lock();
        let expires = state.newest(key)?.expires?;
        Some(expires.saturating_sub(state.now()))
    }

    /// Every key that is written and not expired, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state.lock().keys()
    }

    /// Writes a value that is visible at once and does not expire.
    pub fn put(&self, key: &str, value: impl Into<Vec<u8>>) {
        let mut state = self.state.lock();
        let entry = Entry { value: value.into(), expires: None, metadata: None };
        state.replace(key, Some(entry));
    }

    /// Deletes a key, visibly at once.
    pub fn delete(&self, key: &str) {
        self.state.lock().replace(key, None);
    }

    /// What the Worker has asked for since the start or the last [`reset_counts`](Kv::reset_counts).
    pub fn counts(&self) -> KvCounts {
        self.state.lock().counts
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        self.state.lock().counts = KvCounts::default();
    }

    /// What `found` makes of the namespace, asked after each operation of the Worker, as soon as it is something: for
    /// what a Worker does after its response.
    ///
    /// # Panics
    /// When it is nothing within `timeout`.
    pub fn wait_until<T>(&self, timeout: Duration, mut found: impl FnMut(&KvView<'_>) -> Option<T>) -> T {
        let waited = self.state.wait_until(timeout, |state| found(&KvView { state }));
        waited.unwrap_or_else(|| panic!("not within {timeout:?}: {self:?}"))
    }

    /// From now on a write of the Worker becomes visible to its reads only after this time, as at another location.
    pub fn lag_writes(&self, by: Duration) {
        self.state.lock().lag = by;
    }

    /// From now on a read is answered for this long from what it found first, a miss included, as by the cache of a
    /// location (60 s in production).
    pub fn remember_reads(&self, found: Duration, missed: Duration) {
        let mut state = self.state.lock();
        state.remember = (found, missed);
        state.remembered.clear();
    }

    /// From now on every location ([`HarnessBuilder::isolates`](crate::HarnessBuilder::isolates)) is by itself: it sees
    /// what was written there at once, and nothing that is written elsewhere; and it remembers what it has read, a
    /// miss included. The worst that the real one may do, for as long as the test likes.
    pub fn part_locations(&self) {
        self.state.lock().parted = true;
    }

    /// From now on every location sees everything.
    pub fn join_locations(&self) {
        self.state.change(|state| {
            state.parted = false;
            state.remembered.clear();
            let now = state.now();
            for version in state.entries.values_mut().flatten() {
                version.from = version.from.min(now);
            }
        });
    }

    /// From now on a second write to a key within this time is refused with 429 (1 s in production).
    pub fn limit_writes(&self, per: Duration) {
        self.state.lock().write_interval = per;
    }

    /// The next `count` reads fail; earlier orders for reads are replaced.
    pub fn fail_reads(&self, count: usize, fault: KvFault) {
        self.state.lock().read_faults = (count, fault);
    }

    /// The next `count` writes and deletes fail and change nothing; earlier orders for writes are replaced.
    pub fn fail_writes(&self, count: usize, fault: KvFault) {
        self.state.lock().write_faults = (count, fault);
    }

    /// Moves the namespace's clock forward.
    pub fn advance(&self, by: Duration) {
        self.state.lock().leaped += by;
    }

    /// The namespace as that location sees it.
    pub(crate) fn at(&self, location: &str) -> At<'_> {
        At { kv: self, location: location.to_owned() }
    }
}

/// A namespace as one location sees it.
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

    pub(crate) fn write(&self, key: &str, value: Option<Value3>) -> Result<(), KvFault> {
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

    /// Visible keys after `after` that begin with `prefix`, and whether these are all.
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

/// A namespace at one moment, as it is written.
pub struct KvView<'a> {
    state: &'a State,
}

impl KvView<'_> {
    /// The value of a key as text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.state.newest(key).map(|entry| String::from_utf8_lossy(&entry.value).into_owned())
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state.keys()
    }

    /// What the Worker has asked for.
    pub fn counts(&self) -> KvCounts {
        self.state.counts
    }
}

/// Value, time to live, metadata.
pub(crate) type Value3 = (Vec<u8>, Option<Duration>, Option<Value>);
/// Key, time to live, metadata.
pub(crate) type Listed = (String, Option<Duration>, Option<Value>);

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) metadata: Option<Value>,
    /// On the namespace's clock.
    expires: Option<Duration>,
}

struct State {
    started: Instant,
    leaped: Duration,
    /// Every version of a key.
    entries: BTreeMap<String, Vec<Version>>,
    /// By location and key, as what is remembered.
    written: BTreeMap<(String, String), Duration>,
    remembered: BTreeMap<(String, String), (Duration, Option<Entry>)>,
    /// Whether locations see nothing of each other.
    parted: bool,
    remember: (Duration, Duration),
    lag: Duration,
    write_interval: Duration,
    read_faults: (usize, KvFault),
    write_faults: (usize, KvFault),
    counts: KvCounts,
}

struct Version {
    /// Where it was made, and from when on others see it.
    location: String,
    from: Duration,
    /// `None` is a deletion.
    entry: Option<Entry>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            leaped: Duration::ZERO,
            entries: BTreeMap::new(),
            written: BTreeMap::new(),
            remembered: BTreeMap::new(),
            parted: false,
            remember: (Duration::ZERO, Duration::ZERO),
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
        self.started.elapsed() + self.leaped
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
        if let Some((_, entry)) = self.remembered.get(&place).filter(|(until, _)| *until > now) {
            return entry.clone();
        }
        let found = self.visible(location, key).cloned();
        let (hit, miss) = if self.parted { (Duration::MAX, Duration::MAX) } else { self.remember };
        let until = now.saturating_add(if found.is_some() { hit } else { miss });
        self.remembered.insert(place, (until, found.clone()));
        found
    }

    fn write(&mut self, location: &str, key: &str, value: Option<Value3>) -> Result<(), KvFault> {
        let now = self.now();
        // Whoever counts the writes of one location does not know those of another.
        let counter = if self.parted { location } else { "" };
        let counter = (counter.to_owned(), key.to_owned());
        if self.written.get(&counter).is_some_and(|last| now.saturating_sub(*last) < self.write_interval) {
            return Err(KvFault::Status(429));
        }
        self.written.insert(counter, now);
        let entry =
            value.map(|(value, ttl, metadata)| Entry { value, expires: ttl.map(|ttl| now + ttl), metadata });
        let mut from = now + self.lag;
        if self.parted {
            from = Duration::MAX;
            self.remembered.insert((location.to_owned(), key.to_owned()), (from, entry.clone()));
        }
        let version = Version { location: location.to_owned(), from, entry };
        self.entries.entry(key.to_owned()).or_default().push(version);
        Ok(())
    }

    fn replace(&mut self, key: &str, entry: Option<Entry>) {
        let version = Version { location: String::new(), from: Duration::ZERO, entry };
        self.entries.insert(key.to_owned(), vec![version]);
        self.remembered.retain(|(_, remembered), _| remembered != key);
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
    fn a_lagging_write_is_seen_after_its_time_and_the_old_value_until_then() {
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
    fn a_remembered_miss_hides_a_later_write() {
        let kv = Kv::default();
        kv.remember_reads(Duration::ZERO, HOUR);
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
    fn a_second_write_within_the_interval_is_refused() {
        let kv = Kv::default();
        kv.limit_writes(HOUR);
        assert_eq!(write(&kv, "a"), Ok(()));
        assert_eq!(write(&kv, "b"), Err(KvFault::Status(429)));
        kv.advance(HOUR);
        assert_eq!(write(&kv, "c"), Ok(()));
    }

    #[test]
    fn parted_locations_see_only_their_own_writes_and_remember_what_they_read() {
        let kv = Kv::default();
        let write = |location, value: &str| kv.at(location).write("k", Some((value.into(), None, None)));
        let read = |location| {
            kv.at(location).read("k").unwrap().map(|entry| String::from_utf8(entry.value).unwrap())
        };
        kv.put("k", "before");
        kv.limit_writes(HOUR);
        kv.part_locations();
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
