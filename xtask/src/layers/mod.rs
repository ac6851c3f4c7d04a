//! The layers inside the crates (ARCHITECTURE.md): nothing imports upwards, and nothing goes around in a circle.
//!
//! A *room* is a top-level module of a crate. The check reads the source with `syn` and resolves every path that code
//! outside of tests has, in imports, expressions, types, patterns and macros, to the file that defines what it names.
//! A parent's re-export of its children is no use of them, and whoever names the re-export uses the child.

mod attributes;
mod graph;
mod macros;
mod references;
mod report;
mod resolve;
mod rules;
mod scope;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use anyhow::{Result, bail};

use crate::project::Project;

/// A crate that is held to its layers.
struct Layers {
    /// Where its `lib.rs` is.
    source: &'static str,
    /// Its rooms, the ground first; `None` where they have no order. The crate's root stands on top of all.
    rooms: Option<&'static [&'static str]>,
}

const CRATES: &[Layers] = &[
    Layers {
        source: "crates/oidc/src",
        rooms: Some(&[
            "secret",
            "time",
            "json",
            "data",
            "http",
            "jose",
            "outbound",
            "oauth",
            "credentials",
            "presets",
        ]),
    },
    Layers {
        source: "crates/core/src",
        rooms: Some(&[
            "session", "upstream", "guard", "platform", "lease", "hooks", "error", "config", "flow",
            "handle", "explain",
        ]),
    },
    Layers { source: "crates/testing/src", rooms: None },
    Layers { source: "src", rooms: None },
];

/// Fails with every import that runs upwards, one circle at a time, and every room that the table does not know.
pub(crate) fn check(project: &Project) -> Result<()> {
    let root = project.path("");
    let mut problems = Vec::new();
    for Layers { source, rooms } in CRATES {
        match rules::problems(&root, source, *rooms) {
            Ok(found) => problems.extend(found),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n\n{} of the layers' rules broken", problems.join("\n"), problems.len())
}

/// What `cargo xtask layers` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Rooms,
    Files,
}

/// Who uses whom in each crate, a line per edge.
pub(crate) fn show(project: &Project, detail: Detail) -> Result<String> {
    let root = project.path("");
    let crates = CRATES.iter().map(|layers| report::edges(&root, layers.source, detail));
    Ok(crates.collect::<Result<Vec<_>>>()?.join("\n"))
}

/// The rooms' edges of any crate, and the circles among its files, without a table.
pub(crate) fn graph(source: &Path) -> Result<String> {
    report::graph(source)
}
