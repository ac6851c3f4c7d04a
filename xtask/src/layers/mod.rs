//! Checks the layers inside the crates (ARCHITECTURE.md): no room imports a later room, and there are no import cycles.
//!
//! A *room* is a top-level module of a crate. The check parses the source with `syn`. It resolves every path in code
//! outside of tests, in imports, expressions, types, patterns and macros, to the file that defines the named item.
//! A module that re-exports its child modules' items does not use them; code that names the re-export uses the child.

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

use anyhow::{Result, bail};

pub(crate) use self::attributes::{of_item, only_in_tests};

use crate::project::Project;

/// A crate and the order of its rooms.
struct Layers {
    /// The directory of its `lib.rs`.
    source: &'static str,
    /// Its rooms in order: a room may only import the rooms before it. `None` if they have no order. The crate's root may
    /// import every room.
    rooms: Option<&'static [&'static str]>,
    /// Whether `cargo xtask test` rejects cycles of files inside a room. Otherwise only `cargo xtask layers` lists them.
    rejects_file_cycles: bool,
}

const CRATES: &[Layers] = &[
    Layers { source: "crates/aead/src", rooms: None, rejects_file_cycles: true },
    Layers {
        source: "crates/oidc/src",
        rooms: Some(&[
            "secret",
            "time",
            "json",
            "hex",
            "long_text",
            "data",
            "http",
            "jose",
            "outbound",
            "oauth",
            "credentials",
            "presets",
        ]),
        rejects_file_cycles: true,
    },
    Layers {
        source: "crates/core/src",
        rooms: Some(&[
            "session",
            "texts",
            "upstream",
            "guard",
            "outcome",
            "log",
            "platform",
            "revocation",
            "lease",
            "hooks",
            "error",
            "config",
            "flow",
            "handle",
            "explain",
        ]),
        rejects_file_cycles: true,
    },
    Layers {
        source: "crates/check/src",
        rooms: Some(&[
            "document",
            "finding",
            "place",
            "runtime",
            "kind",
            "deployment",
            "bindings",
            "load",
            "size",
            "advice",
            "compiled",
            "own",
            "check",
            "compile",
            "explain",
            "hashed_user",
            "live",
            "wasm",
        ]),
        rejects_file_cycles: true,
    },
    Layers { source: "src", rooms: None, rejects_file_cycles: true },
    Layers { source: "crates/server/src", rooms: None, rejects_file_cycles: true },
    Layers { source: "crates/server-settings/src", rooms: None, rejects_file_cycles: true },
    Layers { source: "crates/redis/src", rooms: None, rejects_file_cycles: true },
    Layers { source: "crates/keyvalue/src", rooms: None, rejects_file_cycles: true },
    Layers { source: "crates/wasi-settings/src", rooms: None, rejects_file_cycles: true },
];

/// The files of the crate in the directory `source`, by their paths from the project's root, except those that are only
/// compiled in tests.
pub(crate) fn source_files(project: &Project, source: &str) -> Result<Vec<String>> {
    let tree = tree::Tree::load(&project.path(""), source)?;
    Ok(tree.files().map(|(_, file)| file.name.clone()).collect())
}

/// Fails if a room imports a later room, or if a crate with `rejects_file_cycles` has a cycle. The error lists all places.
pub(crate) fn check(project: &Project) -> Result<()> {
    fail_on(&problems(project, |layers| layers.rejects_file_cycles))
}

/// Fails if any crate breaks a rule: an import of a later room, a cycle, or a room that [`CRATES`] does not list.
fn check_all(project: &Project) -> Result<()> {
    fail_on(&problems(project, |_| true))
}

fn fail_on(problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n\n{} violations of the order of rooms", problems.join("\n"), problems.len())
}

/// The problems of all crates. Cycles inside a room are included for the crates that `includes_file_cycles` selects.
fn problems(project: &Project, includes_file_cycles: impl Fn(&Layers) -> bool) -> Vec<String> {
    let root = project.path("");
    let mut problems = Vec::new();
    for layers in CRATES {
        match rules::problems(&root, layers.source, layers.rooms) {
            Ok(found) => {
                problems.extend(found.between_rooms);
                if includes_file_cycles(layers) {
                    problems.extend(found.inside_rooms);
                }
            }
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    problems
}

/// The options of `cargo xtask layers`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Print which file uses which other file, and not only which room
    #[arg(long)]
    files: bool,
}

/// Prints which rooms or files use each other, and fails if any crate breaks a rule.
pub(crate) fn layers(project: &Project, options: Options) -> Result<()> {
    let detail = if options.files { Detail::Files } else { Detail::Rooms };
    println!("{}", show(project, detail)?);
    check_all(project)
}

/// The nodes of the graph that `cargo xtask layers` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Rooms,
    Files,
}

/// The graph of each crate, with one line per edge.
fn show(project: &Project, detail: Detail) -> Result<String> {
    let root = project.path("");
    let crates = CRATES.iter().map(|layers| report::edges(&root, layers.source, detail));
    Ok(crates.collect::<Result<Vec<_>>>()?.join("\n"))
}
