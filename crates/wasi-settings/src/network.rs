//! The servers around the host: the origin and services of the site's own network, and the gateway that requests to all other
//! hosts pass.

use std::collections::BTreeMap;

use vestibule_core::config::error::ConfigError;
use vestibule_core::http::egress::may_be_asked;
use vestibule_core::http::url::Url;

use crate::given::Given;
use crate::origin::Origin;
use crate::values::{EGRESS, ORIGIN, SERVICES};

/// The servers around the host.
#[derive(Debug, Default)]
pub struct Network {
    /// The server behind `to = "origin"`.
    pub origin: Option<Origin>,
    /// The servers behind `to = "service:NAME"`.
    pub services: BTreeMap<String, Origin>,
    /// The gateway that requests to other hosts pass.
    pub egress: Option<Origin>,
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

fn origin(given: &dyn Given) -> Result<Option<Origin>, ConfigError> {
    let Some(text) = given.text(ORIGIN) else { return Ok(None) };
    let origin = Origin::parse(&text);
    let fix = "write an origin, for example \"http://127.0.0.1:3000\"";
    origin.map(Some).map_err(|problem| ConfigError::new(ORIGIN, problem, fix))
}

fn services(given: &dyn Given) -> Result<BTreeMap<String, Origin>, ConfigError> {
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
        let server = Origin::parse(url).map_err(|problem| wrong(format!("{name}: {problem}")))?;
        if services.insert(name.to_owned(), server).is_some() {
            return Err(wrong(format!("{name} is there twice")));
        }
    }
    Ok(services)
}

fn egress(given: &dyn Given) -> Result<Option<Origin>, ConfigError> {
    // Also where it is empty: who names a gateway by a variable that is missing would ask all hosts directly.
    let Some(text) = given.variable(EGRESS) else { return Ok(None) };
    let wrong = |problem: String| {
        let fix = "write https, or a gateway on this machine, for example \"http://127.0.0.1:3128\"";
        ConfigError::new(EGRESS, problem, fix)
    };
    let gateway = Origin::parse(&text).map_err(wrong)?;
    // An origin is a URL.
    let may_be = Url::parse(gateway.as_str()).is_ok_and(|url| may_be_asked(url.is_secure(), url.host()));
    if may_be {
        Ok(Some(gateway))
    } else {
        Err(wrong("the gateway would get secrets in plain http over the network".to_owned()))
    }
}
