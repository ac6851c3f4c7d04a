//! The site's configuration as it is written now: the file, the variable that overrides it, and the secrets.

use std::env::VarError;
use std::fmt;
use std::fs;
use std::sync::atomic::AtomicUsize;

use serde_json::Value;

use crate::clock;
use crate::options::Options;
use crate::secrets::Secrets;
use crate::tls::{self, ServerTls};
use crate::upstreams::named_service;
use crate::validity::Shown;
use vestibule_core::config::error::ConfigErrors;
use vestibule_core::config::{Config, Runtime, Source, Sources, toml_problem};
use vestibule_core::revocation::kind::RevocationStore;
use vestibule_redis::URL;
use vestibule_server_settings::{IN_MEMORY, IN_REDIS, VARIABLE, stored};

/// Where Vestibule's pages are unless the configuration says it.
const BASE_PATH: &str = "/auth";

/// What was read, not checked yet.
pub(crate) struct Settings {
    sources: Sources,
    secrets: Secrets,
    /// The certificate, if the server itself ends TLS.
    pub(crate) tls: Option<ServerTls>,
    /// The certificates that it shows to clients and to Redis.
    shown: Vec<Shown>,
    /// Whether a restart forgets revocations.
    forgets: bool,
    /// Whether the core measures what requests do.
    measures: bool,
    /// The names of `--services`.
    services: Vec<String>,
    /// How many threads have begun to use them after a reload.
    pub(crate) used_by: AtomicUsize,
}

/// Why it cannot be used.
pub(crate) enum SettingsError {
    /// It cannot be read.
    Unreadable(String),
    /// It is wrong.
    Invalid(ConfigErrors),
}

impl Settings {
    /// Reads everything.
    pub(crate) fn read(options: &Options) -> Result<Self, SettingsError> {
        let unreadable = |error: &dyn fmt::Display| SettingsError::Unreadable(error.to_string());
        let sources = sources(options).map_err(|error| unreadable(&error))?;
        let secrets = Secrets::read(options.secrets.as_deref()).map_err(|error| unreadable(&error))?;
        let forgets = options.revocations.is_none() && redis(&secrets).is_none();
        let mut shown = Vec::new();
        let mut tls = None;
        if let (Some(certificate), Some(key)) = (&options.tls_certificate, &options.tls_key) {
            let chain = tls::certificates(certificate).map_err(|error| unreadable(&error))?;
            shown.push(Shown::to_clients(certificate, chain.clone()));
            tls = Some(tls::server(certificate, chain, key).map_err(|error| unreadable(&error))?);
        }
        // One that cannot be read is refused with the client for Redis.
        shown.extend(options.redis_certificate.iter().filter_map(|certificate| {
            Some(Shown::to_redis(certificate, tls::certificates(certificate).ok()?))
        }));
        let measures = options.metrics.is_some();
        let name = |service: &String| Some(named_service(service)?.0.to_owned());
        let services = options.services.iter().filter_map(name).collect();
        Ok(Self { sources, secrets, tls, shown, forgets, measures, services, used_by: AtomicUsize::new(0) })
    }

    /// Where the pages of Vestibule are, as the files say it now. What is wrong with them is not told: a server that runs may
    /// use what they were before.
    pub(crate) fn base_path(options: &Options) -> String {
        let path = sources(options)
            .ok()
            .and_then(|sources| Some(sources.merged().get("base_path")?.as_str()?.to_owned()));
        path.unwrap_or_else(|| BASE_PATH.to_owned())
    }

    /// Checks it.
    pub(crate) fn config(&self) -> Result<Config, SettingsError> {
        let is_known = |name: &str| self.services.iter().any(|known| known == name);
        let fix = |name: &str| format!("start the server with --services {name}=URL, or correct the name");
        let load = || {
            Config::load(self.sources.merged(), &|name| self.variable(name), self.runtime())
                .and_then(|config| stored(config, self.runtime()))
                .and_then(|config| config.check_services(&is_known, &fix))
        };
        let mut config = load().map_err(|errors| SettingsError::Invalid(self.sources.attribute(errors)))?;
        config.metrics.has_dataset |= self.measures;
        Ok(config)
    }

    /// Advice about a checked configuration.
    pub(crate) fn advice(&self, config: &Config) -> Vec<String> {
        let mut advice = vestibule_server_settings::advice(config, self.runtime());
        if self.forgets && config.revocation.store != RevocationStore::None {
            let message = "AUTH.revocation.store: revocations are in memory only, so a copy of a session that was signed \
                           out is valid again after a restart, until it expires: start the server with --revocations FILE";
            advice.push(message.to_owned());
        }
        let now = clock::now();
        advice.extend(self.shown.iter().filter_map(|shown| shown.advice(now)));
        advice
    }

    /// The address of the Redis server, if there is one.
    pub(crate) fn redis(&self) -> Option<String> {
        redis(&self.secrets)
    }

    /// The values that the configuration accepts.
    pub(crate) fn runtime(&self) -> &'static Runtime {
        if self.redis().is_some() { &IN_REDIS } else { &IN_MEMORY }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.secrets.get(name).or_else(|| std::env::var(name).ok())
    }
}

/// The address of the Redis server. A variable that is empty counts as one that is not set.
fn redis(secrets: &Secrets) -> Option<String> {
    secrets.get(URL).filter(|url| !url.is_empty())
}

/// The configuration as it is written. The error says why it cannot be read.
fn sources(options: &Options) -> Result<Sources, String> {
    let path = options.config.display();
    let text = fs::read_to_string(&options.config).map_err(|error| {
        format!("the configuration {path} cannot be read: {error}; name its file with --config")
    })?;
    let auth: toml::Value = toml::from_str(&text).map_err(|error| {
        // Not the error's own text, which quotes the line: it may have what should not be in a log.
        format!("{path} {}", toml_problem(&text, error.span(), error.message()))
    })?;
    let auth = serde_json::to_value(auth).map_err(|error| format!("{path}: {error}"))?;
    let overrides = match std::env::var(VARIABLE) {
        Ok(text) if text.is_empty() => Value::Null,
        Ok(text) => Value::String(text),
        Err(VarError::NotPresent) => Value::Null,
        Err(VarError::NotUnicode(_)) => {
            return Err(format!("the variable {VARIABLE} is not UTF-8: set it anew"));
        }
    };
    let file = Source { name: path.to_string().into(), auth };
    Ok(Sources::new(file, Source { name: VARIABLE.into(), auth: overrides }))
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(message) => f.write_str(message),
            Self::Invalid(errors) => {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}
