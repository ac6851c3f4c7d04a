//! Parses the date formats that other servers send.

use super::Timestamp;

impl Timestamp {
    /// Parses `2026-12-21T19:34:50.397Z` or `2026-12-21 20:34:50+01:00` (RFC 3339 section 5.6). `None` for a time
    /// without an offset: its time zone is unknown.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = |at: std::ops::Range<usize>| number(text.get(at)?);
        let is = |at: usize, among: &[u8]| bytes.get(at).is_some_and(|byte| among.contains(byte));
        let punctuated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
        if !punctuated {
            return None;
        }
        // A leap second counts as the first second of the next minute.
        let second = digits(17..19)?;
        let at = from_civil(digits(0..4)?, digits(5..7)?, digits(8..10)?)?
            .checked_add(in_day(digits(11..13)?, digits(14..16)?, second.min(59))?)?
            .checked_add(u64::from(second == 60))?;
        if second > 60 {
            return None;
        }
        let rest = text.get(19..)?;
        let (fraction, offset) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
            None => ("0", rest),
        };
        if fraction.is_empty() {
            return None;
        }
        let millis = number(&format!("{:0<3}", fraction.get(..fraction.len().min(3))?))?;
        let at = match (offset.get(..1)?, offset.get(1..)?) {
            ("Z" | "z", "") => at,
            ("+", ahead) => at.checked_sub(self::offset(ahead)?)?,
            ("-", behind) => at.checked_add(self::offset(behind)?)?,
            _ => return None,
        };
        Some(Self::from_millis(at.checked_mul(1000)?.checked_add(millis)?))
    }

    /// Parses a cookie's `Expires` as browsers do (RFC 6265 section 5.1.1). The algorithm accepts every format in use,
    /// and many others. A date before 1970 becomes the epoch.
    pub fn parse_cookie_date(text: &str) -> Option<Self> {
        let (mut time, mut day, mut month, mut year) = (None, None, None, None);
        let is_delimiter = |c: char| matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~');
        for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
            if time.is_none()
                && let Some(found) = time_of_day(token)
            {
                time = Some(found);
            } else if day.is_none()
                && let Some(found) = leading_number(token, 1, 2)
            {
                day = Some(found);
            } else if month.is_none()
                && let Some(found) = month_of(token)
            {
                month = Some(found);
            } else if year.is_none()
                && let Some(found) = leading_number(token, 2, 4)
            {
                year = Some(match found {
                    70..=99 => found + 1900,
                    0..=69 => found + 2000,
                    other => other,
                });
            }
        }
        let ((hour, minute, second), year) = (time?, year?);
        if year < 1601 {
            return None;
        }
        let of_day = in_day(hour, minute, second)?;
        if year < 1970 {
            return Some(Self::from_millis(0));
        }
        Some(Self::from_seconds(from_civil(year, month?, day?)?.checked_add(of_day)?))
    }
}

/// Seconds from the epoch to the beginning of that day. `None` before 1970 and for a day that does not exist. The
/// inverse of `Timestamp::civil`.
fn from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = year - u64::from(month <= 2);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let year_of_era = shifted % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (shifted / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
    let seconds = days * 86_400;
    // The 31st of a month with 30 days would be the first day of the next month.
    let back = Timestamp::from_seconds(seconds).civil();
    ((back.year, back.month, back.day) == (year, month, day)).then_some(seconds)
}

fn in_day(hour: u64, minute: u64, second: u64) -> Option<u64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// `01:30` in seconds.
fn offset(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    in_day(number(hours)?, number(minutes)?, 0)
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The number at the beginning of a token, if it has `min` to `max` digits. Any non-digits may follow.
fn leading_number(token: &str, min: usize, max: usize) -> Option<u64> {
    let end = token.find(|c: char| !c.is_ascii_digit()).unwrap_or(token.len());
    (min..=max).contains(&end).then(|| token.get(..end)?.parse().ok())?
}

fn time_of_day(token: &str) -> Option<(u64, u64, u64)> {
    let mut parts = token.splitn(3, ':').map(|part| leading_number(part, 1, 2));
    // Hours and minutes consist of digits only; other characters may follow the seconds.
    let whole = token.split(':').take(2).all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let time = (parts.next()??, parts.next()??, parts.next()??);
    whole.then_some(time)
}

fn month_of(token: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = token.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|month| *month == name)?;
    u64::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_3339_dates_are_parsed() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-12-21T19:34:50.397Z", Some(1_797_881_690_397)),
            ("2026-12-21 20:34:50.397123+01:00", Some(1_797_881_690_397)),
            ("2026-12-21t18:04:50.3-01:30", Some(1_797_881_690_300)),
            ("2000-02-29T00:00:00z", Some(951_782_400_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
            ("2001-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-12-21T24:00:00Z", None),
            ("2026-12-21T19:34:61Z", None),
            ("2026-12-21T19:34:50", None),
            ("2026-12-21T19:34:50.Z", None),
            ("2026-12-21T19:34:50+0100", None),
            ("2026-12-21T19:34:50ZZ", None),
            ("2026-12-21T19:34Z", None),
            ("2026-12-21", None),
            ("1969-12-31T23:59:59Z", None),
            ("+026-12-21T19:34:50Z", None),
            ("2026-12-21T19:34:5é", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).map(Timestamp::millis), millis, "{text}");
        }
    }

    #[test]
    fn cookie_dates_of_every_format_are_parsed() {
        for (text, seconds) in [
            ("Mon, 21 Dec 2026 19:34:50 GMT", Some(1_797_881_690)),
            ("Mon, 21-Dec-2026 19:34:50 GMT", Some(1_797_881_690)),
            ("Monday, 21-Dec-26 19:34:50 GMT", Some(1_797_881_690)),
            ("Mon Dec 21 19:34:50 2026", Some(1_797_881_690)),
            ("21 december 2026 19:34:50", Some(1_797_881_690)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Mon, 01-Jan-1900 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Mon, 31 Feb 2026 00:00:00 GMT", None),
            ("Mon, 21 Dec 2026", None),
            ("0", None),
            ("-1", None),
            ("", None),
            ("session", None),
        ] {
            assert_eq!(Timestamp::parse_cookie_date(text).map(Timestamp::seconds), seconds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_formatted_date_parses_back_unchanged(millis in 0..253_402_300_799_000_u64) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(Timestamp::parse_rfc3339(&at.to_rfc3339()), Some(at));
            let whole = Timestamp::from_seconds(at.seconds());
            prop_assert_eq!(Timestamp::parse_cookie_date(&at.to_imf_fixdate()), Some(whole));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in any::<String>(), date in "[0-9A-Za-zé:,. +-]{0,40}") {
            for text in [text, date] {
                let _ = Timestamp::parse_rfc3339(&text);
                let _ = Timestamp::parse_cookie_date(&text);
            }
        }
    }
}
