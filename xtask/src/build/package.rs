//! `cargo xtask build --npm`: fills the folder of the npm package and packs it.
//!
//! The package is `npm/` with the built Worker. `checksums.txt` has the SHA-256 of every built file; the package's
//! `worker/verify.mjs` compares them.

mod manifest;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{MODULE, SCRIPT};
use crate::project::Project;
use crate::step::{run_quietly, step};
use crate::tools;

/// The part of the package that is written by hand.
const SOURCE: &str = "npm";

/// The directory of the tarball.
const OUTPUT: &str = "build/npm";

/// The package's folder, as npm would install it below [`OUTPUT`]: a script there can import the package by its name. The
/// tests that start `build/index.js` take every module beside it, except those in `node_modules`.
const FOLDER: &str = "build/npm/node_modules/@vestibule-auth/edge";

/// The checksums of the package's built files.
const CHECKSUMS: &str = "checksums.txt";

/// What the package has from the rest of the repository, and its place there.
const COPIED: [(&str, &str); 3] = [
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("docs/configuration.schema.json", "configuration.schema.json"),
];

/// Packs the Worker in `build/`, and prints the checksums of the tarball and of each WebAssembly module. Gives the tarball.
pub(crate) fn pack(project: &Project) -> Result<PathBuf> {
    let folder = project.path(FOLDER);
    step("fill the npm package", || {
        fill(project, &folder)?;
        fs::write(folder.join(CHECKSUMS), checksums(&folder)?).context("cannot write the checksums")?;
        manifest::check(&folder, version(project)?.as_str())
    })?;
    let tarball = step("npm pack", || npm_pack(project, &folder))?;
    verify(project, &folder)?;
    for file in built(&folder)?.iter().filter(|file| is_module(file)) {
        println!("   {}  {file}", sha256(&read(&folder.join(file))?));
    }
    let name = tarball.strip_prefix(project.path("")).unwrap_or(&tarball).display();
    println!("   {}  {name}", sha256(&read(&tarball)?));
    Ok(tarball)
}

/// Makes the folder anew.
fn fill(project: &Project, folder: &Path) -> Result<()> {
    let output = project.path(OUTPUT);
    if output.exists() {
        fs::remove_dir_all(&output).with_context(|| format!("cannot remove {}", output.display()))?;
    }
    copy_folder(&project.path(SOURCE), folder)?;
    for (from, to) in COPIED {
        copy(&project.path(from), &folder.join(to))?;
    }
    for name in [SCRIPT, MODULE] {
        copy(&project.path("build").join(name), &folder.join("worker").join(name))?;
    }
    Ok(())
}

/// Copies a folder without what npm has installed in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if from.is_dir() && name != "node_modules" {
            copy_folder(&from, &to.join(name))?;
        } else if from.is_file() {
            copy(&from, &to.join(name))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
        .map(drop)
}

/// A line for each built file, as `sha256sum` writes it.
fn checksums(folder: &Path) -> Result<String> {
    let lines = built(folder)?.into_iter().map(|name| {
        let bytes = read(&folder.join(&name))?;
        Ok(format!("{}  {name}\n", sha256(&bytes)))
    });
    lines.collect()
}

/// The package's built files, in the order of their names: the Worker's script, and every WebAssembly module.
fn built(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    let script = format!("worker/{SCRIPT}");
    found.retain(|name| *name == script || is_module(name));
    found.sort();
    Ok(found)
}

/// Whether a file is a WebAssembly module.
fn is_module(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "wasm")
}

/// Adds every file below `folder`, with slashes in its name.
fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}

/// Runs `npm pack`, and checks that the tarball has every file that the package's exports name. Gives its path.
fn npm_pack(project: &Project, folder: &Path) -> Result<PathBuf> {
    let output = project.path(OUTPUT);
    let mut command = project.command(npm());
    command.current_dir(folder).args(["pack", "--json", "--ignore-scripts", "--loglevel=error"]);
    command.arg("--pack-destination").arg(&output);
    let report: Value =
        serde_json::from_str(&run_quietly(&mut command)?).context("npm pack wrote no JSON")?;
    let (file, packed) = manifest::packed(&report).context("npm pack names no tarball")?;
    let wanted = manifest::files(&manifest::read(folder)?).into_iter().chain(built(folder)?);
    for name in wanted.chain([CHECKSUMS.to_owned()]) {
        ensure!(packed.contains(&name), "the tarball has no {name}: add it to `files` in npm/package.json");
    }
    Ok(output.join(file))
}

/// Runs the package's own check of its checksums.
fn verify(project: &Project, folder: &Path) -> Result<()> {
    let mut command = project.command(tools::node(project)?);
    run_quietly(command.arg(folder.join("worker/verify.mjs"))).map(drop)
}

/// The program npm. On Windows it is a script, which only its whole name starts.
pub(crate) fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// The version of the workspace.
fn version(project: &Project) -> Result<String> {
    let manifest = fs::read_to_string(project.path("Cargo.toml")).context("cannot read Cargo.toml")?;
    let manifest: toml::Table = manifest.parse().context("cannot read Cargo.toml")?;
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("version")).and_then(toml::Value::as_str);
    version.map(str::to_owned).context("Cargo.toml has no workspace.package.version")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_as_sha256sum_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("worker/index.js", "x"), ("cli/a.wasm", "abc"), ("worker/verify.mjs", "y")] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  cli/a.wasm\n\
            2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  worker/index.js\n";
        assert_eq!(checksums(folder.path()).unwrap(), expected);
    }
}
