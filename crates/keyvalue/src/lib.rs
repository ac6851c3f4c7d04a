//! The store in a bucket of `wasi:keyvalue` (0.2.0-draft), for all instances of a component.
//!
//! The interface has no lifetimes and no compare-and-swap, only `increment`. So a value says itself when it ends, and a lock's
//! record is replaced by rounds: see `lock.rs`.

mod lock;

use std::time::Duration;

use vestibule_core::platform::{Limit, StoreError};
use vestibule_core::time::Timestamp;

/// A bucket of the host, with its clock. Its operations are seen by all instances in one order.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Bucket {
    /// The value of a key; `None` if there is none.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a value.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Deletes a value; that there is none is no error.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Adds to the number of a key, atomically, and gives the sum. A key without a value has 0.
    async fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError>;

    /// The host's time.
    fn now(&self) -> Timestamp;

    /// Waits for at least `time`.
    async fn sleep(&self, time: Duration);
}

/// The store in a bucket.
#[derive(Clone)]
pub struct KeyValueStore<B> {
    bucket: B,
}

/// The key by which [`shared`] finds out whether a bucket remembers.
const PROBE: &str = "vestibule:probe";

/// The bucket that `open` opens, if what one handle of it writes is there for the next one.
pub async fn shared<B: Bucket>(open: impl Fn() -> Result<B, StoreError>) -> Result<Option<B>, StoreError> {
    {
        let bucket = open()?;
        if bucket.get(PROBE).await?.is_some() {
            return Ok(Some(bucket));
        }
        bucket.set(PROBE, b"1").await?;
    }
    let bucket = open()?;
    let remembers = bucket.get(PROBE).await?.is_some();
    Ok(remembers.then_some(bucket))
}

impl<B: Bucket> KeyValueStore<B> {
    /// The store in this bucket.
    pub fn new(bucket: B) -> Self {
        Self { bucket }
    }

    /// The values of these keys.
    pub async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let mut values = Vec::new();
        for key in keys {
            let key = value_key(key);
            let stored = self.bucket.get(&key).await?;
            let value = match stored.as_deref().and_then(read) {
                Some((until, _)) if until <= self.bucket.now() => {
                    // No one else would ever delete it.
                    self.bucket.delete(&key).await?;
                    None
                }
                read => read.map(|(_, value)| value.to_owned()),
            };
            values.push(value);
        }
        Ok(values)
    }

    /// Writes a value.
    pub async fn write(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        let until = self.bucket.now().plus(lifetime).millis();
        self.bucket.set(&value_key(key), format!("{until}\n{value}").as_bytes()).await
    }

    /// Deletes a value.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.bucket.delete(&value_key(key)).await
    }

    /// Counts nothing: each count would be a key that nothing ever deletes, and anyone could make them.
    #[allow(clippy::unused_async, reason = "the same as that of the other stores")]
    pub async fn is_within_limit(&self, _: Limit, _: &str) -> Result<bool, StoreError> {
        Err(StoreError::Missing("counter in wasi:keyvalue, whose keys have no lifetime"))
    }
}

fn value_key(key: &str) -> String {
    format!("vestibule:value:{key}")
}

/// The end and the value. `None` for what is none of ours.
fn read(stored: &[u8]) -> Option<(Timestamp, &str)> {
    let (until, value) = std::str::from_utf8(stored).ok()?.split_once('\n')?;
    Some((Timestamp::from_millis(until.parse().ok()?), value))
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeBucket;

    #[test]
    fn a_value_is_there_until_its_end_and_then_deleted() {
        let bucket = FakeBucket::new(1);
        let store = KeyValueStore::new(bucket.clone());
        bucket.run(async {
            store.write("a", "line\nline", Duration::from_mins(1)).await.unwrap();
            assert_eq!(store.read(&["a", "b"]).await.unwrap(), [Some("line\nline".to_owned()), None]);
            bucket.sleep(Duration::from_mins(1)).await;
            assert_eq!(store.read(&["a"]).await.unwrap(), [None]);
            assert_eq!(bucket.get("vestibule:value:a").await, Ok(None));
            store.write("a", "again", Duration::from_mins(1)).await.unwrap();
            store.delete("a").await.unwrap();
            assert_eq!(store.read(&["a"]).await.unwrap(), [None]);
        });
    }

    #[test]
    fn what_is_none_of_ours_is_no_value() {
        let bucket = FakeBucket::new(1);
        let store = KeyValueStore::new(bucket.clone());
        bucket.run(async {
            for foreign in [&b""[..], b"1", b"x\ny", b"\xff\n", b"-1\ny"] {
                bucket.set("vestibule:value:a", foreign).await.unwrap();
                assert_eq!(store.read(&["a"]).await.unwrap(), [None]);
            }
        });
    }

    #[test]
    fn a_bucket_that_forgets_when_its_handle_is_closed_is_not_shared() {
        let bucket = FakeBucket::new(1);
        for _ in 0..2 {
            assert!(bucket.run(shared(|| Ok(bucket.clone()))).unwrap().is_some());
        }
        assert!(bucket.run(shared(|| Ok(bucket.emptied()))).unwrap().is_none());
        assert!(bucket.run(shared(|| Err::<FakeBucket, _>(StoreError::Missing("store")))).is_err());
    }
}
