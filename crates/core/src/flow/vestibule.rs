//! What serves every request of an isolate: the configuration, and what was learned while serving.

use std::rc::Rc;

use crate::config::Config;
use crate::flow::guard::assertion_keys::AssertionKeys;
use crate::flow::provider::cache::ProviderCache;
use crate::flow::site_cache::SiteCache;
use crate::guard::headers::GuardedNames;
use crate::hooks::{Configured, ErasedHooks, Hooks, Typed};
use crate::lease::in_flight::InFlightRefreshes;
use crate::session::cache::SessionCache;

/// A checked configuration, and what an isolate learns while it serves: build it once, use it for every
/// request.
///
/// Clones are the same: work that outlives its request holds one.
#[derive(Clone)]
pub struct Vestibule {
    pub(crate) config: Rc<Config>,
    /// The header fields that some upstream or rule sets.
    pub(crate) guarded: Rc<GuardedNames>,
    pub(crate) providers: Rc<ProviderCache>,
    pub(crate) refreshes: Rc<InFlightRefreshes>,
    pub(crate) assertion_keys: Rc<AssertionKeys>,
    pub(crate) session_cache: Rc<SessionCache>,
    pub(crate) site_cache: Rc<SiteCache>,
    pub(crate) hooks: Rc<dyn ErasedHooks>,
}

impl Vestibule {
    /// Ready to serve as the configuration says.
    pub fn new(config: Config) -> Self {
        Self::with_erased(config, Rc::new(Configured))
    }

    /// Ready to serve as the configuration and an app's own hooks say.
    pub fn with_hooks(config: Config, hooks: impl Hooks + 'static) -> Self {
        Self::with_erased(config, Rc::new(Typed(hooks)))
    }

    fn with_erased(config: Config, hooks: Rc<dyn ErasedHooks>) -> Self {
        let guarded = GuardedNames::of(&config.upstreams, &config.rules, config.edge)
            .with_cookies(config.cookie_naming.clone());
        Self {
            config: Rc::new(config),
            guarded: Rc::new(guarded),
            providers: Rc::default(),
            refreshes: Rc::default(),
            assertion_keys: Rc::default(),
            session_cache: Rc::default(),
            site_cache: Rc::default(),
            hooks,
        }
    }
}
