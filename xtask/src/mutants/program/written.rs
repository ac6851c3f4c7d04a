//! The files of the program, with all mutants in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

use crate::mutants::switch::{self, Change};
use crate::project::Project;

/// The crates with mutants.
const ROOTS: [&str; 2] = ["crates/oidc/src/lib.rs", "crates/core/src/lib.rs"];

/// The files with mutants.
pub(super) struct Written {
    pub(super) files: BTreeMap<String, String>,
    /// The numbers of the mutants that are in them.
    pub(super) numbers: BTreeSet<u32>,
    /// Those that do not compile, whatever is around them.
    pub(super) unviable: BTreeSet<u32>,
}

/// Each file with its mutants, without those that are left out.
pub(super) fn write(
    project: &Project,
    changes: &BTreeMap<u32, Change>,
    left_out: &BTreeSet<u32>,
) -> Result<Written> {
    let mut files: BTreeMap<&str, Vec<(u32, &Change)>> = BTreeMap::new();
    for (number, change) in changes.iter().filter(|(number, _)| !left_out.contains(number)) {
        files.entry(&change.file).or_default().push((*number, change));
    }
    let (mut written, mut numbers, mut unviable) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for (file, changes) in files {
        let source = fs::read_to_string(project.path(file)).with_context(|| format!("cannot read {file}"))?;
        let below = text_below(project, file)?;
        let switched =
            switch::switched(&source, &changes, &below).with_context(|| format!("cannot parse {file}"))?;
        numbers.extend(switched.numbers);
        unviable.extend(switched.unviable);
        written.insert(file.to_owned(), switched.text);
    }
    for root in ROOTS {
        let text = match written.remove(root) {
            Some(text) => text,
            None => fs::read_to_string(project.path(root)).with_context(|| format!("cannot read {root}"))?,
        };
        written.insert(root.to_owned(), text + switch::MODULE);
    }
    Ok(Written { files: written, numbers, unviable })
}

/// The text of the modules below that of a file.
fn text_below(project: &Project, file: &str) -> Result<String> {
    let Some(directory) = file.strip_suffix(".rs").map(|path| path.strip_suffix("/mod").unwrap_or(path))
    else {
        return Ok(String::new());
    };
    let mut text = String::new();
    let mut open = vec![project.path(directory)];
    while let Some(directory) = open.pop() {
        if !directory.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path != project.path(file)
            {
                text +=
                    &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            }
        }
    }
    Ok(text)
}
