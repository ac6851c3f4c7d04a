//! Responses that the provider encrypts for this client: ID tokens and userinfo.

use super::parameters::Parameters;
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::{CONTENT_ENCRYPTIONS, KEY_MANAGEMENTS};
use vestibule_oidc::jose::encrypted::{DecryptionKey, Encryption, KeyManagement};
use vestibule_oidc::jose::jwe::ContentEncryption;
use vestibule_oidc::oauth::provider::ResponseEncryption;
use vestibule_oidc::secret::Secret;

/// Which responses are encrypted, and the keys. `is_openid`: the provider has ID tokens.
pub(super) fn response_encryption(is_openid: bool, parameters: &Parameters<'_>) -> ResponseEncryption {
    if !is_openid {
        return ResponseEncryption::default();
    }
    let id_token =
        encryption(parameters, "id_token_encrypted_response_alg", "id_token_encrypted_response_enc");
    let userinfo =
        encryption(parameters, "userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc");
    let keys = keys(parameters, [id_token, userinfo].into_iter().flatten().map(|it| it.management));
    ResponseEncryption { id_token, userinfo, keys }
}

fn encryption(parameters: &Parameters<'_>, alg: &str, enc: &str) -> Option<Encryption> {
    let provider = parameters.provider;
    let content = provider.chosen(enc, &CONTENT_ENCRYPTIONS);
    if !provider.has(alg) {
        if provider.has(enc) {
            refuse!(provider.at(enc), "without {alg} nothing is encrypted; write {alg} too, or remove this");
        }
        return None;
    }
    let management = provider.chosen(alg, &KEY_MANAGEMENTS)?;
    if management == KeyManagement::RsaOaep256 && !provider.place.loading.runtime.decrypts_rsa {
        refuse!(
            provider.at(alg),
            "this runtime has no cryptography of its own to decrypt with an RSA key",
            "write \"ECDH-ES\", with a key on P-256"
        );
        return None;
    }
    // OpenID Connect Dynamic Client Registration 1.0 section 2.
    let content = if provider.has(enc) { content? } else { ContentEncryption::A128CbcHs256 };
    Some(Encryption { management, content })
}

/// The keys of the secret, where something is encrypted. Each algorithm needs a key of its type.
fn keys(parameters: &Parameters<'_>, needed: impl Iterator<Item = KeyManagement>) -> Vec<DecryptionKey> {
    let needed: Vec<KeyManagement> = needed.collect();
    if needed.is_empty() {
        return Vec::new();
    }
    let (name, text) = parameters.variable("decryption_key");
    let at = parameters.provider.place.variable(&name);
    let set = at.set_secret(&name);
    let Some(text) = text else {
        refuse!(
            at,
            "the private key is missing for which the provider encrypts",
            "set it {set}, to the contents of a PEM file (PKCS #8) or to a JSON Web Key",
        );
        return Vec::new();
    };
    let keys = match DecryptionKey::parse_all(&Secret::new(text)) {
        Ok(keys) => keys,
        Err(why) => {
            refuse!(at, "{why}");
            return Vec::new();
        }
    };
    if let Some(management) = needed.iter().find(|management| !keys.iter().any(|key| key.fits(**management)))
    {
        let kind = if *management == KeyManagement::RsaOaep256 { "an RSA key" } else { "a key on P-256" };
        refuse!(at, "{management} needs {kind}, and there is none in it");
    }
    keys
}
