//! The configuration: a `table` is what `wrangler.toml` says, as far as it fits the `schema`; [`Config`] is what was
//! checked. Only the checked one reaches a flow, so a flow never asks whether a value makes sense.

mod bindings;
mod check;
mod checked;
pub mod error;
mod place;
pub mod refresh;
mod schema;
mod table;
pub mod verify;

use serde_json::{Map, Value};

pub use self::checked::{Config, Pages, Provider, ProviderKind};
pub(crate) use self::checked::{is_like_provider_id, told};
use crate::config::error::{ConfigErrors, Problems};
use crate::config::place::{Loading, Place, refuse};
use crate::config::table::Table;

impl Config {
    /// Checks a whole configuration: `auth` is `[vars.AUTH]` as wrangler hands it over, an object or a string
    /// with one in it, `null` where there is none; `env` gives secrets and variables by name.
    ///
    /// As much as can be is found wrong at once, in the order of the configuration. No error quotes a secret.
    pub fn load(auth: Value, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let loading = Loading { env, problems: Problems::default() };
        let root = Place::root(&loading);
        let config = object(auth, &root).and_then(|mut auth| {
            check::lay_presets_under(&mut auth, env);
            schema::read(&mut auth, schema::AUTH, &root);
            check::check(&Table::new(Some(&auth), root))
        });
        loading.problems.unless_any(config)
    }
}

/// The table. A CI that sets variables from outside sets strings.
fn object(auth: Value, place: &Place<'_>) -> Option<Map<String, Value>> {
    let problem = match auth {
        Value::Object(table) => return Some(table),
        Value::Null => "there is no configuration",
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(table)) => return Some(table),
            Ok(_) => "a string must hold a JSON object",
            // serde_json's message would quote; line and column say enough.
            Err(why) => {
                let (line, column) = (why.line(), why.column());
                refuse!(
                    place,
                    "a string must hold a JSON object: broken at line {line}, column {column}",
                    "write a [vars.AUTH] table in wrangler.toml instead"
                );
                return None;
            }
        },
        _ => "expected a table",
    };
    refuse!(
        place,
        "{problem}",
        "add to wrangler.toml: `[vars.AUTH]`, `base_path = \"/auth\"`, `providers = [{{ id = \"okta\" }}]`"
    );
    None
}

#[cfg(test)]
mod tests;
