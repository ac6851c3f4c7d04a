//! The graph in words.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use super::Detail;
use super::graph::{Edge, Graph};
use super::references::{Reference, references};
use super::rules::{file_graph, room_graph};
use super::tree::Tree;

/// How many references of an edge are shown where they are shown one by one.
const EXAMPLES: usize = 5;

/// `from -> to  (n, first at file:line)`, for each edge of a crate.
pub(super) fn edges(root: &Path, source: &str, detail: Detail) -> Result<String> {
    let tree = Tree::load(root, source)?;
    let references = references(&tree);
    let graph = match detail {
        Detail::Rooms => room_graph(&tree, &references),
        Detail::Files => file_graph(&tree, &references),
    };
    let mut text = format!("{source}\n");
    for edge in graph.edges() {
        line(&mut text, &tree, &edge);
    }
    Ok(text)
}

/// The rooms' edges with examples, then the circles among files with all edges in them.
pub(super) fn graph(source: &Path) -> Result<String> {
    let tree = Tree::load(source, "")?;
    let references = references(&tree);
    let mut text = "Rooms\n\n".to_owned();
    for edge in room_graph(&tree, &references).edges() {
        line(&mut text, &tree, &edge);
        examples(&mut text, &tree, edge.references);
    }
    circles(&mut text, &tree, "rooms", &room_graph(&tree, &references));
    let files = file_graph(&tree, &references);
    circles(&mut text, &tree, "files", &files);
    text.push_str("\nAll edges between files\n\n");
    for edge in files.edges() {
        line(&mut text, &tree, &edge);
    }
    Ok(text)
}

fn circles(text: &mut String, tree: &Tree, of: &str, graph: &Graph<'_>) {
    let components = graph.components();
    let _ = writeln!(text, "\nStrongly connected {of}: {} components", components.len());
    for component in components {
        let _ = writeln!(text, "\n{} {of}:", component.len());
        for node in &component {
            let _ = writeln!(text, "  {node}");
        }
        let _ = writeln!(text, "edges inside:");
        for edge in graph.edges_within(&component) {
            text.push_str("  ");
            line(text, tree, &edge);
            if of == "files" {
                examples(text, tree, edge.references);
            }
        }
    }
}

fn line(text: &mut String, tree: &Tree, edge: &Edge<'_>) {
    let first = edge.references.first().map(|reference| place(tree, reference)).unwrap_or_default();
    let _ = writeln!(text, "{} -> {}  ({}, first at {first})", edge.from, edge.to, edge.references.len());
}

fn examples(text: &mut String, tree: &Tree, references: &[&Reference]) {
    for reference in references.iter().take(EXAMPLES) {
        let _ = writeln!(text, "      {}  {}", place(tree, reference), reference.written);
    }
}

/// `file:line`.
pub(super) fn place(tree: &Tree, reference: &Reference) -> String {
    format!("{}:{}", tree.file(reference.from).name, reference.line)
}
