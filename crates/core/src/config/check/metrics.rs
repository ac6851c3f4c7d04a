//! `[vars.AUTH.metrics]`

use crate::config::place::refuse;
use crate::config::table::Table;
use crate::log::MetricsConfig;
use vestibule_oidc::http::origin::{Origin, is_loopback};

/// Checks the table. `origins` are those at which browsers reach the site, as far as the configuration says it.
pub(super) fn metrics(metrics: &Table<'_>, origins: &[Option<&Origin>]) -> MetricsConfig {
    let sinks = metrics.place.loading.runtime.metrics.iter();
    let mut choices: Vec<(&str, bool)> = sinks.map(|sink| (sink.value, true)).collect();
    choices.push(("none", false));
    let server_timing = metrics.flag("server_timing").unwrap_or_default();
    if server_timing && let Some(origin) = origins.iter().flatten().find(|origin| !is_loopback(origin.host()))
    {
        let (place, origin) = (metrics.at("server_timing"), origin.as_str());
        refuse!(
            place,
            "the site is at {origin}, and only a developer's own machine may show how long the provider and the store take",
            "write it only in the configuration with which a developer runs the site",
        );
    }
    MetricsConfig { has_dataset: metrics.chosen("sink", &choices).unwrap_or(false), server_timing }
}
