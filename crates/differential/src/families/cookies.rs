//! `Cookie` fields against the package `cookie`: 0.7 in next-auth 4, and the copy of version 1 in Auth.js 5.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};
use vestibule_core::http::cookie::Cookies;

use crate::deliberate::{Deliberate, find, rows};
use crate::random::Random;
use crate::{Answer, Family, Verdict};

pub(super) const FAMILY: Family = Family {
    name: "cookie_header",
    about: "`Cookie` fields: the package `cookie` of both generations of Auth.js",
    share: 200,
    slice: 3000,
    generate,
    shrinks: &["header"],
    judge,
    deliberate: || rows(DIFFERENCES),
};

/// A cookie that both read otherwise.
struct Difference<'a> {
    dialect: &'a str,
    name: &'a str,
    ours: Option<&'a str>,
    expected: Option<&'a str>,
    pairs: usize,
}

type Is = fn(&Difference<'_>) -> bool;

const DIFFERENCES: &[Deliberate<Is>] = &[
    Deliberate {
        name: "a cookie without a name",
        reason: "no server sets one, and no name finds it",
        is: |it| it.name.is_empty() && it.ours.is_none(),
    },
    Deliberate {
        name: "a value in quotation marks",
        reason: "next-auth 4 takes them off and Auth.js 5 does not; no value that either writes has them",
        is: |it| {
            let is_quoted = |value: &str| value.starts_with('"') && value.ends_with('"');
            it.dialect == "v4" && it.ours.is_some_and(is_quoted)
        },
    },
    Deliberate {
        name: "the name `__proto__`",
        reason: "an object of JavaScript cannot have it as next-auth 4 makes one",
        is: |it| it.dialect == "v4" && it.name == "__proto__" && it.expected.is_none(),
    },
    Deliberate {
        name: "more than 400 cookies",
        reason: "browsers keep at most 180 for a site; the work for one request is bounded",
        is: |it| it.pairs > 400 && it.ours.is_none(),
    },
];

const NAMES: &[&str] = &[
    "a",
    "b",
    "authjs.session-token",
    "__Secure-authjs.session-token.0",
    "__proto__",
    "constructor",
    "toString",
    "0",
    "17",
    "é",
    "a%20b",
    "",
];

const PIECES: &[&str] = &[
    "=",
    ";",
    "; ",
    " ",
    "\t",
    ",",
    "a",
    "b=",
    "=c",
    "%20",
    "%C3%A9",
    "%e2%82%ac",
    "%",
    "%zz",
    "%ff",
    "%ED%A0%80",
    "%00",
    "%3B",
    "%3D",
    "+",
    "\"",
    "é",
    "🦀",
    "\u{a0}",
    "\u{feff}",
    "\\",
    "eyJ.a-_",
    "{}",
    "'",
    "<",
    "\u{1}",
];

fn generate(random: &Random) -> Value {
    let dialect = random.one_of(&["v5", "v4"]);
    let pairs = match random.below(4000) {
        0 => 405,
        _ => random.below(7),
    };
    let mut header = String::new();
    for at in 0..pairs {
        if at > 0 {
            header += random.one_of(&["; ", "; ", "; ", ";", " ; ", ";;", ";\t"]);
        }
        if pairs > 400 {
            let _ = write!(header, "n{at}={at}");
            continue;
        }
        match random.below(8) {
            0 => header += &random.soup(PIECES, 6),
            1 => {
                let _ = write!(header, "{}=\"{}\"", random.one_of(NAMES), random.soup(PIECES, 3));
            }
            _ => {
                header += random.one_of(&["", "", "", " ", "\t "]);
                header += random.one_of(NAMES);
                header += random.one_of(&["=", "=", "=", "= ", " =", "=="]);
                header += &random.soup(PIECES, 5);
            }
        }
    }
    json!({ "dialect": dialect, "header": header })
}

fn judge(case: &Value, answer: &Answer) -> Verdict {
    let (dialect, header) = (case["dialect"].as_str().unwrap_or_default(), case["header"].as_str());
    let (Some(header), Ok(answer)) = (header, answer) else { return Verdict::BothRefuse };
    let theirs: Vec<(String, String)> = serde_json::from_value(answer.clone()).expect("names and values");
    let theirs: BTreeMap<&str, &str> =
        theirs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cookies = Cookies::parse(std::iter::once(header));
    let ours: BTreeMap<&str, &str> =
        cookies.names().filter_map(|name| Some((name, cookies.get(name)?))).collect();
    let mut verdict = if ours.is_empty() { Verdict::BothRefuse } else { Verdict::BothAccept };
    for name in ours.keys().chain(theirs.keys()) {
        let (ours, theirs) = (ours.get(name).copied(), theirs.get(name).copied());
        if ours == theirs {
            continue;
        }
        let difference =
            Difference { dialect, name, ours, expected: theirs, pairs: header.split(';').count() };
        match find(DIFFERENCES, |is| is(&difference)) {
            Some(row) => verdict = Verdict::Deliberate(row),
            None => {
                return Verdict::Different(format!(
                    "{name:?} in {header:?} of {dialect}: we read {ours:?}, `cookie` {theirs:?}"
                ));
            }
        }
    }
    verdict
}
