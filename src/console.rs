//! The operator's log: the console, of which Workers Logs reads every line as JSON.

use vestibule_core::log::{Level, Line};
use worker::{console_error, console_log, console_warn};

/// Writes one line.
pub(crate) fn write(line: &Line) {
    match line.level() {
        Level::Info => console_log!("{line}"),
        Level::Warn => console_warn!("{line}"),
        Level::Error => console_error!("{line}"),
    }
}
