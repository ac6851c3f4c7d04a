//! The state that all requests of a process share: the configuration, and the caches.

use std::cell::Cell;
use std::rc::Rc;

use crate::config::Config;
use crate::flow::attempts::{Attempts, LoginAttempts};
use crate::flow::audit::Delivery;
use crate::flow::dpop::DpopMemory;
use crate::flow::guard::assertion_keys::AssertionKeys;
use crate::flow::guard::introspection::memory::IntrospectionMemory;
use crate::flow::guard::possession::memory::ProofMemory;
use crate::flow::path_memory::PathMemory;
use crate::flow::provider::cache::ProviderCache;
use crate::flow::provider::client_keys::ClientKeys;
use crate::flow::provider::encryption_keys::EncryptionKeys;
use crate::flow::site_cache::SiteCache;
use crate::hooks::{Configured, ErasedHooks, Hooks, Typed};
use crate::lease::in_flight::InFlightRefreshes;
use crate::revocation::memory::RevocationMemory;
use crate::session::cache::SessionCache;
use crate::session::tokens::exchanged::ExchangedTokens;
use crate::session::tokens::memory::TokenMemory;

/// A checked configuration with the caches of a process. Build it once, and use it for every request.
///
/// Clones share their state. Work that outlives its request holds a clone.
#[derive(Clone)]
pub struct Vestibule {
    pub(crate) config: Rc<Config>,
    pub(crate) providers: Rc<ProviderCache>,
    pub(crate) refreshes: Rc<InFlightRefreshes>,
    /// What this process knows of revoked sessions.
    pub(crate) revocations: RevocationMemory,
    /// How often operators' clients were here, where the runtime does not count it.
    pub(crate) revoke_attempts: Rc<Attempts>,
    /// How often forged tokens and unproven logouts were sent, by address.
    pub(crate) stranger_attempts: Rc<Attempts>,
    /// How often sign-in forms were sent, where the runtime does not count it.
    pub(crate) login_attempts: Rc<LoginAttempts>,
    pub(crate) assertion_keys: Rc<AssertionKeys>,
    pub(crate) client_keys: Rc<ClientKeys>,
    pub(crate) session_cache: Rc<SessionCache>,
    /// The tokens that this process has read from the store.
    pub(crate) tokens: Rc<TokenMemory>,
    /// The tokens for upstreams, for which this process has exchanged those of sessions.
    pub(crate) exchanged: Rc<ExchangedTokens>,
    /// Whether the log has said that the site's cookies are large.
    pub(crate) has_large_cookies: Rc<Cell<bool>>,
    pub(crate) site_cache: Rc<SiteCache>,
    /// What the rules said about recent paths.
    pub(crate) path_memory: Rc<PathMemory>,
    /// The public half of the keys for which providers encrypt.
    pub(crate) encryption_keys: Rc<EncryptionKeys>,
    /// The nonces that servers demand in proofs.
    pub(crate) dpop: Rc<DpopMemory>,
    /// What the provider said of access tokens that only it can read.
    pub(crate) introspections: Rc<IntrospectionMemory>,
    /// The proofs of possession that clients sent.
    pub(crate) proofs: Rc<ProofMemory>,
    /// The lines of the audit log that are on their way.
    pub(crate) audit: Rc<Delivery>,
    /// Whether the log has said that metrics cannot be written.
    pub(crate) metrics_failed: Rc<Cell<bool>>,
    pub(crate) hooks: Rc<dyn ErasedHooks>,
}

impl Vestibule {
    /// Serves requests as the configuration says, without hooks.
    pub fn new(config: Config) -> Self {
        Self::with_erased(config, Rc::new(Configured))
    }

    /// Serves requests as the configuration and the app's own hooks say.
    pub fn with_hooks(config: Config, hooks: impl Hooks + 'static) -> Self {
        Self::with_erased(config, Rc::new(Typed(hooks)))
    }

    /// Shares what is known of revoked sessions: a revocation that one holder of this memory has read or made counts for all of
    /// them, whatever the store says later. For a process with several threads, and for one that takes a new configuration.
    #[must_use]
    pub fn with_revocations(self, revocations: RevocationMemory) -> Self {
        Self { revocations, ..self }
    }

    fn with_erased(config: Config, hooks: Rc<dyn ErasedHooks>) -> Self {
        Self {
            config: Rc::new(config),
            providers: Rc::default(),
            refreshes: Rc::default(),
            revocations: RevocationMemory::default(),
            revoke_attempts: Rc::default(),
            stranger_attempts: Rc::default(),
            login_attempts: Rc::default(),
            assertion_keys: Rc::default(),
            client_keys: Rc::default(),
            session_cache: Rc::default(),
            tokens: Rc::default(),
            exchanged: Rc::default(),
            has_large_cookies: Rc::default(),
            site_cache: Rc::default(),
            path_memory: Rc::default(),
            encryption_keys: Rc::default(),
            dpop: Rc::default(),
            introspections: Rc::default(),
            proofs: Rc::default(),
            audit: Rc::default(),
            metrics_failed: Rc::default(),
            hooks,
        }
    }
}
