//! Command line arguments that two programs parse: xtask, to show help and report errors before it builds anything, and
//! the program that xtask starts.

pub mod bench;
pub mod check;
pub mod component;
pub mod explain;
pub mod hashed_user;
