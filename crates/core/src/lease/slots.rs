//! When refreshed tokens are left in the store, and when the others look for them.
//!
//! The store remembers a read that found nothing, for a minute, in the location that asked and in those that read
//! through the same cache. A key that was read too early cannot be seen there when it is written at last. So the key
//! depends on a time, a *slot*, counted from the beginning of the lease: the process that refreshed writes under the
//! first slot that no one can have read yet, and everyone who waits reads each slot's key once, when its time has come.
//! Who comes later reads all of them at once.

use std::ops::Range;
use std::time::Duration;

/// The times of the slots. They are dense where most refreshes end. The last one comes after a refresh whose metadata
/// were slow, too.
const TIMES: [Duration; 14] = [
    Duration::from_millis(800),
    Duration::from_millis(950),
    Duration::from_millis(1100),
    Duration::from_millis(1300),
    Duration::from_millis(1600),
    Duration::from_secs(2),
    Duration::from_millis(2500),
    Duration::from_millis(3100),
    Duration::from_millis(3800),
    MAX_WAIT,
    Duration::from_secs(7),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(24),
];

/// How long after the beginning of a lease the others wait for the tokens if the provider accepts a used refresh token
/// for some more seconds: less than half of the ten seconds that most of them allow, so that the token still works if
/// its first user crashed.
pub(super) const MAX_WAIT: Duration = Duration::from_millis(4500);

/// How long before a slot's time its key is written at the latest: as long as the write may take to where other
/// locations read, and as their clocks may be ahead.
const MARGIN: Duration = Duration::from_millis(500);

/// The slot under which tokens are written so long after the beginning of the lease. After the last slot it is the last
/// one: the writer's own location sees the tokens, and the others when they forget that they found none.
pub(super) fn to_write(since_begin: Duration) -> usize {
    let is_early_enough = |time: &Duration| *time >= since_begin + MARGIN;
    TIMES.iter().position(is_early_enough).unwrap_or(TIMES.len() - 1)
}

/// How many slots' times have come, so long after the beginning of the lease.
pub(super) fn reached(since_begin: Duration) -> usize {
    TIMES.iter().filter(|time| **time <= since_begin).count()
}

/// The time of the slot after the first `count`.
pub(super) fn next(count: usize) -> Option<Duration> {
    TIMES.get(count).copied()
}

/// All slots.
pub(super) const ALL: Range<usize> = 0..TIMES.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slot_is_written_that_may_have_been_read() {
        for millis in 0..30_000 {
            let now = Duration::from_millis(millis);
            let slot = to_write(now);
            assert!(slot + 1 == TIMES.len() || next(slot).unwrap() >= now + MARGIN, "{now:?}");
            assert!(reached(now) <= slot || slot + 1 == TIMES.len(), "{now:?}");
        }
    }

    #[test]
    fn patience_ends_with_a_slot_and_before_half_of_a_grace_period_of_ten_seconds() {
        assert!(TIMES.contains(&MAX_WAIT) && MAX_WAIT < Duration::from_secs(5));
        assert!(TIMES.is_sorted());
        assert_eq!((reached(Duration::ZERO), to_write(Duration::ZERO)), (0, 0));
        assert_eq!(reached(MAX_WAIT), 10);
    }
}
