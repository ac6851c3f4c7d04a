//! `cargo xtask build --npm`: fills the folder of the npm package and packs it.
//!
//! The package is `npm/` with the built Worker. `checksums.txt` has the SHA-256 of every module; the package's
//! command `verify` compares them.

mod manifest;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{build_cli, worker_files};
use crate::host;
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

/// The checksums of the package's modules.
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
    step("fill the npm package", || fill(project, &folder))?;
    build_cli(project, &folder.join("cli"))?;
    step("write the checksums", || {
        write_checksums(&folder)?;
        manifest::check(&folder, env!("CARGO_PKG_VERSION"))
    })?;
    let tarball = step("npm pack", || npm_pack(project, &folder))?;
    verify(project, &folder)?;
    for file in modules(&folder)?.iter().filter(|file| has_extension(file, &["wasm"])) {
        print!("   {}", checksum_line(&folder, file)?);
    }
    let name = tarball.strip_prefix(project.path("")).unwrap_or(&tarball).display();
    println!("   {}  {name}", tools::sha256(&read(&tarball)?));
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
    for file in worker_files(project) {
        let name = file.file_name().context("a file of the Worker has no name")?;
        copy(&file, &folder.join("worker").join(name))?;
    }
    Ok(())
}

/// Copies a folder without what npm has installed in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
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

/// Writes the checksums of a folder's modules into it.
pub(crate) fn write_checksums(folder: &Path) -> Result<()> {
    fs::write(folder.join(CHECKSUMS), checksums(folder)?).context("cannot write the checksums")
}

/// A line for each module, as `sha256sum` writes it.
fn checksums(folder: &Path) -> Result<String> {
    modules(folder)?.iter().map(|name| checksum_line(folder, name)).collect()
}

/// The line of a file in a folder, as `sha256sum` writes it.
pub(crate) fn checksum_line(folder: &Path, name: &str) -> Result<String> {
    Ok(format!("{}  {name}\n", tools::sha256(&read(&folder.join(name))?)))
}

/// The package's modules, in the order of their names: what runs, in JavaScript or WebAssembly.
fn modules(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    found.retain(|name| has_extension(name, &["js", "mjs", "wasm"]));
    found.sort();
    Ok(found)
}

fn has_extension(name: &str, any: &[&str]) -> bool {
    Path::new(name).extension().is_some_and(|extension| any.iter().any(|known| extension == *known))
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

/// Runs `npm pack`, and checks that the tarball has every module, and every file that the package's exports name. Gives its
/// path.
fn npm_pack(project: &Project, folder: &Path) -> Result<PathBuf> {
    let output = project.path(OUTPUT);
    let mut command = project.command(host::NPM);
    command.current_dir(folder).args(["pack", "--json", "--ignore-scripts", "--loglevel=error"]);
    command.arg("--pack-destination").arg(&output);
    let report: Value =
        serde_json::from_str(&run_quietly(&mut command)?).context("npm pack wrote no JSON")?;
    let (file, packed) = manifest::packed(&report).context("npm pack names no tarball")?;
    let wanted = manifest::files(&manifest::read(folder)?).into_iter().chain(modules(folder)?);
    for name in wanted.chain([CHECKSUMS.to_owned()]) {
        ensure!(packed.contains(&name), "the tarball has no {name}: add it to `files` in npm/package.json");
    }
    Ok(output.join(file))
}

/// Runs the package's own check of its checksums.
fn verify(project: &Project, folder: &Path) -> Result<()> {
    let mut command = project.command(tools::node(project)?);
    run_quietly(command.arg(folder.join("bin/vestibule.mjs")).arg("verify")).map(drop)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_as_sha256sum_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("worker/index.js", "x"), ("cli/a.wasm", "abc"), ("worker/index.d.ts", "y")] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  cli/a.wasm\n\
            2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  worker/index.js\n";
        assert_eq!(checksums(folder.path()).unwrap(), expected);
    }
}
