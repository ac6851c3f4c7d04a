//! A line of the log as a row of a dataset.

use super::Line;

/// A row of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPoint {
    /// By which the runtime groups points when it keeps only some of many.
    pub index: String,
    /// Texts, in the order of their columns.
    pub texts: Vec<String>,
    /// Numbers, in the order of their columns.
    pub numbers: Vec<f64>,
}

/// The columns of texts of a line in a dataset, in order. A line that lacks a field has an empty text there.
pub const COLUMNS: [&str; 13] = [
    "audit",
    "event",
    "level",
    "error_source",
    "provider",
    "code",
    "rule",
    "reason",
    "subject",
    "host",
    "path",
    "request_id",
    "message",
];

/// A line as a row of a dataset.
pub fn point(line: &Line) -> DataPoint {
    let fields = serde_json::to_value(line).unwrap_or_default();
    let text =
        |name: &&str| fields.get(*name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    DataPoint {
        index: line.event().name().to_owned(),
        texts: COLUMNS.iter().map(text).collect(),
        numbers: vec![1.0],
    }
}
