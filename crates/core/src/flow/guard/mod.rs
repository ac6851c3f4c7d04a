//! What every page passes, and what another proxy asks in its place.

pub(crate) mod admission;
pub(crate) mod assertion;
pub(crate) mod bearer;
pub(crate) mod forward;
pub(crate) mod protect;
pub(crate) mod verify;
