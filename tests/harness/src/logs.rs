//! The output of the Worker and the runtime.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::watched::Watched;

/// One call of `console.log` or a similar function, or one line of the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `log`, `debug`, `info`, `warn` or `error` for a call of the Worker; `stdout` or `stderr` for another line.
    pub level: String,
    /// The text. It may have several lines.
    pub message: String,
    /// Whether it comes from the runtime and not from the Worker, for example an uncaught exception.
    pub from_runtime: bool,
}

impl LogLine {
    /// The message as JSON, for Workers that log one object per line.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.message).ok()
    }
}

/// The log since the start. Clones refer to the same log.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    shared: Arc<Watched<Vec<LogLine>>>,
}

impl Logs {
    /// All lines so far, in order.
    pub fn lines(&self) -> Vec<LogLine> {
        self.shared.lock().clone()
    }

    /// Whether a message so far contains `text`. To assert that a text is not logged, first wait for a line that has to be
    /// logged.
    pub fn contains(&self, text: &str) -> bool {
        self.shared.lock().iter().any(|line| line.message.contains(text))
    }

    /// All lines so far as text, one `level: message` per line.
    pub fn text(&self) -> String {
        self.shared.lock().iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{}: {}", line.level, line.message).ok();
            text
        })
    }

    /// Waits for a message that contains `text`, and gives the first one.
    ///
    /// # Panics
    /// If there is none within `timeout`. The message shows the log.
    pub fn wait_for(&self, text: &str, timeout: Duration) -> LogLine {
        self.wait_until(timeout, |lines| lines.iter().find(|line| line.message.contains(text)).cloned())
            .unwrap_or_else(|| {
                panic!("no log line contains {text:?} within {timeout:?}; the log is:\n{}", self.text())
            })
    }

    /// Calls `found` with all lines after each new line until it returns `Some`, and gives that value; `None` after
    /// `timeout`.
    pub fn wait_until<T>(
        &self,
        timeout: Duration,
        mut found: impl FnMut(&[LogLine]) -> Option<T>,
    ) -> Option<T> {
        self.shared.wait_until(timeout, |lines| found(lines))
    }

    /// Reads an output stream of the process to its end, in a separate thread. `parse` makes a line of its text and of the
    /// stream's name.
    pub(crate) fn follow(
        &self,
        stream: impl Read + Send + 'static,
        name: &'static str,
        parse: fn(&str, &str) -> LogLine,
    ) -> thread::JoinHandle<()> {
        let logs = self.clone();
        thread::spawn(move || {
            let mut from = BufReader::new(stream);
            let mut bytes = Vec::new();
            while matches!(from.read_until(b'\n', &mut bytes), Ok(got) if got > 0) {
                let text = String::from_utf8_lossy(&bytes);
                logs.push(parse(text.trim_end_matches(['\n', '\r']), name));
                bytes.clear();
            }
        })
    }

    fn push(&self, line: LogLine) {
        self.shared.change(|lines| lines.push(line));
    }
}

/// Parses a structured line of workerd, which has a level and a message. A line with a `source` comes from the runtime.
pub(crate) fn structured(text: &str, stream: &str) -> LogLine {
    let bare = || LogLine { level: stream.to_owned(), message: text.to_owned(), from_runtime: true };
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return bare() };
    let field = |name| fields.get(name).and_then(Value::as_str);
    match (field("level"), field("message"), fields.contains_key("timestamp")) {
        (Some(level), Some(message), true) => LogLine {
            level: level.to_owned(),
            message: message.to_owned(),
            from_runtime: fields.contains_key("source"),
        },
        _ => bare(),
    }
}
