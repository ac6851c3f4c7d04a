//! The references in docs/ are up to date with the tables of the code, and the examples in the documents are valid.
//!
//! `UPDATE=1 cargo test --test reference` writes docs/configuration.md, docs/configuration.schema.json, docs/pages.md and
//! docs/routes.md.

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
mod messages;
mod pages;
mod routes;
mod snippets;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Checks that a document equals the text generated from the tables. With `UPDATE` set, writes it first.
fn check_document(path: &str, text: &str) {
    let file = file(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "{path} is out of date: UPDATE=1 cargo test --test reference");
}
