//! What every page passes ([`protect`]), and what another proxy asks in its place ([`verify`]), by the same steps.

pub(crate) mod admission;
pub(crate) mod assertion;
pub(crate) mod assertion_keys;
pub(crate) mod bearer;
pub(crate) mod forward;
pub(crate) mod protect;
pub(crate) mod verify;
