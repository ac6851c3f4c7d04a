//! The clock of this runtime.

use std::cell::Cell;

use vestibule_core::time::Timestamp;
use worker::js_sys::Date;

/// Whether the time was read in this stretch of computing.
#[derive(Clone, Copy, Default)]
enum Reading {
    /// No stretch has begun: the clock is read each time.
    #[default]
    None,
    /// Not yet.
    Due,
    /// It was.
    Known(Timestamp),
}

thread_local! {
    static READING: Cell<Reading> = const { Cell::new(Reading::None) };
}

/// The current time. The Workers runtime stops the clock while a request computes and advances it with each I/O operation.
pub(crate) fn now() -> Timestamp {
    match READING.get() {
        Reading::Known(now) => now,
        Reading::Due => {
            let now = read();
            READING.set(Reading::Known(now));
            now
        }
        Reading::None => read(),
    }
}

/// Computes something that does not wait. It reads the clock once: a guarded request asks for the time a dozen times.
pub(crate) fn stopped<T>(compute: impl FnOnce() -> T) -> T {
    let before = READING.replace(Reading::Due);
    let computed = compute();
    READING.set(before);
    computed
}

fn read() -> Timestamp {
    // `Date.now` is a whole, positive number of milliseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and positive")]
    Timestamp::from_millis(Date::now() as u64)
}
