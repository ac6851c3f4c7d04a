//! The component for wasi:http in wasmtime, in the Worker's place.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::secrets::secrets_of_demo;
use super::settings::auth_of;
use super::{Component, Ports, supervised};
use crate::project::Project;

/// The command that starts the Redis server of the component. It keeps nothing on the disk.
pub(super) fn redis(project: &Project, node: &Path, port: u16) -> Command {
    let mut command = supervised(project, node, Path::new("redis-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command
}

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
    if let Some(port) = component.redis {
        command.args(["-Sinherit-network", "--env", "AUTH_REDIS_URL"]);
        command.env("AUTH_REDIS_URL", format!("redis://127.0.0.1:{port}"));
    }
    command.arg(&component.file);
    Ok(command)
}
