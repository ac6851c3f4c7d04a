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

use anyhow::{Result, bail};

use crate::project::Project;

/// A crate, and the order of its rooms.
struct Layers {
    /// Where its `lib.rs` is.
    source: &'static str,
    /// Its rooms, the ground first; `None` where they have no order. The crate's root stands on top of all.
    rooms: Option<&'static [&'static str]>,
    /// Whether `cargo xtask test` refuses circles among the files of a room. Where it does not, `cargo xtask layers`
    /// lists them.
    without_circles: bool,
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
        without_circles: true,
    },
    Layers {
        source: "crates/core/src",
        rooms: Some(&[
            "session", "upstream", "guard", "outcome", "log", "platform", "lease", "hooks", "error",
            "config", "flow", "handle", "explain",
        ]),
        without_circles: true,
    },
    Layers { source: "src", rooms: None, without_circles: true },
];

/// Fails with every import that runs upwards, and with the circles of a crate that is to have none.
pub(crate) fn check(project: &Project) -> Result<()> {
    refuse(&problems(project, |layers| layers.without_circles))
}

/// Fails with what is wrong in any crate: every import that runs upwards, one circle at a time, and every room that the
/// table does not know.
fn check_all(project: &Project) -> Result<()> {
    refuse(&problems(project, |_| true))
}

fn refuse(problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n\n{} of the layers' rules broken", problems.join("\n"), problems.len())
}

/// What is wrong in all crates; circles inside of rooms where these count.
fn problems(project: &Project, circles_count: impl Fn(&Layers) -> bool) -> Vec<String> {
    let root = project.path("");
    let mut problems = Vec::new();
    for layers in CRATES {
        match rules::problems(&root, layers.source, layers.rooms) {
            Ok(found) => {
                problems.extend(found.between_rooms);
                if circles_count(layers) {
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
    /// Print which file uses which, not only which room
    #[arg(long)]
    files: bool,
}

/// Prints who uses whom, and fails with what is wrong in any crate.
pub(crate) fn layers(project: &Project, options: Options) -> Result<()> {
    let detail = if options.files { Detail::Files } else { Detail::Rooms };
    println!("{}", show(project, detail)?);
    check_all(project)
}

/// What `cargo xtask layers` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Rooms,
    Files,
}

/// Who uses whom in each crate, a line per edge.
fn show(project: &Project, detail: Detail) -> Result<String> {
    let root = project.path("");
    let crates = CRATES.iter().map(|layers| report::edges(&root, layers.source, detail));
    Ok(crates.collect::<Result<Vec<_>>>()?.join("\n"))
}
