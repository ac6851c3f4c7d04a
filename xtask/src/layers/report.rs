//! Prints the graph.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use super::Detail;
use super::graph::Edge;
use super::references::{Reference, references};
use super::rules::{file_graph, room_graph};
use super::tree::Tree;

/// A line `from -> to  (n, first at file:line)` for each edge of a crate; `n` is the number of references.
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

fn line(text: &mut String, tree: &Tree, edge: &Edge<'_>) {
    let first = edge.references.first().map(|reference| place(tree, reference)).unwrap_or_default();
    let _ = writeln!(text, "{} -> {}  ({}, first at {first})", edge.from, edge.to, edge.references.len());
}

/// `file:line`.
pub(super) fn place(tree: &Tree, reference: &Reference) -> String {
    format!("{}:{}", tree.file(reference.from).name, reference.line)
}
