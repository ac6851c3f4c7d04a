//! A program that runs beside the measurement, with a folder of its own.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::machine::stopwatch;

/// How long a program may take until it accepts connections, and until it has ended.
const LIMIT: Duration = Duration::from_secs(30);

/// The time between two looks at it.
const POLL: Duration = Duration::from_millis(10);

/// Where its output is, in its folder.
const OUTPUT: &str = "output";

/// A folder for a program's files, which ends with it.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A new one, which programs that give up root's rights can also read.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a folder")?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A program that runs, and listens at an address. It ends when this is dropped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl Program {
    /// Starts a program that will listen at `address`, and waits until it does.
    pub(crate) fn start(mut command: Command, address: SocketAddr, folder: Folder) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::create(folder.path().join(OUTPUT))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut program = Self { child, address, folder };
        let elapsed = stopwatch();
        while TcpStream::connect(address).is_err() {
            let is_running = program.child.try_wait()?.is_none() && elapsed() < LIMIT;
            ensure!(is_running, "{name} does not listen at {address}:\n{}", program.output());
            thread::sleep(POLL);
        }
        Ok(program)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it has written.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join(OUTPUT)).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // So that it ends its own processes.
        let id = i32::try_from(self.child.id()).map(Pid::from_raw);
        let _ = id.map(|id| kill(id, Signal::SIGTERM));
        let elapsed = stopwatch();
        while matches!(self.child.try_wait(), Ok(None)) && elapsed() < LIMIT {
            thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of a program that Debian installs where only root's `PATH` finds it. A variable can name another one.
pub(crate) fn system(variable: &str, name: &str) -> std::ffi::OsString {
    let named = std::env::var_os(variable);
    named.unwrap_or_else(|| {
        let at = Path::new("/usr/sbin").join(name);
        if at.is_file() { at.into() } else { name.into() }
    })
}
