//! Generates patterns and values, and texts that they almost match.

use serde_json::{Value, json};

use crate::random::Random;

/// A random pattern with paths to match against it.
pub(super) fn pattern(random: &Random) -> Value {
    if random.one_in(5) {
        let source = format!("/{}", random.soup(SOUP, 9));
        let texts: Vec<String> = (0..20).map(|_| any_path(random)).collect();
        return json!({ "source": without_slash(source), "texts": texts });
    }
    if random.one_in(12) {
        let inner = if random.one_in(40) { TOO_LARGE.to_owned() } else { random.soup(REGEXP_SOUP, 6) };
        let source = format!("/x({inner})");
        let texts: Vec<String> = (0..10).map(|_| as_path(&format!("/x{}", any_path(random)))).collect();
        return json!({ "source": source, "texts": texts });
    }
    let mut source = String::new();
    let mut examples = vec![String::new(); 12];
    for piece in 0..=random.below(4) {
        let before = source.clone();
        let Piece { text, samples } = any_piece(random, piece == 0);
        source.push_str(&text);
        // Two parameters of a segment need text between them. Half of the invalid patterns stay.
        if before.ends_with(|c: char| c.is_ascii_alphanumeric()) && text.starts_with(':') && random.one_in(2)
        {
            source = format!("{before}-{text}");
            for example in &mut examples {
                example.push('-');
            }
        }
        for example in &mut examples {
            let sample = &samples[random.below(samples.len())];
            example.push_str(sample);
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for example in examples {
        texts.push(mutated(random, &example));
        texts.push(example);
    }
    texts.extend((0..8).map(|_| any_path(random)));
    let texts: Vec<String> = texts.iter().map(|text| as_path(text)).collect();
    json!({ "source": without_slash(source), "texts": texts })
}

/// A random value for `has` with texts to match against it.
pub(super) fn value(random: &Random) -> Value {
    let (source, samples) = if random.one_in(400) {
        (TOO_LARGE.to_owned(), vec!["a".to_owned()])
    } else if random.one_in(4) {
        (random.soup(REGEXP_SOUP, 9), vec!["a".to_owned()])
    } else {
        let (mut source, mut samples) = expression(random, 2);
        if random.one_in(2) {
            source = format!("({source})");
        }
        samples.push(String::new());
        (source, samples)
    };
    let mut texts = Vec::new();
    for sample in samples.into_iter().take(10) {
        texts.push(mutated(random, &sample));
        texts.push(sample);
    }
    texts.push(any_path(random));
    json!({ "source": source, "texts": texts })
}

struct Piece {
    text: String,
    samples: Vec<String>,
}

const TEXTS: [&str; 12] = ["a", "b", "ab", "api", "docs", "-", "--", ".", ".json", "_next", "é", "x-"];

fn any_piece(random: &Random, is_first: bool) -> Piece {
    let slash = if is_first || !random.one_in(4) { "/" } else { "" };
    let text = |text: &str| Piece { text: text.to_owned(), samples: vec![text.to_owned()] };
    match random.below(10) {
        0..=2 => text(&format!("{slash}{}", random.one_of(&TEXTS))),
        3..=4 => parameter(random, slash, None),
        5..=7 => {
            let (inner, samples) = expression(random, 2);
            parameter(random, slash, Some((inner, samples)))
        }
        _ if is_first => text("/a"),
        _ => braces(random),
    }
}

/// `/:name(…)*`
fn parameter(random: &Random, slash: &str, inner: Option<(String, Vec<String>)>) -> Piece {
    let name = if inner.is_some() && random.one_in(2) { "" } else { random.one_of(&[":a", ":b1", ":name"]) };
    let modifier = random.one_of(&["", "", "", "?", "*", "+"]);
    let prefix = if slash.is_empty() { random.one_of(&["", "-", "."]) } else { slash };
    let (inner, values) = match inner {
        Some((inner, values)) => (format!("({inner})"), values),
        None => (String::new(), ["a", "b", "x-y", "7", "a.b", "é"].map(str::to_owned).to_vec()),
    };
    // Text that is not a prefix is not repeated.
    let of_parameter = if prefix == "-" { "" } else { prefix };
    let outside = if prefix == "-" { "-" } else { "" };
    let samples = repeated(random, of_parameter, &values, "", modifier);
    let samples = samples.into_iter().map(|sample| format!("{outside}{sample}")).collect();
    Piece { text: format!("{prefix}{name}{inner}{modifier}"), samples }
}

/// `{-:name(…)x}*`
fn braces(random: &Random) -> Piece {
    let prefix = random.one_of(&["/", "-", "/v", "", "x", "."]);
    let suffix = random.one_of(&["", "", "-end", "x", "/y"]);
    let modifier = random.one_of(&["", "?", "*", "+"]);
    let (inner, values) = match random.below(3) {
        0 => (String::new(), vec![String::new()]),
        1 => (":p".to_owned(), ["a", "b", "x-y"].map(str::to_owned).to_vec()),
        _ => {
            let (inner, values) = expression(random, 1);
            (format!(":p({inner})"), values)
        }
    };
    let samples = repeated(random, prefix, &values, suffix, modifier);
    Piece { text: format!("{{{prefix}{inner}{suffix}}}{modifier}"), samples }
}

fn repeated(random: &Random, prefix: &str, values: &[String], suffix: &str, modifier: &str) -> Vec<String> {
    (0..6)
        .map(|_| {
            let count = match modifier {
                "?" => random.below(2),
                "*" => random.below(3),
                "+" => 1 + random.below(2),
                _ => 1,
            };
            let one = || format!("{prefix}{}{suffix}", values[random.below(values.len())]);
            (0..count).map(|_| one()).collect::<Vec<_>>().concat()
        })
        .collect()
}

/// An expression for parentheses, and texts that it is likely to match.
fn expression(random: &Random, depth: usize) -> (String, Vec<String>) {
    const WHOLE: [(&str, &[&str]); 13] = [
        (
            "(?!api|_next/static|_next/image|favicon.ico).*",
            &["a", "api", "", "_next/static/x", "b/api", "favicon"],
        ),
        ("(?!.*\\.(?:png|css)$).*", &["a", "a.png", "a/b.css", "a.png/b", "a.css.b"]),
        ("(?!api(?:/|$)|docs).*", &["apis", "api", "api/x", "docs", "x"]),
        ("[^/]*(?=b)b", &["ab", "b", "aab"]),
        (".*", &["", "a", "a/b", "x.png"]),
        ("\\d+", &["1", "42", "007"]),
        ("\\w{2,3}", &["ab", "a_1", "abcd"]),
        ("en|de", &["en", "de"]),
        ("[a-c_-]+", &["a-b", "c_", "abc"]),
        ("[^.]+", &["a", "a-b", "a/b"]),
        ("(?:a|ab)(?:c|bcd)?", &["a", "ab", "abcd", "ac"]),
        ("\\bab?\\b.*", &["ab", "a-b", "abc"]),
        ("(?:(?!-x)[^/])+", &["a", "a-b", "a-x"]),
    ];
    if depth == 0 || random.one_in(2) {
        let (text, samples) = WHOLE[random.below(WHOLE.len())];
        return (text.to_owned(), samples.iter().map(|sample| (*sample).to_owned()).collect());
    }
    let mut text = String::new();
    let mut samples = vec![String::new(); 5];
    for _ in 0..=random.below(3) {
        let (atom, matching): (String, Vec<String>) = match random.below(10) {
            0..=2 => {
                let literal = random.one_of(&["a", "b", "\\.", "-", "x", "é", "\\/"]);
                (literal.to_owned(), vec![literal.trim_start_matches('\\').to_owned()])
            }
            3 => (".".to_owned(), ["a", "-", "7"].map(str::to_owned).to_vec()),
            4 => ("\\d".to_owned(), ["0", "7"].map(str::to_owned).to_vec()),
            5 => ("[ab\\d]".to_owned(), ["a", "7"].map(str::to_owned).to_vec()),
            6 => {
                let (inner, matching) = expression(random, depth - 1);
                (format!("(?:{inner})"), matching)
            }
            7 => {
                let (inner, _) = expression(random, depth - 1);
                (format!("{}{inner})", random.one_of(&["(?!", "(?="])), vec![String::new()])
            }
            8 => (random.one_of(&["^", "$", "\\b", "\\B"]).to_owned(), vec![String::new()]),
            _ => ("|".to_owned(), vec![String::new()]),
        };
        let quantifier = match atom.as_str() {
            "|" | "^" | "$" | "\\b" | "\\B" => "",
            look if look.starts_with("(?!") || look.starts_with("(?=") => "",
            // JavaScript's engine would take too long for a repetition inside a repetition.
            group if group.starts_with("(?:") => random.one_of(&["", "?", "{2}"]),
            _ => random.one_of(&["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "+?"]),
        };
        text.push_str(&atom);
        text.push_str(quantifier);
        for sample in &mut samples {
            for _ in 0..if quantifier == "{2}" { 2 } else { 1 } {
                sample.push_str(&matching[random.below(matching.len())]);
            }
        }
    }
    (text, samples)
}

/// More work than one request may cost.
const TOO_LARGE: &str = "(?:a{300}){300}";

const SOUP: &[&str] = &[
    "a", "b", "/", "/", ":x", ":y", "(", ")", "{", "}", "?", "*", "+", "\\", ".", "-", "(?:", "(?!", "[",
    "]", "|", "\\d", "(.*)", "{a}", "^", "$", "1", "_", "é", "!", "=", "<", "#", "%", "%20", "%2F", "%zz",
];

const REGEXP_SOUP: &[&str] = &[
    "a", "b", "(", ")", "(?:", "(?!", "(?=", "(?<n>", "(?<!", "[", "]", "^", "-", "{", "}", "{2}", "{1,2}",
    "(?=a)*", "(?:a?)+", "?", "*", "+", "\\", ".", "|", "\\d", "\\w", "\\b", "$", "1", "\\1", "\\x61",
    "\\u0062", ",", "é",
];

fn any_path(random: &Random) -> String {
    let segments =
        ["a", "b", "ab", "7", "42", "api", "x-y", "a.b", "a-1", "é", "_next", "static", "x.png", "en"];
    let path: Vec<_> = (0..random.below(4)).map(|_| random.one_of(&segments)).collect();
    as_path(&path.join("/"))
}

/// The text with one character removed, inserted or changed.
fn mutated(random: &Random, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = random.below(chars.len() + 1);
    let new = ['a', 'b', '7', '-', '.', '/', 'é'][random.below(7)];
    match (random.below(3), at < chars.len()) {
        (0, true) => drop(chars.remove(at)),
        (1, true) => chars[at] = new,
        _ => chars.insert(at, new),
    }
    chars.into_iter().collect()
}

/// A path as the guard sees it: with a leading and without a trailing slash.
fn as_path(text: &str) -> String {
    let text: String = text.chars().take(30).collect();
    let text = text.trim_end_matches('/');
    if text.starts_with('/') { text.to_owned() } else { format!("/{text}") }
}

/// The pattern without trailing slashes: they matter to path-to-regexp, but not to the guard.
fn without_slash(source: String) -> String {
    let is_bare = |source: &str| source.ends_with('/') && source.len() > 1;
    let mut source = source;
    while is_bare(&source) {
        source.pop();
    }
    source
}
