//! Runs the real Auth.js in a Node.js process, as the reference for the comparison.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::browser::{Answer, Sent};
use crate::repository::{node, root};
use crate::site::{SECRET, Site};

pub struct Reference {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The address of the provider that both sides use.
    pub provider: SocketAddr,
}

#[derive(Deserialize)]
struct Output {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reference {
    pub fn start() -> Self {
        let mut process = Command::new(node())
            .arg(root().join("tests/authjs/reference.mjs"))
            .current_dir(root())
            .env("REFERENCE_SECRET", SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js starts");
        let requests = process.stdin.take().expect("piped");
        let mut answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut port = String::new();
        answers.read_line(&mut port).expect("the reference writes its port");
        let port = port.trim().parse().expect("the first line is a port; if not, run `npm ci`");
        Self { process, requests, answers, provider: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// The response of Auth.js.
    pub fn ask(&mut self, site: Site, has_pages: bool, sent: &Sent) -> Answer {
        let headers: serde_json::Map<String, serde_json::Value> =
            sent.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let request = json!({
            "dialect": site.dialect_name(), "pages": has_pages,
            "method": sent.method, "url": sent.url, "headers": headers, "body": sent.body,
        });
        writeln!(self.requests, "{request}").expect("the reference reads stdin");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the reference writes UTF-8");
        let output: Output = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
        Answer { status: output.status, headers: output.headers, body: output.body }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // The process also ends when its stdin closes. This ends a process that hangs.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
