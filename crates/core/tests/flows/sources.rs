//! A configuration that is written in a file and in a variable.

use serde_json::{Value, json};
use vestibule_core::config::{Config, Source, Sources};
use vestibule_testing::RUNTIME;

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "AUTH_SECRET" => "a-secret-that-is-long-enough-for-sessions",
        "AUTH_OKTA_ID" => "client",
        "AUTH_OKTA_SECRET" => "of-the-client",
        _ => return None,
    };
    Some(value.to_owned())
}

fn load(file: Value, variable: Value) -> Result<Config, Vec<String>> {
    let sources = Sources::new(
        Source { name: "vestibule.toml".into(), auth: file },
        Source { name: "[vars.AUTH]".into(), auth: variable },
    );
    let loaded = Config::load(sources.merged(), &environment, &RUNTIME);
    loaded.map_err(|errors| sources.attribute(errors).iter().map(ToString::to_string).collect())
}

fn okta() -> Value {
    json!({ "id": "okta", "issuer": "https://okta.example" })
}

#[test]
fn the_file_and_the_variable_are_one_configuration() {
    let config = load(
        json!({ "base_path": "/auth", "providers": [okta()] }),
        json!({ "base_path": "/login", "default_access": "public" }),
    );
    assert_eq!(config.unwrap().base_path.as_str(), "/login");
}

#[test]
fn every_mistake_names_the_file_or_the_variable_that_has_it() {
    let file = json!({ "ruels": [], "rules": [{ "match": "/(" }], "session": { "max_age": "30d" } });
    let variable = json!({ "providers": [okta()], "session": { "maximum": 1 } });
    let mistakes = load(file.clone(), variable).unwrap_err();
    for start in [
        "AUTH.ruels (vestibule.toml): unknown key",
        "AUTH.rules[0].match (vestibule.toml): ",
        "AUTH.session.maximum ([vars.AUTH]): unknown key",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(start)), "{start} in {mistakes:#?}");
    }
    // A secret is written in neither.
    let provider = json!({ "providers": [{ "id": "acme", "issuer": "https://acme.example" }] });
    let mistakes = load(json!({}), provider).unwrap_err();
    assert!(mistakes.iter().all(|mistake| mistake.starts_with("AUTH_ACME_")), "{mistakes:#?}");
    // Where there is only the variable, the place says everything.
    let mistakes = load(Value::Null, file).unwrap_err();
    assert!(mistakes.iter().any(|mistake| mistake.starts_with("AUTH.ruels: unknown key")), "{mistakes:#?}");
}

#[test]
fn a_table_that_is_none_is_refused_wherever_it_is_written() {
    for (file, variable, place) in [
        (json!({ "providers": [okta()] }), json!("{"), "AUTH ([vars.AUTH]): "),
        (json!({ "providers": [okta()] }), json!(7), "AUTH ([vars.AUTH]): "),
        (json!([]), json!({ "providers": [okta()] }), "AUTH (vestibule.toml): "),
    ] {
        let mistakes = load(file, variable).unwrap_err();
        assert!(mistakes.iter().all(|mistake| mistake.starts_with(place)), "{place} in {mistakes:#?}");
    }
}
