//! `cargo xtask explain`: explains how the rules of the configuration treat one request.

use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Result, bail};

pub(crate) use xtask_arguments::explain::Arguments;

use crate::project::Project;

/// Starts the program in xtask/explain with `arguments`. xtask itself does not depend on the Worker's source, so that it
/// compiles fast, and still runs while the Worker does not compile.
pub(crate) fn explain(project: &Project, arguments: &[OsString]) -> Result<()> {
    let mut command = project.cargo();
    command.args(["run", "--quiet", "--package", "vestibule-explain", "--"]).args(arguments);
    if !command.stdin(Stdio::null()).status()?.success() {
        bail!("cargo xtask explain failed; the message above says why");
    }
    Ok(())
}
