//! A server of another project beside a test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Starts a program and ends it, by its own id, when the other end of the pipe is closed.
const WATCHED: &str = "\"$@\" </dev/null 2>&1 & pid=$!; read _; kill $pid; wait $pid";

/// How long a server may take until it listens. Busy machines take seconds.
const MAX_START: Duration = Duration::from_mins(2);

/// A running server. Dropping it ends it, and so does the end of this process.
pub struct Server {
    pub address: SocketAddr,
    /// Its output before it listened.
    pub output: String,
    lines: Mutex<Receiver<String>>,
    watch: Child,
    pipe: Option<ChildStdin>,
}

impl Server {
    /// Starts a program in a folder and waits until it has printed its port: a line that is a number, or has
    /// `http://127.0.0.1:PORT` or `http://localhost:PORT` in it.
    ///
    /// # Panics
    /// If it ends before, or prints no port. The message has its output.
    pub fn start(folder: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut watch = Command::new("sh")
            .args(["-c", WATCHED, "sh"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell says there that it has ended the program.
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = watch.stdin.take();
        let stdout = BufReader::new(watch.stdout.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.split(b'\n').map_while(Result::ok) {
                sender.send(String::from_utf8_lossy(&line).into_owned() + "\n").ok();
            }
        });
        let mut output = String::new();
        let port = loop {
            let line = lines.recv_timeout(MAX_START);
            let line = line.unwrap_or_else(|_| panic!("the server does not listen: {output}"));
            output.push_str(&line);
            if let Some(port) = port(&line) {
                break port;
            }
        };
        let lines = Mutex::new(lines);
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), output, lines, watch, pipe }
    }

    /// What it has printed since it listened, or since this was last asked.
    pub fn later_output(&self) -> String {
        self.lines.lock().expect("no reader panics").try_iter().collect()
    }

    /// The address of a path at the server itself, past the Worker.
    pub fn direct(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.watch.wait().ok();
    }
}

/// The port in a line.
fn port(line: &str) -> Option<u16> {
    let after = |origin| line.split_once(origin).map(|(_, rest)| rest);
    let text = after("http://127.0.0.1:").or_else(|| after("http://localhost:")).unwrap_or(line);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}
