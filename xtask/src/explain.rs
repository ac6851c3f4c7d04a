//! `cargo xtask explain`: what the rules say about one request.

use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Result, bail};

pub(crate) use xtask_arguments::explain::Arguments;

use crate::project::Project;

/// Has it explained by a program of its own: this one does not depend on the Worker's source, so that it
/// starts fast, and builds what does not compile yet.
pub(crate) fn explain(project: &Project, arguments: &[OsString]) -> Result<()> {
    let mut command = project.cargo();
    command.args(["run", "--quiet", "--package", "vestibule-explain", "--"]).args(arguments);
    if !command.stdin(Stdio::null()).status()?.success() {
        bail!("nothing could be explained");
    }
    Ok(())
}
