//! What people read: documents, comments and the texts between quotes.

use super::PHRASES;

/// Old phrases. A phrase may be broken over two lines; it is a problem at the line where it begins.
pub(super) fn problems(file: &str, kind: &str, text: &str) -> Vec<String> {
    let (read, lines) = read(kind, text);
    let mut problems = Vec::new();
    for (old, new) in PHRASES {
        let phrase: Vec<String> = old.split(' ').map(str::to_lowercase).collect();
        for (at, _) in read.windows(phrase.len()).enumerate().filter(|(_, found)| *found == phrase) {
            let line = lines.get(at).copied().unwrap_or_default();
            problems.push(format!("{file}:{line}: \"{old}\": say \"{new}\""));
        }
    }
    problems
}

/// The words of a text in lower case, and the line of each. The marks of a comment are no words.
fn read(kind: &str, text: &str) -> (Vec<String>, Vec<usize>) {
    let (mut read, mut lines) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = match kind {
            "md" => line,
            "toml" => line.split_once('#').map_or("", |(_, comment)| comment),
            _ => readable(line),
        };
        for word in line.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '_' || c == '’')) {
            if !word.is_empty() {
                read.push(word.to_lowercase());
                lines.push(number + 1);
            }
        }
    }
    (read, lines)
}

/// What of a line of code people read: from a comment or a quote on; all of it inside of a text of several lines.
fn readable(line: &str) -> &str {
    let begins = [line.find("//"), line.find('"')].into_iter().flatten().min();
    begins.and_then(|at| line.get(at..)).unwrap_or(line)
}
