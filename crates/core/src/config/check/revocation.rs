//! `[vars.AUTH.revocation]`: where revoked sessions are remembered, and the secrets of `POST BASE_PATH/revoke`.

use std::time::Duration;

use super::secrets::{IN_A_FILE, REVOKE_ALL_SECRETS, REVOKE_SECRETS, check_header_secret, variable};
use super::session::duration;
use crate::config::place::refuse;
use crate::config::schema::ON_UNAVAILABLE;
use crate::config::table::Table;
use crate::revocation::kind::RevocationStore;
use crate::revocation::policy::{OnUnavailable, OperatorSecrets, RevocationConfig};
use vestibule_oidc::secret::Secret;

const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// A session that was revoked must not pass for longer.
const MAX_INTERVAL: Duration = Duration::from_hours(1);

/// Checks the table. `other_secrets` are the session secrets and the proxy's, which an operator's must differ from.
pub(super) fn revocation(revocation: &Table<'_>, other_secrets: &[&Secret]) -> RevocationConfig {
    let runtime = revocation.place.loading.runtime;
    let mut stores: Vec<(&str, RevocationStore)> =
        runtime.revocations.iter().map(|store| (store.value, store.kind)).collect();
    stores.push(("none", RevocationStore::None));
    let chosen = revocation.chosen("store", &stores);
    let store = chosen.unwrap_or(runtime.default_revocation());
    let interval = duration(revocation, "interval", MIN_INTERVAL, MAX_INTERVAL);
    if revocation.has("secret") {
        let set = revocation.place.set_secret("AUTH_REVOKE_SECRET");
        refuse!(
            revocation.at("secret"),
            "{IN_A_FILE}",
            "remove it, create a new one with `openssl rand -hex 32` and set it {set}",
        );
    }
    let default_interval = runtime.revocation(store).map_or(MIN_INTERVAL, |store| store.interval);
    RevocationConfig {
        store,
        store_is_chosen: chosen.is_some(),
        interval: interval.unwrap_or(default_interval),
        on_unavailable: revocation.chosen("on_unavailable", &ON_UNAVAILABLE).unwrap_or(OnUnavailable::Accept),
        operator: operator(revocation, store, other_secrets),
    }
}

fn operator(revocation: &Table<'_>, store: RevocationStore, other_secrets: &[&Secret]) -> OperatorSecrets {
    let one = secrets(revocation, &REVOKE_SECRETS, other_secrets);
    let with_one: Vec<&Secret> = other_secrets.iter().copied().chain(&one).collect();
    let everything = secrets(revocation, &REVOKE_ALL_SECRETS, &with_one);
    let operator = OperatorSecrets { one, everything };
    if operator.are_set() && store == RevocationStore::None {
        refuse!(
            revocation.place.variable("AUTH_REVOKE_SECRET"),
            "this secret lets an operator revoke sessions, but there is no store that remembers it",
            "set AUTH.revocation.store, or remove the secret",
        );
    }
    operator
}

fn secrets(revocation: &Table<'_>, names: &'static [&'static str], others: &[&Secret]) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for name in names {
        let Some(secret) = variable(revocation.place.loading.env, name) else { continue };
        let other_purpose =
            "this secret has another purpose too, so anyone who may use it for that could revoke sessions";
        check_header_secret(&secret, &revocation.place.variable(name), others, other_purpose);
        secrets.push(Secret::new(secret));
    }
    secrets
}
