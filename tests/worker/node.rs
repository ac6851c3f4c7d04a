//! Runs Node.js scripts for tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::repository::{node, root};

/// A running script. It ends when its standard input closes: when this is dropped, or when the test process ends.
pub struct Script {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Script {
    /// Starts a script; `path` is relative to the root of the repository.
    pub fn start(path: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(node())
            .arg(root().join(path))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, input, output }
    }

    /// Writes a line to it.
    pub fn write_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("stdin is open until the drop");
        writeln!(input, "{line}").expect("the script reads stdin");
    }

    /// The next line of its output.
    pub fn read_line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("the script writes UTF-8");
        assert!(read > 0, "the script has ended: see its error message above");
        line.truncate(line.trim_end().len());
        line
    }

    /// Reads and discards the rest of its output, so that the script never blocks on a full pipe.
    pub fn ignore_output(mut self) -> Running {
        let output = self.output;
        std::thread::spawn(move || std::io::copy(&mut { output }, &mut std::io::sink()));
        Running { _input: self.input.take(), child: self.child }
    }
}

/// A script whose output is discarded. Dropping this ends the script.
pub struct Running {
    _input: Option<ChildStdin>,
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
