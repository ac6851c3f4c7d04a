//! The operator's log: one JSON object a line, on standard output. What the process says of itself is on standard error.

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use vestibule_core::log::Line;

/// How many lines could not be written since the last one that could.
static LOST: AtomicUsize = AtomicUsize::new(0);

/// Writes one line. A line that cannot be written is lost; the first of them is said, and how many there were.
pub(crate) fn write(line: &Line) {
    let mut text = line.to_string();
    text.push('\n');
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => match LOST.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => say(format_args!("the log is written again; {lost} lines of it are lost")),
        },
        Err(error) => {
            if LOST.fetch_add(1, Ordering::Relaxed) == 0 {
                say(format_args!(
                    "the log cannot be written to the standard output, and its lines are lost: {error}"
                ));
            }
        }
    }
}

/// Says something of the process itself.
pub(crate) fn say(message: impl Display) {
    writeln!(std::io::stderr().lock(), "vestibule-server: {message}").ok();
}
