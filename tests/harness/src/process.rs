//! A process that cannot outlive the test process.
//!
//! Dropping [`GuardedProcess`] kills it. If the test process is killed, it drops nothing, so a watchdog kills the process:
//! a shell that waits for the end of its standard input, which the kernel closes when the test process ends.
//! (`PR_SET_PDEATHSIG` would depend on the thread that started the process, and fire when a test's thread ends.) The
//! process has its own process group, so that its children are killed too. It starts only after the watchdog.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
};

/// Waits for a line on standard input, then becomes the program. File descriptor 3 is the control channel to the test.
const RUNNER: &str = r#"read -r go || exit 1; exec "$@" 3>&0 </dev/null"#;

/// Kills the process group when its input ends, then removes the directory. Ignores the signals that a terminal sends to all
/// processes.
const WATCHDOG: &str = r#"trap '' INT TERM HUP; read -r never; kill -KILL "-$1" 2>/dev/null; rm -rf "$2""#;

/// A running process with its directory. Dropping it kills the process and removes the directory.
pub struct GuardedProcess {
    child: Child,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
}

/// The output streams of a started process.
pub(crate) struct Streams {
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
    /// The other end of its file descriptor 3.
    pub(crate) control: UnixStream,
}

impl GuardedProcess {
    /// Starts `program` in `directory`, which is removed when this is dropped.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: &[S],
        environment: &[(&str, &str)],
        directory: &Path,
    ) -> io::Result<(Self, Streams)> {
        let (mut control, remote) = UnixStream::pair()?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", RUNNER, "runner"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::from(OwnedFd::from(remote)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let mut watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(child.id().to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let lifeline = watchdog.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let guarded = Self { child, watchdog, lifeline };
        control.write_all(b"go\n")?;
        match (stdout, stderr) {
            (Some(stdout), Some(stderr)) => Ok((guarded, Streams { stdout, stderr, control })),
            _ => Err(io::Error::other("the output of the process is not piped")),
        }
    }

    /// The process's id, also that of its group.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for GuardedProcess {
    fn drop(&mut self) {
        // The child is reaped only after the watchdog has ended, so that another process cannot have its id by then.
        drop(self.lifeline.take());
        self.watchdog.wait().ok();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
