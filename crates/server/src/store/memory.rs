//! The store of one process, which all its threads share.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::counts::Counts;
use super::journal::{Entry, Journal};
use crate::clock;
use vestibule_core::lease::lock::{Answers, WaitingCalls};
use vestibule_core::platform::{Limit, StoreError};
use vestibule_core::time::Timestamp;
use vestibule_redis::limit;

/// The number of values or locks at which expired ones are first looked for.
const SWEEP_AT: usize = 1024;

/// Values, locks and counts in memory. Revocations are also in the journal, if there is one.
#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
    journal: Option<Journal>,
}

#[derive(Default)]
struct State {
    values: Expiring<String>,
    locks: Expiring<Lock>,
    counts: Counts,
}

/// A lock: its record, and the calls that wait at it.
#[derive(Default)]
struct Lock {
    record: Option<String>,
    waiting: WaitingCalls<Caller>,
}

/// What a caller gets its answer by.
type Caller = oneshot::Sender<Result<String, StoreError>>;

impl Memory {
    /// An empty store, or with what the journal kept.
    pub(crate) fn new(journal: Option<(Journal, Vec<Entry>)>) -> Self {
        let Some((journal, entries)) = journal else { return Self::default() };
        let mut state = State::default();
        for Entry { name, record, until } in entries {
            let lock = state.locks.get_or_insert(&name, clock::now());
            lock.value.record = Some(record);
            lock.until = until;
        }
        Self { state: Mutex::new(state), journal: Some(journal) }
    }

    /// The values of these keys.
    pub(crate) fn read(&self, keys: &[&str]) -> Vec<Option<String>> {
        let (state, now) = (self.state(), clock::now());
        keys.iter().map(|key| state.values.get(key, now).cloned()).collect()
    }

    /// Writes a value.
    pub(crate) fn write(&self, key: &str, value: &str, lifetime: Duration) {
        let now = clock::now();
        let mut state = self.state();
        let entry = state.values.get_or_insert(key, now);
        value.clone_into(&mut entry.value);
        entry.until = now.plus(lifetime);
    }

    /// Deletes a value.
    pub(crate) fn delete(&self, key: &str) {
        self.state().values.entries.remove(key);
    }

    /// Counts one more use by `key`, and says whether it is within this limit.
    pub(crate) fn is_within_limit(&self, of: Limit, key: &str) -> bool {
        let (name, max) = limit(of);
        self.state().counts.count(&format!("{name}/{key}"), max, clock::now())
    }

    /// Calls the lock of this name, and waits for its answer.
    pub(crate) async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let (caller, mut answer) = oneshot::channel();
        self.serve(name, is_revocation(call), |lock, now| {
            lock.waiting.receive(lock.record.as_deref(), call, caller, now)
        })
        .await?;
        loop {
            let wake_at = {
                let state = self.state();
                state.locks.entries.get(name).and_then(|lock| lock.value.waiting.wake_at())
            };
            let now = clock::now();
            let wait = wake_at.map_or(Duration::ZERO, |at| at.since(now));
            tokio::select! {
                biased;
                answer = &mut answer => {
                    return answer.unwrap_or_else(|_| Err(StoreError::Failed("the lock has ended".to_owned())));
                }
                () = tokio::time::sleep(wait) => {
                    self.serve(name, false, |lock, now| lock.waiting.wake(lock.record.as_deref(), now)).await?;
                }
            }
        }
    }

    /// Lets a lock do something, stores its new record, and then gives the answers.
    async fn serve(
        &self,
        name: &str,
        is_revocation: bool,
        work: impl FnOnce(&mut Lock, Timestamp) -> Answers<Caller>,
    ) -> Result<(), StoreError> {
        let (answers, written) = {
            let now = clock::now();
            let mut state = self.state();
            let entry = state.locks.get_or_insert(name, now);
            entry.value.waiting.remove(Caller::is_closed);
            let answers = work(&mut entry.value, now);
            let mut written = None;
            if let Some((record, until)) = &answers.remember {
                if let Some(journal) = self.journal.as_ref().filter(|_| is_revocation) {
                    // In the order in which the records replace each other, so while no other call is served.
                    let (name, record) = (name.to_owned(), record.clone());
                    written = Some(journal.append(Entry { name, record, until: *until }));
                }
                entry.value.record = Some(record.clone());
                entry.until = *until;
            } else if entry.value.record.is_none() && entry.value.waiting.is_empty() {
                state.locks.entries.remove(name);
            }
            (answers.answers, written)
        };
        if let Some(written) = written {
            written.await?;
        }
        for (caller, answer) in answers {
            // A caller whose request has ended does not wait any more.
            caller.send(answer.map_err(|error| StoreError::Failed(error.to_string()))).ok();
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it leaves it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a call ends sessions: its record has to outlive this process.
fn is_revocation(call: &str) -> bool {
    let call: Value = serde_json::from_str(call).unwrap_or_default();
    let is = |key: &str, value: &str| call.get(key).and_then(Value::as_str) == Some(value);
    is("revocation", "revoke") || is("call", "sign_out")
}

/// Entries that expire.
struct Expiring<T> {
    entries: BTreeMap<String, Until<T>>,
    /// The number of entries at which expired ones are looked for.
    sweep_at: usize,
}

struct Until<T> {
    value: T,
    until: Timestamp,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), sweep_at: SWEEP_AT }
    }
}

/// What expires.
trait Kept: Default {
    /// Whether it is in use although it has expired.
    fn is_in_use(&self) -> bool {
        false
    }
}

impl Kept for String {}

impl Kept for Lock {
    fn is_in_use(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl<T: Kept> Expiring<T> {
    fn get(&self, key: &str, now: Timestamp) -> Option<&T> {
        self.entries.get(key).filter(|entry| now < entry.until).map(|entry| &entry.value)
    }

    fn get_or_insert(&mut self, key: &str, now: Timestamp) -> &mut Until<T> {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| now < entry.until || entry.value.is_in_use());
            self.sweep_at = (2 * self.entries.len()).max(SWEEP_AT);
        }
        self.entries.entry(key.to_owned()).or_insert_with(|| Until { value: T::default(), until: now })
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;

    fn acquire(owner: &str, wait_for: u64) -> String {
        format!(
            r#"{{"call":"acquire","generation":0,"owner":"{owner}","held_for":60000,"wait_for":{wait_for}}}"#
        )
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_value_is_there_until_it_expires_or_is_deleted() {
        let memory = Memory::default();
        memory.write("a", "1", Duration::from_mins(1));
        memory.write("b", "2", Duration::ZERO);
        assert_eq!(memory.read(&["a", "b", "c"]), [Some("1".to_owned()), None, None]);
        memory.delete("a");
        assert_eq!(memory.read(&["a"]), [None]);
    }

    #[test]
    fn expired_values_are_forgotten_as_new_ones_come() {
        let memory = Memory::default();
        for n in 0..10 * SWEEP_AT {
            memory.write(&n.to_string(), "x", Duration::ZERO);
        }
        assert!(memory.state().values.entries.len() <= SWEEP_AT);
    }

    #[test]
    fn a_call_that_waits_gets_the_lease_when_another_thread_releases_it() {
        let memory = Arc::new(Memory::default());
        run(async {
            assert!(memory.call_lock("l", &acquire("a", 0)).await.unwrap().contains("acquired"));
            assert!(memory.call_lock("l", &acquire("b", 0)).await.unwrap().contains("held_by_other"));
            let other = Arc::clone(&memory);
            let waiting = std::thread::spawn(move || run(other.call_lock("l", &acquire("b", 30_000))));
            while memory.state().locks.entries.get("l").is_none_or(|lock| lock.value.waiting.is_empty()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            memory.call_lock("l", r#"{"call":"release","owner":"a"}"#).await.unwrap();
            assert!(waiting.join().unwrap().unwrap().contains("acquired"));
        });
    }

    #[test]
    fn the_lease_is_not_given_to_a_caller_who_has_left() {
        let memory = Memory::default();
        run(async {
            memory.call_lock("l", &acquire("a", 0)).await.unwrap();
            let call = acquire("left", 30_000);
            tokio::select! {
                _ = memory.call_lock("l", &call) => panic!("it does not wait"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
                () = pending() => {}
            }
            memory.call_lock("l", r#"{"call":"release","owner":"a"}"#).await.unwrap();
            assert!(memory.call_lock("l", &acquire("b", 0)).await.unwrap().contains("acquired"));
        });
    }

    #[test]
    fn what_no_lock_remembers_takes_no_memory() {
        let memory = Memory::default();
        run(async {
            for n in 0..100 {
                memory.call_lock(&n.to_string(), r#"{"call":"is_signed_out"}"#).await.unwrap();
            }
        });
        assert!(memory.state().locks.entries.is_empty());
    }
}
