//! `[[vars.AUTH.providers]]`: the providers that sign users in.

mod credentials;
mod email;
mod oauth;
mod user;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(super) use credentials::refuse_refresh_tokens;
pub(super) use oauth::fapi2::refuse_straight_way;

use self::oauth::variable_prefix;
use super::rules::claims;
use super::session::{CLAIM_ROOTS, refuse_root};
use super::shown::check_shown;
use crate::config::place::{Env, refuse};
use crate::config::schema::Group;
use crate::config::schema::providers::credentials::CREDENTIALS;
use crate::config::schema::providers::oauth::{OAUTH, OPENID};
use crate::config::schema::providers::requests::REQUESTS;
use crate::config::schema::providers::{ProviderType, RENEWAL_TIMES, TYPES};
use crate::config::table::{Table, Text};
use crate::config::{Provider, ProviderKind, is_like_provider_id};
use crate::guard::rules::ClaimRequirement;
use vestibule_oidc::presets::{self, Brand, icon, ids, preset};

pub(super) fn providers(auth: &Table<'_>) -> Vec<Provider> {
    let mut providers: Vec<Provider> = Vec::new();
    let mut by_prefix: BTreeMap<String, usize> = BTreeMap::new();
    for table in auth.tables("providers") {
        let Some(id) = id(&table) else { continue };
        let prefix = variable_prefix(id);
        if let Some(twin) = by_prefix.get(&prefix).and_then(|at| providers.get(*at)) {
            let (place, twin) = (table.at("id"), &twin.id);
            if twin == id {
                refuse!(place, "another provider already has the id {id:?}; choose another id");
            } else {
                refuse!(place, "{id:?} and {twin:?} would read the same secrets; choose another id");
            }
            continue;
        }
        if let Some(provider) = provider(id, &table) {
            by_prefix.insert(prefix, providers.len());
            providers.push(provider);
        }
    }
    providers
}

/// Reads the clients of the providers, in the order of their tables.
pub(super) fn set_clients(auth: &Table<'_>, providers: &mut [Provider]) {
    for (table, provider) in auth.tables("providers").iter().zip(providers) {
        if let ProviderKind::OAuth(oauth) = &mut provider.kind {
            oauth.client = oauth::client(&provider.id, table);
        }
    }
}

/// Refuses a site without providers, except where `login_url` names another host that has them.
pub(super) fn refuse_none(auth: &Table<'_>) {
    let place = auth.at("providers");
    if auth.tables("providers").is_empty() && !auth.has("login_url") && !place.is_refused() {
        refuse!(
            place,
            "at least one provider is needed to sign users in",
            "add for example `[[providers]]` (in wrangler.toml `[[vars.AUTH.providers]]`), `id = \"okta\"`; or write \
             login_url, if another host of the site signs users in",
        );
    }
}

/// The name of a provider's variable, and its value where it is set.
pub(super) fn provider_variable(id: &str, key: &str, env: Env<'_>) -> (String, Option<String>) {
    oauth::variable(id, key, env)
}

fn id<'a>(provider: &'a Table<'_>) -> Option<&'a str> {
    let Some(text) = provider.text("id") else {
        refuse!(
            provider.at("id"),
            "the id is missing; write the name of a preset, or a name of your own together with an issuer"
        );
        return None;
    };
    let id = text.text;
    let is_good =
        is_like_provider_id(id) && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !is_good {
        refuse!(
            text,
            "{text} cannot be an id, which is part of URLs and of the names of secrets",
            "use at most 64 of a-z, 0-9, \"-\" and \"_\", with a letter or digit first"
        );
    }
    is_good.then_some(id)
}

fn provider(id: &str, provider: &Table<'_>) -> Option<Provider> {
    let kind = if provider.has("type") { provider.chosen("type", &TYPES)? } else { ProviderType::Oidc };
    refuse_foreign_keys(kind, provider);
    if !has_valid_preset(provider) {
        return None;
    }
    // Most sites have one provider of this type; Auth.js names it so.
    let usual = if kind == ProviderType::Credentials && id == "credentials" { "Credentials" } else { id };
    let name = Text { text: provider.str("name").unwrap_or(usual), place: provider.at("name") };
    check_shown(&name);
    let brand = brand(provider);
    let icon = provider.str("preset").and_then(icon);
    let allow = allow(provider);
    let kind = match kind {
        ProviderType::Oidc | ProviderType::OAuth2 => {
            ProviderKind::OAuth(oauth::oauth(id, kind == ProviderType::Oidc, provider))
        }
        ProviderType::Credentials => ProviderKind::Credentials(credentials::credentials(provider)?),
    };
    let email = email::email(provider, &kind);
    let renewal = provider.chosen("renew", &RENEWAL_TIMES).unwrap_or_default();
    Some(Provider { id: id.to_owned(), name: name.text.to_owned(), allow, email, brand, icon, renewal, kind })
}

/// Whether the preset exists and has the written type; a mistake is noted. Its keys were merged into the table before the
/// schema was checked.
fn has_valid_preset(provider: &Table<'_>) -> bool {
    let Some(name) = provider.text("preset") else { return true };
    let Some(preset) = preset(name.text) else {
        name.refuse_unknown(&ids().collect::<Vec<_>>());
        return false;
    };
    let kind = provider.str("type").map(|kind| if kind == "oauth" { "oauth2" } else { kind });
    let preset_type = preset.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_same_type = kind.is_none_or(|kind| kind == preset_type);
    if !is_same_type {
        let text = name.text;
        refuse!(name, "the preset {text:?} has type = \"{preset_type}\"; remove the type or the preset");
    }
    is_same_type
}

/// The requirements that a user must meet to sign in.
fn allow(provider: &Table<'_>) -> Vec<ClaimRequirement> {
    let allow = provider.table("allow");
    if allow.is_written() && allow.names().is_empty() {
        refuse!(
            allow.place,
            "the table is empty",
            "write a condition, or remove the table to let everyone sign in"
        );
    }
    let requirements = claims(&allow);
    for requirement in &requirements {
        let root = requirement.claim.root();
        if !CLAIM_ROOTS.contains(&root) {
            let claim = requirement.claim.to_string();
            refuse_root(&Text { text: root, place: allow.at(&claim) }, root);
        }
    }
    requirements
}

/// Refuses keys that only providers of other types have.
fn refuse_foreign_keys(kind: ProviderType, provider: &Table<'_>) {
    let refuse = |keys: Group, types: &str| {
        for key in keys.iter().map(|key| key.name).filter(|key| provider.has(key)) {
            refuse!(provider.at(key), "only a provider of type {types} has this key", "remove it");
        }
    };
    let is_credentials = kind == ProviderType::Credentials;
    match provider.value("profile") {
        Some(Value::Object(_)) if !is_credentials => {
            refuse!(
                provider.at("profile"),
                "only a provider of type \"credentials\" has this table",
                "remove it"
            );
        }
        Some(Value::String(_)) if is_credentials => {
            refuse!(
                provider.at("profile"),
                "only a provider of type \"oidc\" has a security profile",
                "remove it, or write the request for the user's profile as a table"
            );
        }
        _ => {}
    }
    match kind {
        ProviderType::Oidc => refuse(CREDENTIALS, "\"credentials\""),
        ProviderType::OAuth2 => {
            refuse(OPENID, "\"oidc\"");
            refuse(CREDENTIALS, "\"credentials\"");
        }
        ProviderType::Credentials => {
            refuse(OAUTH, "\"oidc\" or \"oauth2\"");
            refuse(REQUESTS, "\"oidc\" or \"oauth2\"");
            refuse(OPENID, "\"oidc\"");
        }
    }
}

/// The colors of the button on the sign-in page.
fn brand(provider: &Table<'_>) -> Option<Brand> {
    let style = provider.table("style");
    let brand = Brand::of(style.str("background")?, style.str("text")?);
    if brand.is_none() {
        refuse!(style.place, "colors must be written like \"#1a73e8\"");
    }
    brand
}

/// Merges each provider with its preset; a written key wins. This happens before the schema is checked, because a preset has
/// the same keys.
pub(in crate::config) fn with_preset_defaults(auth: &mut Map<String, Value>, env: Env<'_>) {
    let Some(Value::Array(written)) = auth.get_mut("providers") else { return };
    for provider in written {
        if let Value::Object(provider) = provider {
            presets::with_preset_defaults(provider, &|id, key| oauth::variable(id, key, env).1.is_some());
            oauth::fapi2::with_defaults(provider);
        }
    }
}
