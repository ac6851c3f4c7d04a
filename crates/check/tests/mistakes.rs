//! Mistakes in whole files, and what `check` says of each before it is deployed. A directory in `mistakes/` has the files and
//! `expected.txt`, the report. `VESTIBULE_BLESS=1` writes the reports anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vestibule_check::document::File;
use vestibule_check::{ConfigFiles, Report, check};

const MISTAKES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mistakes");

fn directories() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(MISTAKES).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn name(directory: &Path) -> String {
    directory.file_name().unwrap().to_string_lossy().into_owned()
}

fn report(directory: &Path) -> Report {
    let read = |path: &str, name: &str| {
        let text = fs::read_to_string(directory.join(path)).ok()?;
        Some(File::new(name, text))
    };
    let wrangler =
        read("wrangler.toml", "wrangler.toml").or_else(|| read("wrangler.jsonc", "wrangler.jsonc"));
    check(&ConfigFiles {
        wrangler,
        vestibule: read("vestibule.toml", "vestibule.toml"),
        dev_vars: read("dev.vars", ".dev.vars"),
        ..ConfigFiles::default()
    })
}

#[test]
fn every_seeded_mistake_is_named_with_file_line_and_column() {
    let bless = std::env::var_os("VESTIBULE_BLESS").is_some();
    let mut wrong = Vec::new();
    for directory in directories() {
        let (text, file) = (report(&directory).to_text(), directory.join("expected.txt"));
        if bless {
            fs::write(&file, &text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if text != expected {
            wrong.push(format!("== {}\n{text}-- expected\n{expected}", name(&directory)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// The files without a mistake, or with something that works.
const WITHOUT_ERRORS: [&str; 4] =
    ["no_mistake", "secrets_are_not_known", "almost_too_large_for_a_variable", "metrics_are_not_bound"];

#[test]
fn at_least_thirty_mistakes_are_errors() {
    let (good, bad): (Vec<PathBuf>, Vec<PathBuf>) =
        directories().into_iter().partition(|directory| WITHOUT_ERRORS.contains(&name(directory).as_str()));
    assert!(bad.len() >= 30, "{}", bad.len());
    assert_eq!(good.len(), WITHOUT_ERRORS.len());
    for directory in bad {
        assert!(report(&directory).errors() > 0, "{}", name(&directory));
    }
    for directory in good {
        assert_eq!(report(&directory).errors(), 0, "{}", name(&directory));
    }
}

#[test]
fn no_report_quotes_a_secret() {
    for directory in directories() {
        let text = report(&directory).to_text();
        for secret in ["hunter2", "the-secret-of-the-client", "0123456789abcdefghijklmnopqrstuvwxyz"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in ".{0,200}", at in 0_usize..900, name in 0_usize..4) {
        // A good file with something in the middle.
        let good = fs::read_to_string(Path::new(MISTAKES).join("no_mistake/wrangler.toml")).unwrap();
        let (before, behind) = good.split_at(at.min(good.len()));
        let whole = format!("{before}{text}{behind}");
        let file = |name: &str| Some(File::new(name, whole.clone()));
        let input = match name {
            0 => ConfigFiles { wrangler: file("wrangler.toml"), ..ConfigFiles::default() },
            1 => ConfigFiles { wrangler: file("wrangler.jsonc"), ..ConfigFiles::default() },
            2 => ConfigFiles { vestibule: file("vestibule.toml"), ..ConfigFiles::default() },
            _ => ConfigFiles { dev_vars: file(".dev.vars"), wrangler: Some(File::new("wrangler.toml", good)), ..ConfigFiles::default() },
        };
        for finding in check(&input).findings {
            prop_assert!(finding.at.line >= 1 && finding.at.column >= 1, "{finding}");
        }
    }
}
