//! The times of a token (RFC 7519 sections 4.1.4 to 4.1.6). jwt-compact compares them with a clock that the caller
//! passes.
//!
//! The caller parses the numbers. jwt-compact would drop their fractions, so that a time half a second in the future
//! counted as reached. It would also reject `null`, which some issuers write for a claim that they leave out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jwt_compact::{Claims, TimeOptions};

use crate::time::Timestamp;

/// Maximum difference of two clocks: "no more than a few minutes" (RFC 7519 section 4.1.4). A minute is enough for
/// every machine whose clock is synchronized, and it is short compared with the usual lifetime of an ID token, five
/// minutes.
pub const LEEWAY: Duration = Duration::from_mins(1);

/// Whether `exp` has passed at `now`, with a tolerance of [`LEEWAY`]. A token must not be accepted "on or after" that
/// time (RFC 7519 section 4.1.4).
pub fn is_expired(exp: Timestamp, now: Timestamp) -> bool {
    let mut claims = Claims::empty();
    claims.expiration = date(exp);
    // jwt-compact accepts a token at the exact end of the leeway. One millisecond is the resolution of a `Timestamp`.
    let leeway = leeway() - TimeDelta::milliseconds(1);
    claims.validate_expiration(&TimeOptions::new(leeway, || clock(now))).is_err()
}

/// Whether `start`, a token's `nbf` or `iat`, is in the future at `now`, with a tolerance of [`LEEWAY`]. jwt-compact
/// does not check `iat` (RFC 7519 section 4.1.6), so an `iat` is checked in the same way as `nbf`.
pub fn is_ahead(start: Timestamp, now: Timestamp) -> bool {
    let mut claims = Claims::empty();
    claims.not_before = date(start);
    claims.validate_maturity(&TimeOptions::new(leeway(), || clock(now))).is_err()
}

fn leeway() -> TimeDelta {
    TimeDelta::from_std(LEEWAY).unwrap_or_default()
}

/// The maximum where `now` is later than any date: then everything has expired.
fn clock(now: Timestamp) -> DateTime<Utc> {
    date(now).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `None` where the time is later than any date. jwt-compact rejects that as a missing claim.
fn date(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(time.millis()).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The end of the year 9999, the last year of RFC 3339, in milliseconds.
    const YEAR_9999: u64 = 253_402_300_799_000;

    #[test]
    fn a_token_expires_at_the_millisecond_at_which_the_leeway_ends() {
        let exp = Timestamp::from_seconds(1_000);
        assert!(!is_expired(exp, Timestamp::from_millis(1_059_999)));
        assert!(is_expired(exp, Timestamp::from_millis(1_060_000)));
    }

    #[test]
    fn a_token_becomes_valid_at_the_millisecond_at_which_the_leeway_begins() {
        let nbf = Timestamp::from_seconds(1_000);
        assert!(is_ahead(nbf, Timestamp::from_millis(939_999)));
        assert!(!is_ahead(nbf, Timestamp::from_millis(940_000)));
    }

    #[test]
    fn times_later_than_any_date_are_rejected() {
        let (never, now) = (Timestamp::from_millis(u64::MAX), Timestamp::from_seconds(1_000));
        for now in [now, never] {
            assert!(is_expired(never, now));
            assert!(is_ahead(never, now));
        }
        assert!(is_expired(Timestamp::from_millis(YEAR_9999), never));
        assert!(!is_ahead(Timestamp::from_millis(0), never));
    }

    proptest! {
        #[test]
        fn both_bounds_equal_plain_arithmetic(time in 0..=YEAR_9999, now: u64, near in 0_u64..130_000) {
            let close = Timestamp::from_millis((time + near).saturating_sub(65_000));
            let time = Timestamp::from_millis(time);
            for now in [Timestamp::from_millis(now), Timestamp::from_millis(now % YEAR_9999), close] {
                prop_assert_eq!(is_expired(time, now), now >= time.plus(LEEWAY));
                prop_assert_eq!(is_ahead(time, now), time > now.plus(LEEWAY));
            }
        }
    }
}
