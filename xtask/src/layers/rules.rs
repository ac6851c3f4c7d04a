//! The rules for imports between rooms and files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use super::graph::Graph;
use super::references::{Reference, references};
use super::report::place;
use super::tree::{FileId, SourceFile, Tree};

/// The messages about a crate.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Between rooms: imports of a later room, and rooms that are missing in the table. If rooms have no order: cycles.
    pub(super) between_rooms: Vec<String>,
    /// Inside rooms: cycles of files.
    pub(super) inside_rooms: Vec<String>,
}

/// All problems of a crate. `rooms` is the order of its rooms: each may only import the ones before it.
pub(super) fn problems(root: &Path, source: &str, rooms: Option<&[&str]>) -> Result<Problems> {
    let tree = Tree::load(root, source)?;
    let references = references(&tree);
    let mut problems = Problems::default();
    if let Some(rooms) = rooms {
        problems.between_rooms.extend(unknown_rooms(&tree, source, rooms));
        problems.between_rooms.extend(upward(&tree, &references, rooms));
    } else {
        problems.between_rooms.extend(cycles(&tree, "rooms", &room_graph(&tree, &references)));
    }
    let rooms: BTreeSet<&str> = tree.files().map(|(_, file)| room(file)).collect();
    for inside in rooms {
        let both_inside = |reference: &&Reference| {
            room(tree.file(reference.from)) == inside && room(tree.file(reference.to)) == inside
        };
        let graph = file_graph(&tree, references.iter().filter(both_inside));
        problems.inside_rooms.extend(cycles(&tree, "files", &graph));
    }
    Ok(problems)
}

/// The rooms that are missing in the table.
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
        format!(
            "{file}:{line}: room `{name}` of {source} is missing in xtask/src/layers/mod.rs: add it to `CRATES`"
        )
    };
    unknown.into_iter().map(problem).collect()
}

/// The references from a room to a later room.
fn upward(tree: &Tree, references: &[Reference], rooms: &[&str]) -> Vec<String> {
    let position = |file: &SourceFile| match &file.room {
        Some(room) => rooms.iter().position(|known| known == room),
        None => Some(rooms.len()),
    };
    let mut problems = Vec::new();
    for reference in in_order(references) {
        let from = tree.file(reference.from);
        let last = rooms_named(tree, reference).max_by_key(|file| position(file));
        let Some(to) = last else { continue };
        let (Some(from_position), Some(to_position)) = (position(from), position(to)) else { continue };
        if to_position > from_position {
            let reason = if to.room.is_some() {
                "which comes after it in the order of rooms"
            } else {
                "the root of the crate"
            };
            let problem = format!(
                "{}: `{}` — room `{}` may not import `{}`, {reason}{}",
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

/// A remark about the file that defines a re-exported item.
fn definition(tree: &Tree, reference: &Reference) -> String {
    match reference.through.as_slice() {
        [] => String::new(),
        [first, ..] => {
            format!(" ({} re-exports it from {})", tree.file(*first).name, tree.file(reference.to).name)
        }
    }
}

/// The file that defines the named item, and the files whose re-exports lead to it. The crate's root is left out of the
/// latter, because the items that it re-exports belong to rooms.
fn rooms_named<'t>(tree: &'t Tree, reference: &Reference) -> impl Iterator<Item = &'t SourceFile> {
    let through = reference.through.iter().map(|file| tree.file(*file)).filter(|file| file.room.is_some());
    let through: Vec<&SourceFile> = through.collect();
    through.into_iter().chain([tree.file(reference.to)])
}

fn cycles(tree: &Tree, of: &str, graph: &Graph<'_>) -> Vec<String> {
    let cycle = |component: &BTreeSet<&str>| {
        let edges = graph.shortest_cycle(component);
        let mut text = format!("a cycle of {} {of}:", edges.len());
        for edge in edges {
            if let Some(first) = edge.references.first() {
                let (from, to) = (edge.from, edge.to);
                let place = place(tree, first);
                let _ = write!(text, "\n  {place}: `{}` — `{from}` uses `{to}`", first.written);
            }
        }
        text
    };
    graph.components().iter().map(cycle).collect()
}

/// The graph of rooms. An import of a module counts as a use, and naming a re-export also uses the room that re-exports.
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

/// The graph of files that use items of other files. An import of a module alone does not count as a use.
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

/// The name of a file's room, or the file's name for the crate's root.
fn room(file: &SourceFile) -> &str {
    file.room.as_deref().unwrap_or(&file.name)
}
