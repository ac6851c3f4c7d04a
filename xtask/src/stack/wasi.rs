//! The component for wasi:http in wasmtime, in the Worker's place.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Component, Ports, secret, supervised};
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
    let text = fs::read_to_string(config).with_context(|| format!("cannot read {}", config.display()))?;
    let config: Value = serde_json::from_str(&text)?;
    let auth = config.pointer("/vars/AUTH").context("the configuration has no [vars.AUTH]")?;
    command.env("AUTH", auth.to_string()).args(["--env", "AUTH"]);
    let secrets = fs::read_to_string(project.path("demo/dev.vars")).context("cannot read demo/dev.vars")?;
    for (name, value) in secrets.lines().filter_map(secret) {
        command.args(["--env", &name]).env(&name, value);
    }
    command.arg(&component.file);
    Ok(command)
}
