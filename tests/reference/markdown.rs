//! Writes Markdown, and TOML values inside it.

use serde_json::Value;

/// Prose in which every character that Markdown could read as markup is escaped, except in code in backticks.
pub(super) fn prose(text: &str) -> String {
    assert!(text.matches('`').count().is_multiple_of(2), "a backtick is missing: {text}");
    let mut escaped = String::new();
    for (i, part) in text.split('`').enumerate() {
        if i > 0 {
            escaped.push('`');
        }
        for c in part.chars() {
            if i % 2 == 0 && matches!(c, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '|') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
    }
    escaped
}

/// Prose for the cell of a table, in which `|` is escaped also inside code.
pub(super) fn cell(text: &str) -> String {
    prose(text).replace("\\|", "|").replace('|', "\\|")
}

/// A value as TOML on one line.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{} = {}", toml_key(name), toml(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn toml_key(name: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { format!("{name:?}") }
}

#[test]
fn prose_and_cells_escape_what_markdown_would_read_as_markup() {
    assert_eq!(prose("a_b <c> `d_e`"), r"a\_b \<c\> `d_e`");
    assert_eq!(cell("`a|b` | c"), r"`a\|b` \| c");
}
