//! From the form, by way of the provider or of an API of one's own, to a session.

pub(crate) mod begin;
pub(crate) mod callback;
pub(crate) mod create_session;
pub(crate) mod credentials;
pub(crate) mod handoff;
pub(crate) mod identity;
pub(crate) mod sign_in;
