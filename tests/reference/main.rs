//! The references that are made from the code's tables, and whether what documents show is true.
//!
//! `UPDATE=1 cargo test --test reference` writes docs/configuration.md, docs/configuration.schema.json and docs/routes.md.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "these are tests"
)]

mod configuration;
mod json_schema;
mod markdown;
mod routes;
mod snippets;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Sees that a document is what its tables say; with `UPDATE` set, writes it.
fn check_document(path: &str, text: &str) {
    let file = file(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "{path} is out of date: UPDATE=1 cargo test --test reference");
}
