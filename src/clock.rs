//! The clock of this runtime.

use vestibule_core::time::Timestamp;
use worker::js_sys::Date;

/// The current time. The Workers runtime stops the clock while a request computes and advances it with each I/O operation.
pub(crate) fn now() -> Timestamp {
    // `Date.now` is a whole, positive number of milliseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and positive")]
    Timestamp::from_millis(Date::now() as u64)
}
