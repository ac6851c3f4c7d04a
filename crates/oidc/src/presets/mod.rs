//! Presets: what is known of widely used providers, as data.
//!
//! `presets.json` is one table. An entry has the keys that a user writes for a provider of their own, so a
//! preset is laid under what the user writes, and whatever it can say, a configuration can say for any other
//! provider. Nothing in the flows asks for a provider by name. Ids and names are Auth.js's, so URLs
//! (`/callback/okta`) and secrets (`AUTH_OKTA_ID`) stay when an app moves.
//!
//! The table is read once, when the first preset is asked for. What is for readers alone, the provider's documentation
//! and notes about it, is in `presets.notes.json`, which no program carries.

mod brand;

use std::sync::LazyLock;

use serde_json::{Map, Value};

pub use brand::{Brand, Rgb};

use crate::json;

const TABLE: &str = include_str!("presets.json");

/// All presets by id. To read them takes 0.5 ms and 260 kB natively, once per process. The feature `raw_value` of
/// serde_json would spare that, but it gives a key of its own a meaning in every JSON text that is read, also in a
/// client's.
static PRESETS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| json::object(TABLE.as_bytes()).unwrap_or_default());

/// Keys of an entry that are about the preset and not about the provider.
const ABOUT: [&str; 2] = ["example", "when"];

/// Parameters that a user fills in. What a preset has in `when` for one of them holds where it is there.
const PARAMETERS: [&str; 3] = ["issuer", "tenant", "domain"];

/// The ids of all presets, sorted.
pub fn ids() -> impl Iterator<Item = &'static str> {
    PRESETS.keys().map(String::as_str)
}

/// The preset of that id: its entry in the table.
pub fn preset(id: &str) -> Option<&'static Map<String, Value>> {
    PRESETS.get(id)?.as_object()
}

/// Lays the preset of a written provider under it: that of the key `preset`, otherwise of its `id`. Which it was
/// stays in the key `preset`. A provider whose `type` is written, and is not the preset's, has none.
///
/// `variable` gives the parameters that are set outside the configuration, by key.
pub fn with_preset_defaults(written: &mut Map<String, Value>, variable: &dyn Fn(&str, &str) -> bool) {
    let text = |key: &str| written.get(key).and_then(Value::as_str);
    let id = text("id").unwrap_or_default().to_owned();
    let name = text("preset").map_or_else(|| id.clone(), str::to_owned);
    let Some(mut preset) = preset(&name).cloned() else { return };
    let kind = text("type").map(|kind| if kind == "oauth" { "oauth2" } else { kind });
    if kind.is_some() && preset.get("type").and_then(Value::as_str) != kind {
        return;
    }
    let when = preset.remove("when").unwrap_or_default();
    preset.retain(|key, _| !ABOUT.contains(&key.as_str()));
    for parameter in PARAMETERS {
        let is_written = written.get(parameter).is_some_and(|value| !value.is_null());
        let is_set = !is_written && variable(&id, parameter);
        if is_set {
            // What is set outside would otherwise look like less than what the preset writes.
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

/// Lays `upper` over `lower`: its members win, and tables are laid over tables. A URL alone is a table with a URL.
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

/// Makes a table of a URL.
pub fn with_url(endpoint: &mut Value) {
    if endpoint.is_string() {
        *endpoint = serde_json::json!({ "url": endpoint.take() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Map<String, Value> {
        serde_json::from_str(TABLE).unwrap()
    }

    #[allow(clippy::needless_pass_by_value, reason = "the callers read better")]
    fn laid(written: Value, set: &[&str]) -> Value {
        let mut written = written.as_object().unwrap().clone();
        with_preset_defaults(&mut written, &|_, parameter| set.contains(&parameter));
        Value::Object(written)
    }

    #[test]
    fn every_entry_is_found_by_its_exact_id_and_is_what_the_table_says() {
        let written = json::members(TABLE.as_bytes()).unwrap();
        assert_eq!(written.len(), 93);
        assert!(written.is_sorted_by(|(a, _), (b, _)| a < b), "sorted, and no id twice");
        assert!(ids().eq(written.iter().map(|(id, _)| id.as_str())));
        for (id, entry) in &written {
            assert_eq!(preset(id), entry.as_object(), "{id}");
            assert!(entry.is_object(), "{id}");
        }
        for id in ["", "Okta", "okt", "name", "github\": {\n", "\n  \"okta"] {
            assert_eq!(preset(id), None, "{id:?}");
        }
    }

    #[test]
    fn every_entry_has_what_a_reader_looks_for() {
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
    fn what_is_written_wins_and_tables_are_merged() {
        let github = laid(
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
        assert!(ABOUT.iter().all(|key| github.get(key).is_none()));

        let own = laid(json!({ "id": "github", "token": "https://idp.example/token" }), &[]);
        assert_eq!(own["token"]["url"], "https://idp.example/token");
        assert_eq!(own["token"]["invalid_grant_errors"], json!(["bad_refresh_token"]));
    }

    #[test]
    fn a_parameter_brings_what_depends_on_it_from_wherever_it_comes() {
        for (written, set) in [
            (json!({ "id": "github", "domain": "git.example" }), &[][..]),
            (json!({ "id": "github" }), &["domain"]),
        ] {
            let enterprise = laid(written, set);
            assert_eq!(enterprise["userinfo"], "https://{domain}/api/v3/user");
            assert_eq!(enterprise["emails"]["url"], "https://{domain}/api/v3/user/emails");
            assert_eq!(enterprise["emails"]["where"]["verified"], true);
        }
    }

    #[test]
    fn several_providers_can_have_one_preset_and_another_type_has_none() {
        assert_eq!(laid(json!({ "id": "okta-staff", "preset": "okta" }), &[])["name"], "Okta");
        assert_eq!(laid(json!({ "id": "github", "type": "oauth" }), &[])["preset"], "github");
        for alone in [
            json!({ "id": "okta", "type": "credentials" }),
            json!({ "id": "github", "type": "oidc", "issuer": "https://idp.example" }),
            json!({ "id": "acme" }),
            json!({ "id": "okta-staff", "preset": "octa" }),
            json!({ "id": 1 }),
            json!({}),
        ] {
            assert_eq!(laid(alone.clone(), &[]), alone);
        }
    }

    #[test]
    fn the_text_of_every_brand_can_be_read() {
        for (id, entry) in table() {
            let Some(style) = entry.get("style") else { continue };
            let brand = Brand::of(style["background"].as_str().unwrap(), style["text"].as_str().unwrap());
            assert!(brand.unwrap().contrast() >= 4.5, "{id}");
        }
    }
}
