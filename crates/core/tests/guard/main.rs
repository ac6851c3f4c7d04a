//! What `explain` prints. The matcher is compared with path-to-regexp in `crates/differential`.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod explain;
