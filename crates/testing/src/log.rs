//! The operator's log, in memory.

use std::cell::RefCell;

use serde_json::Value;
use vestibule_core::log::{AuditKind, Entry, Field, Line, LogEvent};

/// What every line has.
const ALWAYS: [&str; 4] = ["event", "level", "error_source", "message"];

/// All lines so far.
#[derive(Default)]
pub struct FakeLog {
    lines: RefCell<Vec<Line>>,
}

impl FakeLog {
    /// Adds a line. The test fails where it is not as the table of events has it.
    pub fn write(&self, line: &Line) {
        check(line);
        self.lines.borrow_mut().push(line.clone());
    }

    /// The lines of that event so far, in order.
    pub fn of(&self, event: LogEvent) -> Vec<Line> {
        self.lines.borrow().iter().filter(|line| line.event() == event).cloned().collect()
    }

    /// All lines so far, as text.
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.lines.borrow().iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

/// A line is JSON without a line break, has the fields of its event, and only values that the table allows.
fn check(line: &Line) {
    let text = line.to_string();
    let entry: &Entry = line.event().entry();
    let written: Value = serde_json::from_str(&text).expect("a log line is JSON");
    let written = written.as_object().expect("a log line is an object");
    assert_eq!(written["event"], entry.name, "{text}");
    assert_eq!(written["level"], line.level().name(), "{text}");
    assert_eq!(written["error_source"], line.error_source().name(), "{text}");
    assert!(!line.message().is_empty(), "a message says something: {text}");
    assert!(
        entry.cases().any(|case| (case.error_source, case.level) == (line.error_source(), line.level())),
        "the table does not have this error source: {text}"
    );
    for (name, value) in written {
        let field = match name.as_str() {
            "provider" => Some(Field::Provider),
            "code" => Some(Field::Code),
            "host" | "path" | "request_id" | "trace" | "time" | "subject" => Some(Field::Request),
            "rule" | "reason" => Some(Field::Rule),
            "audit" => {
                assert_eq!(
                    Some(value.as_str().unwrap_or_default()),
                    entry.audit.map(AuditKind::name),
                    "{text}"
                );
                None
            }
            name => {
                assert!(ALWAYS.contains(&name), "{name} is not a field of the log: {text}");
                None
            }
        };
        assert!(
            field.is_none_or(|field| entry.fields.contains(&field)),
            "the table does not have {name}: {text}"
        );
        let value = value.as_str().expect("a value is text");
        assert!(!value.contains(char::is_control) && value.chars().count() <= 1001, "{name}: {text}");
    }
    let in_request = entry.fields.contains(&Field::Request);
    assert!(!in_request || written.contains_key("path"), "the request is missing: {text}");
    assert!(
        !written.get("path").is_some_and(|path| path.as_str().is_some_and(|path| path.contains('?'))),
        "{text}"
    );
}
