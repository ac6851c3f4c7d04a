//! The operator's log: a table of all events, and the lines that tell of them.
//!
//! A call site names an event of the table ([`LogEvent`]) and adds a message ([`Record`]). What request it happened in is
//! added on the way to the log, so that no call site can forget it ([`Line`]). `docs/events.md` is generated from the
//! table.

mod audit;
mod event;
mod line;
mod metric;
mod point;
mod table;

pub use self::audit::{AuditConfig, AuditKind, Named, Sink, SinkKind, find_subjects, subject_hash};
pub use self::event::{Case, Entry, ErrorSource, Field, Group, Level};
pub use self::line::{Line, Record, RequestDetails};
pub use self::metric::{METRIC_NUMBERS, METRIC_TEXTS, Measured, Metric, MetricEntry, MetricsConfig, Totals};
pub use self::point::{COLUMNS, DataPoint, point};
pub use self::table::LogEvent;
