//! Runs path-to-regexp and `RegExp` in Node.js, once for a list of jobs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

/// A pattern or value, and the texts to match against it.
pub struct Job {
    pub kind: &'static str,
    pub source: String,
    pub texts: Vec<String>,
}

/// JavaScript's result for a job.
pub enum Answer {
    /// For each text, the result of each way to compile the pattern.
    Matches(Vec<Vec<bool>>),
    /// JavaScript rejects the pattern or value.
    Error(String),
}

pub fn ask(jobs: &[Job]) -> Vec<Answer> {
    let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = root.join("node_modules/.bin/node");
    let node = if installed.exists() { installed } else { "node".into() };
    let mut process = Command::new(node)
        // V8's optimizer has a bug with some lookaheads in an optional group: compiled to machine code,
        // `^(?:\.((?=\d+)\d))?docs$` does not match ".0docs", but interpreted it does.
        .arg("--no-regexp-optimization")
        .arg("crates/core/tests/guard/path_to_regexp.mjs")
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node should be installed by npm or be on the PATH");
    let input: Vec<Value> = jobs
        .iter()
        .map(|job| json!({ "kind": job.kind, "source": job.source, "texts": job.texts }))
        .collect();
    let input = serde_json::to_vec(&input).unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "node failed: install path-to-regexp with `npm ci`");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), jobs.len());
    answers
        .into_iter()
        .map(|answer| match answer.get("error") {
            Some(why) => Answer::Error(why.to_string()),
            None => Answer::Matches(serde_json::from_value(answer["matches"].clone()).unwrap()),
        })
        .collect()
}
