//! A real nginx for tests. It listens on a Unix socket in its own directory instead of a port.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

/// Starts nginx, and ends it by its process id when the other end of the pipe closes.
const WATCHED: &str = "\"$@\" </dev/null & pid=$!; read _; kill $pid; wait $pid";

/// A running nginx. It ends when this is dropped, or when the test process ends.
pub struct Nginx {
    folder: TempDir,
    watch: Child,
    pipe: Option<ChildStdin>,
}

/// A response of nginx.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Nginx {
    /// Starts nginx. `servers` is the content of `http { … }`; `SOCKETS` in it is replaced by the directory of the sockets.
    pub fn start(servers: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8");
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = kinds.map(|kind| format!("{kind}_temp_path {path}/{kind};\n")).concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr notice;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{}\n}}\n",
            servers.replace("SOCKETS", path)
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).expect("it is written");
        let mut watch = Command::new("sh")
            .args(["-c", WATCHED, "sh"])
            .arg(nginx())
            .args(["-p", path, "-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let pipe = watch.stdin.take();
        let mut words = BufReader::new(watch.stderr.take().expect("it is piped"));
        let mut said = String::new();
        // nginx prints a message when it listens.
        while !said.contains("event method") {
            let read = words.read_line(&mut said).expect("UTF-8");
            assert!(read > 0, "nginx has ended: {said}");
        }
        std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
        Self { folder, watch, pipe }
    }

    /// Sends a request without changes, and reads the response.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let host =
            if headers.iter().any(|(name, _)| *name == "host") { "" } else { "host: app.example.com\r\n" };
        let request =
            format!("{method} {target} HTTP/1.1\r\n{host}connection: close\r\n{}\r\n", fields.concat());
        let mut stream = UnixStream::connect(self.folder.path().join("front")).expect("nginx listens");
        stream.write_all(request.as_bytes()).expect("nginx reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("nginx answers");
        let answer = String::from_utf8(answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Answer {
    /// All values of a header field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(this, _)| this.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.watch.wait().ok();
    }
}

fn nginx() -> PathBuf {
    if let Some(named) = std::env::var_os("NGINX") {
        return named.into();
    }
    // Debian installs it in a directory that is only on root's PATH.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    folders
        .map(|folder| folder.join("nginx"))
        .find(|nginx| nginx.is_file())
        .expect("nginx was not found: `cargo xtask test` installs it; or set the environment variable NGINX to its path")
}
