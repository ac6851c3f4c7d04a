//! `guard/trace`: what the upstream and the log learn of the trace that a request belongs to.

use serde_json::Value;
use vestibule_testing::{APP, TestEnv};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What the upstream gets of these fields.
fn forwarded(fields: &[(&str, &str)]) -> [Option<String>; 2] {
    let world = TestEnv::new();
    let answer = world.send("GET", &format!("{APP}/about"), fields, b"");
    let headers = answer.forwarded.expect("a public path").request.headers;
    ["traceparent", "tracestate"].map(|name| headers.get(name).map(str::to_owned))
}

#[test]
fn a_valid_trace_reaches_the_upstream_as_it_is_and_any_other_does_not() {
    let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let state = ("tracestate", "vendor=1");
    assert_eq!(
        forwarded(&[("traceparent", &valid), state]),
        [Some(valid.clone()), Some("vendor=1".to_owned())]
    );
    for invalid in ["00-xyz", "", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        assert_eq!(forwarded(&[("traceparent", invalid), state]), [None, None], "{invalid}");
    }
    assert_eq!(forwarded(&[("traceparent", &valid), ("traceparent", &valid)]), [None, None]);
    assert_eq!(forwarded(&[state]), [None, None]);
}

#[test]
fn a_line_of_the_log_names_the_trace() {
    let world = TestEnv::new();
    let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
    for (value, expected) in [(valid.as_str(), Value::from(TRACE)), ("00-made-up", Value::Null)] {
        world.send("GET", &format!("{APP}/a%2fb"), &[("traceparent", value)], b"");
        let text = world.log_text();
        let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(line["trace"], expected, "{line}");
    }
}
