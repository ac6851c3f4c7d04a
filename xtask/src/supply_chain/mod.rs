//! `cargo xtask supply-chain`: what ships and under which licences, what is withdrawn or has advisories as far as the
//! registries say, and what each direct dependency is for.

mod advisories;
mod licences;
mod purposes;

use anyhow::{Result, bail};
use clap::Args;

use crate::project::Project;
use crate::step::run_quietly;
use crate::tools::{TARGET, WASI};

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Write docs/dependencies.md
    #[arg(long)]
    write: bool,
    /// Ask no registry
    #[arg(long)]
    offline: bool,
}

/// Something that ships.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Artefact {
    /// What it is.
    pub(crate) name: &'static str,
    /// Its package.
    pub(crate) package: &'static str,
    /// The features that it is built with.
    features: &'static str,
    /// The target that it is built for.
    target: &'static str,
}

/// The Worker as it is deployed.
pub(crate) const WORKER: Artefact =
    Artefact { name: "the Worker", package: "vestibule", features: "entry", target: TARGET };

/// Everything that ships. The npm package consists of the first two, and has no dependencies from npm.
const ARTEFACTS: [Artefact; 4] = [
    WORKER,
    Artefact { name: "the commands", package: "vestibule-check", features: "", target: TARGET },
    Artefact {
        name: "the server",
        package: "vestibule-server",
        features: "",
        target: "x86_64-unknown-linux-gnu",
    },
    Artefact { name: "the component", package: "vestibule-wasi", features: "", target: WASI },
];

/// A crate that is linked into an artefact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Linked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// As its author wrote it.
    pub(crate) licence: String,
}

/// The crates that are linked into an artefact, sorted, each once. `cargo metadata` would add those that only the tests'
/// features need.
pub(crate) fn linked(project: &Project, artefact: &Artefact) -> Result<Vec<Linked>> {
    let mut command = project.cargo();
    command.args(["tree", "--quiet", "--locked", "--package", artefact.package]);
    command.args(["--target", artefact.target, "--features", artefact.features]);
    command.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p} | {l}"]);
    let list = run_quietly(&mut command)?;
    let mut found: Vec<Linked> = list.lines().filter_map(read).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// A line of `cargo tree`: `name v1.2.3 (/path) | MIT (*)`.
fn read(line: &str) -> Option<Linked> {
    let (package, licence) = line.split_once(" | ")?;
    let (name, version) = package.split_once(" v")?;
    Some(Linked {
        name: name.to_owned(),
        version: version.split_whitespace().next()?.to_owned(),
        licence: licence.trim_end_matches("(*)").trim().to_owned(),
    })
}

/// Checks everything and prints it.
pub(crate) fn supply_chain(project: &Project, options: Options) -> Result<()> {
    let mut problems = Vec::new();
    let mut shipped = Vec::new();
    println!("| what ships | target | crates | licences |\n|---|---|---:|---|");
    for artefact in ARTEFACTS {
        let crates = linked(project, &artefact)?;
        let summary = licences::summary(&crates);
        println!("| {} | {} | {} | {summary} |", artefact.name, artefact.target, crates.len());
        problems.extend(licences::problems(&artefact, &crates));
        problems.extend(purposes::several_versions(&artefact, &crates)?);
        shipped.extend(crates);
    }
    shipped.sort_unstable();
    shipped.dedup();
    let document = purposes::document(project)?;
    problems.extend(document.problems);
    if options.write {
        purposes::write(project, &document.text)?;
    } else if !purposes::is_current(project, &document.text)? {
        problems.push(format!("{} is out of date: cargo xtask supply-chain --write", purposes::DOCUMENT));
    }
    println!();
    for finding in advisories::ask(project, &shipped, options.offline) {
        match finding {
            advisories::Finding::Fine(text) | advisories::Finding::Unknown(text) => println!("{text}"),
            advisories::Finding::Problem(text) => problems.push(text),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n\n{} problems", problems.join("\n"), problems.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read as read_options;

    #[test]
    fn options_are_read() {
        let options = read_options::<Options>(&["--write", "--offline"]).unwrap();
        assert_eq!(options, Options { write: true, offline: true });
    }

    #[test]
    fn a_line_of_the_tree_is_a_crate_with_its_licence() {
        let expected =
            Linked { name: "a-b".into(), version: "1.2.3".into(), licence: "MIT OR Apache-2.0".into() };
        for line in ["a-b v1.2.3 | MIT OR Apache-2.0 (*)", "a-b v1.2.3 (/some/where) | MIT OR Apache-2.0"] {
            assert_eq!(read(line), Some(expected.clone()));
        }
        assert_eq!(read(""), None);
    }

    #[test]
    fn what_ships_has_allowed_licences_and_known_duplicates_and_the_document_is_current() {
        let project = Project::find().unwrap();
        for artefact in ARTEFACTS {
            let crates = linked(&project, &artefact).unwrap();
            assert!(crates.len() > 50, "{}: {} crates", artefact.name, crates.len());
            assert_eq!(licences::problems(&artefact, &crates), [""; 0]);
            assert_eq!(purposes::several_versions(&artefact, &crates).unwrap(), [""; 0]);
        }
        let document = purposes::document(&project).unwrap();
        assert_eq!(document.problems, [""; 0]);
        assert!(
            purposes::is_current(&project, &document.text).unwrap(),
            "out of date: cargo xtask supply-chain --write"
        );
    }
}
