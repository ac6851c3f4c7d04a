//! Where a text about a person comes from, as it is written.

use crate::config::data::{DataPath, Source, Template};
use crate::config::error::{Place, Problems, quoted, suggestion};

/// One or several, of which the first that gives something counts. Each is a path, or, where there is a brace in
/// it, a template: no text about a person has braces of its own.
pub(super) fn source(
    texts: &[(Place, String)],
    roots: &[&str],
    place: &Place,
    problems: &mut Problems,
) -> Option<Source> {
    let sources: Option<Vec<Source>> =
        texts.iter().map(|(place, text)| one(text, roots, place, problems)).collect();
    let mut sources = sources?;
    match sources.len() {
        0 => {
            problems.refuse(place, "an empty list gives nothing");
            None
        }
        1 => sources.pop(),
        _ => Some(Source::FirstOf(sources)),
    }
}

fn one(text: &str, roots: &[&str], place: &Place, problems: &mut Problems) -> Option<Source> {
    if !text.contains('{') {
        return answer_path(text, roots, place, problems).map(Source::Path);
    }
    let (template, unknown) = Template::parse(text, |path| roots.contains(&path.root()));
    if let Some(path) = unknown.first() {
        let hint = suggestion(path.root(), roots);
        problems.refuse(place, format!("{{{path}}} stands for nothing; {hint}"));
        return None;
    }
    if template.paths().next().is_none() {
        problems.refuse(place, format!("{} is the same for everybody", quoted(text)));
        return None;
    }
    let is_good = template.paths().all(|path| is_named(path, place, problems));
    is_good.then_some(Source::Text(template))
}

/// A path into an answer, which begins with one of `roots`.
pub(super) fn answer_path(
    text: &str,
    roots: &[&str],
    place: &Place,
    problems: &mut Problems,
) -> Option<DataPath> {
    let path = problems.parsed(place, text, DataPath::parse(text))?;
    if !roots.contains(&path.root()) {
        let hint = suggestion(path.root(), roots);
        problems.refuse(place, format!("{} begins with no part of an answer; {hint}", quoted(text)));
        return None;
    }
    is_named(&path, place, problems).then_some(path)
}

/// Cookies and header fields have a name and nothing inside.
fn is_named(path: &DataPath, place: &Place, problems: &mut Problems) -> bool {
    let is_good = !matches!(path.root(), "cookie" | "header") || path.rest().len() == 1;
    if !is_good {
        let problem = format!("\"{path}\" is no {0}: write {0}.NAME", path.root());
        problems.refuse(place, problem);
    }
    is_good
}
