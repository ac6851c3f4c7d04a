//! `.dev.vars`: one `NAME=VALUE` a line, as dotenv reads it.

use super::{At, File};

/// A secret or variable of a file.
#[derive(Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: String,
    /// Where it is.
    pub at: At,
}

/// The variables of a `.dev.vars`. Where one is there twice, the last one counts.
pub fn variables(file: &File) -> Vec<Variable> {
    let mut found: Vec<Variable> = Vec::new();
    let mut offset = 0;
    let mut lines = file.text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let start = offset;
        offset += line.len();
        let Some((name, rest)) = assignment(line) else { continue };
        let mut value = rest.trim().to_owned();
        // A value in quotes may go on for several lines: a private key does.
        if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
            while !is_closed(&value, quote) {
                let Some(more) = lines.next() else { break };
                offset += more.len();
                value.push('\n');
                value.push_str(more.trim_end_matches(['\r', '\n']));
            }
            value = unquoted(&value, quote);
        } else {
            value = value.split(" #").next().unwrap_or_default().trim().to_owned();
        }
        found.retain(|known| known.name != name);
        let indent = line.len() - line.trim_start().len();
        found.push(Variable { name: name.to_owned(), value, at: file.at(start + indent) });
    }
    found
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    is_name.then_some((name, value))
}

fn is_closed(value: &str, quote: char) -> bool {
    value.get(1..).is_some_and(|rest| rest.contains(quote))
}

/// The text between the quotes. In double quotes, `\n` is a line break.
fn unquoted(value: &str, quote: char) -> String {
    let inner = value.get(1..).unwrap_or_default();
    let inner = inner.split(quote).next().unwrap_or_default();
    if quote == '"' { inner.replace("\\n", "\n").replace("\\r", "\r") } else { inner.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_places_are_read_as_dotenv_reads_them() {
        let text = "# secrets\nAUTH_SECRET=abc # note\n  export AUTH_OKTA_ID = \"x y\" \n\nKEY=\"-----BEGIN\nabc\n-----END\"\n\
                    ESCAPED=\"a\\nb\"\nQUOTED='it\\n'\nno line\nAUTH_SECRET=def\nEMPTY=\n";
        let found = variables(&File::new(".dev.vars", text));
        let found: Vec<(&str, &str, usize)> =
            found.iter().map(|it| (it.name.as_str(), it.value.as_str(), it.at.line)).collect();
        let expected = [
            ("AUTH_OKTA_ID", "x y", 3),
            ("KEY", "-----BEGIN\nabc\n-----END", 5),
            ("ESCAPED", "a\nb", 8),
            ("QUOTED", "it\\n", 9),
            ("AUTH_SECRET", "def", 11),
            ("EMPTY", "", 12),
        ];
        assert_eq!(found, expected);
    }
}
