//! What `check`, `explain`, `compile` and `who` do: everything that the Worker would refuse about a configuration, with its place in
//! the files, before it is deployed.
//!
//! The configuration's own checks are those of [`vestibule_core::config`]. This crate reads the files with the places of their
//! keys, says what the core's checks would say with the file, the line and the column, and adds what only the files show:
//! syntax, bindings, sizes. It does no input and no output: `cargo xtask check` and the npm package read the files and
//! send the requests of [`live`].

mod advice;
mod bindings;
pub mod check;
pub mod compile;
mod compiled;
mod deployment;
pub mod document;
pub mod explain;
pub mod finding;
pub mod hashed_user;
mod kind;
pub mod live;
mod load;
mod own;
mod place;
mod runtime;
mod size;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use crate::check::{Report, check};
pub use crate::compile::compile;
pub use crate::deployment::ConfigFiles;
pub use crate::runtime::{ComponentStore, RunsOn};
