//! Components in wasmtime.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use vestibule_ports::free_address;

use crate::runtime::built;
use crate::runtime::program::{Folder, Program};
use crate::runtime::servers::SECRETS;

/// The host's options for every component, as docs/wasi.md names them: the memory of instances that have ended is kept.
const OPTIONS: [&str; 11] = [
    "serve",
    "-Scli",
    "--allow-precompiled",
    "-O",
    "pooling-allocator=y",
    "-O",
    "pooling-pagemap-scan=auto",
    "-O",
    "pooling-memory-keep-resident=4194304",
    "-O",
    "pooling-table-keep-resident=65536",
];

/// A component in front of `origin`. `None` if it could not be built.
pub(crate) fn serving(file: &str, requests_of_instance: u32, origin: SocketAddr) -> Result<Option<Program>> {
    let (Some(host), Some(component)) = (program(), built(file)) else { return Ok(None) };
    let address = free_address()?;
    let mut command = Command::new(host);
    command.args(OPTIONS).args(["--addr", &address.to_string()]);
    command.args(["--max-instance-reuse-count", &requests_of_instance.to_string()]);
    // A developer's setting, with which the host writes down its stack for each error that it makes, and few servers have.
    command.env_remove("RUST_BACKTRACE");
    let server = format!("http://{origin}");
    for (name, value) in SECRETS.into_iter().chain([("AUTH_ORIGIN_URL", server.as_str())]) {
        command.args(["--env", name]).env(name, value);
    }
    command.arg(component);
    Program::start(command, address, Folder::new()?).map(Some)
}

/// Its path.
pub(crate) fn program() -> Option<std::path::PathBuf> {
    built("wasmtime")
}
