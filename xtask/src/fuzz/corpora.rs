//! Inputs that reach code which the seeds do not. All of them are in `target/fuzz-corpus`, a folder for each target; the
//! smallest ones are committed, in `fuzz/found`, where the tests run them, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::program::Target;
use crate::project::Project;
use crate::tools::sha256;

/// What is committed of a target: inputs of at most so many bytes, and so many bytes and inputs in all.
const MAX_INPUT: usize = 400;
const MAX_BYTES: usize = 6 * 1024;
const MAX_INPUTS: usize = 60;

/// The folder of a target, in which what is committed is there, too.
pub(super) fn folder(project: &Project, target: &Target) -> Result<PathBuf> {
    let folder = project.path("target/fuzz-corpus").join(&target.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let found = fs::read_to_string(committed(project, target)).unwrap_or_default();
    for line in found.lines() {
        let input: String = serde_json::from_str(line)
            .with_context(|| format!("fuzz/found/{}.jsonl is not what this command writes", target.name))?;
        let path = folder.join(sha256(input.as_bytes()));
        fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}

/// Puts in place of a folder another one, which `fill` fills.
pub(super) fn replace(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let other = empty(&folder.with_extension("few"))?;
    fill(&other)?;
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    fs::rename(&other, folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Writes the inputs that `choose` adds to a copy of the seeds into `fuzz/found`: as many of the smallest as have room.
pub(super) fn write(
    project: &Project,
    target: &Target,
    seeds: &Path,
    choose: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let chosen = empty(&project.path("target/fuzz-corpus").join(format!("{}.chosen", target.name)))?;
    let seeds = files(seeds)?;
    for seed in &seeds {
        let copy = chosen.join(sha256(seed));
        fs::write(&copy, seed).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    choose(&chosen)?;
    let added = files(&chosen)?.difference(&seeds).cloned().collect();
    fs::remove_dir_all(&chosen).with_context(|| format!("cannot remove {}", chosen.display()))?;
    let mut lines: Vec<String> =
        smallest(added, target.slice).iter().map(|input| serde_json::json!(input).to_string()).collect();
    // The last line ends, too.
    lines.push(String::new());
    let path = committed(project, target);
    fs::create_dir_all(project.path("fuzz/found")).context("cannot make fuzz/found")?;
    fs::write(&path, lines.join("\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// The texts among the inputs that have room, the smallest first. A target whose slice is small is slow, and gets fewer.
fn smallest(inputs: BTreeSet<Vec<u8>>, slice: usize) -> Vec<String> {
    let mut texts: Vec<String> =
        inputs.into_iter().filter_map(|input| String::from_utf8(input).ok()).collect();
    texts.retain(|text| text.len() <= MAX_INPUT);
    texts.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    texts.truncate(MAX_INPUTS.min(slice));
    let mut room = MAX_BYTES;
    texts.retain(|text| {
        let has_room = text.len() <= room;
        room -= if has_room { text.len() } else { 0 };
        has_room
    });
    texts
}

fn committed(project: &Project, target: &Target) -> PathBuf {
    project.path("fuzz/found").join(format!("{}.jsonl", target.name))
}

/// The folder, empty.
fn empty(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.to_owned())
}

/// What the files of a folder have in them.
fn files(folder: &Path) -> Result<BTreeSet<Vec<u8>>> {
    let read = || fs::read_dir(folder)?.map(|entry| fs::read(entry?.path())).collect::<std::io::Result<_>>();
    read().with_context(|| format!("cannot read {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_texts_are_committed_and_only_as_many_as_have_room() {
        let text = |length: usize| "x".repeat(length);
        let inputs = [text(30), text(2), text(MAX_INPUT + 1)].map(String::into_bytes);
        let inputs: BTreeSet<Vec<u8>> = inputs.into_iter().chain([vec![0xff]]).collect();
        assert_eq!(smallest(inputs.clone(), 100), [text(2), text(30)]);
        assert_eq!(smallest(inputs, 1), [text(2)]);
        let many: BTreeSet<Vec<u8>> = (300..MAX_INPUT).map(|length| text(length).into_bytes()).collect();
        let kept = smallest(many, 100);
        let bytes: usize = kept.iter().map(String::len).sum();
        assert!(bytes <= MAX_BYTES && bytes > MAX_BYTES - MAX_INPUT, "{bytes}");
    }
}
