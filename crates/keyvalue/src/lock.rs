//! Locks in a bucket without compare-and-swap.
//!
//! A record is of a round. Who wants to replace it increments the claim of this round: the first one may, and writes the record of
//! the next round. The others read again. So no two replace the same record.
//!
//! An instance that ends between its claim and its write would block the lock. So the claim is that of an attempt, and the next
//! attempt is open when one has been seen without effect for [`TAKE_OVER`]. An instance that has claimed writes within
//! [`MAX_HOLD`] or not at all. Two can then replace one record only if a write takes effect so much later, or if the clocks of
//! two hosts differ by so much.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Bucket, KeyValueStore};
use vestibule_core::lease::lock::{self, CallOutcome};
use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;

/// How long a claim is left alone before the next attempt is open.
const TAKE_OVER: Duration = Duration::from_secs(15);

/// How long after it has read a record an instance may write the next one.
const MAX_HOLD: Duration = Duration::from_secs(2);

/// How long the claims of a round are left: longer than an instance may use what it has read.
const FORGET: Duration = Duration::from_mins(2);

/// The pauses of a call that waits: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// How long a call tries to replace a record that others replace, or have claimed.
const MAX_WAIT: Duration = Duration::from_secs(8);

/// How many attempts of one round there may be.
const MAX_ATTEMPTS: u32 = 1000;

/// A lock's record. Its round never goes back, also when its text has ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    round: u64,
    /// When the text ends, in milliseconds.
    until: u64,
    text: String,
    /// Rounds whose claims are not deleted yet: the round, its last attempt, and when it ended.
    claimed: Vec<(u64, u32, u64)>,
}

impl Record {
    fn live_text(&self, now: Timestamp) -> Option<&str> {
        (now.millis() < self.until).then_some(self.text.as_str())
    }
}

impl<B: Bucket> KeyValueStore<B> {
    /// Calls the lock of this name, and waits for its answer.
    pub async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let mut arrived = None;
        let [mut pause, max_pause] = PAUSES;
        loop {
            let begun = self.bucket.now();
            let record = self.record(name).await?;
            let now = self.bucket.now();
            let arrived = *arrived.get_or_insert(now);
            let served = lock::serve(record.live_text(now), call, arrived, now);
            let served = served.map_err(|error| StoreError::Failed(error.to_string()))?;
            if let Some((text, until)) = served.remember
                && !self.replace(name, record, text, until, begun).await?
            {
                if self.bucket.now().since(arrived) > MAX_WAIT {
                    return Err(StoreError::Busy);
                }
                self.bucket.sleep(pause).await;
                pause = (2 * pause).min(max_pause);
                continue;
            }
            match served.outcome {
                CallOutcome::Answer(answer) => return Ok(answer),
                CallOutcome::Wait { until, .. } => {
                    self.bucket.sleep(pause.min(until.since(now))).await;
                    pause = (2 * pause).min(max_pause);
                }
            }
        }
    }

    async fn record(&self, name: &str) -> Result<Record, StoreError> {
        let stored = self.bucket.get(&record_key(name)).await?;
        let broken =
            |_| StoreError::Failed(format!("the record of the lock {name} cannot be read: delete it"));
        stored.map_or(Ok(Record::default()), |stored| serde_json::from_slice(&stored).map_err(broken))
    }

    /// Replaces the record that was read at `begun`. False if another instance does, or has done.
    async fn replace(
        &self,
        name: &str,
        record: Record,
        text: String,
        until: Timestamp,
        begun: Timestamp,
    ) -> Result<bool, StoreError> {
        let round = record.round;
        let Some(attempt) = self.claim(name, round).await? else { return Ok(false) };
        // The one before may have come to its end after all.
        if attempt > 0 && self.record(name).await?.round != round {
            return Ok(false);
        }
        let late = || {
            let held = self.bucket.now().since(begun);
            (held > MAX_HOLD)
                .then(|| StoreError::Failed("the host's store is too slow for a lock".to_owned()))
        };
        if let Some(late) = late() {
            return Err(late);
        }
        let now = self.bucket.now();
        let (forgotten, mut claimed): (Vec<_>, Vec<_>) = record
            .claimed
            .into_iter()
            .partition(|(_, _, at)| now.millis() > at.saturating_add(millis(FORGET)));
        claimed.push((round, attempt, now.millis()));
        let new = Record { round: round + 1, until: until.millis(), text, claimed };
        let new = serde_json::to_vec(&new).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.bucket.set(&record_key(name), &new).await?;
        // If the write took too long, another attempt may have come between.
        if let Some(late) = late() {
            return Err(late);
        }
        for (round, last, _) in forgotten {
            for attempt in 0..=last {
                self.bucket.delete(&claim_key(name, round, attempt)).await?;
                self.bucket.delete(&seen_key(name, round, attempt)).await?;
            }
        }
        Ok(true)
    }

    /// Claims a round: the attempt that this instance has won. `None` if another one has.
    async fn claim(&self, name: &str, round: u64) -> Result<Option<u32>, StoreError> {
        for attempt in 0..MAX_ATTEMPTS {
            if self.bucket.increment(&claim_key(name, round, attempt), 1).await? == 1 {
                return Ok(Some(attempt));
            }
            let key = seen_key(name, round, attempt);
            let now = self.bucket.now().millis();
            let stored = self.bucket.get(&key).await?;
            let seen = stored.and_then(|seen| String::from_utf8(seen).ok()?.parse::<u64>().ok());
            let Some(seen) = seen else {
                self.bucket.set(&key, now.to_string().as_bytes()).await?;
                return Ok(None);
            };
            if now < seen.saturating_add(millis(TAKE_OVER)) {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

fn record_key(name: &str) -> String {
    format!("vestibule:lock:{name}")
}

fn claim_key(name: &str, round: u64, attempt: u32) -> String {
    format!("vestibule:claim:{name}:{round}:{attempt}")
}

/// When a claim was first seen by an instance that lost it.
fn seen_key(name: &str, round: u64, attempt: u32) -> String {
    format!("vestibule:seen:{name}:{round}:{attempt}")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeBucket;
    use vestibule_core::platform::join_all;

    const HOUR: Duration = Duration::from_hours(1);

    /// Adds one to the number in a lock, and says whether it did.
    async fn add(store: &KeyValueStore<FakeBucket>, bucket: &FakeBucket) -> bool {
        loop {
            let begun = bucket.now();
            let Ok(record) = store.record("a").await else { return false };
            let number: u64 = record.live_text(bucket.now()).map_or(0, |text| text.parse().unwrap());
            let until = bucket.now().plus(HOUR);
            match store.replace("a", record, (number + 1).to_string(), until, begun).await {
                Ok(true) => return true,
                Ok(false) => bucket.sleep(Duration::from_millis(50)).await,
                Err(_) => return false,
            }
        }
    }

    fn number(bucket: &FakeBucket) -> u64 {
        let store = KeyValueStore::new(bucket.clone());
        let record = bucket.run(store.record("a")).unwrap();
        record.text.parse().unwrap_or(0)
    }

    /// Adds with many instances at the same time, of which some end after so many operations. Gives how many have added, and how many
    /// may have.
    fn add_together(bucket: &FakeBucket, ends: &[Option<u32>]) -> [u64; 2] {
        let jobs = ends.iter().map(|end| {
            let bucket = bucket.ending_after(*end);
            async move { add(&KeyValueStore::new(bucket.clone()), &bucket).await }
        });
        let added = bucket.run(join_all(jobs)).into_iter().filter(|added| *added).count();
        let unsure = ends.iter().flatten().count();
        [added, added + unsure].map(|count| u64::try_from(count).unwrap())
    }

    #[test]
    fn no_change_of_many_instances_at_the_same_time_is_lost() {
        for seed in 0..200 {
            let bucket = FakeBucket::new(seed);
            let [added, _] = add_together(&bucket, &[None; 8]);
            assert_eq!((added, number(&bucket)), (8, 8), "seed {seed}");
        }
    }

    #[test]
    fn an_instance_that_ends_at_any_moment_loses_no_change_of_another_and_blocks_none_for_long() {
        for seed in 0..40 {
            for end in 0..12 {
                let bucket = FakeBucket::new(seed);
                let ends = [Some(end), None, Some(end / 2), None, None];
                let [least, most] = add_together(&bucket, &ends);
                assert!(least >= 3, "seed {seed}, end {end}");
                let number = number(&bucket);
                assert!(
                    (least..=most).contains(&number),
                    "seed {seed}, end {end}: {number} of {least}..={most}"
                );
            }
        }
    }

    #[test]
    fn an_instance_that_is_slower_than_others_loses_no_change_of_theirs() {
        for seed in 0..100 {
            let bucket = FakeBucket::new(seed);
            let handles = [bucket.with_latency(700), bucket.clone(), bucket.clone()];
            let jobs = handles.iter().map(|bucket| async {
                // The others come while the slow one has claimed.
                bucket.sleep(Duration::from_millis(bucket.random_below(2000))).await;
                add(&KeyValueStore::new(bucket.clone()), bucket).await
            });
            let added = bucket.run(join_all(jobs)).into_iter().filter(|added| *added).count();
            let number = usize::try_from(number(&bucket)).unwrap();
            // One whose write took too long does not know that it has added.
            assert!((added..=3).contains(&number) && added >= 2, "seed {seed}: {number} of {added}");
        }
    }

    #[test]
    fn a_lock_leaves_a_bounded_number_of_keys() {
        let bucket = FakeBucket::new(1);
        for _ in 0..50 {
            add_together(&bucket, &[None, None]);
            bucket.run(bucket.sleep(Duration::from_mins(3)));
        }
        assert_eq!(number(&bucket), 100);
        assert!(bucket.keys() < 12, "{} keys", bucket.keys());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_an_error_that_says_what_to_do() {
        let bucket = FakeBucket::new(1);
        let store = KeyValueStore::new(bucket.clone());
        let error = bucket.run(async {
            bucket.set("vestibule:lock:a", b"x").await.unwrap();
            store.call_lock("a", "{}").await.unwrap_err()
        });
        assert!(error.to_string().contains("delete it"), "{error}");
    }

    #[test]
    fn a_store_that_is_too_slow_gives_no_lock() {
        let bucket = FakeBucket::new(1);
        bucket.latency.set(3000);
        let [added, _] = add_together(&bucket, &[None]);
        assert_eq!(added, 0);
    }
}
