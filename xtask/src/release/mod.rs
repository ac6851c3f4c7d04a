//! `cargo xtask release`: checks, builds and packs what a version consists of.

mod changelog;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::project::Project;
use crate::step::run_quietly;
use crate::{build, test};

/// Where the files of a release are put together.
const OUTPUT: &str = "build/release";
/// The list of everything that is compiled into the Worker.
const SBOM: &str = "vestibule.cdx.json";
/// The checksums, in the format of sha256sum.
const CHECKSUMS: &str = "SHA256SUMS";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Make the files and print what would be released, without a tag; also with changes that are not committed
    #[arg(long)]
    dry_run: bool,
    /// Leave out `cargo xtask test`, for a commit that has passed it
    #[arg(long)]
    no_tests: bool,
}

/// Checks the changelog, runs the tests, builds, and writes the Worker, the npm package, the bill of materials and the
/// checksums into `build/release/`. Without `--dry-run` it also tags the commit. It publishes nothing: it prints the commands for that.
pub(crate) fn release(project: &Project, options: &Options) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let text = fs::read_to_string(project.path("CHANGELOG.md")).context("cannot read CHANGELOG.md")?;
    let section = changelog::section(&text, version, options.dry_run)?;
    changelog::check(section)?;
    if !options.dry_run {
        check_is_committed(project)?;
    }
    if !options.no_tests {
        test::test(project, &test::Options::default())?;
    }
    let package = build::pack(project)?;
    let files = collect(project, &package)?;

    println!("\nvestibule {version}\n\n{}\n", section.trim());
    println!("{}", fs::read_to_string(project.path(OUTPUT).join(CHECKSUMS))?);
    if options.dry_run {
        println!("nothing is released: the {} files are in {OUTPUT}/", files.len());
        return Ok(());
    }
    let message = format!("vestibule {version}\n\n{section}");
    run_quietly(project.command("git").args([
        "tag",
        "--annotate",
        &format!("v{version}"),
        "--message",
        &message,
    ]))?;
    let package = file_name(&package)?;
    println!(
        "tagged v{version}. To publish:\n  git push origin v{version}\n  npm publish {OUTPUT}/{package}"
    );
    Ok(())
}

fn check_is_committed(project: &Project) -> Result<()> {
    let changed = run_quietly(project.command("git").args(["status", "--porcelain"]))?;
    if changed.trim().is_empty() {
        return Ok(());
    }
    bail!("there are changes that are not committed; commit them, or look first with --dry-run:\n{changed}")
}

/// Puts the files of a release into [`OUTPUT`], with their checksums. Gives their names.
fn collect(project: &Project, package: &Path) -> Result<Vec<String>> {
    let output = project.path(OUTPUT);
    let _ = fs::remove_dir_all(&output);
    fs::create_dir_all(&output).with_context(|| format!("cannot create {}", output.display()))?;
    let mut names = Vec::new();
    for file in build::worker_files(project).iter().map(PathBuf::as_path).chain([package]) {
        let name = file_name(file)?;
        fs::copy(file, output.join(&name)).with_context(|| format!("cannot copy {}", file.display()))?;
        names.push(name);
    }
    let sbom = sbom::of_the_worker(project)?;
    fs::write(output.join(SBOM), sbom).with_context(|| format!("cannot write {SBOM}"))?;
    names.push(SBOM.to_owned());
    names.sort_unstable();
    let checksums: String =
        names.iter().map(|name| build::checksum_line(&output, name)).collect::<Result<_>>()?;
    fs::write(output.join(CHECKSUMS), checksums).with_context(|| format!("cannot write {CHECKSUMS}"))?;
    Ok(names)
}

fn file_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).with_context(|| format!("{} has no file name", path.display()))
}
