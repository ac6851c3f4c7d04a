//! The real Auth.js, in a node process.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::exchange::{Answer, Sent};
use crate::site::{SECRET, Site};

pub struct Judge {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where the provider listens that both sides sign people in with.
    pub provider: SocketAddr,
}

#[derive(Deserialize)]
struct Judged {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Judge {
    pub fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = root.join("node_modules/.bin/node");
        let node = if installed.exists() { installed } else { "node".into() };
        let mut process = Command::new(node)
            .arg(root.join("tests/authjs/judge.mjs"))
            .current_dir(root)
            .env("JUDGE_SECRET", SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node, of the npm packages or on the PATH");
        let requests = process.stdin.take().expect("piped");
        let mut answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut port = String::new();
        answers.read_line(&mut port).expect("the judge speaks");
        let port = port.trim().parse().expect("a port; are the npm packages installed (`npm ci`)?");
        Self { process, requests, answers, provider: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// What Auth.js answers.
    pub fn ask(&mut self, site: Site, has_pages: bool, sent: &Sent) -> Answer {
        let headers: serde_json::Map<String, serde_json::Value> =
            sent.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let request = json!({
            "dialect": site.dialect_name(), "pages": has_pages,
            "method": sent.method, "url": sent.url, "headers": headers, "body": sent.body,
        });
        writeln!(self.requests, "{request}").expect("the judge listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the judge answers");
        let judged: Judged = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
        Answer { status: judged.status, headers: judged.headers, body: judged.body }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // It ends by itself when its stdin does; this is for one that hangs.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
