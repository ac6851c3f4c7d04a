//! Reads from the Worker's configuration which processes it needs, and writes a configuration with other ports.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Ports;
use super::setup::{Local, write_whole};
use crate::project::Project;

/// The configuration in the root directory.
pub(super) const ROOT: &str = "wrangler.toml";

/// The configuration as JSON. wrangler reads JSON and TOML.
#[derive(Debug)]
pub(super) struct Settings {
    config: Value,
    /// What differs from the file, for the developer.
    notes: Vec<String>,
}

impl Settings {
    /// Reads a configuration.
    pub(super) fn read(file: &Path) -> Result<Settings> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Settings::parse(&text).with_context(|| format!("{} is not valid TOML", file.display()))
    }

    fn parse(text: &str) -> Result<Settings> {
        let config = serde_json::to_value(toml::from_str::<toml::Table>(text)?)?;
        Ok(Settings { config, notes: Vec::new() })
    }

    /// The same with this store for leases and for revocations, whose tables are there.
    pub(super) fn with_store(mut self, store: &str) -> Settings {
        for (table, key) in [("refresh", "lease"), ("revocation", "store")] {
            if let Some(Value::Object(table)) = self.config.pointer_mut(&format!("/vars/AUTH/{table}")) {
                table.insert(key.to_owned(), json!(store));
            }
        }
        self
    }

    /// The same site on this machine: at the address that the browser uses, and with an application at `usual_app` or at
    /// the developer's own address where the deployed site has its origin server.
    pub(super) fn on_this_machine(mut self, local: &Local, usual_app: &str) -> Settings {
        if let Some(config) = self.config.as_object_mut() {
            // wrangler tells the Worker that it is at the host of the first route.
            config.remove("routes");
            config.remove("route");
        }
        let Some(auth) = self.config.pointer_mut("/vars/AUTH").and_then(Value::as_object_mut) else {
            return self;
        };
        let written = auth.remove("origin");
        if let Some(origin) = &local.origin {
            auth.insert("origin".to_owned(), json!(origin));
        } else if written.is_some() {
            self.notes.push("`origin` is left out here; `--origin URL` sets that of a tunnel".to_owned());
        }
        let app = local.app.as_deref().unwrap_or(usual_app);
        let mut is_used = false;
        for list in ["upstreams", "rules"] {
            for item in auth.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(to) = item.get_mut("to").filter(|to| *to == "origin") {
                    *to = json!(app);
                    is_used = true;
                }
            }
        }
        let upstreams = auth.entry("upstreams").or_insert_with(|| json!([]));
        // What no upstream is for goes to the origin server, too.
        if let Some(upstreams) = upstreams.as_array_mut()
            && upstreams.iter().all(|upstream| upstream.get("host").is_some())
        {
            upstreams.push(json!({ "to": app }));
            is_used = true;
        }
        if is_used {
            self.notes.push(match &local.app {
                Some(app) => format!("{app} stands in for `to = \"origin\"`"),
                None => format!(
                    "the demo's app at {app} stands in for `to = \"origin\"`; `--app http://localhost:3000` puts yours there"
                ),
            });
        }
        self
    }

    /// What differs from the file, for the developer.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The ids of the providers that are not the demo's.
    pub(super) fn other_providers(&self) -> Vec<String> {
        let is_other = |provider: &&Value| text(provider, "issuer") != Some(&Ports::USUAL.provider_url());
        self.list("providers")
            .filter(is_other)
            .filter_map(|provider| text(provider, "id"))
            .map(str::to_owned)
            .collect()
    }

    /// Whether a provider has the issuer of the demo's provider.
    pub(super) fn has_provider(&self) -> bool {
        self.provider_id().is_some()
    }

    /// The id of the provider with the issuer of the demo's provider.
    pub(super) fn provider_id(&self) -> Option<&str> {
        let usual = Ports::USUAL.provider_url();
        self.list("providers")
            .find(|provider| text(provider, "issuer") == Some(&usual))
            .and_then(|provider| text(provider, "id"))
    }

    /// Whether an upstream, or a rule, is for the demo's application, which is at `app`.
    pub(super) fn has_app(&self, app: &str) -> bool {
        let is_app =
            |item: &Value| text(item, "to").is_some_and(|to| to == app || to == Ports::USUAL.app_url());
        self.list("upstreams").chain(self.list("rules")).any(is_app)
    }

    /// The path of the Worker's own pages.
    pub(super) fn base_path(&self) -> &str {
        self.config.pointer("/vars/AUTH/base_path").and_then(Value::as_str).unwrap_or("/auth")
    }

    /// Writes a configuration for these ports, and gives its path. wrangler notices when it changes.
    pub(super) fn write_for(self, project: &Project, ports: Ports, rebuilds: bool) -> Result<PathBuf> {
        let directory = project.path(&format!(".wrangler/xtask/{}", ports.worker));
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let path = directory.join("wrangler.json");
        let root = project.path("");
        let config = self.moved_to(ports, rebuilds, &root.to_string_lossy());
        write_whole(&path, &serde_json::to_string_pretty(&config)?)?;
        Ok(path)
    }

    /// The configuration with other ports, for a file three directories below the root.
    fn moved_to(mut self, ports: Ports, rebuilds: bool, root: &str) -> Value {
        if let Some(auth) = self.config.pointer_mut("/vars/AUTH") {
            move_urls(auth, &Ports::USUAL.provider_url(), &ports.provider_url());
            move_urls(auth, &Ports::USUAL.app_url(), &ports.app_url());
            if let Some(Value::String(url)) = auth.get_mut("login_url") {
                move_login_url(url, ports);
            }
        }
        let mut config = self.config;
        if let Some(config) = config.as_object_mut() {
            config.insert("main".to_owned(), json!("../../../build/index.js"));
            match config.get_mut("build").and_then(Value::as_object_mut) {
                Some(build) if rebuilds => {
                    build.insert("cwd".to_owned(), json!(root));
                    build.insert("watch_dir".to_owned(), json!(["../../../src", "../../../crates"]));
                }
                _ => drop(config.remove("build")),
            }
            if let Some(directory) = config.get_mut("assets").and_then(|assets| assets.get_mut("directory"))
                && let Some(relative) = directory.as_str()
            {
                *directory = json!(Path::new(root).join(relative));
            }
        }
        config
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.config
            .pointer("/vars/AUTH")
            .and_then(|auth| auth.get(name))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }
}

/// What is below `[vars.AUTH]` of a configuration that [`Settings::write_for`] wrote, as JSON: for the runtimes that wrangler does not
/// start.
pub(super) fn auth_of(config: &Path) -> Result<Value> {
    let text = fs::read_to_string(config).with_context(|| format!("cannot read {}", config.display()))?;
    let mut config: Value = serde_json::from_str(&text)?;
    config.pointer_mut("/vars/AUTH").map(Value::take).context("the configuration has no [vars.AUTH]")
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
        assert!(settings.has_provider() && settings.has_app(&Ports::USUAL.app_url()));
        assert_eq!(settings.base_path(), "/auth");
    }

    #[test]
    fn a_configuration_for_other_ports_differs_only_in_ports_and_build() {
        let ports = Ports { worker: 1, provider: 2, app: 3 };
        let moved = Settings::parse(DEMO).unwrap().moved_to(ports, false, "/root");
        assert_eq!(moved.pointer("/vars/AUTH/providers/0/issuer"), Some(&json!("http://localhost:2")));
        assert_eq!(moved.pointer("/vars/AUTH/upstreams/0/to"), Some(&json!("http://localhost:3")));
        assert_eq!(moved.get("build"), None);
        let mut original = Settings::parse(DEMO).unwrap().config;
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
        assert!(!settings.has_provider() && !settings.has_app(&Ports::USUAL.app_url()));
        assert_eq!(settings.other_providers(), ["okta"]);
        let moved = settings.moved_to(Ports { worker: 1, provider: 2, app: 3 }, true, "/root");
        assert_eq!(moved.pointer("/vars/AUTH/upstreams/0/to"), Some(&json!("https://app.example.com")));
    }

    #[test]
    fn a_deployed_site_runs_on_this_machine_at_the_browser_s_address_and_in_front_of_an_application_here() {
        let text = "routes = [{ pattern = 'app.example.com/*', zone_name = 'example.com' }]\n\
             [vars.AUTH]\norigin = 'https://app.example.com'\n\
             [[vars.AUTH.rules]]\nmatch = '/old'\nto = 'origin'\n\
             [[vars.AUTH.upstreams]]\nhost = 'api.example.com'\nto = 'https://api.internal.example'\n";
        let here =
            |local: &Local| Settings::parse(text).unwrap().on_this_machine(local, "http://localhost:3");
        let (demo, own) = (
            here(&Local::default()),
            Local {
                app: Some("http://localhost:3000".to_owned()),
                origin: Some("https://tunnel.example".to_owned()),
            },
        );
        assert!(demo.has_app("http://localhost:3") && !here(&own).has_app("http://localhost:3"));
        for (settings, app, origin, notes) in [
            (demo, "http://localhost:3", Value::Null, 2),
            (here(&own), "http://localhost:3000", json!("https://tunnel.example"), 1),
        ] {
            assert_eq!(settings.notes().len(), notes, "{:?}", settings.notes());
            let at = |path: &str| settings.config.pointer(path).cloned().unwrap_or_default();
            assert_eq!(at("/routes"), Value::Null);
            assert_eq!(at("/vars/AUTH/origin"), origin);
            assert_eq!(at("/vars/AUTH/rules/0/to"), json!(app));
            assert_eq!(at("/vars/AUTH/upstreams/0/to"), json!("https://api.internal.example"));
            assert_eq!(at("/vars/AUTH/upstreams/1"), json!({ "to": app }));
        }
    }
}
