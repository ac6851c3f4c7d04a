//! `cargo xtask supply-chain`: what ships and under which licences, what is withdrawn or has advisories as far as the
//! registries say, and what each direct dependency is for.

mod advisories;
mod licences;
mod metadata;
mod native;
mod purposes;

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Result, bail};
use clap::Args;

use self::metadata::Metadata;
use self::native::Manifests;
use self::purposes::Purposes;
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
    /// The features that it is built with, and whether also with those by default.
    features: &'static str,
    default_features: bool,
    /// The target that it is built for.
    target: &'static str,
}

/// The Worker as it is deployed.
pub(crate) const WORKER: Artefact = Artefact {
    name: "the Worker",
    package: "vestibule",
    features: "entry",
    default_features: true,
    target: TARGET,
};

/// The component in its build for Redis.
const COMPONENT: Artefact = Artefact {
    name: "the component",
    package: "vestibule-wasi",
    features: "",
    default_features: true,
    target: WASI,
};

/// Everything that ships. The npm package consists of the first two, and has no dependencies from npm.
const ARTEFACTS: [Artefact; 6] = [
    WORKER,
    Artefact { name: "the commands", package: "vestibule-check", features: "", ..WORKER },
    Artefact {
        name: "the server",
        package: "vestibule-server",
        features: "",
        target: "x86_64-unknown-linux-gnu",
        ..WORKER
    },
    COMPONENT,
    Artefact {
        name: "the component for wasi:keyvalue",
        features: "keyvalue",
        default_features: false,
        ..COMPONENT
    },
    Artefact { name: "the component without a store", default_features: false, ..COMPONENT },
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
    if !artefact.default_features {
        command.arg("--no-default-features");
    }
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

/// What is in everything that ships.
struct Contents {
    metadata: Metadata,
    manifests: Manifests,
    artefacts: Vec<(Artefact, Vec<Linked>)>,
}

impl Contents {
    fn read(project: &Project) -> Result<Self> {
        let read = |artefact: Artefact| Ok((artefact, linked(project, &artefact)?));
        let artefacts = ARTEFACTS.into_iter().map(read).collect::<Result<_>>()?;
        let metadata = Metadata::read(project)?;
        Ok(Self { manifests: Manifests::new(&metadata), metadata, artefacts })
    }

    /// The table of what ships, with a heading.
    fn table(&self) -> String {
        let mut table = String::from(
            "| what ships | target | crates | of them in C | licences |\n|---|---|---:|---|---|\n",
        );
        for (artefact, crates) in &self.artefacts {
            let in_c: Vec<String> = self.manifests.in_c(crates).map(|name| format!("`{name}`")).collect();
            let in_c = if in_c.is_empty() { "–".to_owned() } else { in_c.join(", ") };
            let summary = licences::summary(crates);
            let _ = writeln!(
                table,
                "| {} | {} | {} | {in_c} | {summary} |",
                artefact.name,
                artefact.target,
                crates.len()
            );
        }
        table
    }

    /// Everything that must not ship.
    fn problems(&self) -> Result<Vec<String>> {
        let purposes = Purposes::read()?;
        let of_one = |(artefact, crates): &(Artefact, Vec<Linked>)| {
            let mut problems = licences::problems(artefact, crates);
            problems.extend(purposes.several_versions(artefact, crates));
            problems.extend(self.manifests.problems(artefact, crates, &purposes.links));
            problems
        };
        Ok(self.artefacts.iter().flat_map(of_one).collect())
    }

    /// All crates that ship, each once.
    fn crates(&self) -> BTreeSet<&Linked> {
        self.artefacts.iter().flat_map(|(_, crates)| crates).collect()
    }
}

/// Checks everything and prints it.
pub(crate) fn supply_chain(project: &Project, options: Options) -> Result<()> {
    let contents = Contents::read(project)?;
    print!("{}", contents.table());
    let mut problems = contents.problems()?;
    let document = purposes::document(project, &contents)?;
    problems.extend(document.problems);
    if options.write {
        purposes::write(project, &document.text)?;
    } else if !purposes::is_current(project, &document.text)? {
        problems.push(format!("{} is out of date: cargo xtask supply-chain --write", purposes::DOCUMENT));
    }
    println!();
    for finding in advisories::ask(project, &contents.crates(), options.offline) {
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
        let contents = Contents::read(&project).unwrap();
        for (artefact, crates) in &contents.artefacts {
            assert!(crates.len() > 50, "{}: {} crates", artefact.name, crates.len());
        }
        assert_eq!(contents.problems().unwrap(), [""; 0]);
        let document = purposes::document(&project, &contents).unwrap();
        assert_eq!(document.problems, [""; 0]);
        assert!(
            purposes::is_current(&project, &document.text).unwrap(),
            "out of date: cargo xtask supply-chain --write"
        );
    }

    #[test]
    fn the_components_for_other_hosts_are_listed_with_what_they_contain() {
        let project = Project::find().unwrap();
        let components = ARTEFACTS.iter().filter(|artefact| artefact.package == COMPONENT.package);
        let has_key_value = components.map(|artefact| {
            let crates = linked(&project, artefact).unwrap();
            crates.iter().any(|one| one.name == "vestibule-keyvalue")
        });
        assert_eq!(has_key_value.collect::<Vec<_>>(), [false, true, false]);
    }
}
