//! The secrets, which are set in the environment and never in the configuration.

use crate::config::place::{Env, refuse};
use crate::config::table::Table;
use vestibule_oidc::secret::Secret;

/// The session secrets in the order of Auth.js: the first one that is set seals sessions, and all of them open sessions.
pub(in crate::config) const SESSION_SECRETS: [&str; 4] =
    ["AUTH_SECRET_3", "AUTH_SECRET_2", "AUTH_SECRET_1", "AUTH_SECRET"];

/// The secret with which a proxy authenticates at `GET BASE_PATH/verify`.
pub(in crate::config) const VERIFY_SECRET: &str = "AUTH_VERIFY_SECRET";

/// The secrets with which an operator revokes one session or one user at `POST BASE_PATH/revoke`.
pub(in crate::config) const REVOKE_SECRETS: [&str; 2] = ["AUTH_REVOKE_SECRET", "AUTH_REVOKE_SECRET_1"];

/// The secrets with which an operator revokes everything there.
pub(in crate::config) const REVOKE_ALL_SECRETS: [&str; 2] =
    ["AUTH_REVOKE_ALL_SECRET", "AUTH_REVOKE_ALL_SECRET_1"];

/// Sixteen characters of base64 have at most 96 random bits. A shorter secret could be guessed.
pub(super) const MIN_SECRET_LENGTH: usize = 16;

/// Why a secret in the configuration file is refused.
pub(super) const IN_A_FILE: &str =
    "secrets must not be written in this file or in plain variables, where others can read them";

/// The secrets that seal sessions, newest first.
pub(super) fn session_secrets(auth: &Table<'_>) -> Vec<Secret> {
    if auth.has("secret") {
        let set = auth.place.set_secret("AUTH_SECRET");
        refuse!(
            auth.at("secret"),
            "{IN_A_FILE}",
            "remove it, create a new one with `openssl rand -base64 33` and set it with {set}",
        );
    }
    let mut secrets = Vec::new();
    for name in SESSION_SECRETS {
        let Some(secret) = variable(auth.place.loading.env, name) else { continue };
        if secret.chars().count() < MIN_SECRET_LENGTH {
            refuse!(
                auth.place.variable(name),
                "the secret is shorter than {MIN_SECRET_LENGTH} characters",
                "create one with `openssl rand -base64 33`",
            );
        }
        secrets.push(Secret::new(secret));
    }
    secrets
}

/// The value of a variable. An empty value counts as missing.
pub(super) fn variable(env: Env<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}
