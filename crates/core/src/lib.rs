//! What Vestibule does, on any runtime: sessions, the guard, the configuration and the flows.
//!
//! # The flows
//!
//! Every request enters at [`Vestibule::handle`] and takes one of three paths; each can be read top to
//! bottom:
//!
//! - **Protect**: `handle` → `flow/protect` → [`guard`] (which rule, who may) → [`session`] (who is it) →
//!   `flow/forward`, or a redirect, or a refusal.
//! - **Sign in**: `flow/sign_in` (authorization request, sealed transaction) → the provider →
//!   `flow/callback` (transaction → code → tokens → ID token → session).
//! - **Session**: `flow/session` (open, renew when due, show).
//! - **Refresh**, on the way through protect and session: `flow/refresh` (due? → [`lease`] → grant → successor).
//!
//! Pure functions decide: [`oauth`] builds requests and reads responses, [`jose`] seals and opens, [`guard`]
//! matches. Whatever touches the world goes through [`platform::Platform`], which each runtime implements; nothing
//! here knows JavaScript.

pub mod api;
pub mod config;
pub mod data;
pub mod error;
pub mod explain;
mod flow;
pub mod guard;
mod handle;
pub mod hooks;
pub mod http;
pub mod jose;
pub mod json;
pub mod lease;
pub mod oauth;
pub mod outbound;
pub mod platform;
pub mod providers;
pub mod reply;
pub mod secret;
pub mod session;
pub mod time;
pub mod upstream;

use std::rc::Rc;

use crate::config::Config;
use crate::flow::asked::Asked;
use crate::flow::assertion::AssertionKeys;
use crate::flow::provider::ProviderCache;
use crate::guard::headers::GuardedNames;
use crate::hooks::{Configured, ErasedHooks, Hooks, Typed};
use crate::lease::flights::Flights;
use crate::session::opened::Opened;

/// A checked configuration, and what an isolate learns while it serves: build it once, use it for every
/// request.
///
/// Clones are the same: work that outlives its request holds one.
#[derive(Clone)]
pub struct Vestibule {
    config: Rc<Config>,
    /// The header fields that some upstream or rule sets.
    guarded: Rc<GuardedNames>,
    providers: Rc<ProviderCache>,
    flights: Rc<Flights>,
    assertion_keys: Rc<AssertionKeys>,
    opened: Rc<Opened>,
    asked: Rc<Asked>,
    hooks: Rc<dyn ErasedHooks>,
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
        let guarded = GuardedNames::of(&config.upstreams, &config.rules);
        Self {
            config: Rc::new(config),
            guarded: Rc::new(guarded),
            providers: Rc::default(),
            flights: Rc::default(),
            assertion_keys: Rc::default(),
            opened: Rc::default(),
            asked: Rc::default(),
            hooks,
        }
    }
}
