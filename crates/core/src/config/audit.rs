//! Advice about the sinks of the audit log.

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
}
