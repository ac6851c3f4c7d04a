//! workerd, the runtime of Cloudflare Workers.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    capnp,
    error::StartError,
    logs::{Logs, structured},
    process::{GuardedProcess, Streams},
    runtime::{Launch, Running, Runtime, START_TIMEOUT, failed, tool},
};

/// The runtime of Cloudflare Workers, with the bindings of the wrangler.toml.
#[derive(Clone, Copy, Debug)]
pub struct Workerd;

impl Runtime for Workerd {
    fn name(&self) -> &'static str {
        "workers"
    }

    fn runs_modules(&self) -> bool {
        true
    }

    fn start(&self, launch: &Launch<'_>) -> Result<Running, StartError> {
        let Launch { spec, isolates, others, near, folder, logs, server } = *launch;
        let binary = binary(near)?;
        let written = capnp::write(folder, spec, isolates, others, server.address);
        written.map_err(StartError::io(format!("write to {}", folder.display())))?;
        let (process, ports) = serve(&binary, folder, isolates.len(), logs)?;
        let addresses = ports.into_iter().map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        Ok(Running { process, addresses, beside: None })
    }
}

/// The path of the runtime's binary for this machine.
fn binary(from: &Path) -> Result<PathBuf, StartError> {
    let platform = match (env::consts::OS, env::consts::ARCH) {
        ("macos", "aarch64") => "darwin-arm64",
        ("macos", _) => "darwin-64",
        (_, "aarch64") => "linux-arm64",
        _ => "linux-64",
    };
    tool("workerd", "WORKERD_BIN", &format!("@cloudflare/workerd-{platform}/bin/workerd"), from)
}

/// Starts `workerd` with `folder/config.capnp`. Gives the process and its ports, in the order of the `sockets`.
fn serve(
    binary: &Path,
    folder: &Path,
    sockets: usize,
    logs: &Logs,
) -> Result<(GuardedProcess, Vec<u16>), StartError> {
    let arguments = ["serve", "config.capnp", "--control-fd=3"];
    let (process, streams) = GuardedProcess::start(binary, &arguments, &[], folder)
        .map_err(StartError::io(format!("start {}", binary.display())))?;
    let Streams { stdout, stderr, control } = streams;
    let readers = [logs.follow(stdout, "stdout", structured), logs.follow(stderr, "stderr", structured)];
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

/// The number and port of a socket, from a line of the control channel.
fn port(line: &str) -> Option<(usize, u16)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("event")?.as_str()? != "listen" {
        return None;
    }
    Some((message.get("socket")?.as_str()?.parse().ok()?, message.get("port")?.as_u64()?.try_into().ok()?))
}
