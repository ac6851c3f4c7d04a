//! The documents lead somewhere: every relative link has its file and its heading, and every page of docs/ and every
//! example is reachable from README.md.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is wrong"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The documents of the root.
const IN_ROOT: [&str; 5] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

#[test]
fn every_relative_link_has_its_file_and_its_heading() {
    let documents = documents();
    let mut broken = Vec::new();
    for (path, document) in &documents {
        for link in &document.links {
            if let Some(why) = problem(&documents, path, &link.target) {
                broken.push(format!("{}:{}: {}: {why}", path.display(), link.line, link.target));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_page_of_docs_and_every_example_is_reachable_from_the_readme() {
    let documents = documents();
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut open = vec![PathBuf::from("README.md")];
    while let Some(path) = open.pop() {
        for link in &documents[&path].links {
            let (target, _) = resolved(&path, &link.target);
            if is_page(&target) && documents.contains_key(&target) && reached.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    let pages = documents.keys().filter(|path| is_page(path));
    let lost: Vec<String> =
        pages.filter(|path| !reached.contains(*path)).map(|path| path.display().to_string()).collect();
    assert!(lost.is_empty(), "no link leads from README.md to {}", lost.join(", "));
}

fn is_page(path: &Path) -> bool {
    path.starts_with("docs") || path.starts_with("examples")
}

/// Why a link leads nowhere.
fn problem(documents: &BTreeMap<PathBuf, Document>, from: &Path, target: &str) -> Option<String> {
    let (path, anchor) = resolved(from, target);
    if !root().join(&path).exists() {
        return Some(format!("there is no {}", path.display()));
    }
    let (document, anchor) = (documents.get(&path)?, anchor?);
    let is_there = document.anchors.contains(&anchor);
    (!is_there).then(|| format!("{} has no heading #{anchor}", path.display()))
}

/// The file that a link names, from the repository's root, and the heading in it.
fn resolved(from: &Path, target: &str) -> (PathBuf, Option<String>) {
    let (file, anchor) = match target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor.to_owned())),
        None => (target, None),
    };
    if file.is_empty() {
        return (from.to_owned(), anchor);
    }
    let mut path = PathBuf::new();
    for component in from.parent().unwrap().join(file).components() {
        match component {
            Component::ParentDir => assert!(path.pop(), "{}: {target} leaves the repository", from.display()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    (path, anchor)
}

/// All documents, by their paths from the repository's root.
fn documents() -> BTreeMap<PathBuf, Document> {
    let mut paths: Vec<PathBuf> = IN_ROOT.into_iter().map(PathBuf::from).collect();
    let examples = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().file_name());
    let readmes = examples.map(|name| Path::new("examples").join(name).join("README.md"));
    paths.extend(readmes.filter(|readme| root().join(readme).exists()));
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    let read = |path: PathBuf| {
        let text =
            fs::read_to_string(root().join(&path)).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        (path, Document::read(&text))
    };
    paths.into_iter().map(read).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What matters of a document here.
struct Document {
    links: Vec<Link>,
    anchors: BTreeSet<String>,
}

/// A link to something in the repository.
struct Link {
    line: usize,
    target: String,
}

impl Document {
    fn read(text: &str) -> Self {
        let prose = without_blocks(text);
        let headings = prose.lines().filter_map(heading);
        Self { links: links(&without_code_spans(&prose)), anchors: anchors(headings) }
    }
}

/// The text with fenced code blocks emptied; lines stay where they are.
fn without_blocks(text: &str) -> String {
    let mut fence: Option<String> = None;
    let mut prose = String::new();
    for line in text.lines() {
        let ticks: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line.trim() == open => fence = None,
            None if ticks.len() >= 3 => fence = Some(ticks),
            Some(_) => {}
            None => prose.push_str(line),
        }
        prose.push('\n');
    }
    prose
}

/// The text with code spans blanked: brackets in them are no links.
fn without_code_spans(text: &str) -> String {
    let mut is_code = false;
    let blank = |c: char| match c {
        '`' => {
            is_code = !is_code;
            ' '
        }
        '\n' => c,
        _ if is_code => ' ',
        _ => c,
    };
    text.chars().map(blank).collect()
}

/// The inline links, images and definitions of links (`[name]: target`) that lead into the repository.
fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices("](") {
        let target = text[at + 2..].split([')', ' ', '\n']).next().unwrap_or_default();
        let line = text[..at].matches('\n').count() + 1;
        links.push(Link { line, target: target.to_owned() });
    }
    for (number, line) in text.lines().enumerate() {
        let definition = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        let target = definition.and_then(|(_, target)| target.split_whitespace().next());
        links.extend(target.map(|target| Link { line: number + 1, target: target.to_owned() }));
    }
    links.retain(|link| !link.target.contains(':') && !link.target.starts_with("//"));
    links
}

/// The text of a heading.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6).contains(&level).then(|| text.strip_prefix(' ')).flatten().map(str::trim)
}

/// The anchors that GitHub gives headings: repeated ones are numbered.
fn anchors<'a>(headings: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in headings {
        let slug = slug(heading);
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone()).chain(numbered).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

/// Lower case, spaces as hyphens, without punctuation. Of a link in a heading its text counts.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn headings_have_the_anchors_that_github_gives_them() {
    for (heading, anchor) in [
        ("What holds", "what-holds"),
        ("`auth()`", "auth"),
        ("`has` and `missing`", "has-and-missing"),
        ("When KV or the Durable Object is down", "when-kv-or-the-durable-object-is-down"),
        ("Unreleased: a/b, c.d & e", "unreleased-ab-cd--e"),
        ("next-auth 4", "next-auth-4"),
        ("See [the page](x.md)", "see-the-page"),
        ("snake_case", "snake_case"),
    ] {
        assert_eq!(slug(heading), anchor, "{heading}");
    }
    let repeated = Document::read("# A\n\n## A\n\n```\n# B\n```\n\n### A\n");
    let anchors: Vec<&str> = repeated.anchors.iter().map(String::as_str).collect();
    assert_eq!(anchors, ["a", "a-1", "a-2"]);
}

#[test]
fn links_are_found_with_their_lines_and_code_is_not_read() {
    let text = "[a](b.md#c) and\n`[no](no.md)` [two\nlines](d.md \"title\") [e](https://e.example) ![f](f.svg)\n\n\
                ```\n[no](no.md)\n```\n\n[g]: h.md\n[`code`](#i)\n";
    let found = Document::read(text).links;
    let found: Vec<(usize, &str)> = found.iter().map(|link| (link.line, link.target.as_str())).collect();
    assert_eq!(found, [(1, "b.md#c"), (3, "d.md"), (3, "f.svg"), (10, "#i"), (9, "h.md")]);
    let (path, anchor) = resolved(Path::new("docs/stories/x.md"), "../../README.md#y");
    assert_eq!((path.to_str(), anchor.as_deref()), (Some("README.md"), Some("y")));
}
