//! vestibule-server, and the proxy of hyper.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use vestibule_ports::free_address;

use crate::report::root;
use crate::runtime::built;
use crate::runtime::program::{Folder, Program};
use crate::sessions::SECRET;

/// What nginx and vestibule-server share.
pub(crate) const VERIFY_SECRET: &str = "a-secret-of-the-proxy-that-guards-nothing";

/// The configuration of vestibule-server and of the component.
const CONFIGURATION: &str = "bench/runtime/vestibule.toml";

/// The secrets, which protect nothing.
pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("AUTH_SECRET", SECRET),
    ("AUTH_ACME_ID", "bench"),
    ("AUTH_ACME_SECRET", "bench"),
    ("AUTH_VERIFY_SECRET", VERIFY_SECRET),
];

/// vestibule-server in front of `origin`. `None` if it could not be built.
pub(crate) fn vestibule(file: &str, origin: SocketAddr) -> Result<Option<Program>> {
    let Some(program) = built(file) else { return Ok(None) };
    let (folder, address) = (Folder::new()?, free_address()?);
    let mut command = Command::new(program);
    command.arg("--config").arg(root().join(CONFIGURATION)).args(["--threads", "1"]);
    command.args(["--listen", &address.to_string(), "--origin", &format!("http://{origin}")]);
    command.arg("--revocations").arg(folder.path().join("revocations")).envs(SECRETS);
    Program::start(command, address, folder).map(Some)
}

/// The proxy of hyper in front of `origin`. `None` if it could not be built.
pub(crate) fn hyper(origin: SocketAddr) -> Result<Option<Program>> {
    let Some(program) = built("hyper-proxy") else { return Ok(None) };
    let address = free_address()?;
    let mut command = Command::new(program);
    command.args([address.to_string(), origin.to_string()]);
    Program::start(command, address, Folder::new()?).map(Some)
}
