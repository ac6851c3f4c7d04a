//! `[vars.AUTH.metrics]`

use super::Kind::{Bool, Text};
use super::{Keys, keys};

/// The datasets that the runtime has, and `none`.
#[cfg(feature = "reference")]
struct MetricSinks;

#[cfg(feature = "reference")]
impl super::Values for MetricSinks {
    fn list(&self, runtime: &crate::config::Runtime) -> Vec<String> {
        runtime.metrics.iter().map(|sink| sink.value).chain(["none"]).map(str::to_owned).collect()
    }
}

pub(in crate::config) const METRICS: Keys = &[keys! {
    /// Where the metrics go: `"analytics"`, a dataset of Analytics Engine; `"none"`: nothing is counted. docs/metrics.md says
    /// what there is, and in which columns.
    sink: Text, values = MetricSinks, default = "none", example = "analytics", needs = "`\"analytics\"`: the binding `AUTH_METRICS`";
    /// Responses to a developer's own machine say in `Server-Timing` how long the provider and the store took, in milliseconds.
    /// Requests to every other host never get it.
    server_timing: Bool, default = false, example = true,
        needs = "no `origin` or `login_url` but on this machine: it is for development";
}];
