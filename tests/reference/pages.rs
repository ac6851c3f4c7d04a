//! docs/pages.md, with the texts of the pages; and what the other documents quote of them.

use std::fmt::Write;
use std::fs;

use vestibule_core::texts::Text;
use vestibule_core::texts::languages::english;

use super::markdown::cell;

const PAGE: &str = include_str!("pages/page.md");

#[test]
fn the_table_of_texts_is_up_to_date() {
    super::check_document("docs/pages.md", &PAGE.replace("TABLE\n", &table()));
}

fn table() -> String {
    let mut table = "| text | in English |\n|---|---|\n".to_owned();
    for text in Text::ALL {
        writeln!(table, "| `{}` | {} |", text.key(), cell(text.of(english()))).unwrap();
    }
    table
}

/// A document may quote the beginning of a text. A quote that begins with the same two words and goes on otherwise is out
/// of date.
#[test]
fn the_documents_quote_the_texts_of_the_pages_as_they_are() {
    let texts: Vec<&str> = Text::ALL.iter().map(|text| text.of(english())).collect();
    let mut outdated = Vec::new();
    for path in super::snippets::documents() {
        for quote in quotes(&fs::read_to_string(&path).unwrap()) {
            let start: Vec<&str> = quote.split(' ').take(2).collect();
            let start = format!("{} ", start.join(" "));
            let quoted = quote.trim_end_matches(['.', ',']);
            let mut alike = texts.iter().filter(|text| text.starts_with(&start)).peekable();
            let has_more_words = quote.split(' ').count() > 3;
            if has_more_words && alike.peek().is_some() && !alike.any(|text| text.starts_with(quoted)) {
                outdated.push(format!("{}: {quote:?}", path.display()));
            }
        }
    }
    assert!(outdated.is_empty(), "no page says so:\n{}", outdated.join("\n"));
}

/// What is in double quotes, outside of code.
fn quotes(document: &str) -> Vec<String> {
    let mut is_block = false;
    let mut prose = String::new();
    for line in document.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        if !is_block && !is_fence {
            prose.push_str(line.trim());
            prose.push(' ');
        }
    }
    let prose: Vec<&str> = prose.split('`').step_by(2).collect();
    prose.join("").split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn quotes_are_found_over_the_end_of_a_line_and_code_is_none() {
    let text = "Say \"one\n  two\" and `\"no\"`:\n```toml\na = \"no\"\n```\n\"three\".\n";
    assert_eq!(quotes(text), ["one two", "three"]);
}
