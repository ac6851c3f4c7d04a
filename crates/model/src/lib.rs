//! Exhaustive models of the protocols that several isolates take part in: the leases of refreshes, and revocations.
//!
//! `lock` explores every order in which calls arrive at the real lock, and `keyvalue` every order in which the operations of
//! such calls take effect in a bucket that can only increment. `refresh` and `revocation` run all of the
//! Worker's code that is not the runtime's, with every fault at every operation, and every history of so many events.

#![allow(
    clippy::option_option,
    clippy::struct_excessive_bools,
    reason = "a state of a model is a list of independent facts"
)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a model may panic: that is how it fails"
)]

pub mod check;
mod isolate;
mod keyvalue;
mod lock;
mod refresh;
mod revocation;
mod world;
