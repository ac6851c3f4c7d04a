//! A process that cannot outlive the test process.
//!
//! Dropping [`Guarded`] kills it. Where the test process is killed and drops nothing, a watchdog does it: a shell that
//! waits for the end of its standard input, which the kernel closes with the test process. (`PR_SET_PDEATHSIG` is
//! bound to the thread that started the process, and fires when a test's thread ends.) The process is its own group,
//! so that its children go with it, and begins only when the watchdog is there.

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

/// Waits for the word, then becomes the program; descriptor 3 is the control channel to the test.
const RUNNER: &str = r#"read -r go || exit 1; exec "$@" 3>&0 </dev/null"#;

/// Kills the group when its input ends, then removes the directory. Ignores what a terminal sends to all.
const WATCHDOG: &str = r#"trap '' INT TERM HUP; read -r never; kill -KILL "-$1" 2>/dev/null; rm -rf "$2""#;

/// A running process with its directory, both gone after drop.
pub(crate) struct Guarded {
    child: Child,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
}

/// What a started process says.
pub(crate) struct Streams {
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
    /// The other end of its descriptor 3.
    pub(crate) control: UnixStream,
}

impl Guarded {
    /// Starts `program`; `directory` belongs to it and is removed with it.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: &[S],
        environment: &[(&str, &str)],
        directory: &Path,
    ) -> io::Result<(Self, Streams)> {
        let (mut control, theirs) = UnixStream::pair()?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", RUNNER, "runner"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
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
            _ => Err(io::Error::other("the process has no output")),
        }
    }

    /// The process's id, also that of its group.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is over.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // The child is reaped only after the watchdog is done, so that its id cannot be another's by then.
        drop(self.lifeline.take());
        self.watchdog.wait().ok();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
