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
    process::{Guarded, Streams},
};

/// Generous: it bounds a hang, it is not a performance goal.
pub(crate) const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A tool from `variable`, or from the nearest `node_modules` of `from` or the working directory upwards.
pub(crate) fn tool(
    tool: &'static str,
    variable: &'static str,
    in_node_modules: &str,
    from: &Path,
) -> Result<PathBuf, StartError> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let here = env::current_dir().map_err(StartError::io("finding the working directory"))?;
    let from = here.join(from);
    let places = from.ancestors().chain(here.ancestors());
    places
        .map(|place| place.join("node_modules").join(in_node_modules))
        .find(|path| path.is_file())
        .ok_or(StartError::ToolMissing { tool, from: from.clone(), variable })
}

/// The runtime's binary for this machine.
pub(crate) fn workerd(from: &Path) -> Result<PathBuf, StartError> {
    let platform = match (env::consts::OS, env::consts::ARCH) {
        ("macos", "aarch64") => "darwin-arm64",
        ("macos", _) => "darwin-64",
        (_, "aarch64") => "linux-arm64",
        _ => "linux-64",
    };
    tool("workerd", "WORKERD_BIN", &format!("@cloudflare/workerd-{platform}/bin/workerd"), from)
}

/// Starts `workerd` over `folder/config.capnp` and gives the ports it listens on, in the order of its `sockets`.
pub(crate) fn start(
    binary: &Path,
    folder: &Path,
    sockets: usize,
    logs: &Logs,
) -> Result<(Guarded, Vec<u16>), StartError> {
    let arguments = ["serve", "config.capnp", "--control-fd=3"];
    let (process, streams) = Guarded::start(binary, &arguments, &[], folder)
        .map_err(StartError::io(format!("starting {}", binary.display())))?;
    let Streams { stdout, stderr, control } = streams;
    let readers = [logs.follow(stdout, "stdout"), logs.follow(stderr, "stderr")];
    control.set_read_timeout(Some(START_TIMEOUT)).map_err(StartError::io("the control channel"))?;
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
                    format!("silent for {START_TIMEOUT:?}"),
                    process,
                    readers,
                    logs,
                ));
            }
        }
    }
    Err(failed("workerd", "it ended".to_owned(), process, readers, logs))
}

/// The error of a process that did not get ready, with all it printed.
pub(crate) fn failed(
    what: &'static str,
    why: String,
    process: Guarded,
    readers: [JoinHandle<()>; 2],
    logs: &Logs,
) -> StartError {
    drop(process);
    for reader in readers {
        reader.join().ok();
    }
    StartError::Runtime { what, why, output: logs.text() }
}

/// Which socket listens, and where.
fn port(line: &str) -> Option<(usize, u16)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("event")?.as_str()? != "listen" {
        return None;
    }
    Some((message.get("socket")?.as_str()?.parse().ok()?, message.get("port")?.as_u64()?.try_into().ok()?))
}
