//! Loads the configuration of a deployment as the Worker does, with stand-ins for the secrets that are not at hand.

use std::collections::BTreeMap;

use serde_json::Value;
use vestibule_core::config::error::ConfigError;
use vestibule_core::config::{Config, Runtime};

use crate::bindings::Bindings;
use crate::deployment::Deployment;
use crate::document::Node;
use crate::finding::Finding;

/// A private key that nothing else uses, because a text that is no key is refused.
const STAND_IN_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
     MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6YsmXwvIzYGAHRNS\n\
     +LAaLjn0w7H0g5s+WbKE95wEUYahRANCAAS/ZHv3AsE9w9bVLrMbtJ9utsPPhT+x\n\
     8uqz+OkEIAaIo8twhbjbqV3CcTC8T0loLDoHQolLtCpqwwp8Y690oimV\n\
     -----END PRIVATE KEY-----";

/// A configuration, or why there is none.
pub(crate) struct Loaded {
    /// The configuration; `None` if it has mistakes.
    pub(crate) config: Option<Config>,
    /// Its mistakes.
    pub(crate) errors: Vec<ConfigError>,
    /// The secrets that it needs and that no file has, with the mistake that each would be.
    pub(crate) missing: Vec<(String, ConfigError)>,
    /// The values that stand in for secrets.
    stand_ins: BTreeMap<String, String>,
    /// What the configuration can say.
    runtime: &'static Runtime,
}

impl Loaded {
    /// Whether the value of a secret is not known.
    pub(crate) fn is_stand_in(&self, name: &str) -> bool {
        self.stand_ins.contains_key(name)
    }

    /// Loads the configuration of a deployment to this runtime.
    ///
    /// The core names the secrets that are missing; each gets a stand-in, until only other mistakes are left. So the checks
    /// behind a missing secret run as well, and an optional secret that no one set stays unset.
    pub(crate) fn new(deployment: &Deployment<'_>, runtime: &'static Runtime) -> Self {
        let mut loaded = Self {
            config: None,
            errors: Vec::new(),
            missing: Vec::new(),
            stand_ins: BTreeMap::new(),
            runtime,
        };
        loop {
            let errors = match loaded.load(deployment) {
                Ok(config) => {
                    loaded.config = Some(config);
                    return loaded;
                }
                Err(errors) => errors,
            };
            let known = loaded.stand_ins.len();
            for error in &errors {
                let Some(name) = error.variable() else { continue };
                let is_new = deployment.text(name).is_none_or(|text| text.is_empty())
                    && !loaded.is_stand_in(name)
                    && !deployment.is_set_elsewhere(name);
                if is_new {
                    loaded.stand_ins.insert(name.to_owned(), stand_in(name));
                    loaded.missing.push((name.to_owned(), error.clone()));
                }
            }
            if loaded.stand_ins.len() == known {
                // What is wrong with a made-up value is no mistake.
                let is_made_up = |error: &ConfigError| {
                    loaded.is_stand_in(&error.place) || deployment.is_set_elsewhere(&error.place)
                };
                loaded.errors = errors.into_iter().filter(|error| !is_made_up(error)).collect();
                return loaded;
            }
        }
    }

    /// The configuration with what the bindings allow, as the Worker uses it. `None` if a binding is missing.
    pub(crate) fn bound(&self, deployment: &Deployment<'_>, bindings: &Bindings) -> Option<Config> {
        let config = self.load(deployment).ok()?;
        let config = bindings.check_lease(config).ok()?;
        let config = bindings.check_tokens(config).ok()?;
        bindings.check_revocation(config).ok()
    }

    /// The configuration once more, for a check that consumes it.
    pub(crate) fn load(&self, deployment: &Deployment<'_>) -> Result<Config, Vec<ConfigError>> {
        self.load_for(deployment, self.runtime)
    }

    /// The same for a runtime whose values mean something else.
    pub(crate) fn load_for(
        &self,
        deployment: &Deployment<'_>,
        runtime: &Runtime,
    ) -> Result<Config, Vec<ConfigError>> {
        let auth = deployment.auth.as_ref().map_or(Value::Null, Node::to_json);
        let variable = |name: &str| {
            let elsewhere = || deployment.is_set_elsewhere(name).then(|| stand_in(name));
            let known = deployment.text(name).filter(|text| !text.is_empty());
            known.or_else(|| self.stand_ins.get(name).cloned()).or_else(elsewhere)
        };
        Config::load(auth, &variable, runtime).map_err(|errors| errors.iter().cloned().collect())
    }
}

/// What the core refuses.
pub(crate) fn refused(deployment: &Deployment<'_>, error: &ConfigError) -> Finding {
    let at = deployment.variable_at(&error.place);
    let at = at.or_else(|| deployment.provider_at(&error.place));
    let at = at.unwrap_or_else(|| deployment.locate(&error.place));
    Finding::error(at, &error.place, &error.problem, &error.fix)
}

/// A value for a secret whose value is not known. Each is different, because some equal secrets are refused.
fn stand_in(name: &str) -> String {
    if name.contains("_PRIVATE_KEY") || name.ends_with("_DECRYPTION_KEY") {
        STAND_IN_KEY.to_owned()
    } else if name.ends_with("_ISSUER") {
        "https://issuer.invalid".to_owned()
    } else {
        format!("made-up-without-secrets:{name}")
    }
}
