//! Changes inputs: bits, pieces, tokens of the seeds, lines, and the values in a JSON body.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::random::Random;

/// What breaks parsers of texts.
const PIECES: [&str; 46] = [
    "\r\n",
    "\n",
    "\0",
    "\t",
    " ",
    "%",
    "%2f",
    "%2F",
    "%252f",
    "%00",
    "%5c",
    "%2e%2e",
    "%c3%a9",
    "%ff",
    "//",
    "/../",
    "\\",
    ";",
    "=",
    ",",
    "\"",
    "'",
    "<",
    "&",
    "#",
    "?",
    "@",
    ":",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "*",
    "|",
    "^",
    "$",
    "\u{202e}",
    "\u{2028}",
    "é",
    "😀",
    "\u{feff}",
    "18446744073709551616",
    "-1",
    "1e400",
];

/// The words of the seeds, and [`PIECES`].
pub(super) fn dictionary(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut words: BTreeSet<Vec<u8>> = PIECES.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    for seed in seeds {
        let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || byte >= 0x80;
        let found = seed.split(|byte| !is_of_word(*byte)).filter(|word| (1..=64).contains(&word.len()));
        words.extend(found.map(<[u8]>::to_vec));
        words.extend(
            seed.split(|byte| *byte == b'\n')
                .filter(|line| (1..=200).contains(&line.len()))
                .map(<[u8]>::to_vec),
        );
    }
    words.into_iter().collect()
}

/// One of the inputs, changed one to six times.
pub(super) fn mutated(inputs: &[Vec<u8>], dictionary: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.one_of(inputs).cloned().unwrap_or_default();
    for _ in 0..=random.below(6) {
        change(&mut input, inputs, dictionary, random);
    }
    input
}

/// An input, changed once.
pub(super) fn changed(
    input: &[u8],
    inputs: &[Vec<u8>],
    dictionary: &[Vec<u8>],
    random: &mut Random,
) -> Vec<u8> {
    let mut input = input.to_vec();
    change(&mut input, inputs, dictionary, random);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], dictionary: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + 1 + random.below(8)).min(input.len());
    match random.below(13) {
        0 => {
            let bit = 1 << random.below(8);
            if let Some(byte) = input.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            let new = u8::try_from(random.below(256)).unwrap_or_default();
            if let Some(byte) = input.get_mut(at) {
                *byte = new;
            }
        }
        2 => drop(input.drain(at.min(end)..end)),
        3 => {
            let piece = input.get(at.min(end)..end).unwrap_or_default().to_vec();
            input.splice(at..at, piece);
        }
        4..=6 => {
            let word = random.one_of(dictionary).cloned().unwrap_or_default();
            let end = if random.below(2) == 0 { at } else { end.max(at) };
            input.splice(at..end, word);
        }
        7 => splice(input, at, inputs, random),
        8 => change_line(input, random),
        9 => change_number(input, at, random),
        _ => {
            if !change_json(input, random) {
                let word = random.one_of(dictionary).cloned().unwrap_or_default();
                input.splice(at..at, word);
            }
        }
    }
}

/// The beginning of the input, and the end of another one.
fn splice(input: &mut Vec<u8>, at: usize, inputs: &[Vec<u8>], random: &mut Random) {
    let other = random.one_of(inputs).cloned().unwrap_or_default();
    let from = random.below(other.len() + 1);
    input.truncate(at);
    input.extend_from_slice(other.get(from..).unwrap_or_default());
}

/// Removes a line, doubles it, or puts it elsewhere.
fn change_line(input: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = lines.remove(random.below(lines.len()));
    for _ in 0..random.below(3) {
        let at = random.below(lines.len() + 1);
        lines.insert(at, line.clone());
    }
    *input = lines.join(&b'\n');
}

/// Another digit.
fn change_number(input: &mut [u8], at: usize, random: &mut Random) {
    let new = b'0' + u8::try_from(random.below(10)).unwrap_or_default();
    if let Some(digit) = input.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
        *digit = new;
    }
}

/// Changes a value in the JSON text that the input is, or that follows its first line. Whether there is one.
fn change_json(input: &mut Vec<u8>, random: &mut Random) -> bool {
    let behind = input.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for start in [0, behind] {
        let Ok(mut value) = serde_json::from_slice::<Value>(input.get(start..).unwrap_or_default()) else {
            continue;
        };
        if !value.is_object() && !value.is_array() {
            continue;
        }
        let mut places = 0;
        count(&value, &mut places);
        let mut left = random.below(places);
        change_value(&mut value, &mut left, random);
        input.truncate(start);
        input.extend_from_slice(value.to_string().as_bytes());
        return true;
    }
    false
}

fn count(value: &Value, places: &mut usize) {
    *places += 1;
    match value {
        Value::Array(items) => items.iter().for_each(|item| count(item, places)),
        Value::Object(members) => members.values().for_each(|item| count(item, places)),
        _ => {}
    }
}

/// Changes the value at the place with that number. Whether it was reached.
fn change_value(value: &mut Value, left: &mut usize, random: &mut Random) -> bool {
    if *left == 0 {
        *value = replacement(value, random);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change_value(item, left, random)),
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            names.iter().any(|name| {
                if *left == 0 && random.below(3) == 0 {
                    members.remove(name);
                    return true;
                }
                members.get_mut(name).is_some_and(|item| change_value(item, left, random))
            })
        }
        _ => false,
    }
}

fn replacement(value: &Value, random: &mut Random) -> Value {
    match (random.below(14), value) {
        (0, _) => Value::Null,
        (1, _) => json!(true),
        (2, _) => json!(""),
        (3, _) => json!([]),
        (4, _) => json!({}),
        (5, _) => json!([value, value]),
        (6, _) => json!([value]),
        (7, Value::Number(number)) => json!(number.as_f64().unwrap_or_default() + 0.5),
        (7, _) => json!(-1),
        (8, Value::Number(number)) => json!(number.to_string()),
        (8, _) => json!(u64::MAX),
        (9, Value::String(text)) => json!(format!("{text}\n")),
        (9, _) => json!(1e300),
        (10, Value::String(text)) => json!(text.to_uppercase()),
        (10, Value::Number(number)) => json!(number.as_u64().unwrap_or_default().wrapping_mul(1000)),
        (11, Value::String(text)) => json!(format!("{text}{text}")),
        (12, Value::String(text)) => json!("a".repeat(text.len() * 40)),
        (13, Value::String(_)) => json!(random.one_of(&PIECES).copied().unwrap_or_default()),
        (_, Value::Number(number)) => {
            let by = i64::try_from(random.below(241)).unwrap_or_default() - 120;
            json!(number.as_i64().unwrap_or_default().wrapping_add(by))
        }
        (_, Value::Object(members)) => {
            let mut members = members.clone();
            let name = members.keys().nth(random.below(members.len())).cloned().unwrap_or_default();
            let moved = members.remove(&name).unwrap_or_default();
            members.insert(format!("{name}{}", random.one_of(&PIECES).copied().unwrap_or_default()), moved);
            Value::Object(members)
        }
        (_, other) => json!({ "value": other }),
    }
}
