//! Advice about the sinks of the audit log and of metrics.

use super::{Config, Runtime};
use crate::log::{Sink, SinkKind};

impl Config {
    /// What it means that a sink of the configuration is not bound. Requests are answered all the same.
    pub fn sink_advice(&self, runtime: &Runtime, is_bound: &dyn Fn(SinkKind) -> bool) -> Vec<String> {
        let missing = runtime
            .sinks
            .iter()
            .filter(|bound| self.audit.sinks.contains(&Sink::Bound(bound.kind)) && !is_bound(bound.kind));
        let advise = |sink: &super::RuntimeSink| {
            let (value, missing, add) = (sink.value, sink.missing, sink.add);
            format!("AUTH.audit.sinks: \"{value}\" {missing}, so no line gets there: {add}")
        };
        missing.map(advise).collect()
    }

    /// What it means that the dataset of metrics is not bound, if the configuration wants it.
    pub fn metrics_advice(&self, runtime: &Runtime, is_bound: bool) -> Option<String> {
        let sink = runtime.metrics.first().filter(|_| self.metrics.has_dataset && !is_bound)?;
        let (value, missing, add) = (sink.value, sink.missing, sink.add);
        Some(format!("AUTH.metrics.sink: \"{value}\" {missing}, so nothing is counted: {add}"))
    }
}
