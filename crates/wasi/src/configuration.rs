//! The configuration: laid into the component when it is built, in a file that the host preopens, or in the environment.

use std::cell::OnceCell;

use serde_json::Value;

use vestibule_core::Vestibule;
use vestibule_core::config::error::{ConfigError, ConfigErrors};
use vestibule_core::config::{Config, Source, Sources};
use vestibule_core::http::headers::Headers;
use vestibule_core::http::url::Url;
use vestibule_core::log::{LogEvent, Record};
use vestibule_core::upstream::Target;

use crate::network::{self, EGRESS_ORIGIN};
use crate::platform;
use crate::runtime::{CLIENT_ADDRESS, FILE, RUNTIME, VARIABLE};

/// The configuration that `cargo xtask wasi --build --config FILE` lays in, as JSON: an instance need not read a file for it.
/// Empty where there is none.
const LAID_IN: Option<&str> = option_env!("VESTIBULE_WASI_CONFIGURATION");

/// The variable that says whether a proxy in front sets `X-Forwarded-Proto` and `X-Forwarded-For`.
const TRUST_PROXY: &str = "AUTH_TRUST_PROXY";

/// The variable with the URL of the server behind, where an upstream, or none, says `to = "origin"`.
const ORIGIN: &str = "AUTH_ORIGIN_URL";

thread_local! {
    static VESTIBULE: OnceCell<Result<Vestibule, ConfigErrors>> = const { OnceCell::new() };
}

/// The instance's [`Vestibule`], which its first request creates, or the errors of the configuration.
pub(crate) fn vestibule() -> Result<Vestibule, ConfigErrors> {
    VESTIBULE.with(|vestibule| vestibule.get_or_init(|| load().map(Vestibule::new)).clone())
}

fn load() -> Result<Config, ConfigErrors> {
    let laid_in = LAID_IN.filter(|json| !json.is_empty());
    let file = match laid_in {
        Some(json) => serde_json::from_str(json).unwrap_or_default(),
        None => from_file()?,
    };
    let variable = std::env::var("AUTH").ok();
    let variable = variable.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let sources = Sources::new(Source { name: FILE, auth: file }, Source { name: VARIABLE, auth: variable });
    network::check()?;
    let config = check(&sources).map_err(|errors| sources.attribute(errors))?;
    // An instance may be of one request, and would say it each time: `cargo xtask check` says it of what is laid in.
    if laid_in.is_none() {
        for advice in config.advice(&RUNTIME) {
            platform::write(&Record::new(LogEvent::ConfigurationAdvice, advice).outside_requests());
        }
    }
    Ok(config)
}

fn check(sources: &Sources) -> Result<Config, ConfigErrors> {
    Config::load(sources.merged(), &secret, &RUNTIME)?
        .check_lease(&RUNTIME, &|_| false)?
        .check_tokens(&RUNTIME, &|_| false)?
        .check_revocation(&RUNTIME, &|_| false)
}

/// `vestibule.toml` in the folder that the host preopens; nothing if there is none.
fn from_file() -> Result<Value, ConfigErrors> {
    let Ok(text) = std::fs::read_to_string(FILE) else { return Ok(Value::Null) };
    toml::from_str(&text).map_err(|error| {
        let (place, problem) = (FILE.to_owned(), error.message().to_owned());
        ConfigError { place, problem, fix: String::new(), written_in: None, variable: None }.into()
    })
}

/// A secret: a variable of the environment, or a file of that name in the folder `secrets` that the host preopens.
fn secret(name: &str) -> Option<String> {
    if let Ok(value) = std::env::var(name) {
        return Some(value);
    }
    let text = std::fs::read_to_string(format!("secrets/{name}")).ok()?;
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The server behind, for `to = "origin"`. `None` if none is named, or if what is named is no URL.
pub(crate) fn origin() -> Option<Target> {
    Url::parse(&std::env::var(ORIGIN).ok()?).ok().map(Target::Url)
}

/// What stands in front of the host.
#[derive(Clone, Copy)]
pub(crate) struct Proxy {
    /// Whether a proxy says how it was asked, and by whom: in fields that it sets in place of a client's own.
    is_trusted: bool,
}

impl Proxy {
    pub(crate) fn of_environment() -> Self {
        Self { is_trusted: std::env::var(TRUST_PROXY).is_ok_and(|value| value == "true") }
    }

    /// The scheme that the proxy was asked with, if one says it. Puts the client's address where the core looks for it, in
    /// place of what a client says.
    pub(crate) fn scheme(self, headers: &mut Headers) -> Option<&'static str> {
        headers.remove(CLIENT_ADDRESS);
        headers.remove(EGRESS_ORIGIN);
        if !self.is_trusted {
            return None;
        }
        // The proxy appends its own word to a client's.
        let last = |name: &str| headers.joined(name).rsplit(',').next().map(|value| value.trim().to_owned());
        let (proto, address) = (last("x-forwarded-proto"), last("x-forwarded-for"));
        if let Some(address) = address.filter(|address| !address.is_empty()) {
            headers.append(CLIENT_ADDRESS, address);
        }
        match proto.as_deref() {
            Some("https") => Some("https"),
            Some("http") => Some("http"),
            _ => None,
        }
    }
}
