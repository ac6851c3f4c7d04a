//! `vestibule-server`, in the Worker's place.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::secrets::secrets_of_demo;
use super::settings::auth_of;
use super::setup::write_whole;
use super::{Ports, supervised};
use crate::project::Project;

/// The command that starts the server. It gets the demo's secrets in its environment; its configuration and its revocations are
/// beside `config`.
pub(super) fn command(
    project: &Project,
    node: &Path,
    program: &Path,
    config: &Path,
    ports: Ports,
) -> Result<Command> {
    let own = config.with_file_name("vestibule.toml");
    write_whole(&own, &toml::to_string(&auth_of(config)?)?)?;
    let mut command = supervised(project, node, program);
    command.arg("--config").arg(own).arg("--revocations").arg(config.with_file_name("revocations"));
    command.args(["--listen", &format!("127.0.0.1:{}", ports.worker), "--drain", "1"]);
    command.envs(secrets_of_demo(project)?);
    Ok(command)
}
