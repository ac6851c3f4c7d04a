//! The secrets, which come from beside the configuration.

use crate::config::place::{Env, refuse};
use crate::config::table::Table;
use vestibule_oidc::secret::Secret;

/// In the order of Auth.js: the first that is there seals, all open.
pub(in crate::config) const SESSION_SECRETS: [&str; 4] =
    ["AUTH_SECRET_3", "AUTH_SECRET_2", "AUTH_SECRET_1", "AUTH_SECRET"];

/// Proves that a proxy asks about a request.
pub(in crate::config) const VERIFY_SECRET: &str = "AUTH_VERIFY_SECRET";

/// Sixteen characters of base64 hold 96 random bits at most; fewer come into reach of guessing.
pub(super) const SHORTEST_SECRET: usize = 16;

/// Why a secret is refused among the variables.
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
        if secret.chars().count() < SHORTEST_SECRET {
            refuse!(
                auth.place.variable(name),
                "the secret is shorter than {SHORTEST_SECRET} characters",
                "create one with `openssl rand -base64 33`",
            );
        }
        secrets.push(Secret::new(secret));
    }
    secrets
}

/// A variable's value; an empty one is none.
pub(super) fn variable(env: Env<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}
