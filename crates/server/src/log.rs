//! The operator's log: one JSON object a line, on standard output. What the process says of itself is on standard error.

use std::fmt::Display;
use std::io::Write;

use vestibule_core::log::Line;

/// Writes one line. A line that cannot be written is lost.
pub(crate) fn write(line: &Line) {
    let mut text = line.to_string();
    text.push('\n');
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).ok();
}

/// Says something of the process itself.
pub(crate) fn say(message: impl Display) {
    writeln!(std::io::stderr().lock(), "vestibule-server: {message}").ok();
}
