//! The secrets of `GET BASE_PATH/health/details`.

use super::secrets::{HEALTH_SECRETS, check_header_secret, variable};
use crate::config::Provider;
use crate::config::table::Table;
use vestibule_oidc::secret::Secret;

/// A provider with this id has a client secret of the same name.
const PROVIDER: &str = "health";

/// The secrets that are set. `others` are secrets that each must differ from.
pub(super) fn health_secrets(auth: &Table<'_>, providers: &[Provider], others: &[&Secret]) -> Vec<Secret> {
    let mut secrets = Vec::new();
    let is_taken = providers.iter().any(|provider| provider.id == PROVIDER);
    for name in HEALTH_SECRETS.into_iter().skip(usize::from(is_taken)) {
        let Some(secret) = variable(auth.place.loading.env, name) else { continue };
        let other_purpose = "this secret has another purpose too, so anyone who reads the monitor's configuration could use it for that";
        check_header_secret(&secret, &auth.place.variable(name), others, other_purpose);
        secrets.push(Secret::new(secret));
    }
    secrets
}
