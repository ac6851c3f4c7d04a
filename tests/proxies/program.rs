//! A program beside a test.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Starts a program and ends it, by its own id, when the other end of the pipe is closed.
const WATCHED: &str = "\"$@\" </dev/null >output 2>&1 & pid=$!; read _; kill $pid; wait $pid";

/// A running program. Dropping it ends it, and so does the end of this process.
pub struct Program {
    watch: Child,
    pipe: Option<ChildStdin>,
}

impl Program {
    /// Starts a program in a folder, which gets its output in the file `output`.
    pub fn start(folder: &Path, program: &OsStr, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut watch = Command::new("sh")
            .args(["-c", WATCHED, "sh"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .env("HOME", folder)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // The shell says there that it has ended the program.
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = watch.stdin.take();
        Self { watch, pipe }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.watch.try_wait().ok().flatten().is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.watch.wait().ok();
    }
}
