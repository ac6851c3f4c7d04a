//! As whom we speak to a provider: the client's id, its secret or its key, and how it shows them.

use super::parameters::Parameters;
use crate::config::check::Env;
use crate::config::check::providers::variable_prefix;
use crate::config::check::secrets::{self, variable};
use crate::config::error::{Place, Problems, quoted};
use crate::config::oauth::{ClientAuthMethod, ClientConfig, ClientKey, IdTokenAlgorithm};
use crate::config::raw::RawOAuth;
use crate::jose::jws::Algorithm;
use crate::jose::sign::PrivateKey;
use crate::oauth::authorize;
use crate::secret::Secret;

/// Where a client's id and secrets are looked for.
pub(super) struct Identity<'a> {
    pub(super) id: &'a str,
    pub(super) written: &'a RawOAuth<'a>,
    pub(super) place: &'a Place,
    pub(super) env: Env<'a>,
}

impl Identity<'_> {
    /// How the client authenticates, where that is written.
    pub(super) fn method(&self, problems: &mut Problems) -> Option<ClientAuthMethod> {
        const METHODS: [(&str, ClientAuthMethod); 5] = [
            ("client_secret_basic", ClientAuthMethod::Basic),
            ("client_secret_post", ClientAuthMethod::Post),
            ("client_secret_jwt", ClientAuthMethod::SecretJwt),
            ("private_key_jwt", ClientAuthMethod::PrivateKeyJwt),
            ("none", ClientAuthMethod::None),
        ];
        let text = self.written.token_endpoint_auth_method?;
        problems.chosen(&self.place.key("token_endpoint_auth_method"), text, &METHODS)
    }

    pub(super) fn refuse_written_secret(&self, problems: &mut Problems) {
        if self.written.client_secret.is_some() {
            let name = self.variable("SECRET");
            problems.refuse_and_mend(
                &self.place.key("client_secret"),
                secrets::IN_A_FILE,
                format!("remove it, change it at the provider, and set it with `wrangler secret put {name}`"),
            );
        }
    }

    #[allow(clippy::option_option, reason = "wrong and absent are two things")]
    pub(super) fn client(
        &self,
        method: Option<ClientAuthMethod>,
        id_token_algorithm: Option<Option<IdTokenAlgorithm>>,
        parameters: &mut Parameters<'_>,
        problems: &mut Problems,
    ) -> Option<ClientConfig> {
        let id = self.client_id(problems);
        let id_param = self.param(self.written.client_id_param, "client_id", "client_id_param", problems);
        let secret_param =
            self.param(self.written.client_secret_param, "client_secret", "client_secret_param", problems);
        let is_key_set = variable(self.env, &self.variable("PRIVATE_KEY")).is_some();
        // Where a secret can be made with a key, one that was made before is only wanted without it.
        let signed = self.written.signed_secret.as_ref().filter(|_| is_key_set);
        let key = if method == Some(ClientAuthMethod::PrivateKeyJwt) || signed.is_some() {
            Some(self.key(signed.is_some(), parameters, problems))
        } else {
            None
        };
        let signed_secret = match signed {
            Some(raw) => {
                let team = parameters.required("team_id", problems);
                Some((raw.audience.unwrap_or_default().to_owned(), team?))
            }
            None => None,
        };
        let is_secret_needed = match method {
            _ if id_token_algorithm == Some(Some(IdTokenAlgorithm::Hs256)) => true,
            _ if signed.is_some() => false,
            Some(ClientAuthMethod::PrivateKeyJwt) => false,
            Some(ClientAuthMethod::None) => self.sends_secret_otherwise(),
            _ => true,
        };
        let secret = if is_secret_needed { self.secret(problems).map(Some) } else { Some(None) };
        Some(ClientConfig {
            id: id?,
            id_param,
            secret: secret?,
            secret_param,
            method,
            key: match key {
                Some(key) => Some(key?),
                None => None,
            },
            signed_secret,
        })
    }

    /// Whether a parameter of the token request holds the secret.
    fn sends_secret_otherwise(&self) -> bool {
        let params = self.written.token.iter().flat_map(|token| token.params.iter().flatten());
        params.into_iter().any(|(_, value)| value.contains("{client_secret}"))
    }

    fn client_id(&self, problems: &mut Problems) -> Option<String> {
        let name = self.variable("ID");
        let (at, client_id) = match self.written.client_id {
            Some(client_id) => (self.place.key("client_id"), Some(client_id.to_owned())),
            None => (Place::env(&name), variable(self.env, &name)),
        };
        let Some(client_id) = client_id else {
            let place = self.place.key("client_id");
            problems.refuse_and_mend(
                &at,
                "missing: the client id that the provider gave to this site",
                format!("set it with `wrangler secret put {name}`, or write {place}"),
            );
            return None;
        };
        is_credential(&client_id, &at, problems).then_some(client_id)
    }

    fn secret(&self, problems: &mut Problems) -> Option<Secret> {
        let name = self.variable("SECRET");
        let at = Place::env(&name);
        let Some(secret) = variable(self.env, &name) else {
            let otherwise = if self.written.signed_secret.is_some() {
                let key = self.variable("PRIVATE_KEY");
                format!("or {key}, with which one is signed whenever it is needed")
            } else {
                let place = self.place;
                format!(
                    "a public client has none and says so: token_endpoint_auth_method = \"none\" in {place}"
                )
            };
            problems.refuse_and_mend(
                &at,
                "missing: the client secret that the provider gave to this site",
                format!("set it with `wrangler secret put {name}`; {otherwise}"),
            );
            return None;
        };
        is_credential(&secret, &at, problems).then(|| Secret::new(secret))
    }

    /// The key that the client signs with. A secret that is a token says in any case which key it was.
    fn key(
        &self,
        is_id_needed: bool,
        parameters: &mut Parameters<'_>,
        problems: &mut Problems,
    ) -> Option<ClientKey> {
        let name = self.variable("PRIVATE_KEY");
        let at = Place::env(&name);
        let id = match parameters.given("key_id") {
            None if !is_id_needed => None,
            _ => Some(parameters.required("key_id", problems)?),
        };
        let Some(pem) = variable(self.env, &name) else {
            problems.refuse_and_mend(
                &at,
                "missing: the private key that the client signs with, in PEM",
                format!("set it with `wrangler secret put {name} < key.pem`"),
            );
            return None;
        };
        let key = match PrivateKey::from_pem(&Secret::new(pem)) {
            Ok(key) => key,
            Err(why) => {
                problems.refuse(&at, why.to_string());
                return None;
            }
        };
        let algorithm = match self.written.token_endpoint_auth_signing_alg {
            None => key.algorithms().first().copied(),
            Some(name) => {
                let place = self.place.key("token_endpoint_auth_signing_alg");
                let choices = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
                let chosen = problems.chosen(&place, name, &choices)?;
                if !key.algorithms().contains(&chosen) {
                    problems.refuse(&place, format!("the key in {at} is not one for {}", quoted(name)));
                    return None;
                }
                Some(chosen)
            }
        };
        Some(ClientKey { key, algorithm: algorithm?, id })
    }

    /// A parameter's name.
    fn param(&self, written: Option<&str>, usual: &str, key: &str, problems: &mut Problems) -> String {
        let Some(name) = written else { return usual.to_owned() };
        if !super::is_parameter(name) || (name != usual && authorize::RESERVED.contains(&name)) {
            let problem = format!("{} is no name of a parameter of its own", quoted(name));
            problems.refuse(&self.place.key(key), problem);
        }
        name.to_owned()
    }

    fn variable(&self, what: &str) -> String {
        format!("{}_{what}", variable_prefix(self.id))
    }
}

/// RFC 6749 appendix A.1 and A.2: visible ASCII and spaces. What a paste adds, a line's end, is found here
/// and not in the provider's `invalid_client`.
pub(super) fn is_credential(text: &str, place: &Place, problems: &mut Problems) -> bool {
    let is_good = text.trim() == text && !text.is_empty() && text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !is_good {
        let problem = "has white space around it, or characters that none of its kind has";
        problems.refuse_and_mend(place, problem, "set it again, without a line's end");
    }
    is_good
}
