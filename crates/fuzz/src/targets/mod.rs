//! The targets, by what they read.

mod addresses;
mod answers;
mod bearer;
mod configuration;
mod cookies;
mod events;
mod fields;
mod guard;
mod hosts;
mod keys;
mod proofs;
mod provider;
mod proxies;
mod request;
mod sealed;
#[cfg(unix)]
mod server;
mod store;
mod texts;
mod tokens;

use crate::Target;

/// Every target.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    [
        cookies::TARGETS,
        sealed::TARGETS,
        tokens::TARGETS,
        keys::TARGETS,
        provider::TARGETS,
        answers::TARGETS,
        events::TARGETS,
        bearer::TARGETS,
        proofs::TARGETS,
        addresses::TARGETS,
        proxies::TARGETS,
        hosts::TARGETS,
        guard::TARGETS,
        configuration::TARGETS,
        fields::TARGETS,
        texts::TARGETS,
        store::TARGETS,
        #[cfg(unix)]
        server::TARGETS,
        request::TARGETS,
    ]
    .into_iter()
    .flatten()
}
