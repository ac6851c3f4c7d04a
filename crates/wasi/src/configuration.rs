//! What an instance is told, read once: laid into the component when it is built, in files that the host opens, or in the
//! environment.

use std::cell::{Cell, OnceCell};
use std::io::ErrorKind;
use std::rc::Rc;

use vestibule_core::Vestibule;
use vestibule_core::config::Prepared;
use vestibule_core::config::error::ConfigErrors;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::forwarded_address;
use vestibule_core::log::{LogEvent, Record};
use vestibule_wasi_settings::values::CLIENT_ADDRESS;
use vestibule_wasi_settings::{Given, Network, Settings, StoreKind};
use wasip2::cli::environment::get_environment;
use wasip2::filesystem::preopens::get_directories;

use crate::platform;
use crate::store::{self, SharedStore};

/// The configuration that `cargo xtask wasi --build --config FILE` lays in, as JSON: an instance need not read a file for it.
/// Empty where there is none.
const LAID_IN: Option<&str> = option_env!("VESTIBULE_WASI_CONFIGURATION");

thread_local! {
    static INSTANCE: OnceCell<Result<Rc<Instance>, ConfigErrors>> = const { OnceCell::new() };
    /// What the build made of the configuration that is laid in. It has no secret.
    static PREPARED: Cell<Option<Prepared>> = const { Cell::new(None) };
}

/// Makes of the laid-in configuration what needs no environment. The build has checked it: what is wrong without a variable is
/// read again when an instance has it.
#[cfg(feature = "preparation")]
pub(crate) fn prepare() {
    if let Some(json) = laid_in() {
        PREPARED.set(vestibule_wasi_settings::settings::prepare(json, store::RUNTIME).ok());
    }
}

/// The configuration that is laid in.
fn laid_in() -> Option<&'static str> {
    LAID_IN.filter(|json| !json.is_empty())
}

/// What all requests of an instance share.
pub(crate) struct Instance {
    pub(crate) vestibule: Vestibule,
    /// The servers around the host.
    pub(crate) network: Network,
    /// What stands in front of the host.
    pub(crate) proxy: Proxy,
    /// The store that all instances share, if there is one.
    pub(crate) store: Option<SharedStore>,
}

impl Instance {
    /// This instance, which its first request sets up, or the errors of the configuration.
    pub(crate) fn current() -> Result<Rc<Self>, ConfigErrors> {
        INSTANCE.with(|instance| instance.get_or_init(|| Self::new().map(Rc::new)).clone())
    }

    fn new() -> Result<Self, ConfigErrors> {
        let (kind, found) = store::find();
        let host = Host::new(kind);
        let settings = Settings::load(&host)?;
        let store = found.or_else(|| store::named_by(&settings));
        // An instance may be of one request, and would say it each time.
        if laid_in().is_none() {
            for advice in settings.advice {
                platform::write(&Record::new(LogEvent::ConfigurationAdvice, advice).outside_requests());
            }
        }
        Ok(Self {
            vestibule: Vestibule::new(settings.config),
            network: settings.network,
            proxy: Proxy { is_trusted: settings.trusts_proxy },
            store,
        })
    }
}

/// The host's environment and files.
struct Host {
    store: StoreKind,
    variables: Vec<(String, String)>,
    /// Whether the host opens a folder. It is asked when a file is looked for.
    has_folder: OnceCell<bool>,
}

impl Host {
    fn new(store: StoreKind) -> Self {
        // The standard library would look at each variable, and at each file, by itself.
        Self { store, variables: get_environment(), has_folder: OnceCell::new() }
    }
}

impl Given for Host {
    fn laid_in(&self) -> Option<&str> {
        laid_in()
    }

    fn prepared(&self) -> Option<Prepared> {
        PREPARED.take()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn has_files(&self) -> bool {
        *self.has_folder.get_or_init(|| !get_directories().is_empty())
    }

    fn file(&self, path: &str) -> Result<Option<String>, String> {
        if !self.has_files() {
            return Ok(None);
        }
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn store(&self) -> StoreKind {
        self.store.clone()
    }
}

/// What stands in front of the host.
#[derive(Clone, Copy, Default)]
pub(crate) struct Proxy {
    /// Whether a proxy says how it was asked, and by whom: in fields that it sets in place of a client's own.
    is_trusted: bool,
}

impl Proxy {
    /// The scheme that the proxy was asked with, if one says it. Puts the client's address where the core looks for it, in
    /// place of what a client says.
    pub(crate) fn scheme(self, headers: &mut Headers) -> Option<&'static str> {
        headers.remove(CLIENT_ADDRESS);
        if !self.is_trusted {
            return None;
        }
        // The proxy appends its own word to a client's.
        let last = |name: &str| headers.joined(name).rsplit(',').next().map(|value| value.trim().to_owned());
        let (proto, address) = (last("x-forwarded-proto"), last("x-forwarded-for"));
        if let Some(address) = address.as_deref().and_then(forwarded_address) {
            headers.append(CLIENT_ADDRESS, address.to_string());
        }
        match proto.as_deref() {
            Some("https") => Some("https"),
            Some("http") => Some("http"),
            _ => None,
        }
    }
}
