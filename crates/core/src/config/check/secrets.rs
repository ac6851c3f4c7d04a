//! The secrets, which are set in the environment and never in the configuration.

use crate::config::place::{Env, Place, refuse};
use crate::config::table::{Table, Text};
use vestibule_oidc::data::{DataPath, Template};
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

/// The secrets with which an operator reads `GET BASE_PATH/health/details`.
pub(in crate::config) const HEALTH_SECRETS: [&str; 2] = ["AUTH_HEALTH_SECRET", "AUTH_HEALTH_SECRET_1"];

/// The secret that the HTTP endpoint of `audit.sinks` gets.
pub(in crate::config) const AUDIT_SECRET: &str = "AUTH_AUDIT_SECRET";

/// What the names of the secrets begin with that templates can name: `{secret.API_KEY}` is `AUTH_TEMPLATE_API_KEY`. No
/// template reads any other variable.
pub(in crate::config) const TEMPLATE_SECRET: &str = "AUTH_TEMPLATE_";

/// The name in templates that a secret's name follows.
const SECRET_ROOT: &str = "secret";

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
            "remove it, create a new one with `openssl rand -base64 33` and set it {set}",
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

/// Checks a secret that others send in a header. `others` are secrets that it must differ from, and `other_purpose` says why.
pub(super) fn check_header_secret(secret: &str, place: &Place<'_>, others: &[&Secret], other_purpose: &str) {
    const FIX: &str = "create one with `openssl rand -hex 32`";
    if secret.len() < MIN_SECRET_LENGTH {
        refuse!(place, "the secret is shorter than {MIN_SECRET_LENGTH} characters", "{FIX}");
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic()) {
        refuse!(
            place,
            "the secret is sent in a header, and has characters that a header cannot carry",
            "{FIX}"
        );
    }
    if others.iter().any(|other| other.matches(secret)) {
        refuse!(place, "{other_purpose}", "{FIX}");
    }
}

/// Whether a placeholder is that of a secret: `{secret.NAME}`.
pub(super) fn is_template_secret(path: &DataPath) -> bool {
    path.root() == SECRET_ROOT && path.rest().len() > 0
}

/// How a placeholder has to be written that is meant for a secret.
pub(super) fn template_secret_hint(path: &DataPath) -> Option<&'static str> {
    (path.root() == SECRET_ROOT).then_some("write {secret.NAME} for the secret AUTH_TEMPLATE_NAME")
}

/// The template with its secrets. Each one that is missing is noted as a mistake, or cannot be sent.
pub(super) fn with_template_secrets(template: Template, place: &Place<'_>) -> Template {
    template.with_secrets(&mut |path| is_template_secret(path).then(|| template_secret(path, place)))
}

/// The secret that a placeholder names. After a mistake it is empty.
fn template_secret(path: &DataPath, place: &Place<'_>) -> Secret {
    let name = path.rest().next().unwrap_or_default();
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !is_name || path.rest().len() != 1 {
        refuse!(
            place,
            "{{{path}}} does not name a secret",
            "write {{secret.NAME}} with A-Z, 0-9 and \"_\", for the secret AUTH_TEMPLATE_NAME"
        );
        return Secret::default();
    }
    let variable_name = format!("{TEMPLATE_SECRET}{name}");
    let at = place.variable(&variable_name);
    let value = variable(place.loading.env, &variable_name);
    // One secret may be in several texts; one message is enough.
    if !at.is_refused() {
        match &value {
            None => {
                let set = at.set_secret(&variable_name);
                refuse!(at, "this secret is missing; {place} needs it", "set it {set}");
            }
            Some(value) => check_credential(&Text { text: value, place: at }),
        }
    }
    value.filter(|_| !at.is_refused()).map(Secret::new).unwrap_or_default()
}

/// Refuses secrets in a text that becomes a part of a URL: URLs are in logs, histories and `Referer`.
pub(super) fn refuse_in_url(text: &Text<'_>) {
    let (_, unknown) = Template::parse(text.text, &|_| false);
    if let Some(path) = unknown.iter().find(|path| is_template_secret(path)) {
        refuse!(
            text,
            "{{{path}}} would be in a URL, and URLs are logged on the way",
            "send the secret in a header field or in the body"
        );
    }
}

/// Checks a client id, a secret or a token of the configuration: visible ASCII and spaces, [RFC 6749 appendix A.1 and
/// A.2](https://www.rfc-editor.org/rfc/rfc6749#appendix-A.1). A pasted line break is found here, and not later in an
/// error of the server that gets it.
pub(super) fn check_credential(text: &Text<'_>) {
    let value = text.text;
    if value.trim() != value || value.is_empty() || !value.bytes().all(|b| matches!(b, b' '..=b'~')) {
        refuse!(
            text,
            "the value has white space around it, or characters that are not visible ASCII",
            "set it again without a line break"
        );
    }
}

/// The value of a variable. An empty value counts as missing.
pub(in crate::config) fn variable(env: Env<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}
