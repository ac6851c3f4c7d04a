//! The configuration. `schema` lists every key and its type, and refuses what does not fit. `check` reads the rest as a
//! `table` and makes a [`Config`] of it. A flow only sees the checked `Config`, so no flow checks a value again.

mod advice;
mod audit;
mod check;
mod checked;
mod client_keys;
mod dpop;
pub mod email;
pub mod error;
mod lease;
mod login_limit;
mod logout;
mod place;
mod prepared;
mod previews;
mod proven;
#[cfg(feature = "reference")]
pub mod reference;
pub mod refresh;
mod revocation;
mod runtime;
mod schema;
mod sources;
mod step_up;
mod table;
pub mod theme;
pub(crate) mod tokens;
pub mod verify;

use serde_json::{Map, Value};

pub use self::checked::{Config, Pages, Provider, ProviderKind, SiteConfig};
pub(crate) use self::checked::{forwarded_paths, is_like_provider_id};
pub use self::prepared::Prepared;
pub use self::runtime::{Lease, Revocation, Runtime, RuntimeSink};
pub use self::sources::{Source, Sources, toml_problem};
use crate::config::error::ConfigErrors;
use crate::config::place::{Loading, Place, refuse};
use crate::config::table::Table;

/// Whether the configuration has a key of this name at its top, such as `base_path`.
pub fn is_key(name: &str) -> bool {
    schema::AUTH.iter().copied().flatten().any(|key| key.name == name)
}

impl Config {
    /// Checks a whole configuration and makes a `Config` of it.
    ///
    /// `auth` is the value of `AUTH`: an object, a string that contains a JSON object, or `null` where `AUTH` is missing.
    /// `env` returns the secret or variable of a name. `runtime` says which leases, services and header fields the runtime
    /// has. [`Sources`] makes one `auth` of a file and a variable.
    ///
    /// # Errors
    /// All mistakes that were found, not only the first. No error quotes a secret.
    pub fn load(
        auth: Value,
        env: &dyn Fn(&str) -> Option<String>,
        runtime: &Runtime,
    ) -> Result<Self, ConfigErrors> {
        let loading = Loading::new(env, runtime);
        let root = Place::root(&loading);
        let config = object(auth, &root).and_then(|mut auth| {
            check::with_preset_defaults(&mut auth, env);
            schema::read(&mut auth, schema::AUTH, &root);
            let auth = Table::new(Some(&auth), root);
            check::with_secrets(&auth, check::without_secrets(&auth))
        });
        loading.problems.unless_any(config)
    }
}

/// The table `AUTH`. It may be a string with JSON, because a CI that sets variables from outside sets strings.
fn object(auth: Value, place: &Place<'_>) -> Option<Map<String, Value>> {
    let problem = match auth {
        Value::Object(table) => return Some(table),
        Value::Null => "the configuration is missing",
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(table)) => return Some(table),
            Ok(_) => "the string must contain a JSON object",
            // serde_json's message could quote a value, which could be a secret. Line and column say enough.
            Err(why) => {
                let (line, column, instead) = (why.line(), why.column(), place.loading.runtime.write_table);
                refuse!(
                    place,
                    "the string must contain a JSON object, but is not valid JSON at line {line}, column {column}",
                    "{instead}"
                );
                return None;
            }
        },
        _ => "expected a table",
    };
    let configure = place.loading.runtime.configure;
    refuse!(place, "{problem}", "{configure}");
    None
}

#[cfg(test)]
mod tests;
