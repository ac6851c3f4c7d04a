//! One run of node for a whole list of questions.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

/// A pattern or value, and the texts that it is to be matched against.
pub struct Job {
    pub kind: &'static str,
    pub source: String,
    pub texts: Vec<String>,
}

/// What JavaScript says.
pub enum Answer {
    /// For each text, whether each of the ways to compile the pattern matches it.
    Matches(Vec<Vec<bool>>),
    Error(String),
}

pub fn ask(jobs: &[Job]) -> Vec<Answer> {
    let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = root.join("node_modules/.bin/node");
    let node = if installed.exists() { installed } else { "node".into() };
    let mut process = Command::new(node)
        // V8's optimizer is wrong about some lookaheads inside of something optional: compiled to machine code,
        // `^(?:\.((?=\d+)\d))?docs$` does not match ".0docs"; interpreted, it does.
        .arg("--no-regexp-optimization")
        .arg("crates/core/tests/guard/path_to_regexp.mjs")
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, of the npm packages or on the PATH");
    let questions: Vec<Value> = jobs
        .iter()
        .map(|job| json!({ "kind": job.kind, "source": job.source, "texts": job.texts }))
        .collect();
    let questions = serde_json::to_vec(&questions).unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&questions));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "node fails: is path-to-regexp installed (npm ci)?");
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
