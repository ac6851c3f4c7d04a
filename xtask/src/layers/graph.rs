//! A graph of files or rooms that use each other, and its cycles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::references::Reference;

/// The nodes by name, and for each edge the references that cause it, in the order of file and line.
#[derive(Default)]
pub(super) struct Graph<'a> {
    edges: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a Reference>>>,
}

/// An edge: `from` uses `to`.
pub(super) struct Edge<'g> {
    pub(super) from: &'g str,
    pub(super) to: &'g str,
    pub(super) references: &'g [&'g Reference],
}

impl<'a> Graph<'a> {
    /// Adds an edge, or another reference to an existing edge. Ignores a reference from a node to itself.
    pub(super) fn add(&mut self, from: &'a str, to: &'a str, reference: &'a Reference) {
        if from != to {
            self.edges.entry(from).or_default().entry(to).or_default().push(reference);
        }
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.edges
            .iter()
            .flat_map(|(from, edges)| edges.iter().map(move |(to, references)| Edge { from, to, references }))
    }

    fn next(&self, node: &str) -> impl Iterator<Item = &'a str> {
        self.edges.get(node).into_iter().flat_map(|edges| edges.keys().copied())
    }

    /// The strongly connected components with more than one node: in each of them every node uses, directly or
    /// indirectly, every other node.
    pub(super) fn components(&self) -> Vec<BTreeSet<&'a str>> {
        let reachable: BTreeMap<&str, BTreeSet<&str>> =
            self.edges.keys().map(|node| (*node, self.reachable(node))).collect();
        let reaches = |from: &str, to: &str| reachable.get(from).is_some_and(|nodes| nodes.contains(to));
        let mut seen = BTreeSet::new();
        let mut components = Vec::new();
        for (node, nodes) in &reachable {
            if seen.contains(node) || !nodes.contains(node) {
                continue;
            }
            let component: BTreeSet<&str> =
                nodes.iter().copied().filter(|other| reaches(other, node)).collect();
            seen.extend(component.iter().copied());
            components.push(component);
        }
        components
    }

    fn reachable(&self, node: &str) -> BTreeSet<&'a str> {
        let mut reachable = BTreeSet::new();
        let mut waiting: Vec<&str> = self.next(node).collect();
        while let Some(node) = waiting.pop() {
            if reachable.insert(node) {
                waiting.extend(self.next(node));
            }
        }
        reachable
    }

    /// The edges of a shortest cycle in a component, in order.
    pub(super) fn shortest_cycle(&self, component: &BTreeSet<&'a str>) -> Vec<Edge<'_>> {
        let cycles = component.iter().map(|node| self.cycle_through(node));
        let shortest = cycles.filter(|cycle| !cycle.is_empty()).min_by_key(Vec::len).unwrap_or_default();
        let ends = shortest.iter().skip(1).chain(shortest.first());
        let edges = shortest.iter().zip(ends).filter_map(|(from, to)| {
            let (from, edges) = self.edges.get_key_value(from)?;
            let (to, references) = edges.get_key_value(to)?;
            Some(Edge { from, to, references })
        });
        edges.collect()
    }

    fn cycle_through(&self, start: &'a str) -> Vec<&'a str> {
        let mut came_from: BTreeMap<&str, &'a str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(node) = waiting.pop_front() {
            for next in self.next(node) {
                if next == start {
                    let mut cycle = vec![node];
                    while let Some(before) = cycle.last().and_then(|last| came_from.get(last)) {
                        cycle.push(before);
                    }
                    cycle.reverse();
                    return cycle;
                }
                if !came_from.contains_key(next) {
                    came_from.insert(next, node);
                    waiting.push_back(next);
                }
            }
        }
        Vec::new()
    }
}
