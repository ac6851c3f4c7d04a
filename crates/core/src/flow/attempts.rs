//! How often something was tried lately, where the runtime does not count it: requests to the operators' route by one
//! address, sign-in forms for one account, and forged tokens and unproven logouts of one address.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
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
        count.max = max;
        count.attempts = count.attempts.saturating_add(1);
        count.attempts <= max
    }

    /// Whether a key was used too often in [`WINDOW`], without counting this time.
    pub(crate) fn is_over(&self, key: &str, now: Timestamp) -> bool {
        let counts = self.0.borrow();
        counts.get(key).is_some_and(|count| count.is_current(now) && count.attempts > count.max)
    }
}

impl Count {
    fn is_current(&self, now: Timestamp) -> bool {
        now.is_within(WINDOW, self.began)
    }
}

/// The network of an address: of IPv6 the first 64 bits, which a provider gives to one customer, who then has all addresses
/// in it. An address in another notation stays as it is.
pub(crate) fn network_of(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
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
        assert!(attempts.is_over("a", NOW) && !attempts.is_over("b", NOW) && !attempts.is_over("c", NOW));
        assert!(!attempts.is_over("a", NOW.plus(WINDOW)));
        assert!(!attempts.count("a", 3, NOW.plus(Duration::from_secs(59))));
        assert!(attempts.count("a", 3, NOW.plus(WINDOW)));
    }

    #[test]
    fn after_the_clock_was_set_back_counting_begins_anew() {
        let (attempts, earlier) = (Attempts::default(), NOW.minus(Duration::from_secs(1)));
        assert!(!attempts.count("a", 0, NOW) && attempts.is_over("a", NOW));
        assert!(!attempts.is_over("a", earlier));
        assert!(attempts.count("a", 1, earlier));
    }

    #[test]
    fn a_limit_is_logged_once_a_minute() {
        let attempts = LoginAttempts::default();
        assert!(attempts.should_log(NOW) && !attempts.should_log(NOW));
        assert!(!attempts.should_log(NOW.plus(Duration::from_secs(59))));
        assert!(attempts.should_log(NOW.plus(WINDOW)));
        assert!(!attempts.should_log(NOW.plus(WINDOW)));
        assert!(attempts.should_log(NOW), "the clock was set back");
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

    #[test]
    fn an_address_of_ipv6_stands_for_its_network_of_64_bits() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "0:0:0:0::/64"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(network_of(address), network, "{address}");
        }
    }
}
