//! The checks for the npm package: JSON in, JSON out, so that JavaScript reads the files and Rust judges.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vestibule_core::secret::Secret;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::check::{Report, check};
use crate::compile::compile;
use crate::deployment::ConfigFiles;
use crate::document::File;
use crate::explain::{Question, explain, table};
use crate::hashed_user::{self, HashedUser, secrets_of};
use crate::live::{Answer, Step, live};

/// What a command is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default)]
    input: ConfigFiles,
    #[serde(default)]
    question: Question,
    /// The addresses of the site, for `check --live`.
    #[serde(default)]
    sites: Vec<String>,
    /// The answers so far, by the ids of their requests.
    #[serde(default)]
    answers: BTreeMap<String, Answer>,
}

/// `check`: `{ "input": … }` in; the report out, as JSON, as a text, and as a text with the mistakes alone.
#[wasm_bindgen(js_name = check)]
pub fn check_json(call: &str) -> String {
    answer(call, |call: Call| report(&check(&call.input)))
}

/// A step of `check --live`: the requests to send next out, or the report.
#[wasm_bindgen(js_name = live)]
pub fn live_json(call: &str) -> String {
    answer(call, |call: Call| match live(&call.input, &call.sites, &call.answers) {
        Step::Ask(probes) => json!({ "probes": probes }),
        Step::Done(done) => report(&done),
    })
}

/// `explain`: `{ "input": …, "question": … }` in; a text or a report out.
#[wasm_bindgen(js_name = explain)]
pub fn explain_json(call: &str) -> String {
    answer(call, |call: Call| match explain(&call.input, &call.question) {
        Ok(text) => json!({ "text": text, "decided": call.input.decided() }),
        Err(failed) => report(&failed),
    })
}

/// `explain --table`: `{ "input": … }` in; the table or a report out.
#[wasm_bindgen(js_name = table)]
pub fn table_json(call: &str) -> String {
    answer(call, |call: Call| match table(&call.input) {
        Ok(table) => json!({ "text": table.to_string(), "json": table, "decided": call.input.decided() }),
        Err(failed) => report(&failed),
    })
}

/// `compile`: `{ "input": … }` in; the text of the module and a report out.
#[wasm_bindgen(js_name = compile)]
pub fn compile_json(call: &str) -> String {
    answer(call, |call: Call| match compile(&call.input) {
        Ok((module, advice)) => {
            json!({ "report": advice.to_json(), "text": advice.to_text(), "module": module, "from": call.input.own_file().map(|file| &file.name) })
        }
        Err(failed) => report(&failed),
    })
}

/// What `who` is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhoCall {
    hash: Option<String>,
    /// One `PROVIDER:SUB` in a line.
    users: String,
    /// The session secrets, where they are not in a file.
    #[serde(default)]
    secrets: Vec<String>,
    /// `.dev.vars`, or a file like it.
    dev_vars: Option<File>,
}

/// `who`: a text out, or the problem.
#[wasm_bindgen(js_name = who)]
pub fn who_json(call: &str) -> String {
    answer(call, |WhoCall { hash, users, secrets, dev_vars }: WhoCall| {
        let mut secrets: Vec<Secret> = secrets.into_iter().map(Secret::new).collect();
        secrets.extend(dev_vars.as_ref().map(secrets_of).unwrap_or_default());
        match hashed_user::find(&HashedUser { hash, secrets, users }) {
            Ok(text) => json!({ "text": text }),
            Err(problem) => json!({ "problem": problem }),
        }
    })
}

fn answer<C: DeserializeOwned>(call: &str, run: impl FnOnce(C) -> Value) -> String {
    match serde_json::from_str(call) {
        Ok(call) => run(call).to_string(),
        Err(error) => json!({ "failure": error.to_string() }).to_string(),
    }
}

fn report(report: &Report) -> Value {
    json!({ "report": report.to_json(), "text": report.to_text(), "errors": report.errors_to_text() })
}
