//! The client: its id, its secret or key, and how it authenticates at the token endpoint.

use super::keys;
use super::parameter::check_own_parameter;
use super::parameters::Parameters;
use crate::config::check::secrets::{IN_A_FILE, check_credential};
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::CLIENT_AUTH_METHODS;
use crate::config::schema::providers::requests::ASSERTION_AUDIENCES;
use crate::config::table::{Table, Text};
use vestibule_oidc::oauth::authorize;
use vestibule_oidc::oauth::provider::{ClientAuthMethod, ClientConfig, IdTokenAlgorithm};
use vestibule_oidc::secret::Secret;

/// How the client authenticates, where the key is written.
pub(super) fn method(provider: &Table<'_>) -> Option<ClientAuthMethod> {
    provider.chosen("token_endpoint_auth_method", &CLIENT_AUTH_METHODS)
}

pub(super) fn refuse_written_secret(parameters: &Parameters<'_>) {
    let provider = parameters.provider;
    if provider.has("client_secret") {
        let (name, _) = parameters.variable("secret");
        let set = provider.place.set_secret(&name);
        refuse!(
            provider.at("client_secret"),
            "{IN_A_FILE}",
            "remove it, change it at the provider, and set it {set}",
        );
    }
}

pub(super) fn client(
    method: Option<ClientAuthMethod>,
    id_token_algorithm: Option<IdTokenAlgorithm>,
    parameters: &Parameters<'_>,
) -> ClientConfig {
    let provider = parameters.provider;
    let id = client_id(parameters);
    let id_param = param(provider, "client_id_param", "client_id");
    let secret_param = param(provider, "client_secret_param", "client_secret");
    // Where the private key is set, it signs the secret; only without it is a secret needed that was signed before.
    let is_signed = provider.has("client_secret_from_key") && parameters.variable("private_key").1.is_some();
    let is_key_needed = method == Some(ClientAuthMethod::PrivateKeyJwt) || is_signed;
    let keys =
        keys::keys(is_key_needed || provider.flag("request_object") == Some(true), is_signed, parameters);
    let secret_from_key = is_signed.then(|| {
        let audience = provider.table("client_secret_from_key").string("audience").unwrap_or_default();
        (audience, parameters.required("team_id").unwrap_or_default())
    });
    let is_secret_needed = match method {
        _ if id_token_algorithm == Some(IdTokenAlgorithm::Hs256) => true,
        _ if is_key_needed => false,
        Some(ClientAuthMethod::None) => sends_secret_otherwise(provider),
        _ => true,
    };
    let secret = if is_secret_needed { secret(parameters) } else { None };
    let assertion_audience =
        provider.chosen("client_assertion_audience", &ASSERTION_AUDIENCES).unwrap_or_default();
    ClientConfig { id, id_param, secret, secret_param, method, keys, secret_from_key, assertion_audience }
}

/// Whether a parameter of the token request sends the secret.
fn sends_secret_otherwise(provider: &Table<'_>) -> bool {
    let token = provider.table("token");
    token.table("params").entries().iter().any(|value| value.text.contains("{client_secret}"))
}

fn client_id(parameters: &Parameters<'_>) -> String {
    let provider = parameters.provider;
    let (name, variable) = parameters.variable("id");
    if let Some(written) = provider.text("client_id") {
        check_credential(&written);
        return written.text.to_owned();
    }
    let (at, place) = (provider.place.variable(&name), provider.at("client_id"));
    let set = at.set_secret(&name);
    match &variable {
        Some(id) => check_credential(&Text { text: id, place: at }),
        None => refuse!(at, "the client id is missing", "set it {set}, or write {place}",),
    }
    variable.unwrap_or_default()
}

fn secret(parameters: &Parameters<'_>) -> Option<Secret> {
    let provider = parameters.provider;
    let (name, secret) = parameters.variable("secret");
    let at = provider.place.variable(&name);
    let set = at.set_secret(&name);
    match &secret {
        Some(secret) => check_credential(&Text { text: secret, place: at }),
        None if provider.has("client_secret_from_key") => {
            let (key, _) = parameters.variable("private_key");
            refuse!(
                at,
                "the client secret is missing",
                "set it {set}; or set {key}, and the secret is signed with that key"
            );
        }
        None => {
            let place = provider.place;
            refuse!(
                at,
                "the client secret is missing",
                "set it {set}; for a public client, which has none, write \
                 token_endpoint_auth_method = \"none\" in {place}"
            );
        }
    }
    secret.map(Secret::new)
}

/// The configured name of a parameter.
fn param(provider: &Table<'_>, key: &str, usual: &str) -> String {
    if let Some(name) = provider.text(key)
        && name.text != usual
    {
        check_own_parameter(&name, &authorize::RESERVED);
    }
    provider.str(key).unwrap_or(usual).to_owned()
}
