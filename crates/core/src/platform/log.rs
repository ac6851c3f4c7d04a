//! Where the lines of the log go.

use crate::log::Line;

/// The operator's log.
pub trait Log {
    /// Writes one line, with its level where the runtime's log has levels. A line that cannot be written is lost.
    fn log(&self, line: &Line);
}
