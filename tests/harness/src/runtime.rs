//! Finds the tools that `npm ci` installs, and starts the runtime.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;

use crate::{
    error::StartError,
    logs::Logs,
    process::{GuardedProcess, Streams},
};

/// Only limits a hang. It is not a performance goal.
pub(crate) const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The path of a tool: from the environment variable `variable`, or from the nearest `node_modules` at or above `from` or the
/// working directory.
pub(crate) fn tool(
    tool: &'static str,
    variable: &'static str,
    in_node_modules: &str,
    from: &Path,
) -> Result<PathBuf, StartError> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let here = env::current_dir().map_err(StartError::io("find the working directory"))?;
    let from = here.join(from);
    let places = from.ancestors().chain(here.ancestors());
    places
        .map(|place| place.join("node_modules").join(in_node_modules))
        .find(|path| path.is_file())
        .ok_or(StartError::ToolMissing { tool, from: from.clone(), variable })
}

/// The path of the runtime's binary for this machine.
pub(crate) fn workerd(from: &Path) -> Result<PathBuf, StartError> {
    let platform = match (env::consts::OS, env::consts::ARCH) {
        ("macos", "aarch64") => "darwin-arm64",
        ("macos", _) => "darwin-64",
        (_, "aarch64") => "linux-arm64",
        _ => "linux-64",
    };
    tool("workerd", "WORKERD_BIN", &format!("@cloudflare/workerd-{platform}/bin/workerd"), from)
}

/// Starts `workerd` with `folder/config.capnp`. Gives the process and its ports, in the order of the `sockets`.
pub(crate) fn start(
    binary: &Path,
    folder: &Path,
    sockets: usize,
    logs: &Logs,
) -> Result<(GuardedProcess, Vec<u16>), StartError> {
    let arguments = ["serve", "config.capnp", "--control-fd=3"];
    let (process, streams) = GuardedProcess::start(binary, &arguments, &[], folder)
        .map_err(StartError::io(format!("start {}", binary.display())))?;
    let Streams { stdout, stderr, control } = streams;
    let readers = [logs.follow(stdout, "stdout"), logs.follow(stderr, "stderr")];
    control
        .set_read_timeout(Some(START_TIMEOUT))
        .map_err(StartError::io("set the timeout of the control channel"))?;
    let mut ports = BTreeMap::new();
    for line in BufReader::new(control).lines() {
        match line {
            Ok(line) => {
                ports.extend(port(&line));
                if ports.len() == sockets {
                    return Ok((process, ports.into_values().collect()));
                }
            }
            Err(_) => {
                return Err(failed(
                    "workerd",
                    format!("it did not report its ports within {START_TIMEOUT:?}"),
                    process,
                    readers,
                    logs,
                ));
            }
        }
    }
    Err(failed("workerd", "it ended".to_owned(), process, readers, logs))
}

/// The error of a process that did not become ready, with its whole output.
pub(crate) fn failed(
    what: &'static str,
    why: String,
    process: GuardedProcess,
    readers: [JoinHandle<()>; 2],
    logs: &Logs,
) -> StartError {
    drop(process);
    for reader in readers {
        reader.join().ok();
    }
    StartError::Runtime { what, why, output: logs.text() }
}

/// The number and port of a socket, from a line of the control channel.
fn port(line: &str) -> Option<(usize, u16)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("event")?.as_str()? != "listen" {
        return None;
    }
    Some((message.get("socket")?.as_str()?.parse().ok()?, message.get("port")?.as_u64()?.try_into().ok()?))
}
