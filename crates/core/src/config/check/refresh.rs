//! `[vars.AUTH.refresh]`

use std::time::Duration;

use super::session::{MINUTE, duration};
use crate::config::refresh::RefreshConfig;
use crate::config::table::Table;
use crate::lease::kind::LeaseKind;

/// Most access tokens are valid for one hour. With a longer leeway, every request would refresh them.
const MAX_LEEWAY: Duration = Duration::from_hours(1);

/// How access tokens are refreshed.
pub(super) fn refresh(refresh: &Table<'_>) -> RefreshConfig {
    let runtime = refresh.place.loading.runtime;
    let mut leases: Vec<(&str, LeaseKind)> =
        runtime.leases.iter().map(|lease| (lease.value, lease.kind)).collect();
    leases.push(("none", LeaseKind::None));
    let lease = refresh.chosen("lease", &leases);
    RefreshConfig {
        lease: lease.unwrap_or(runtime.default_lease()),
        lease_is_chosen: lease.is_some(),
        leeway: duration(refresh, "leeway", Duration::ZERO, MAX_LEEWAY).unwrap_or(MINUTE),
    }
}
