//! Where a text about a person comes from, as it is written.

use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use vestibule_oidc::data::{DataPath, Source, Template};

/// One or several, of which the first that gives something counts. Each is a path, or, where there is a brace in
/// it, a template: no text about a person has braces of its own. `fill` puts parameters in; where nothing is written,
/// it is `usual`.
pub(super) fn source(
    user: &Table<'_>,
    key: &str,
    usual: &[&str],
    roots: &[&str],
    fill: &mut dyn FnMut(&Text<'_>) -> Option<String>,
) -> Source {
    let mut texts = user.texts(key);
    if !user.has(key) {
        for text in usual {
            texts.push(Text { text, place: user.at(key) });
        }
    }
    if texts.is_empty() {
        refuse!(user.at(key), "the list is empty; write at least one path");
    }
    let mut sources = Vec::new();
    for text in texts {
        let Some(filled) = fill(&text) else { continue };
        sources.extend(one(&text.with(&filled), roots));
    }
    match sources.pop() {
        Some(only) if sources.is_empty() => only,
        last => {
            sources.extend(last);
            Source::FirstOf(sources)
        }
    }
}

fn one(text: &Text<'_>, roots: &[&str]) -> Option<Source> {
    if !text.text.contains('{') {
        return answer_path(text, roots).map(Source::Path);
    }
    let (template, unknown) = Template::parse(text.text, &|path| roots.contains(&path.root()));
    if let Some(path) = unknown.first() {
        let hint = suggestion(path.root(), roots);
        refuse!(text, "{{{path}}} is unknown; {hint}");
        return None;
    }
    if template.paths().next().is_none() {
        refuse!(text, "{text} would be the same for every user; use a path like {{profile.id}}");
    }
    template.paths().for_each(|path| check_named(path, text));
    Some(Source::Text(template))
}

/// A path into an answer, which begins with one of `roots`.
pub(super) fn answer_path(text: &Text<'_>, roots: &[&str]) -> Option<DataPath> {
    let path = text.parsed(DataPath::parse)?;
    if roots.contains(&path.root()) {
        check_named(&path, text);
    } else {
        let hint = suggestion(path.root(), roots);
        refuse!(text, "{text} does not begin with a known source; {hint}");
    }
    Some(path)
}

/// Cookies and header fields have a name and nothing inside.
fn check_named(path: &DataPath, at: &Text<'_>) {
    let root = path.root();
    if matches!(root, "cookie" | "header") && path.rest().len() != 1 {
        refuse!(at, "\"{path}\" does not name a {root}; write {root}.NAME");
    }
}
