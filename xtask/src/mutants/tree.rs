//! The copy of the project that cargo-mutants changes. It stays where it is, so that cargo compiles only what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::Project;
use crate::step::run_quietly;

/// Copies what differs, also what an interrupted run left behind, and removes what is no longer there. The files in `changed`
/// get this text.
pub(super) fn renew(project: &Project, tree: &Path, changed: &BTreeMap<String, String>) -> Result<()> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = run_quietly(project.command("git").args(list))?;
    let files: BTreeSet<PathBuf> =
        list.trim_end().split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    for name in files.iter().filter(|name| project.path("").join(name).is_file()) {
        let from = project.path("").join(name);
        let text = match name.to_str().and_then(|name| changed.get(name)) {
            Some(text) => text.clone().into_bytes(),
            None => fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?,
        };
        write(&text, &tree.join(name))?;
    }
    remove_others(tree, Path::new(""), &files)?;
    // Tests ask path-to-regexp.
    let (packages, link) = (project.path("node_modules"), tree.join("node_modules"));
    if packages.is_dir() && !link.exists() {
        crate::host::link_directory(&packages, &link)?;
    }
    Ok(())
}

fn write(text: &[u8], to: &Path) -> Result<()> {
    // A file that is written again is compiled again.
    if fs::read(to).is_ok_and(|copied| copied == text) {
        return Ok(());
    }
    let directory = to.parent().unwrap_or(to);
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}

/// Removes the files that the project does not have from a directory of the copy.
fn remove_others(tree: &Path, directory: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(tree.join(directory)).context("cannot read the copy")? {
        let entry = entry?;
        let name = directory.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove_others(tree, &name, files)?;
        } else if kind.is_file() && !files.contains(&name) {
            fs::remove_file(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}
