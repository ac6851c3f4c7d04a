//! The operator's log, in memory.

use std::cell::RefCell;

use serde_json::Value;
use vestibule_core::platform::Level;

/// All lines so far.
#[derive(Default)]
pub struct FakeLog {
    lines: RefCell<Vec<(Level, Value)>>,
}

impl FakeLog {
    /// Adds a line.
    pub fn write(&self, level: Level, event: &Value) {
        self.lines.borrow_mut().push((level, event.clone()));
    }

    /// All lines so far, as text.
    pub fn text(&self) -> String {
        let lines: Vec<String> =
            self.lines.borrow().iter().map(|(level, event)| format!("{level:?} {event}")).collect();
        lines.join("\n")
    }
}
