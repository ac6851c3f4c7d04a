//! What the layers forbid.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use super::graph::Graph;
use super::references::{Reference, references};
use super::report::place;
use super::tree::{FileId, SourceFile, Tree};

/// What is wrong with a crate, in words.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Between its rooms: imports that run upwards and rooms without a place; where rooms have no order, circles.
    pub(super) between_rooms: Vec<String>,
    /// Inside its rooms: circles of files.
    pub(super) inside_rooms: Vec<String>,
}

/// Everything that is wrong with a crate; `rooms` are in order, the ground first.
pub(super) fn problems(root: &Path, source: &str, rooms: Option<&[&str]>) -> Result<Problems> {
    let tree = Tree::load(root, source)?;
    let references = references(&tree);
    let mut problems = Problems::default();
    if let Some(rooms) = rooms {
        problems.between_rooms.extend(unknown_rooms(&tree, source, rooms));
        problems.between_rooms.extend(upward(&tree, &references, rooms));
    } else {
        problems.between_rooms.extend(circles(&tree, "rooms", &room_graph(&tree, &references)));
    }
    let rooms: BTreeSet<&str> = tree.files().map(|(_, file)| room(file)).collect();
    for inside in rooms {
        let both_inside = |reference: &&Reference| {
            room(tree.file(reference.from)) == inside && room(tree.file(reference.to)) == inside
        };
        let graph = file_graph(&tree, references.iter().filter(both_inside));
        problems.inside_rooms.extend(circles(&tree, "files", &graph));
    }
    Ok(problems)
}

/// Rooms that the table does not know.
fn unknown_rooms(tree: &Tree, source: &str, rooms: &[&str]) -> Vec<String> {
    let mut unknown = BTreeMap::new();
    for (_, file) in tree.files() {
        if let (Some(name), Some((declared_in, line))) = (&file.room, file.declared)
            && !rooms.contains(&name.as_str())
        {
            unknown.entry(name).or_insert((declared_in, line));
        }
    }
    let problem = |(name, (file, line)): (&String, (FileId, usize))| {
        let file = &tree.file(file).name;
        format!("{file}:{line}: `{name}` is no room of {source} in the table in xtask/src/layers/mod.rs")
    };
    unknown.into_iter().map(problem).collect()
}

/// References from a room to one that stands to its right.
fn upward(tree: &Tree, references: &[Reference], rooms: &[&str]) -> Vec<String> {
    let height = |file: &SourceFile| match &file.room {
        Some(room) => rooms.iter().position(|known| known == room),
        None => Some(rooms.len()),
    };
    let mut problems = Vec::new();
    for reference in in_order(references) {
        let from = tree.file(reference.from);
        let highest = rooms_named(tree, reference).max_by_key(|file| height(file));
        let Some(to) = highest else { continue };
        let (Some(from_height), Some(to_height)) = (height(from), height(to)) else { continue };
        if to_height > from_height {
            let stands = if to.room.is_some() { "which stands to its right" } else { "which stands on top" };
            let problem = format!(
                "{}: `{}` — room `{}` may not import `{}`, {stands}{}",
                place(tree, reference),
                reference.written,
                room(from),
                room(to),
                definition(tree, reference),
            );
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// Where a re-export leads.
fn definition(tree: &Tree, reference: &Reference) -> String {
    match reference.through.as_slice() {
        [] => String::new(),
        [first, ..] => {
            format!(" ({} re-exports it from {})", tree.file(*first).name, tree.file(reference.to).name)
        }
    }
}

/// The file that defines what is named, and those whose re-exports are named on the way. The crate's root is left out
/// of those: what it re-exports is a room's.
fn rooms_named<'t>(tree: &'t Tree, reference: &Reference) -> impl Iterator<Item = &'t SourceFile> {
    let through = reference.through.iter().map(|file| tree.file(*file)).filter(|file| file.room.is_some());
    let through: Vec<&SourceFile> = through.collect();
    through.into_iter().chain([tree.file(reference.to)])
}

fn circles(tree: &Tree, of: &str, graph: &Graph<'_>) -> Vec<String> {
    let circle = |component: &BTreeSet<&str>| {
        let edges = graph.shortest_circle(component);
        let mut text = format!("a circle of {} {of}:", edges.len());
        for edge in edges {
            if let Some(first) = edge.references.first() {
                let (from, to) = (edge.from, edge.to);
                let place = place(tree, first);
                let _ = write!(text, "\n  {place}: `{}` — `{from}` uses `{to}`", first.written);
            }
        }
        text
    };
    graph.components().iter().map(circle).collect()
}

/// Which room uses which. An import of a module counts, and so does a room whose re-export is named.
pub(super) fn room_graph<'a>(
    tree: &'a Tree,
    references: impl IntoIterator<Item = &'a Reference>,
) -> Graph<'a> {
    let mut graph = Graph::default();
    for reference in in_order(references) {
        let rooms: BTreeSet<&str> = rooms_named(tree, reference).map(room).collect();
        for to in rooms {
            graph.add(room(tree.file(reference.from)), to, reference);
        }
    }
    graph
}

/// Which file uses what another defines. Whoever imports a module has used nothing in it yet.
pub(super) fn file_graph<'a>(
    tree: &'a Tree,
    references: impl IntoIterator<Item = &'a Reference>,
) -> Graph<'a> {
    let mut graph = Graph::default();
    for reference in in_order(references) {
        if !reference.names_module {
            graph.add(&tree.file(reference.from).name, &tree.file(reference.to).name, reference);
        }
    }
    graph
}

fn in_order<'a>(references: impl IntoIterator<Item = &'a Reference>) -> Vec<&'a Reference> {
    let mut references: Vec<&Reference> = references.into_iter().collect();
    references.sort_by_key(|reference| (reference.from, reference.line));
    references
}

/// A file's room, or the crate's root, which stands for itself.
fn room(file: &SourceFile) -> &str {
    file.room.as_deref().unwrap_or(&file.name)
}
