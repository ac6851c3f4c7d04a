//! wrangler.toml, as far as the demo is concerned: what it needs, and the same with other ports.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Ports;
use crate::project::Project;

const FILE: &str = "wrangler.toml";

/// The configuration, as JSON: wrangler reads either.
#[derive(Debug)]
pub(super) struct Settings(Value);

impl Settings {
    /// Reads wrangler.toml.
    pub(super) fn read(project: &Project) -> Result<Settings> {
        let text = fs::read_to_string(project.path(FILE)).with_context(|| format!("cannot read {FILE}"))?;
        Settings::parse(&text).with_context(|| format!("{FILE} is no TOML"))
    }

    fn parse(text: &str) -> Result<Settings> {
        Ok(Settings(serde_json::to_value(toml::from_str::<toml::Table>(text)?)?))
    }

    /// Whether a provider's issuer is the demo's.
    pub(super) fn has_provider(&self) -> bool {
        self.list("providers").any(|provider| text(provider, "issuer") == Some(&Ports::USUAL.provider_url()))
    }

    /// Whether an upstream is the demo's application.
    pub(super) fn has_app(&self) -> bool {
        self.list("upstreams").any(|upstream| text(upstream, "to") == Some(&Ports::USUAL.app_url()))
    }

    /// Where the Worker's own pages are.
    pub(super) fn base_path(&self) -> &str {
        self.0.pointer("/vars/AUTH/base_path").and_then(Value::as_str).unwrap_or("/auth")
    }

    /// The path of a configuration for these ports: wrangler.toml itself where they are the usual ones and the
    /// Worker is rebuilt when its source changes, as the file says; else a generated one.
    pub(super) fn write_for(self, project: &Project, ports: Ports, rebuilds: bool) -> Result<PathBuf> {
        if ports == Ports::USUAL && rebuilds {
            return Ok(project.path(FILE));
        }
        let directory = project.path(&format!(".wrangler/xtask/{}", ports.worker));
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let path = directory.join("wrangler.json");
        let root = project.path("");
        let config = self.moved_to(ports, rebuilds, &root.to_string_lossy());
        fs::write(&path, serde_json::to_string_pretty(&config)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// The same configuration, for a file three directories below the root.
    fn moved_to(mut self, ports: Ports, rebuilds: bool, root: &str) -> Value {
        for (list, key, usual, moved) in [
            ("providers", "issuer", Ports::USUAL.provider_url(), ports.provider_url()),
            ("upstreams", "to", Ports::USUAL.app_url(), ports.app_url()),
        ] {
            for item in self.list_mut(list) {
                if text(item, key) == Some(&usual)
                    && let Some(place) = item.get_mut(key)
                {
                    *place = Value::from(moved.clone());
                }
            }
        }
        let mut config = self.0;
        if let Some(config) = config.as_object_mut() {
            config.insert("main".to_owned(), json!("../../../build/index.js"));
            match config.get_mut("build").and_then(Value::as_object_mut) {
                Some(build) if rebuilds => {
                    build.insert("cwd".to_owned(), json!(root));
                    build.insert("watch_dir".to_owned(), json!("../../../src"));
                }
                _ => drop(config.remove("build")),
            }
        }
        config
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0
            .pointer("/vars/AUTH")
            .and_then(|auth| auth.get(name))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    fn list_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Value> {
        let auth = self.0.pointer_mut("/vars/AUTH").and_then(|auth| auth.get_mut(name));
        auth.and_then(Value::as_array_mut).into_iter().flatten()
    }
}

fn text<'value>(object: &'value Value, key: &str) -> Option<&'value str> {
    object.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../../wrangler.toml");

    #[test]
    fn the_configuration_in_the_repository_is_the_demo() {
        let settings = Settings::parse(OURS).unwrap();
        assert!(settings.has_provider() && settings.has_app());
        assert_eq!(settings.base_path(), "/auth");
    }

    #[test]
    fn a_configuration_for_other_ports_names_them_and_differs_in_nothing_else() {
        let ports = Ports { worker: 1, provider: 2, app: 3 };
        let moved = Settings::parse(OURS).unwrap().moved_to(ports, false, "/root");
        assert_eq!(moved.pointer("/vars/AUTH/providers/0/issuer"), Some(&json!("http://localhost:2")));
        assert_eq!(moved.pointer("/vars/AUTH/upstreams/0/to"), Some(&json!("http://localhost:3")));
        assert_eq!(moved.get("build"), None);
        let mut original = Settings::parse(OURS).unwrap().0;
        assert_eq!(moved.pointer("/vars/AUTH/rules"), original.pointer("/vars/AUTH/rules"));
        assert_eq!(
            moved.get("kv_namespaces"),
            original["kv_namespaces"].as_array().map(|_| &original["kv_namespaces"])
        );
        original.as_object_mut().unwrap().remove("build");
        assert_eq!(moved.as_object().unwrap().len(), original.as_object().unwrap().len());
    }

    #[test]
    fn somebody_elses_configuration_needs_no_demo_and_keeps_its_addresses() {
        let text =
            "[[vars.AUTH.providers]]\nid = 'okta'\n[[vars.AUTH.upstreams]]\nto = 'https://app.example.com'\n";
        let settings = Settings::parse(text).unwrap();
        assert!(!settings.has_provider() && !settings.has_app());
        let moved = settings.moved_to(Ports { worker: 1, provider: 2, app: 3 }, true, "/root");
        assert_eq!(moved.pointer("/vars/AUTH/upstreams/0/to"), Some(&json!("https://app.example.com")));
    }
}
