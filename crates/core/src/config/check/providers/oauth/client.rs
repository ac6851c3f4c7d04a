//! The client: its id, its secret or key, and how it authenticates at the token endpoint.

use super::parameter::{algorithm, check_own_parameter};
use super::parameters::Parameters;
use crate::config::check::secrets::{IN_A_FILE, check_credential};
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::CLIENT_AUTH_METHODS;
use crate::config::table::{Table, Text};
use vestibule_oidc::jose::sign::PrivateKey;
use vestibule_oidc::oauth::authorize;
use vestibule_oidc::oauth::provider::{ClientAuthMethod, ClientConfig, ClientKey, IdTokenAlgorithm};
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
            "remove it, change it at the provider, and set it with {set}",
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
    let key = if is_key_needed { key(is_signed, parameters) } else { None };
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
    ClientConfig { id, id_param, secret, secret_param, method, key, secret_from_key }
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
        None => refuse!(at, "the client id is missing", "set it with {set}, or write {place}",),
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
                "set it with {set}; or set {key}, and the secret is signed with that key"
            );
        }
        None => {
            let place = provider.place;
            refuse!(
                at,
                "the client secret is missing",
                "set it with {set}; for a public client, which has none, write \
                 token_endpoint_auth_method = \"none\" in {place}"
            );
        }
    }
    secret.map(Secret::new)
}

/// The key that the client signs with. `is_id_needed`: the key must have an id, because a client secret that is a signed JWT
/// names its key.
fn key(is_id_needed: bool, parameters: &Parameters<'_>) -> Option<ClientKey> {
    let provider = parameters.provider;
    let (name, pem) = parameters.variable("private_key");
    let at = provider.place.variable(&name);
    let is_id_given = is_id_needed || parameters.given("key_id").is_some();
    let id = if is_id_given { parameters.required("key_id") } else { None };
    if is_id_given && id.is_none() {
        return None;
    }
    let Some(pem) = pem else {
        let set = at.set_secret(&name);
        refuse!(
            at,
            "the private key of the client is missing",
            "set it with {set}, to the contents of its PEM file",
        );
        return None;
    };
    let key = match PrivateKey::from_pem(&Secret::new(pem)) {
        Ok(key) => key,
        Err(why) => {
            refuse!(at, "{why}");
            return None;
        }
    };
    let written = provider.text("token_endpoint_auth_signing_alg");
    let algorithm = match &written {
        None => key.algorithms().first().copied(),
        Some(name) => {
            let chosen = algorithm(name, &[])?;
            if !key.algorithms().contains(&chosen) {
                refuse!(name, "the key in {at} cannot sign with {name}; choose an algorithm for this key");
            }
            Some(chosen)
        }
    };
    Some(ClientKey { key, algorithm: algorithm?, id })
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
