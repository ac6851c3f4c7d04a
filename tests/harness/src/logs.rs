//! What the Worker and the runtime printed.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::watched::Watched;

/// One call of `console.log` and its kin, or one line of the runtime's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `log`, `debug`, `info`, `warn`, `error` as the Worker called it; `stdout` or `stderr` for a bare line.
    pub level: String,
    /// The text, which may have several lines.
    pub message: String,
    /// Whether the runtime said it, not the Worker: an uncaught exception, say.
    pub from_runtime: bool,
}

impl LogLine {
    /// The message as JSON, for Workers that log one object a line.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.message).ok()
    }
}

/// All that was logged since the start. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    shared: Arc<Watched<Vec<LogLine>>>,
}

impl Logs {
    /// Everything so far, in order.
    pub fn lines(&self) -> Vec<LogLine> {
        self.shared.lock().clone()
    }

    /// Whether a message so far contains `text`. For what must not be logged, first wait for what must be.
    pub fn contains(&self, text: &str) -> bool {
        self.shared.lock().iter().any(|line| line.message.contains(text))
    }

    /// Everything so far as text, one `level: message` a line.
    pub fn text(&self) -> String {
        self.shared.lock().iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{}: {}", line.level, line.message).ok();
            text
        })
    }

    /// The first message that contains `text`, as soon as there is one.
    ///
    /// # Panics
    /// When there is none within `timeout`; the panic shows what there is.
    pub fn wait_for(&self, text: &str, timeout: Duration) -> LogLine {
        self.wait_until(timeout, |lines| lines.iter().find(|line| line.message.contains(text)).cloned())
            .unwrap_or_else(|| {
                panic!("no log line with {text:?} within {timeout:?}; logged:\n{}", self.text())
            })
    }

    /// What `found` makes of all lines as soon as it is something; `None` after `timeout`.
    pub fn wait_until<T>(
        &self,
        timeout: Duration,
        mut found: impl FnMut(&[LogLine]) -> Option<T>,
    ) -> Option<T> {
        self.shared.wait_until(timeout, |lines| found(lines))
    }

    /// Reads a stream of the process to its end on a thread of its own.
    pub(crate) fn follow(
        &self,
        stream: impl Read + Send + 'static,
        name: &'static str,
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

/// The runtime's structured lines have level and message; those with a `source` are its own.
fn parse(text: &str, stream: &str) -> LogLine {
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
