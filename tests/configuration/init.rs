//! What the npm package's `init` writes: every combination of answers is a configuration that loads, and whatever an
//! answer says stays text.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use vestibule_core::config::Config;
use vestibule_core::config::error::ConfigErrors;

use super::RUNTIME;
use crate::repository::{node, root};

/// A key on P-256 that nothing else uses.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdAwNRBA2LKRz+lUdEcsJFOebAodruilaQotJVDnE6j6h\
    RANCAATGOuevn7uposOhbBpWxkIMSMb0thhSK0e4jXY/HHzATEDMnO46geDKeR/n+WePCjNP3wfqIMoAqIXQU56RM/Ao\
    -----END PRIVATE KEY-----";

/// A line of tests/npm/combinations.mjs.
#[derive(Deserialize)]
struct Combination {
    /// What was answered, as it was written.
    written: Value,
    /// The same as `init` has read it.
    answers: Answers,
    secrets: Vec<String>,
    files: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answers {
    issuer: Option<String>,
    public_paths: Vec<String>,
    origin: String,
}

impl Combination {
    /// A file as TOML.
    fn toml(&self, name: &str) -> Option<Value> {
        let text = self.files.get(name)?;
        Some(toml::from_str(text).unwrap_or_else(|error| panic!("{}: {name}: {error}\n{text}", self.written)))
    }

    fn load(&self, auth: Value) -> Result<Config, ConfigErrors> {
        let is_set = |name: &str| name == "AUTH_SECRET" || self.secrets.iter().any(|secret| secret == name);
        let value = |name: &str| match name {
            "AUTH_APPLE_PRIVATE_KEY" => PRIVATE_KEY.to_owned(),
            _ => "a-value-of-sixteen-and-more".to_owned(),
        };
        Config::load(auth, &|name| is_set(name).then(|| value(name)), &RUNTIME)
    }
}

fn combinations() -> Vec<Combination> {
    let mut command = Command::new(node());
    let output = command.arg(root().join("tests/npm/combinations.mjs")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_combination_of_answers_to_init_is_a_configuration_that_loads() {
    let combinations = combinations();
    assert!(combinations.len() > 1000);
    let mut problems = BTreeMap::new();
    for combination in &combinations {
        let auth = combination.toml("vestibule.toml").unwrap();
        let deployed = combination.toml("wrangler.toml").unwrap();
        assert_eq!(deployed["main"], "worker.js");
        assert_eq!(deployed["kv_namespaces"][0]["binding"], "AUTH_KV");
        assert_eq!(deployed["durable_objects"]["bindings"][0]["name"], "AUTH_LEASE");
        let mut variants = vec![auth.clone()];
        if let Some(development) = combination.toml("wrangler.dev.toml") {
            assert_eq!(development.get("routes"), None);
            // Its [vars.AUTH] overrides the keys of vestibule.toml; a list as a whole.
            if let Some(Value::Object(over)) = development.pointer("/vars/AUTH") {
                let mut auth = auth;
                auth.as_object_mut().unwrap().extend(over.clone());
                variants.push(auth);
            }
        }
        for auth in variants {
            let to = auth["upstreams"][0]["to"].as_str().unwrap();
            match to {
                "service:APP" => assert_eq!(deployed["services"][0]["binding"], "APP"),
                "assets:ASSETS" => assert_eq!(deployed["assets"]["binding"], "ASSETS"),
                _ => assert!(to == "origin" || to.contains("://"), "{to}"),
            }
            // A hostile answer may be a text that no key accepts.
            if combination.written["hostile"] == true {
                continue;
            }
            if let Err(error) = combination.load(auth) {
                problems.entry(error.to_string()).or_insert(combination.written.to_string());
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn quotes_and_line_breaks_in_an_answer_to_init_stay_text() {
    for combination in combinations() {
        let auth = combination.toml("vestibule.toml").unwrap();
        let answers = &combination.answers;
        if let Some(issuer) = &answers.issuer {
            assert_eq!(auth["providers"][0]["issuer"], issuer.as_str());
        }
        let matches = &auth["rules"][0]["match"];
        let first = matches.get(0).unwrap_or(matches);
        if let Some(path) = answers.public_paths.first() {
            assert_eq!(first, path.as_str());
        }
        let wrangler = combination.toml("wrangler.toml").unwrap();
        if let Some(folder) = answers.origin.strip_prefix("assets:") {
            assert_eq!(wrangler["assets"]["directory"], folder);
        }
        assert_eq!(wrangler.get("vars"), None);
    }
}
