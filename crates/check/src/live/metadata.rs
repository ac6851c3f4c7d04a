//! What a provider publishes about itself: its metadata, its keys, and the time by its clock.

use serde_json::Value;
use vestibule_core::oauth::discovery::{self, Issuer, ProviderMetadata};
use vestibule_core::oauth::jwks;
use vestibule_core::oauth::provider::{ClientAuthMethod, IdTokenAlgorithm};
use vestibule_core::time::Timestamp;

use super::Asked;
use super::wire::{Answer, Received, excerpt};

/// In seconds. ID tokens are accepted with a difference of 60.
const MAX_SKEW: u64 = 30;

impl Asked<'_, '_> {
    /// The provider's metadata. `None` if it was not asked yet, or has none that can be used.
    pub(super) fn metadata(&mut self) -> Option<ProviderMetadata> {
        if let Some(configured) = ProviderMetadata::configured(self.oauth) {
            return Some(configured);
        }
        let openid = self.oauth.openid.as_ref()?;
        let issuer = Issuer {
            identifier: &openid.issuer,
            template: openid.token_issuer.as_deref(),
            well_known: openid.well_known.as_ref(),
        };
        let request = discovery::request(&issuer);
        let id = self.id("metadata");
        let received = match self.context.fetch(&id, &request)? {
            Answer::Failed(why) => {
                let problem = format!("no metadata at {}: {}", request.url, excerpt(why));
                self.refuse(
                    "issuer",
                    problem,
                    "check the spelling of the issuer, and whether the provider is up",
                );
                return None;
            }
            Answer::Received(received) => received,
        };
        match discovery::parse(&issuer, &received.response()) {
            Ok(metadata) => {
                self.compare(&metadata, received);
                self.clock(received);
                Some(metadata.with_configured(self.oauth))
            }
            Err(error) => {
                let elsewhere = received.header("location").map(excerpt);
                let elsewhere = elsewhere.map(|to| format!(", to {to}")).unwrap_or_default();
                let problem = format!("{}: {error}{elsewhere}", request.url);
                self.refuse(
                    "issuer",
                    problem,
                    "write the issuer as the provider's own documentation spells it",
                );
                None
            }
        }
    }

    /// Compares the metadata with what the configuration asks for.
    fn compare(&mut self, metadata: &ProviderMetadata, received: &Received) {
        let document: Value = serde_json::from_str(&received.body).unwrap_or_default();
        let list = |name: &str| -> Option<Vec<&str>> {
            Some(document.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
        };
        if let Some(known) = list("scopes_supported") {
            let asked = self.oauth.scope.as_deref().unwrap_or_default().split(' ');
            let unknown: Vec<&str> =
                asked.filter(|scope| !scope.is_empty() && !known.contains(scope)).collect();
            if !unknown.is_empty() {
                let problem = format!("the provider does not list the scope {}", unknown.join(", "));
                self.advise("scope", problem, format!("it lists {}", excerpt(&known.join(", "))));
            }
        }
        let method = self.oauth.client.method.and_then(name);
        if let (Some(method), Some(known)) = (method, list("token_endpoint_auth_methods_supported"))
            && !known.contains(&method)
        {
            let problem = format!("the provider does not accept {method:?} at its token endpoint");
            self.refuse(
                "token_endpoint_auth_method",
                problem,
                format!("it accepts {}", excerpt(&known.join(", "))),
            );
        }
        let response_type = self.oauth.authorization.response_type.as_str();
        if let Some(known) = list("response_types_supported").filter(|known| !known.contains(&response_type))
        {
            let problem = format!("the provider does not list the response type {response_type:?}");
            self.advise("authorization", problem, format!("it lists {}", excerpt(&known.join(", "))));
        }
        if self.oauth.authorization.pkce && metadata.supports_pkce() == Some(false) {
            self.advise("", "the provider does not list PKCE with S256", "");
        }
        let uses_refresh_tokens =
            self.oauth.scope.as_deref().is_some_and(|scope| scope.contains("offline_access"));
        if uses_refresh_tokens
            && list("grant_types_supported").is_some_and(|known| !known.contains(&"refresh_token"))
        {
            self.advise(
                "scope",
                "the provider does not list the grant refresh_token, so offline_access brings none",
                "",
            );
        }
        let openid = self.oauth.openid.as_ref();
        let configured = openid.and_then(|openid| openid.id_token_algorithm);
        let accepted = self.oauth.accepted(metadata.id_token_algorithms());
        let is_good = match configured {
            None => !accepted.is_empty(),
            Some(IdTokenAlgorithm::Hs256) => true,
            Some(IdTokenAlgorithm::Of(algorithm)) => accepted.contains(&algorithm),
        };
        if !is_good {
            let known = list("id_token_signing_alg_values_supported").unwrap_or_default().join(", ");
            let problem =
                format!("the provider signs ID tokens with {}, which is not accepted here", excerpt(&known));
            self.refuse(
                "id_token_signed_response_alg",
                problem,
                "choose another algorithm for this client at the provider",
            );
        }
    }

    /// The difference between the provider's clock and this machine's.
    fn clock(&mut self, received: &Received) {
        let Some(date) = received.header("date").and_then(Timestamp::parse_cookie_date) else { return };
        let (theirs, ours) = (date.seconds(), received.at);
        let skew = theirs.abs_diff(ours);
        if ours == 0 || skew <= MAX_SKEW {
            return;
        }
        let direction = if theirs > ours { "ahead of" } else { "behind" };
        self.advise(
            "issuer",
            format!("the provider's clock is {skew} s {direction} this machine's"),
            "ID tokens are accepted with a difference of 60 s: set whichever clock is wrong",
        );
    }

    /// The provider's keys.
    pub(super) fn keys(&mut self, metadata: &ProviderMetadata) {
        let is_symmetric = self
            .oauth
            .openid
            .as_ref()
            .is_none_or(|openid| openid.id_token_algorithm == Some(IdTokenAlgorithm::Hs256));
        let Some(url) = metadata.jwks_uri().filter(|_| !is_symmetric) else { return };
        let id = self.id("keys");
        let Some(answer) = self.context.fetch(&id, &jwks::request(url)) else { return };
        let problem = match answer {
            Answer::Failed(why) => excerpt(why),
            Answer::Received(received) => match jwks::parse(&received.response()) {
                Ok(keys) if keys.is_empty() => "no key there can verify a signature".to_owned(),
                Ok(_) => return,
                Err(error) => error.to_string(),
            },
        };
        let problem = format!("the provider's keys at {}: {problem}", url.as_str());
        self.refuse("issuer", problem, "no sign-in can be verified without them");
    }
}

/// The name of a method in metadata.
fn name(method: ClientAuthMethod) -> Option<&'static str> {
    Some(match method {
        ClientAuthMethod::Basic => "client_secret_basic",
        ClientAuthMethod::Post => "client_secret_post",
        ClientAuthMethod::SecretJwt => "client_secret_jwt",
        ClientAuthMethod::PrivateKeyJwt => "private_key_jwt",
        // Providers seldom list it.
        ClientAuthMethod::None => return None,
    })
}
