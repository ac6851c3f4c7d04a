//! Points in time from the platform's clock, and the date formats of HTTP and Auth.js.

mod parse;

use std::time::Duration;

/// A time to wait in whole seconds, rounded up and at least one: who waits as long as a `Retry-After` says does not come too
/// early (RFC 9110 section 10.2.3).
pub fn seconds_to_wait(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(begun).max(1)
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch, a JWT's `NumericDate` (RFC 7519 section 2).
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// From seconds since the epoch that may have a fraction. A time before the epoch becomes the epoch.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that does not fit becomes the nearest u64"
    )]
    pub const fn from_fractional_seconds(seconds: f64) -> Self {
        Self((seconds * 1000.0) as u64)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This point in time plus `duration`; the maximum where the sum would overflow.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This point in time minus `duration`; the epoch where the result would lie before it.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Whether so much time has not passed since `earlier`. Not before it: after the clock was set back, it is unknown how long
    /// ago that was.
    pub fn is_within(self, time: Duration, earlier: Self) -> bool {
        earlier <= self && self < earlier.plus(time)
    }

    /// The time from `earlier` to this point; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Formats as `2026-12-21T19:34:50.397Z`, like ECMAScript's `Date.toISOString`.
    pub fn to_rfc3339(self) -> String {
        let c = self.civil();
        let millis = self.0 % 1000;
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{millis:03}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )
    }

    /// Formats as `Mon, 21 Dec 2026 19:34:50 GMT`: IMF-fixdate (RFC 9110 section 5.6.7), for a cookie's `Expires`.
    pub fn to_imf_fixdate(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let c = self.civil();
        let name = |names: &[&'static str], index: u64| {
            usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
        };
        let day_name = name(&DAYS, c.days % 7);
        let month_name = name(&MONTHS, c.month - 1);
        format!(
            "{day_name}, {:02} {month_name} {:04} {:02}:{:02}:{:02} GMT",
            c.day, c.year, c.hour, c.minute, c.second
        )
    }

    /// Converts days to a civil date by the era method: 400 Gregorian years are 146,097 days. The method counts a year
    /// from March, so the leap day is the last day of the year.
    fn civil(self) -> Civil {
        // 9999-12-31T23:59:59Z is the latest date: neither format has a fifth digit for the year.
        let seconds = self.seconds().min(253_402_300_799);
        let days = seconds / 86_400;
        let in_day = seconds % 86_400;
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        Civil { days, year, month, day, hour: in_day / 3600, minute: in_day / 60 % 60, second: in_day % 60 }
    }
}

struct Civil {
    days: u64,
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_rounded_up_to_a_second_or_more() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (4980, 5), (5000, 5)] {
            assert_eq!(seconds_to_wait(Duration::from_millis(millis)), seconds, "{millis}");
        }
        assert_eq!(seconds_to_wait(Duration::MAX), u64::MAX);
    }

    #[test]
    fn dates_are_formatted_like_ecmascript_and_http() {
        for (millis, iso, imf) in [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z", "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_797_881_690_397, "2026-12-21T19:34:50.397Z", "Mon, 21 Dec 2026 19:34:50 GMT"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            (u64::MAX, "9999-12-31T23:59:59.615Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_rfc3339(), iso);
            assert_eq!(Timestamp::from_millis(millis).to_imf_fixdate(), imf);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let now = Timestamp::from_seconds(100);
        assert_eq!(now.plus(Duration::from_secs(5)).seconds(), 105);
        assert_eq!(now.minus(Duration::from_secs(500)), Timestamp::from_millis(0));
        assert_eq!(Timestamp::from_millis(u64::MAX).plus(Duration::MAX).millis(), u64::MAX);
        assert_eq!(now.since(Timestamp::from_seconds(90)), Duration::from_secs(10));
        assert_eq!(now.since(Timestamp::from_seconds(110)), Duration::ZERO);
    }
}
