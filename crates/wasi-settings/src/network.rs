//! The servers around the host: the origin and services of the site's own network, and the gateway that requests to all other
//! hosts pass.

use std::collections::BTreeMap;

use vestibule_core::config::error::ConfigError;
use vestibule_core::http::egress::may_be_asked;
use vestibule_core::http::url::Url;
use vestibule_core::upstream::Target;

use crate::given::Given;
use crate::values::{EGRESS, ORIGIN, SERVICES};

/// The servers around the host.
#[derive(Debug, Default)]
pub struct Network {
    /// The server behind `to = "origin"`.
    pub origin: Option<Target>,
    /// The servers behind `to = "service:NAME"`.
    pub services: BTreeMap<String, Target>,
    /// The gateway that requests to other hosts pass.
    pub egress: Option<Url>,
}

impl Network {
    /// Reads the variables.
    ///
    /// # Errors
    /// All mistakes in them.
    pub(crate) fn read(given: &dyn Given) -> Result<Self, Vec<ConfigError>> {
        match (origin(given), services(given), egress(given)) {
            (Ok(origin), Ok(services), Ok(egress)) => Ok(Self { origin, services, egress }),
            (origin, services, egress) => {
                Err([origin.err(), services.err(), egress.err()].into_iter().flatten().collect())
            }
        }
    }
}

fn origin(given: &dyn Given) -> Result<Option<Target>, ConfigError> {
    let Some(text) = given.text(ORIGIN) else { return Ok(None) };
    let url = parse(&text);
    let url = url.map_err(|problem| {
        ConfigError::new(ORIGIN, problem, "write an origin, for example \"http://127.0.0.1:3000\"")
    })?;
    Ok(Some(Target::Url(url)))
}

fn services(given: &dyn Given) -> Result<BTreeMap<String, Target>, ConfigError> {
    let text = given.text(SERVICES).unwrap_or_default();
    let mut services = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let wrong = |problem: String| {
            let fix =
                "write NAME=URL, and a comma between two: \"API=http://api:4000,SHOP=http://shop:4000\"";
            ConfigError::new(SERVICES, problem, fix)
        };
        let (name, url) =
            pair.split_once('=').ok_or_else(|| wrong(format!("{pair:?} has no \"=\" after its name")))?;
        let url = parse(url).map_err(|problem| wrong(format!("{name}: {problem}")))?;
        if services.insert(name.to_owned(), Target::Url(url)).is_some() {
            return Err(wrong(format!("{name} is there twice")));
        }
    }
    Ok(services)
}

fn egress(given: &dyn Given) -> Result<Option<Url>, ConfigError> {
    // Also where it is empty: who names a gateway by a variable that is missing would ask all hosts directly.
    let Some(text) = given.variable(EGRESS) else { return Ok(None) };
    let wrong = |problem: String| {
        let fix = "write https, or a gateway on this machine, for example \"http://127.0.0.1:3128\"";
        ConfigError::new(EGRESS, problem, fix)
    };
    let url = parse(&text).map_err(wrong)?;
    if may_be_asked(url.is_secure(), url.host()) {
        Ok(Some(url))
    } else {
        Err(wrong("the gateway would get secrets in plain http over the network".to_owned()))
    }
}

/// Reads an origin. The error is the problem.
fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.path() == "/" && url.query().is_none() && url.fragment().is_none() {
        Ok(url)
    } else {
        Err("the URL must not have a path, a query or a fragment, which are those of the request".to_owned())
    }
}
