//! The checks for the npm package: JSON in, JSON out, so that JavaScript reads the files and Rust judges.

use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::check::{Report, check};
use crate::compile::compile;
use crate::deployment::Input;
use crate::explain::{Question, explain, table};

/// What a command is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default)]
    input: Input,
    #[serde(default)]
    question: Question,
}

/// `check`: `{ "input": … }` in; the report out, as JSON and as a text.
#[wasm_bindgen(js_name = check)]
pub fn check_json(call: &str) -> String {
    answer(call, |call| report(&check(&call.input)))
}

/// `explain`: `{ "input": …, "question": … }` in; a text or a report out.
#[wasm_bindgen(js_name = explain)]
pub fn explain_json(call: &str) -> String {
    answer(call, |call| match explain(&call.input, &call.question) {
        Ok(text) => json!({ "text": text }),
        Err(failed) => report(&failed),
    })
}

/// `explain --table`: `{ "input": … }` in; the table or a report out.
#[wasm_bindgen(js_name = table)]
pub fn table_json(call: &str) -> String {
    answer(call, |call| match table(&call.input) {
        Ok(table) => json!({ "text": table.to_string(), "json": table }),
        Err(failed) => report(&failed),
    })
}

/// `compile`: `{ "input": … }` in; the text of the module and a report out.
#[wasm_bindgen(js_name = compile)]
pub fn compile_json(call: &str) -> String {
    answer(call, |call| match compile(&call.input) {
        Ok((module, advice)) => {
            let mut answer = report(&advice);
            answer["module"] = Value::from(module);
            answer
        }
        Err(failed) => report(&failed),
    })
}

fn answer(call: &str, run: impl FnOnce(Call) -> Value) -> String {
    match serde_json::from_str(call) {
        Ok(call) => run(call).to_string(),
        Err(error) => json!({ "failure": error.to_string() }).to_string(),
    }
}

fn report(report: &Report) -> Value {
    json!({ "report": report.to_json(), "text": report.to_text() })
}
