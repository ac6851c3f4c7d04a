//! `cargo xtask check` and `cargo xtask explain`: what is wrong with a configuration, and how its rules treat a request.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Result, bail};

pub(crate) use xtask_arguments::check::Arguments as Check;
pub(crate) use xtask_arguments::explain::Arguments as Explain;

use crate::project::Project;

/// Starts the program in xtask/check with `arguments`. xtask itself does not depend on the Worker's source, so that it
/// compiles fast, and still runs while the Worker does not compile.
pub(crate) fn run(project: &Project, name: &str, arguments: &[OsString]) -> Result<()> {
    let mut command = project.cargo();
    // Paths are relative to where the command was typed.
    if let Ok(directory) = std::env::current_dir() {
        command.current_dir(directory);
    }
    command.args(["run", "--quiet", "--package", "xtask-check", "--", name]).args(arguments);
    if !command.stdin(Stdio::null()).status()?.success() {
        bail!("cargo xtask {name} failed; the message above says why");
    }
    Ok(())
}

/// Checks the wrangler file of the directory in which the build was started, or the project's own, before a build that may be
/// deployed. A file without a mistake is not mentioned.
pub(crate) fn check_before_build(project: &Project) -> Result<()> {
    let here = std::env::current_dir().unwrap_or_default();
    let has_file =
        ["toml", "json", "jsonc"].iter().any(|kind| here.join(format!("wrangler.{kind}")).is_file());
    let directory: PathBuf = if has_file { here } else { project.path("") };
    let arguments = [directory.as_os_str(), OsStr::new("--errors-only")].map(OsStr::to_owned);
    run(project, "check", &arguments)
}
