//! The paths and templates of `user`: where the user's id, name, email address and image come from.

use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use vestibule_oidc::data::{DataPath, Source, Template};

/// The source of a value: one text, or several of which the first with a value is used. A text with a brace is a
/// template, any other one is a path. `fill` replaces the parameters in a text. Without the key, the texts are `usual`.
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
        return response_path(text, roots).map(Source::Path);
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

/// A path into a response. It begins with one of `roots`.
pub(super) fn response_path(text: &Text<'_>, roots: &[&str]) -> Option<DataPath> {
    let path = text.parsed(DataPath::parse)?;
    if roots.contains(&path.root()) {
        check_named(&path, text);
    } else {
        let hint = suggestion(path.root(), roots);
        refuse!(text, "{text} does not begin with a known source; {hint}");
    }
    Some(path)
}

/// Checks that a path to a cookie or header field has its name and nothing after it.
fn check_named(path: &DataPath, at: &Text<'_>) {
    let root = path.root();
    if matches!(root, "cookie" | "header") && path.rest().len() != 1 {
        refuse!(at, "\"{path}\" does not name a {root}; write {root}.NAME");
    }
}
