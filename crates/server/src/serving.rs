//! What the requests of a thread are answered with, and how a reload replaces it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use crate::log;
use crate::options::Options;
use crate::platform::Thread;
use crate::settings::{Settings, SettingsError};
use crate::tls::ServerTls;
use vestibule_core::Vestibule;
use vestibule_core::revocation::memory::RevocationMemory;

/// What the requests of a thread need.
pub(crate) struct Serving {
    options: Arc<Options>,
    thread: Rc<Thread>,
    /// What the process knows of revoked sessions, before and after a reload.
    revocations: RevocationMemory,
    current: RefCell<Current>,
}

/// What a reload replaces. A request keeps what it began with.
#[derive(Clone)]
struct Current {
    vestibule: Vestibule,
    tls: Option<ServerTls>,
}

impl Serving {
    /// What a thread begins with.
    pub(crate) fn new(
        options: Arc<Options>,
        thread: Rc<Thread>,
        revocations: RevocationMemory,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let current = RefCell::new(Current::new(settings, &revocations)?);
        Ok(Self { options, thread, revocations, current })
    }

    /// The certificate, if the server itself ends TLS.
    pub(crate) fn tls(&self) -> Option<ServerTls> {
        self.current.borrow().tls.clone()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn thread(&self) -> Rc<Thread> {
        Rc::clone(&self.thread)
    }

    pub(crate) fn vestibule(&self) -> Vestibule {
        self.current.borrow().vestibule.clone()
    }
}

impl Current {
    fn new(settings: &Settings, revocations: &RevocationMemory) -> Result<Self, SettingsError> {
        let vestibule = Vestibule::new(settings.config()?).with_revocations(revocations.clone());
        Ok(Self { vestibule, tls: settings.tls.clone() })
    }
}

/// Uses each new configuration for new requests.
pub(crate) async fn reload(serving: Rc<Serving>, mut settings: watch::Receiver<Arc<Settings>>) {
    while settings.changed().await.is_ok() {
        let settings = Arc::clone(&settings.borrow_and_update());
        match Current::new(&settings, &serving.revocations) {
            Ok(current) => drop(serving.current.replace(current)),
            // It was checked before; nothing changes if it is wrong after all.
            Err(error) => log::say(error),
        }
        settings.used_by.fetch_add(1, Ordering::Relaxed);
    }
}
