//! How often something was tried lately, where the runtime does not count it: requests to the operators' route by one
//! address, and sign-in forms for one account.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use vestibule_oidc::time::Timestamp;

/// How long attempts are counted.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// How many keys are counted. Each takes about a hundred bytes.
const MAX_KEYS: usize = 10_000;

/// How often each key was used lately, in this process.
#[derive(Default)]
pub(crate) struct Attempts(RefCell<BTreeMap<String, Count>>);

/// What this process knows of attempts to sign in.
#[derive(Default)]
pub(crate) struct LoginAttempts {
    pub(crate) counts: Attempts,
    /// When the log last said that the runtime's limiter fails.
    logged_at: Cell<Option<Timestamp>>,
}

impl LoginAttempts {
    /// Whether the log should say that the limiter fails: it does so once in [`WINDOW`].
    pub(crate) fn should_log(&self, now: Timestamp) -> bool {
        let is_due = self.logged_at.get().is_none_or(|at| now >= at.plus(WINDOW) || now < at);
        if is_due {
            self.logged_at.set(Some(now));
        }
        is_due
    }
}

/// The attempts since a time.
struct Count {
    began: Timestamp,
    attempts: u32,
    max: u32,
}

impl Attempts {
    /// Counts one more attempt, and says whether there were at most `max` in [`WINDOW`].
    pub(crate) fn count(&self, key: &str, max: u32, now: Timestamp) -> bool {
        let mut counts = self.0.borrow_mut();
        if counts.len() >= MAX_KEYS {
            counts.retain(|_, count| count.is_current(now));
        }
        if counts.len() >= MAX_KEYS {
            // Who uses many keys must not keep others out, nor make this process forget who is over the limit.
            counts.retain(|_, count| count.attempts > count.max);
        }
        if counts.len() >= MAX_KEYS {
            counts.clear();
        }
        let count = counts.entry(key.to_owned()).or_insert(Count { began: now, attempts: 0, max });
        if !count.is_current(now) {
            *count = Count { began: now, attempts: 0, max };
        }
        count.attempts = count.attempts.saturating_add(1);
        count.attempts <= max
    }
}

impl Count {
    fn is_current(&self, now: Timestamp) -> bool {
        self.began <= now && now < self.began.plus(WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_key_may_be_used_so_often_in_a_minute_and_then_again() {
        let attempts = Attempts::default();
        let first: Vec<bool> = (0..4).map(|_| attempts.count("a", 3, NOW)).collect();
        assert_eq!(first, [true, true, true, false]);
        assert!(attempts.count("b", 3, NOW), "another key has its own count");
        assert!(!attempts.count("a", 3, NOW.plus(Duration::from_secs(59))));
        assert!(attempts.count("a", 3, NOW.plus(WINDOW)));
    }

    #[test]
    fn many_keys_take_bounded_memory_and_a_key_over_its_limit_is_remembered() {
        let attempts = Attempts::default();
        assert!(
            [true, false].map(|within| attempts.count("guesser", 1, NOW) == within).iter().all(|same| *same)
        );
        for n in 0..3 * MAX_KEYS {
            attempts.count(&n.to_string(), 1, NOW);
            assert!(attempts.0.borrow().len() <= MAX_KEYS);
        }
        assert!(!attempts.count("guesser", 1, NOW));
        for n in 0..3 * MAX_KEYS {
            attempts.count(&n.to_string(), 0, NOW);
        }
        assert!(attempts.0.borrow().len() <= MAX_KEYS);
    }
}
