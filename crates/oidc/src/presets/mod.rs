//! Presets: the settings of widely used providers, as data.
//!
//! `presets.json` is one table. An entry has the keys that a user writes for any other provider, so a preset consists
//! of defaults for what the user writes, and every setting of a preset can also be configured. No flow depends on the
//! name of a provider. Ids and names are those of Auth.js, so URLs (`/callback/okta`) and secrets (`AUTH_OKTA_ID`) stay
//! the same when an app migrates.
//!
//! A preset is parsed when it is used: the build splits the table. `presets.notes.json` has the parts for readers only: the links to
//! the providers' documentation, and notes. It is not part of the binary.

mod brand;
mod icon;

use serde_json::{Map, Value};

pub use brand::{Brand, Rgb};
pub use icon::icon;

use crate::json;

/// The presets as JSON, by id. To parse the whole table takes 0.5 ms natively, which an instance of one request would pay each
/// time. The feature `raw_value` of serde_json would avoid that, too, but it gives a special meaning to one key in every JSON text
/// that is parsed, even in a client's.
const PRESETS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// Keys of an entry that describe the preset and not the provider.
const PRESET_KEYS: [&str; 2] = ["example", "when"];

/// Parameters that a user sets. The settings that a preset has in `when` for a parameter apply if that parameter is
/// set.
const PARAMETERS: [&str; 3] = ["issuer", "tenant", "domain"];

/// The ids of all presets, sorted.
pub fn ids() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(id, _)| *id)
}

/// The preset of that id.
pub fn preset(id: &str) -> Option<Map<String, Value>> {
    let at = PRESETS.binary_search_by_key(&id, |(id, _)| id).ok()?;
    json::object(PRESETS.get(at)?.1.as_bytes())
}

/// Adds the settings of its preset to a provider, as defaults for what is written. The preset is that of the key
/// `preset`, otherwise that of the provider's `id`; its id is then in the key `preset`. A provider with a `type` other
/// than the preset's has no preset.
///
/// `variable(id, key)` is whether the parameter `key` of the provider `id` is set outside the configuration.
pub fn with_preset_defaults(written: &mut Map<String, Value>, variable: &dyn Fn(&str, &str) -> bool) {
    let text = |key: &str| written.get(key).and_then(Value::as_str);
    let id = text("id").unwrap_or_default().to_owned();
    let name = text("preset").map_or_else(|| id.clone(), str::to_owned);
    let Some(mut preset) = preset(&name) else { return };
    let kind = text("type").map(|kind| if kind == "oauth" { "oauth2" } else { kind });
    if kind.is_some() && preset.get("type").and_then(Value::as_str) != kind {
        return;
    }
    let when = preset.remove("when").unwrap_or_default();
    preset.retain(|key, _| !PRESET_KEYS.contains(&key.as_str()));
    for parameter in PARAMETERS {
        let is_written = written.get(parameter).is_some_and(|value| !value.is_null());
        let is_set = !is_written && variable(&id, parameter);
        if is_set {
            // Otherwise the preset's value would take precedence over the one that is set outside.
            preset.remove(parameter);
        }
        if let Some(Value::Object(more)) = when.get(parameter)
            && (is_written || is_set)
        {
            merge(&mut preset, more.clone());
        }
    }
    preset.insert("preset".to_owned(), Value::from(name));
    merge(&mut preset, std::mem::take(written));
    *written = preset;
}

/// Merges `upper` into `lower`. The members of `upper` win, and tables are merged. A URL counts as a table with a
/// `url`.
fn merge(lower: &mut Map<String, Value>, upper: Map<String, Value>) {
    for (key, mut value) in upper {
        let Some(below) = lower.get_mut(&key) else {
            lower.insert(key, value);
            continue;
        };
        if is_endpoint(&key) && below.is_object() != value.is_object() {
            with_url(below);
            with_url(&mut value);
        }
        match (below, value) {
            (_, Value::Null) => {}
            (Value::Object(lower), Value::Object(upper)) if key != "body" => merge(lower, upper),
            (below, value) => *below = value,
        }
    }
}

fn is_endpoint(key: &str) -> bool {
    matches!(key, "authorization" | "token" | "userinfo")
}

/// Turns a URL into a table with a `url`.
pub fn with_url(endpoint: &mut Value) {
    if endpoint.is_string() {
        *endpoint = serde_json::json!({ "url": endpoint.take() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = include_str!("presets.json");

    fn table() -> Map<String, Value> {
        serde_json::from_str(TABLE).unwrap()
    }

    #[allow(clippy::needless_pass_by_value, reason = "the callers read better")]
    fn with_defaults(written: Value, set: &[&str]) -> Value {
        let mut written = written.as_object().unwrap().clone();
        with_preset_defaults(&mut written, &|_, parameter| set.contains(&parameter));
        Value::Object(written)
    }

    #[test]
    fn every_entry_is_found_by_its_exact_id_only() {
        let written = json::members(TABLE.as_bytes()).unwrap();
        assert!(written.is_sorted_by(|(a, _), (b, _)| a < b), "sorted, and no id twice");
        assert!(ids().eq(written.iter().map(|(id, _)| id.as_str())));
        for (id, entry) in &written {
            assert_eq!(preset(id).as_ref(), entry.as_object(), "{id}");
            assert!(entry.is_object(), "{id}");
        }
        for id in ["", "Okta", "okt", "name", "github\": {\n", "\n  \"okta"] {
            assert_eq!(preset(id), None, "{id:?}");
        }
    }

    #[test]
    fn every_entry_has_a_name_documentation_and_required_settings() {
        let notes: Map<String, Value> = serde_json::from_str(include_str!("presets.notes.json")).unwrap();
        assert!(notes.keys().eq(table().keys()));
        for (id, entry) in table() {
            let text = |key: &str| entry[key].as_str().unwrap_or_else(|| panic!("{id}: {key}")).to_owned();
            assert!(!text("name").is_empty());
            assert!(notes[&id]["documentation"].as_str().unwrap().starts_with("https://"), "{id}");
            assert!(
                notes[&id]
                    .get("notes")
                    .is_none_or(|notes| notes.as_str().is_some_and(|text| !text.is_empty()))
            );
            match text("type").as_str() {
                "oidc" => assert!(
                    entry.get("issuer").is_some() || entry["example"].get("issuer").is_some(),
                    "{id}: no issuer and no example of one"
                ),
                "oauth2" => {
                    for key in ["authorization", "token", "token_endpoint_auth_method", "user"] {
                        assert!(entry.get(key).is_some(), "{id}: {key}");
                    }
                }
                other => panic!("{id}: {other}"),
            }
        }
    }

    #[test]
    fn written_settings_win_and_tables_are_merged() {
        let github = with_defaults(
            json!({ "id": "github", "scope": "read:user", "token": { "params": { "a": "b" } }, "name": null,
                    "userinfo": { "headers": { "x": "y" } }, "user": { "name": "profile.login" } }),
            &[],
        );
        assert_eq!(github["preset"], "github");
        assert_eq!(github["name"], "GitHub");
        assert_eq!(github["scope"], "read:user");
        assert_eq!(github["token"]["url"], "https://github.com/login/oauth/access_token");
        assert_eq!(github["token"]["params"], json!({ "a": "b" }));
        assert_eq!(
            github["userinfo"],
            json!({ "url": "https://api.github.com/user", "headers": { "x": "y" } })
        );
        assert_eq!(github["user"]["name"], "profile.login");
        assert_eq!(github["user"]["image"], "profile.avatar_url");
        assert!(PRESET_KEYS.iter().all(|key| github.get(key).is_none()));

        let own = with_defaults(json!({ "id": "github", "token": "https://idp.example/token" }), &[]);
        assert_eq!(own["token"]["url"], "https://idp.example/token");
        assert_eq!(own["token"]["invalid_grant_errors"], json!(["bad_refresh_token"]));
    }

    #[test]
    fn a_parameter_adds_its_settings_wherever_it_is_set() {
        for (written, set) in [
            (json!({ "id": "github", "domain": "git.example" }), &[][..]),
            (json!({ "id": "github" }), &["domain"]),
        ] {
            let enterprise = with_defaults(written, set);
            assert_eq!(enterprise["userinfo"], "https://{domain}/api/v3/user");
            assert_eq!(enterprise["emails"]["url"], "https://{domain}/api/v3/user/emails");
            assert_eq!(enterprise["emails"]["where"]["verified"], true);
        }
    }

    #[test]
    fn several_providers_can_share_a_preset_and_another_type_has_none() {
        assert_eq!(with_defaults(json!({ "id": "okta-staff", "preset": "okta" }), &[])["name"], "Okta");
        assert_eq!(with_defaults(json!({ "id": "github", "type": "oauth" }), &[])["preset"], "github");
        for alone in [
            json!({ "id": "okta", "type": "credentials" }),
            json!({ "id": "github", "type": "oidc", "issuer": "https://idp.example" }),
            json!({ "id": "acme" }),
            json!({ "id": "okta-staff", "preset": "octa" }),
            json!({ "id": 1 }),
            json!({}),
        ] {
            assert_eq!(with_defaults(alone.clone(), &[]), alone);
        }
    }

    #[test]
    fn the_text_of_every_brand_has_enough_contrast() {
        for (id, entry) in table() {
            let Some(style) = entry.get("style") else { continue };
            let brand = Brand::of(style["background"].as_str().unwrap(), style["text"].as_str().unwrap());
            let Brand { background, text } = brand.unwrap();
            assert!(background.contrast(text) >= 4.5, "{id}");
        }
    }
}
