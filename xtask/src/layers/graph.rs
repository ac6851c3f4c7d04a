//! Which file, or which room, uses which; and the circles among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::references::Reference;

/// Nodes by name, and the references that each edge stands for, in the order of file and line.
#[derive(Default)]
pub(super) struct Graph<'a> {
    edges: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a Reference>>>,
}

/// An edge.
pub(super) struct Edge<'g> {
    pub(super) from: &'g str,
    pub(super) to: &'g str,
    pub(super) references: &'g [&'g Reference],
}

impl<'a> Graph<'a> {
    /// Puts in an edge, or another reference of one; none from a node to itself.
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

    /// The strongly connected components of more than one node: everything in one of them uses, by detours, all the
    /// rest of it.
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

    /// A shortest circle in a component, edge after edge.
    pub(super) fn shortest_circle(&self, component: &BTreeSet<&'a str>) -> Vec<Edge<'_>> {
        let circles = component.iter().map(|node| self.circle_through(node));
        let shortest = circles.filter(|circle| !circle.is_empty()).min_by_key(Vec::len).unwrap_or_default();
        let ends = shortest.iter().skip(1).chain(shortest.first());
        let edges = shortest.iter().zip(ends).filter_map(|(from, to)| {
            let (from, edges) = self.edges.get_key_value(from)?;
            let (to, references) = edges.get_key_value(to)?;
            Some(Edge { from, to, references })
        });
        edges.collect()
    }

    fn circle_through(&self, start: &'a str) -> Vec<&'a str> {
        let mut came_from: BTreeMap<&str, &'a str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(node) = waiting.pop_front() {
            for next in self.next(node) {
                if next == start {
                    let mut circle = vec![node];
                    while let Some(before) = circle.last().and_then(|last| came_from.get(last)) {
                        circle.push(before);
                    }
                    circle.reverse();
                    return circle;
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
