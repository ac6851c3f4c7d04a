//! `[vars.AUTH.verify]`: what `GET BASE_PATH/verify` accepts from a proxy.

use super::secrets::{IN_A_FILE, VERIFY_SECRET, check_header_secret, variable};
use crate::config::place::refuse;
use crate::config::schema::HEADERS;
use crate::config::table::Table;
use crate::config::verify::VerifyConfig;
use vestibule_oidc::secret::Secret;

/// Checks the table. `sealing` are the session secrets, which the proxy's secret must differ from.
pub(super) fn verify(verify: &Table<'_>, sealing: &[&Secret]) -> VerifyConfig {
    let headers = verify.chosen("headers", &HEADERS);
    let set = verify.place.set_secret(VERIFY_SECRET);
    if verify.has("secret") {
        refuse!(
            verify.at("secret"),
            "{IN_A_FILE}",
            "remove it, create a new one with `openssl rand -hex 32` and set it {set}",
        );
    }
    // Without `headers` no proxy is configured, even where its secret is set.
    if !verify.has("headers") {
        return VerifyConfig::default();
    }
    let secret = variable(verify.place.loading.env, VERIFY_SECRET);
    match &secret {
        Some(secret) => check_header_secret(
            secret,
            &verify.place.variable(VERIFY_SECRET),
            sealing,
            "this secret also seals sessions, so anyone who can read the proxy's configuration could create sessions",
        ),
        None => refuse!(
            verify.place.variable(VERIFY_SECRET),
            "this secret is missing; without it, anyone could pretend to be the proxy",
            "create one with `openssl rand -hex 32`, set it {set}, and let the \
             proxy send it as X-Vestibule-Verify",
        ),
    }
    VerifyConfig { headers: headers.flatten(), secret: secret.map(Secret::new) }
}
