//! What the documents quote of the log and of other messages is what the programs say.

use std::fs;
use std::path::Path;

use super::{file, snippets};

/// Where the programs' texts are.
const SOURCES: [&str; 4] = ["crates", "src", "npm", "xtask"];

/// What other programs say, and the scope of a provider.
const OF_OTHERS: [&str; 3] = ["Invalid CORS request", "command not found", "openid email profile"];

/// The document whose quotes are the names of test cases, which write it.
const OF_TESTS: &str = "authjs-differences.md";

#[test]
fn the_documents_quote_messages_as_they_are() {
    let mut sources = String::new();
    for folder in SOURCES {
        read(&file(folder), &mut sources);
    }
    let sources = unwrapped(&sources);
    let mut outdated = Vec::new();
    for path in snippets::documents().into_iter().filter(|path| !path.ends_with(OF_TESTS)) {
        let document = fs::read_to_string(&path).unwrap();
        for part in quotes(&document).iter().flat_map(|quote| parts(quote)) {
            if !sources.contains(&part) && !OF_OTHERS.contains(&part.as_str()) {
                outdated.push(format!("{}: {part}", path.display()));
            }
        }
    }
    assert!(outdated.is_empty(), "no program says so:\n{}", outdated.join("\n"));
}

/// Adds every source file in a folder.
fn read(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let has_texts = path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs");
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("tests") {
            read(&path, sources);
        } else if has_texts {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// A text in one line, also where its literal is continued in the next.
fn unwrapped(text: &str) -> String {
    text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is in backticks and reads like a sentence, outside of blocks.
fn quotes(document: &str) -> Vec<String> {
    let prose: String = document.split("```").step_by(2).collect();
    let code = prose.split('`').skip(1).step_by(2).map(unwrapped);
    code.filter(|quote| !["cargo ", "npx "].iter().any(|command| quote.starts_with(command)))
        .filter(|quote| {
            quote.split(' ').count() >= 4
                && !quote.contains(['=', '{', '$', '|', '/', ';', '<'])
                && !quote.contains("--")
        })
        .collect()
}

/// The parts of a quote that are the same in every message: at least three words of letters.
fn parts(quote: &str) -> Vec<String> {
    let varies = |word: &&str| {
        let word = word.trim_end_matches(['.', ',']);
        word.is_empty() || !word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'')
    };
    let words: Vec<&str> = quote.split(' ').collect();
    words
        .split(varies)
        .map(|words| words.join(" ").trim_end_matches(['.', ',']).to_owned())
        .filter(|part| part.split(' ').count() >= 3)
        .collect()
}

#[test]
fn the_fixed_parts_of_a_message_are_found() {
    let document = "Say `login: the answer has no token at cookie.x`, `a = 1 of two` and\n```sh\nan `echo of three words`\n```\n";
    assert_eq!(quotes(document), ["login: the answer has no token at cookie.x"]);
    assert_eq!(parts("login: the answer has no token at cookie.x"), ["the answer has no token at"]);
    assert_eq!(parts("status 5 with an error, which \"a b\" is"), ["with an error, which"]);
    assert_eq!(unwrapped("\"one \\\n   two\""), "\"one two\"");
}
