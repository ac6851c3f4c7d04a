//! The private keys of the client.

use super::parameter::algorithm;
use super::parameters::Parameters;
use crate::config::check::names::PRIVATE_KEYS;
use crate::config::place::refuse;
use crate::config::schema::providers::requests::PROFILES;
use crate::config::table::Table;
use vestibule_oidc::jose::jws::Algorithm;
use vestibule_oidc::jose::sign::PrivateKey;
use vestibule_oidc::oauth::provider::{ClientKey, KeyId};
use vestibule_oidc::secret::Secret;

/// The keys that the client signs with, newest first. A key that is set is read also where nothing in the configuration
/// needs it: the provider's metadata can. `signs_secret`: the key signs the client secret, and then there is one, with an
/// id, because such a secret names its key.
pub(super) fn keys(is_needed: bool, signs_secret: bool, parameters: &Parameters<'_>) -> Vec<ClientKey> {
    let provider = parameters.provider;
    let set: Vec<(String, String)> =
        PRIVATE_KEYS.iter().filter_map(|key| Some(parameters.variable(key)).and_then(present)).collect();
    if set.is_empty() {
        if is_needed {
            let (name, _) = parameters.variable("private_key");
            let at = provider.place.variable(&name);
            let set = at.set_secret(&name);
            refuse!(
                at,
                "the private key of the client is missing",
                "set it {set}, to the contents of its PEM file",
            );
        }
        return Vec::new();
    }
    let is_strict = provider.str("profile").is_some();
    let is_id_given = signs_secret || parameters.given("key_id").is_some();
    let is_single = set.len() == 1;
    if let Some((newest, _)) = set.first().filter(|_| !is_single) {
        refuse_several(newest, parameters);
    }
    let id = if is_id_given && is_single { parameters.required("key_id").map(KeyId::Named) } else { None };
    if is_id_given && is_single && id.is_none() {
        return Vec::new();
    }
    let id = id.unwrap_or(if is_single && !is_strict { KeyId::Unpublished } else { KeyId::Thumbprint });
    let mut keys = Vec::new();
    for (i, (name, pem)) in set.into_iter().enumerate() {
        keys.extend(key(&name, pem, i == 0, provider).map(|(key, algorithm)| ClientKey {
            key,
            algorithm,
            id: id.clone(),
        }));
    }
    keys
}

/// Refuses several keys where a secret or a name is for one key.
fn refuse_several(newest: &str, parameters: &Parameters<'_>) {
    let provider = parameters.provider;
    if provider.has("client_secret_from_key") {
        refuse!(
            provider.place.variable(newest),
            "one key signs the client secret",
            "remove this one, or set it in place of the one without a number"
        );
    } else if let Some(given) = parameters.given("key_id") {
        refuse!(
            given.text(provider),
            "there are several private keys, and each is named by its thumbprint",
            "remove it; the provider finds the keys at BASE_PATH/client-keys.json"
        );
    }
}

/// The key in a variable, and its algorithm. `signs`: it is the newest one, to which the configured algorithm applies.
fn key(name: &str, pem: String, signs: bool, provider: &Table<'_>) -> Option<(PrivateKey, Algorithm)> {
    let at = provider.place.variable(name);
    let key = match PrivateKey::from_pem(&Secret::new(pem)) {
        Ok(key) => key,
        Err(why) => {
            refuse!(at, "{why}");
            return None;
        }
    };
    let is_rsa = key.algorithms().contains(&Algorithm::Rs256);
    if is_rsa && !provider.place.loading.runtime.signs_rsa {
        refuse!(
            at,
            "this runtime has no cryptography of its own to sign with an RSA key",
            "set a key on P-256 (ES256), and register its public half at the provider"
        );
        return None;
    }
    // An unknown name is reported where the profile is read.
    let profile = PROFILES.iter().find(|(name, _)| provider.str("profile") == Some(name));
    let is_allowed = |algorithm: &Algorithm| profile.is_none_or(|(_, profile)| profile.allows(*algorithm));
    let Some(usual) = key.algorithms().iter().copied().find(is_allowed) else {
        let profile = profile.map_or("", |(name, _)| name);
        refuse!(
            at,
            "this key signs with none of the algorithms of profile = {profile:?}: PS256, ES256 and EdDSA"
        );
        return None;
    };
    let written = provider.text("token_endpoint_auth_signing_alg");
    let Some(written) = written else { return Some((key, usual)) };
    let chosen = algorithm(&written, &[])?;
    if key.algorithms().contains(&chosen) {
        return Some((key, chosen));
    }
    // An older key is only published.
    if signs {
        refuse!(written, "the key in {at} cannot sign with {written}; choose an algorithm for this key");
    }
    Some((key, usual))
}

fn present((name, value): (String, Option<String>)) -> Option<(String, String)> {
    Some((name, value?))
}
