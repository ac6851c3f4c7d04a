//! Reads from the Worker's configuration which processes it needs, and writes a configuration with other ports.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Ports;
use crate::project::Project;

/// The configuration in the root directory.
pub(super) const ROOT: &str = "wrangler.toml";

/// The configuration as JSON. wrangler reads JSON and TOML.
#[derive(Debug)]
pub(super) struct Settings(Value);

impl Settings {
    /// Reads a configuration; `file` is relative to the root.
    pub(super) fn read(project: &Project, file: &str) -> Result<Settings> {
        let text = fs::read_to_string(project.path(file)).with_context(|| format!("cannot read {file}"))?;
        Settings::parse(&text).with_context(|| format!("{file} is not valid TOML"))
    }

    fn parse(text: &str) -> Result<Settings> {
        Ok(Settings(serde_json::to_value(toml::from_str::<toml::Table>(text)?)?))
    }

    /// Whether a provider has the issuer of the demo's provider.
    pub(super) fn has_provider(&self) -> bool {
        self.list("providers").any(|provider| text(provider, "issuer") == Some(&Ports::USUAL.provider_url()))
    }

    /// Whether an upstream is the demo's application.
    pub(super) fn has_app(&self) -> bool {
        self.list("upstreams").any(|upstream| text(upstream, "to") == Some(&Ports::USUAL.app_url()))
    }

    /// The path of the Worker's own pages.
    pub(super) fn base_path(&self) -> &str {
        self.0.pointer("/vars/AUTH/base_path").and_then(Value::as_str).unwrap_or("/auth")
    }

    /// The path of a configuration for these ports. This is the file in the root if the ports are the usual ones and the
    /// Worker is rebuilt when its source changes, and otherwise a generated file.
    pub(super) fn write_for(
        self,
        project: &Project,
        file: &str,
        ports: Ports,
        rebuilds: bool,
    ) -> Result<PathBuf> {
        if file == ROOT && ports == Ports::USUAL && rebuilds {
            return Ok(project.path(ROOT));
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

    /// The configuration with other ports, for a file three directories below the root.
    fn moved_to(mut self, ports: Ports, rebuilds: bool, root: &str) -> Value {
        if let Some(auth) = self.0.pointer_mut("/vars/AUTH") {
            move_urls(auth, &Ports::USUAL.provider_url(), &ports.provider_url());
            move_urls(auth, &Ports::USUAL.app_url(), &ports.app_url());
            if let Some(Value::String(url)) = auth.get_mut("login_url") {
                move_login_url(url, ports);
            }
        }
        let mut config = self.0;
        if let Some(config) = config.as_object_mut() {
            config.insert("main".to_owned(), json!("../../../build/index.js"));
            match config.get_mut("build").and_then(Value::as_object_mut) {
                Some(build) if rebuilds => {
                    build.insert("cwd".to_owned(), json!(root));
                    build.insert("watch_dir".to_owned(), json!(["../../../src", "../../../crates"]));
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
}

/// Replaces the origin `usual` by the origin `moved` in every URL of the value.
fn move_urls(value: &mut Value, usual: &str, moved: &str) {
    match value {
        Value::String(url) => {
            if let Some(rest) =
                url.strip_prefix(usual).filter(|rest| rest.is_empty() || rest.starts_with('/'))
            {
                *url = format!("{moved}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_urls(item, usual, moved)),
        Value::Object(members) => members.values_mut().for_each(|member| move_urls(member, usual, moved)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Moves a login host below `localhost` to the Worker's port.
fn move_login_url(url: &mut String, ports: Ports) {
    let usual = format!(".localhost:{}", Ports::USUAL.worker);
    if let Some(host) = url.strip_suffix(&usual) {
        *url = format!("{host}.localhost:{}", ports.worker);
    }
}

fn text<'value>(object: &'value Value, key: &str) -> Option<&'value str> {
    object.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMO: &str = include_str!("../../../wrangler.toml");

    #[test]
    fn the_configuration_in_the_root_is_that_of_the_demo() {
        let settings = Settings::parse(DEMO).unwrap();
        assert!(settings.has_provider() && settings.has_app());
        assert_eq!(settings.base_path(), "/auth");
    }

    #[test]
    fn a_configuration_for_other_ports_differs_only_in_ports_and_build() {
        let ports = Ports { worker: 1, provider: 2, app: 3 };
        let moved = Settings::parse(DEMO).unwrap().moved_to(ports, false, "/root");
        assert_eq!(moved.pointer("/vars/AUTH/providers/0/issuer"), Some(&json!("http://localhost:2")));
        assert_eq!(moved.pointer("/vars/AUTH/upstreams/0/to"), Some(&json!("http://localhost:3")));
        assert_eq!(moved.get("build"), None);
        let mut original = Settings::parse(DEMO).unwrap().0;
        assert_eq!(moved.pointer("/vars/AUTH/rules"), original.pointer("/vars/AUTH/rules"));
        assert_eq!(
            moved.get("kv_namespaces"),
            original["kv_namespaces"].as_array().map(|_| &original["kv_namespaces"])
        );
        original.as_object_mut().unwrap().remove("build");
        assert_eq!(moved.as_object().unwrap().len(), original.as_object().unwrap().len());
    }

    #[test]
    fn an_api_of_the_application_moves_to_the_application_s_port() {
        let text = "[[vars.AUTH.providers]]\n[vars.AUTH.providers.login]\nurl = 'http://localhost:9401/api/login'\n\
             [vars.AUTH.providers.profile]\nurl = 'http://localhost:94011/me'\n";
        let moved =
            Settings::parse(text).unwrap().moved_to(Ports { worker: 1, provider: 2, app: 3 }, false, "/");
        let url = |of: &str| moved.pointer(&format!("/vars/AUTH/providers/0/{of}/url"));
        assert_eq!(url("login"), Some(&json!("http://localhost:3/api/login")));
        assert_eq!(url("profile"), Some(&json!("http://localhost:94011/me")));
    }

    #[test]
    fn a_login_host_on_this_machine_moves_to_the_worker_s_port() {
        let login_url = |url: &str| {
            let settings = Settings::parse(&format!("[vars.AUTH]\nlogin_url = '{url}'")).unwrap();
            let moved = settings.moved_to(Ports { worker: 1, provider: 2, app: 3 }, false, "/");
            moved.pointer("/vars/AUTH/login_url").unwrap().as_str().unwrap().to_owned()
        };
        assert_eq!(login_url("http://auth.example.localhost:8787"), "http://auth.example.localhost:1");
        assert_eq!(login_url("https://auth.example.com"), "https://auth.example.com");
    }

    #[test]
    fn a_configuration_without_the_demo_s_addresses_starts_no_demo_and_keeps_its_addresses() {
        let text =
            "[[vars.AUTH.providers]]\nid = 'okta'\n[[vars.AUTH.upstreams]]\nto = 'https://app.example.com'\n";
        let settings = Settings::parse(text).unwrap();
        assert!(!settings.has_provider() && !settings.has_app());
        let moved = settings.moved_to(Ports { worker: 1, provider: 2, app: 3 }, true, "/root");
        assert_eq!(moved.pointer("/vars/AUTH/upstreams/0/to"), Some(&json!("https://app.example.com")));
    }
}
