//! How often each key was used in a minute, in the memory of the process.

use std::collections::BTreeMap;

use vestibule_core::time::Timestamp;
use vestibule_redis::WINDOW;

/// How many keys are counted. Each takes about a hundred bytes.
const MAX_KEYS: usize = 100_000;

/// The counts.
#[derive(Default)]
pub(crate) struct Counts(BTreeMap<String, Count>);

struct Count {
    began: Timestamp,
    uses: u32,
    max: u32,
}

impl Counts {
    /// Counts one more use, and says whether there were at most `max` in [`WINDOW`].
    pub(crate) fn count(&mut self, key: &str, max: u32, now: Timestamp) -> bool {
        if self.0.len() >= MAX_KEYS {
            self.0.retain(|_, count| count.is_current(now));
        }
        if self.0.len() >= MAX_KEYS {
            // Who uses many keys must not make the process forget who is over the limit.
            self.0.retain(|_, count| count.uses > count.max);
        }
        if self.0.len() >= MAX_KEYS {
            self.0.clear();
        }
        let count = self.0.entry(key.to_owned()).or_insert(Count { began: now, uses: 0, max });
        if !count.is_current(now) {
            *count = Count { began: now, uses: 0, max };
        }
        count.uses = count.uses.saturating_add(1);
        count.uses <= max
    }
}

impl Count {
    fn is_current(&self, now: Timestamp) -> bool {
        now.is_within(WINDOW, self.began)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_may_be_used_so_often_in_a_minute_and_again_in_the_next() {
        let mut counts = Counts::default();
        let now = Timestamp::from_seconds(1_800_000_000);
        let within: Vec<bool> = (0..3).map(|_| counts.count("a", 2, now)).collect();
        assert_eq!(within, [true, true, false]);
        assert!(counts.count("b", 2, now));
        assert!(!counts.count("a", 2, now.plus(WINDOW.saturating_sub(Duration::from_millis(1)))));
        assert!(counts.count("a", 2, now.plus(WINDOW)));
    }

    #[test]
    fn many_keys_do_not_make_it_forget_who_is_over_the_limit() {
        let mut counts = Counts::default();
        let now = Timestamp::from_seconds(1_800_000_000);
        counts.count("guesser", 0, now);
        for n in 0..=MAX_KEYS {
            counts.count(&n.to_string(), 9, now);
        }
        assert!(!counts.count("guesser", 0, now));
        assert!(counts.0.len() <= MAX_KEYS);
    }
}
