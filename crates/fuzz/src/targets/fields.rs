//! Forms, JSON bodies, and header fields on their way between WebAssembly and JavaScript.

use serde_json::{Map, Number, Value};
use vestibule_core::http::changes::{Change, Changes};
use vestibule_core::http::form::Params;
use vestibule_core::http::header_wire;
use vestibule_core::http::headers::Headers;
use vestibule_core::json;

use crate::input::{shape, text};
use crate::obvious;
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "form",
        about: "forms and JSON bodies, against obvious decoders",
        reads: &["http::form::Params::from_urlencoded", "http::form::Params::from_json"],
        run: form,
        slice: 1500,
    },
    Target {
        name: "header_wire",
        about: "header fields between WebAssembly and JavaScript: the same on the other side, or refused",
        reads: &["http::header_wire::read"],
        run: wire,
        slice: 1500,
    },
];

/// A form, or a JSON body.
fn form(input: &[u8]) -> Shape {
    let params = Params::from_urlencoded(input);
    let read: Vec<(&str, &str)> = params.iter().collect();
    let mut expected = obvious::form(input);
    expected.truncate(200);
    assert_eq!(read, expected.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
    for (name, _) in &read {
        let all: Vec<&str> = read.iter().filter(|(n, _)| n == name).map(|(_, value)| *value).collect();
        match params.one(name) {
            Ok(value) => assert_eq!(value, all.first().copied().filter(|_| all.len() == 1)),
            Err(_) => assert!(all.len() > 1),
        }
    }

    let members = json::members(input);
    let plain: Option<Map<String, Value>> = serde_json::from_slice(input).ok();
    assert_eq!(members.is_some(), plain.is_some(), "one parser reads it as an object, the other does not");
    let params = Params::from_json(input);
    assert_eq!(params.is_ok(), plain.is_some());
    let (Ok(params), Some(members), Some(plain)) = (params, members, plain) else {
        return shape(("no JSON", read.len().min(4)));
    };
    let is_unambiguous = members.len() == plain.len();
    assert_eq!(json::unambiguous_object(input).is_some(), is_unambiguous);
    if is_unambiguous && members.len() <= 200 {
        for (name, value) in &plain {
            let text = match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number_text(number)),
                Value::Bool(flag) => Some(flag.to_string()),
                _ => None,
            };
            assert_eq!(params.one(name), Ok(text.as_deref()), "{name:?}");
        }
    }
    shape((is_unambiguous, plain.len().min(6)))
}

/// A number as a text: a whole one that a float holds exactly has no fraction.
fn number_text(number: &Number) -> String {
    let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
    match whole.filter(|float| float.abs() < 2_f64.powi(53)) {
        Some(0.0) => "0".to_owned(),
        Some(float) => format!("{float:.0}"),
        None => number.to_string(),
    }
}

/// Each line is a field, `NAME: VALUE`; `\n` and `\r` in it are line breaks.
fn wire(input: &[u8]) -> Shape {
    let text = text(input);
    // Whatever comes from the other side is read as fields, or left out.
    let read = header_wire::read(&text);
    assert!(read.iter().all(|(name, value)| !name.contains(['\n', ',']) && !value.contains('\n')));
    let breaks = |text: &str| text.replace("\\n", "\n").replace("\\r", "\r");
    let fields: Vec<(String, String)> = text
        .split('\n')
        .filter_map(|line| line.split_once(": "))
        .map(|(n, v)| (breaks(n), breaks(v)))
        .collect();
    let headers: Headers = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let is_good =
        fields.iter().all(|(name, value)| !name.contains(['\n', '\r', ',']) && !value.contains(['\n', '\r']));
    let written = header_wire::write(&headers);
    assert_eq!(written.is_ok(), is_good, "{fields:?}");
    if let Ok(written) = &written {
        assert_eq!(header_wire::read(written), headers);
    }

    let mut changes = Changes::default();
    for (at, (name, value)) in fields.iter().enumerate() {
        if at % 3 == 0 { changes.remove(name) } else { changes.set(name, value.as_str()) }
    }
    if let Ok(written) = header_wire::changes(&changes) {
        // As the other side does it.
        let mut applied = headers.clone();
        for line in written.split('\n').skip(1) {
            let (sign, field) = line.split_at(1);
            let (name, value) = field.split_once(',').expect("a field");
            match sign {
                "-" => applied.remove(name),
                _ => applied.set(name, value),
            }
        }
        let expected = changes.applied_to(&headers);
        let sorted = |headers: &Headers| {
            let mut fields: Vec<(String, String)> =
                headers.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            fields.sort();
            fields
        };
        assert_eq!(sorted(&applied), sorted(&expected));
    } else {
        assert!(changes.iter().any(|change| match change {
            Change::Remove(name) => name.contains(['\n', '\r', ',']),
            Change::Set(name, value) => name.contains(['\n', '\r', ',']) || value.contains(['\n', '\r']),
        }));
    }
    shape((is_good, fields.len().min(6), read.iter().count().min(6)))
}
