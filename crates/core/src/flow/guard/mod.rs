//! What every page passes ([`protect`]), and what another proxy asks in its place ([`forward_auth`]), by the same steps.

pub(crate) mod admission;
pub(crate) mod assertion;
pub(crate) mod assertion_keys;
pub(crate) mod bearer;
pub(crate) mod forward;
pub(crate) mod forward_auth;
pub(crate) mod protect;
