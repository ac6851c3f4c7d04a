//! `cargo xtask who`: says which user a hash in the audit log is.

use std::ffi::OsString;

use anyhow::{Result, bail};

pub(crate) use xtask_arguments::hashed_user::Arguments;

use crate::project::Project;

/// Starts the program in xtask/check with `arguments`, for the reason in [`check`](crate::check). It reads the users
/// from this program's standard input.
pub(crate) fn print(project: &Project, arguments: &[OsString]) -> Result<()> {
    let mut command = project.cargo();
    let program = ["run", "--quiet", "--package", "xtask-check", "--bin", "vestibule-who", "--"];
    command.args(program).args(arguments);
    if !command.status()?.success() {
        bail!("cargo xtask who found nobody; the message above says why");
    }
    Ok(())
}
