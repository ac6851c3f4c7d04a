//! `cargo xtask server`: builds the server of your own, also as one static binary, and runs its tests with that one. And what
//! checks the files that it is deployed with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::host;
use crate::project::Project;
use crate::step::{run, run_quietly, step};
use crate::tools;

/// The package and its program.
const PACKAGE: &str = "vestibule-server";

/// The profile that it is deployed with.
pub(crate) const PROFILE: &str = "server";

/// The files that it is deployed with, and the requirements.txt of what checks them.
const DEPLOYMENT: &str = "crates/server/deployment";

/// Where that is installed.
const ENVIRONMENT: &str = "target/deployment";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Only build, and print where the programs are
    #[arg(long)]
    build: bool,
    /// Leave out the program that is linked to this system's libraries
    #[arg(long = "static")]
    only_static: bool,
}

/// `cargo xtask server`.
pub(crate) fn server(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_musl(project)?;
    if !options.only_static {
        report(&build(project, None)?)?;
    }
    let program = build(project, Some(&tools::musl_target()))?;
    ensure_static(&program)?;
    report(&program)?;
    if options.build {
        return Ok(());
    }
    check_deployment(project)?;
    check_oldest_rust(project)?;
    tools::ensure_redis(project)?;
    step("the server's tests, with the static binary", || {
        let mut command = project.cargo();
        command.args(["test", "--package", PACKAGE, "--test", "server"]);
        run(command.env("VESTIBULE_SERVER", &program))
    })
}

/// Checks the whole workspace with the oldest Rust that it is said to need, which the Dockerfile builds with.
fn check_oldest_rust(project: &Project) -> Result<()> {
    let version = oldest_rust(&fs::read_to_string(project.path("Cargo.toml"))?)?;
    tools::ensure_toolchain(project, &version)?;
    let target = project.target().join("oldest-rust");
    step(&format!("check with Rust {version}"), || {
        let mut command = project.command("rustup");
        command.args(["run", &version, "cargo", "check", "--locked", "--workspace", "--target-dir"]);
        run_quietly(command.arg(target).env_remove("CARGO").env_remove("RUSTC")).map(drop)
    })
}

/// `rust-version` in the workspace's manifest.
fn oldest_rust(manifest: &str) -> Result<String> {
    let manifest: toml::Table = manifest.parse().context("Cargo.toml is not TOML")?;
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("rust-version")?.as_str());
    Ok(version.context("Cargo.toml has no rust-version for the workspace")?.to_owned())
}

/// Builds the program as it is deployed, for this system or for a target.
pub(crate) fn build(project: &Project, target: Option<&str>) -> Result<PathBuf> {
    let mut command = project.cargo();
    command.args(["build", "--locked", "--package", PACKAGE, "--profile", PROFILE]);
    let mut path = project.target();
    if let Some(target) = target {
        command.args(["--target", target]);
        path.push(target);
    }
    step(&format!("build {PACKAGE}, {}", target.unwrap_or("for this system")), || {
        run_quietly(&mut command).map(drop)
    })?;
    Ok(path.join(PROFILE).join(PACKAGE))
}

fn report(program: &Path) -> Result<()> {
    let size = fs::metadata(program).with_context(|| format!("cannot read {}", program.display()))?.len();
    println!("   {}, {size} bytes", program.display());
    Ok(())
}

/// Fails if the program needs a loader or a library.
fn ensure_static(program: &Path) -> Result<()> {
    let mut command = Command::new("readelf");
    command.args(["--wide", "--program-headers", "--dynamic"]).arg(program);
    let headers = run_quietly(command.env("LC_ALL", "C"))?;
    ensure!(is_static(&headers), "{} is not static:\n{headers}", program.display());
    Ok(())
}

/// Whether a program with these headers, as readelf prints them, runs where there is no other file.
fn is_static(headers: &str) -> bool {
    headers.contains("LOAD") && !headers.contains("INTERP") && !headers.contains("(NEEDED)")
}

/// Checks the Dockerfile (hadolint), the manifest of Kubernetes (its schemas) and the unit of systemd.
pub(crate) fn check_deployment(project: &Project) -> Result<()> {
    tools::ensure_python_of(project, DEPLOYMENT, ENVIRONMENT)?;
    let tool = |name: &str| -> Result<Command> {
        let program = host::python_of(&project.path(ENVIRONMENT)).with_file_name(name);
        host::make_executable(&program).with_context(|| format!("cannot change {}", program.display()))?;
        Ok(project.command(program))
    };
    run_quietly(tool("hadolint")?.arg("crates/server/Dockerfile"))?;
    let manifest = format!("{DEPLOYMENT}/kubernetes.yaml");
    run_quietly(tool("kubernetes-validate")?.args(["--strict", &manifest]))?;
    check_unit(project)
}

/// Checks the unit, where there is a systemd. It looks for the program, which a user has installed.
fn check_unit(project: &Project) -> Result<()> {
    if run_quietly(Command::new("systemd-analyze").arg("--version")).is_err() {
        println!("   not checked: the unit, because systemd-analyze is not on PATH");
        return Ok(());
    }
    let unit = fs::read_to_string(project.path(DEPLOYMENT).join("vestibule-server.service"))?;
    let installed = "ExecStart=/usr/local/bin/vestibule-server\n";
    ensure!(unit.contains(installed), "the unit does not start the installed program");
    let copy = project.path(ENVIRONMENT).join("vestibule-server.service");
    fs::write(&copy, unit.replace(installed, "ExecStart=/bin/true\n"))?;
    // It ends with 0 also where it warns.
    let said = run_quietly(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy))?;
    ensure!(said.trim().is_empty(), "systemd says of the unit:\n{said}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_program_with_a_loader_or_a_library_is_not_static() {
        let load = "  LOAD           0x000000 0x0000000000000000\n";
        assert!(is_static(load));
        for more in
            ["  INTERP         0x0002e0\n", " 0x0000000000000001 (NEEDED) Shared library: [libc.so.6]\n"]
        {
            assert!(!is_static(&format!("{load}{more}")));
        }
        assert!(!is_static(""));
    }

    #[test]
    fn the_image_is_built_with_the_oldest_rust() {
        let version = oldest_rust(include_str!("../../Cargo.toml")).unwrap();
        let dockerfile = include_str!("../../crates/server/Dockerfile");
        assert!(dockerfile.contains(&format!("\nFROM rust:{version}-alpine AS build\n")), "{version}");
    }

    #[test]
    fn all_of_it_is_built_and_tested_unless_an_option_says_otherwise() {
        assert_eq!(read::<Options>(&[]).unwrap(), Options { build: false, only_static: false });
        let options = Options { build: true, only_static: true };
        assert_eq!(read::<Options>(&["--build", "--static"]).unwrap(), options);
        assert!(read::<Options>(&["--dynamic"]).is_err());
    }
}
