//! The component for wasi:http in wasmtime, in the Worker's place.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::secrets::secrets_of_demo;
use super::settings::auth_of;
use super::{Component, Ports, supervised};
use crate::project::Project;

/// The command that serves the component. It gets the configuration and the demo's secrets in its environment, of which it sees only
/// the variables that are named: so no value is in the list of processes.
pub(super) fn command(
    project: &Project,
    node: &Path,
    component: &Component,
    config: &Path,
    ports: Ports,
) -> Result<Command> {
    let mut command = supervised(project, node, &component.host);
    command.args(["serve", "-Scli", "--addr", &format!("127.0.0.1:{}", ports.worker)]);
    command.args(["--max-instance-reuse-count", &component.requests_of_instance.to_string()]);
    command.env("AUTH", auth_of(config)?.to_string()).args(["--env", "AUTH"]);
    for (name, value) in secrets_of_demo(project)? {
        command.args(["--env", &name]).env(&name, value);
    }
    if let Some(redis) = &component.redis {
        command.args(["-Sinherit-network", "--env", "AUTH_REDIS_URL"]).env("AUTH_REDIS_URL", redis);
    }
    command.arg(&component.file);
    Ok(command)
}
