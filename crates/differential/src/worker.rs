//! The other implementations, in a process of Node.js.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use serde_json::{Value, json};

use crate::{Answer, Family};

/// A process of Node.js that answers batches of cases in their order.
pub struct Worker {
    process: Child,
    batches: Option<SyncSender<String>>,
    answers: Receiver<String>,
}

impl Worker {
    /// Starts the process.
    pub fn start() -> Self {
        let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let installed = root.join("node_modules/.bin/node");
        let node = if installed.exists() { installed } else { "node".into() };
        let mut process = Command::new(node)
            // V8's optimizer has a bug with some lookaheads in an optional group: compiled to machine code,
            // `^(?:\.((?=\d+)\d))?docs$` does not match ".0docs", but interpreted it does.
            .arg("--no-regexp-optimization")
            .arg("crates/differential/node/worker.mjs")
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node should be installed by npm or be on the PATH");
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (batches, to_send) = sync_channel(1);
        let (send_answer, answers) = sync_channel(1);
        thread::spawn(move || serve(stdin, &to_send, &mut BufReader::new(stdout), &send_answer));
        Self { process, batches: Some(batches), answers }
    }

    /// Sends a batch. At most two may wait for their answers.
    pub fn send(&self, family: &Family, cases: &[Value]) {
        let batch = json!({ "family": family.name, "cases": cases }).to_string() + "\n";
        self.batches.as_ref().expect("a running worker").send(batch).expect(FAILED);
    }

    /// The answers to the oldest batch that waits.
    pub fn receive(&self) -> Vec<Answer> {
        let line = self.answers.recv().expect(FAILED);
        let answers: Vec<Value> = serde_json::from_str(&line).expect("a list of answers");
        answers.into_iter().map(answer).collect()
    }

    /// The answer to one case, while no batch waits.
    pub fn ask(&self, family: &Family, case: &Value) -> Answer {
        self.send(family, std::slice::from_ref(case));
        self.receive().pop().expect("an answer to each case")
    }
}

impl Drop for Worker {
    /// The process ends with its input.
    fn drop(&mut self) {
        self.batches = None;
        let _ = self.process.wait();
    }
}

const FAILED: &str = "node failed: install its packages with `npm ci`";

/// An answer as `node/worker.mjs` writes it.
pub(crate) fn answer(mut answer: Value) -> Answer {
    match answer.get("error") {
        Some(why) => Err(why.as_str().unwrap_or_default().to_owned()),
        None => Ok(answer["ok"].take()),
    }
}

/// Carries batches to the process and answers back, until one of them ends.
fn serve(
    mut stdin: ChildStdin,
    batches: &Receiver<String>,
    stdout: &mut impl BufRead,
    answers: &SyncSender<String>,
) {
    for batch in batches {
        let mut line = String::new();
        let is_answered = stdin.write_all(batch.as_bytes()).and_then(|()| stdin.flush()).is_ok()
            && stdout.read_line(&mut line).is_ok_and(|length| length > 0);
        if !is_answered || answers.send(line).is_err() {
            return;
        }
    }
}
