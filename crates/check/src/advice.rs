//! The advice that the Worker would write into its log.

use vestibule_core::config::Config;
use vestibule_workers::{LOGIN_LIMIT, LOGIN_LIMIT_LOOSE, METRICS, RUNTIME, sink_binding};

use crate::bindings::Bindings;
use crate::deployment::Deployment;
use crate::finding::Finding;

/// The advice about a configuration, with its place.
pub(crate) fn advice(deployment: &Deployment<'_>, config: &Config, bindings: &Bindings) -> Vec<Finding> {
    let limits_are_bound = bindings.is_bound(LOGIN_LIMIT) && bindings.is_bound(LOGIN_LIMIT_LOOSE);
    let all = config.advice(&RUNTIME).into_iter();
    let all = all.chain(config.login_limit_advice(&RUNTIME, limits_are_bound));
    let all = all.chain(config.sink_advice(&RUNTIME, &|kind| bindings.is_bound(sink_binding(kind))));
    let all = all.chain(config.metrics_advice(&RUNTIME, bindings.is_bound(METRICS)));
    all.map(|text| located(deployment, &text)).collect()
}

/// `AUTH.rules[1].require: what is odd` with its place in the file.
pub(crate) fn located(deployment: &Deployment<'_>, text: &str) -> Finding {
    let (place, problem) = text.split_once(": ").unwrap_or(("", text));
    let of_provider = place.strip_prefix("provider ");
    let at = match of_provider {
        Some(id) => provider_at(deployment, id),
        None => deployment.locate(place),
    };
    Finding::advice(at, place, problem, "")
}

fn provider_at(deployment: &Deployment<'_>, id: &str) -> crate::document::At {
    let name = format!("AUTH_{}_", id.replace('-', "_").to_ascii_uppercase());
    deployment.provider_at(&name).unwrap_or_else(|| deployment.at.clone())
}
