//! The servers in the site's own network by their names, and the gateway that requests to all others pass.

use std::net::IpAddr;

use vestibule_core::config::error::{ConfigError, ConfigErrors};
use vestibule_core::http::url::Url;
use vestibule_core::upstream::Target;

/// The field that tells the gateway which origin a request is for: `https://idp.example`. Only this crate sets it.
pub(crate) const EGRESS_ORIGIN: &str = "vestibule-egress-origin";

/// The variable with the gateway's URL.
const EGRESS: &str = "AUTH_EGRESS_URL";

/// The variable with the servers behind `to = "service:NAME"`: `API=http://api:4000,SHOP=http://shop:4000`.
const SERVICES: &str = "AUTH_SERVICES";

/// The mistakes in both variables.
pub(crate) fn check() -> Result<(), ConfigErrors> {
    if let Ok(text) = std::env::var(EGRESS) {
        gateway(&text)?;
    }
    std::env::var(SERVICES).map_or(Ok(()), |text| services(&text).map(drop))
}

/// The gateway that requests to other hosts pass. `None` if there is none.
pub(crate) fn egress() -> Option<Url> {
    gateway(&std::env::var(EGRESS).ok()?).ok()
}

/// The server behind `to = "service:NAME"`.
pub(crate) fn service(name: &str) -> Option<Target> {
    let services = services(&std::env::var(SERVICES).ok()?).ok()?;
    services.into_iter().find_map(|(known, url)| (known == name).then_some(Target::Url(url)))
}

/// Reads the gateway's origin. Requests carry secrets and tokens, so http is for this machine only.
fn gateway(text: &str) -> Result<Url, ConfigErrors> {
    let wrong = |problem: &str, fix: &str| error(EGRESS, text, problem, fix);
    let url = origin(text)
        .ok_or_else(|| wrong("is not an origin", "write for example \"https://egress.internal:8443\""))?;
    if url.is_secure() || is_this_machine(url.host()) {
        Ok(url)
    } else {
        let fix = "write https, or a gateway on this machine such as \"http://127.0.0.1:3128\"";
        Err(wrong("would get secrets in plain http over the network", fix))
    }
}

fn services(text: &str) -> Result<Vec<(String, Url)>, ConfigErrors> {
    let pair = |pair: &str| {
        let (name, url) = pair.trim().split_once('=')?;
        Some((name.to_owned(), origin(url)?))
    };
    let read = |text: &str| {
        pair(text).ok_or_else(|| {
            error(SERVICES, text, "is not NAME=URL", "write for example \"API=http://api:4000\"")
        })
    };
    text.split(',').filter(|text| !text.trim().is_empty()).map(read).collect()
}

fn origin(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn error(variable: &str, text: &str, problem: &str, fix: &str) -> ConfigErrors {
    let (place, problem) = (variable.to_owned(), format!("{text:?} {problem}"));
    ConfigError { place, problem, fix: fix.to_owned(), written_in: None, variable: None }.into()
}
