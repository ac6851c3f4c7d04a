//! A server of another project beside a test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::repository::{node, root};

/// Starts a program and ends it, by its own id, when the other end of the pipe is closed.
const WATCHED: &str = "\"$@\" </dev/null 2>&1 & pid=$!; read _; kill $pid; wait $pid";

/// A running server. Dropping it ends it, and so does the end of this process.
pub struct App {
    pub address: SocketAddr,
    /// Its output before it listened.
    pub output: String,
    watch: Child,
    pipe: Option<ChildStdin>,
}

impl App {
    /// A script of tests/frameworks/apps, in Node.js.
    pub fn node(script: &str, arguments: &[&str]) -> Self {
        let script = folder().join("apps").join(script);
        Self::start(Command::new("sh").args(["-c", WATCHED, "sh"]).arg(node()).arg(script).args(arguments))
    }

    /// A script of tests/frameworks/apps, in Python, with the packages of requirements.txt.
    pub fn python(script: &str, arguments: &[&str]) -> Self {
        let python = std::env::var_os("FRAMEWORKS_PYTHON")
            .map_or_else(|| folder().join(".venv/bin/python"), std::path::PathBuf::from);
        assert!(python.exists(), "{} does not exist: run `cargo xtask frameworks`", python.display());
        let script = folder().join("apps").join(script);
        Self::start(Command::new("sh").args(["-c", WATCHED, "sh"]).arg(python).arg(script).args(arguments))
    }

    /// PHP's own server with the front controller apps/php/index.php.
    pub fn php() -> Self {
        let folder = folder().join("apps/php");
        let php = std::env::var_os("PHP").unwrap_or_else(|| "php".into());
        let mut command = Command::new("sh");
        command.args(["-c", WATCHED, "sh"]).arg(php).args(["-S", "127.0.0.1:0", "-t"]).arg(folder);
        Self::start(&mut command)
    }

    fn start(command: &mut Command) -> Self {
        let mut watch = command
            .current_dir(folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell says there that it has ended the program.
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = watch.stdin.take();
        let mut output_pipe = BufReader::new(watch.stdout.take().expect("it is piped"));
        let mut output = String::new();
        let port = loop {
            let mut line = String::new();
            let read = output_pipe.read_line(&mut line).expect("UTF-8");
            output.push_str(&line);
            assert!(read > 0, "the server has ended: {output}");
            if let Some(port) = port(&line) {
                break port;
            }
        };
        std::thread::spawn(move || std::io::copy(&mut output_pipe, &mut std::io::sink()));
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), output, watch, pipe }
    }

    /// The address of a path at the server itself, past the Worker.
    pub fn direct(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.watch.wait().ok();
    }
}

/// The port in a line that is a number, or says `http://127.0.0.1:PORT`.
fn port(line: &str) -> Option<u16> {
    let text = line.split_once("http://127.0.0.1:").map_or(line, |(_, rest)| rest);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn folder() -> std::path::PathBuf {
    let folder: &Path = root();
    folder.join("tests/frameworks")
}
