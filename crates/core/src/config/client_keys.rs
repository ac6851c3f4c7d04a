//! Advice about the clients' private keys, which are published as one set.

use super::{Config, ProviderKind};
use vestibule_oidc::oauth::provider::{ClientKey, KeyId};

impl Config {
    /// Two keys of one name in the set: a provider may try the wrong one, and libraries refuse such a set.
    pub(super) fn client_key_advice(&self) -> Vec<String> {
        let mut named: Vec<(&str, &str, &ClientKey)> = Vec::new();
        let mut advice = Vec::new();
        for provider in &self.providers {
            let ProviderKind::OAuth(oauth) = &provider.kind else { continue };
            for key in oauth.client.published_keys() {
                let KeyId::Named(name) = &key.id else { continue };
                let is_other = |(_, other, known): &&(&str, &str, &ClientKey)| {
                    *other == name.as_str() && !known.key.matches(&key.key)
                };
                if let Some((other, ..)) = named.iter().find(is_other) {
                    let id = &provider.id;
                    advice.push(format!(
                        "providers {other} and {id}: two keys have the key_id {name:?}, and {}/client-keys.json publishes \
                         both: give each a name of its own, or remove key_id",
                        self.base_path
                    ));
                }
                named.push((&provider.id, name, key));
            }
        }
        advice
    }
}
