//! The clock of the operating system. Only this file reads it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vestibule_core::time::Timestamp;

/// The current time.
#[expect(clippy::disallowed_methods, reason = "this runtime has a clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
