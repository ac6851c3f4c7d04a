//! Command lines that two programs read: xtask, for its help and before it builds anything, and the program of its own
//! that it starts.

pub mod bench;
pub mod explain;
