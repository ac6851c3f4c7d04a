//! The tables in `docs/fuzzing.md`: what all runs did, and which functions each target reads with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::accounts::{self, Accounts, Sum};
use super::program::Target;
use crate::marked::between;
use crate::project::Project;

/// The document, and the markers around the tables.
const DOCUMENT: &str = "docs/fuzzing.md";

/// Writes both tables.
pub(super) fn write(project: &Project, targets: &[Target]) -> Result<()> {
    let path = project.path(DOCUMENT);
    let mut text = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    for (name, table) in [("fuzz", runs(targets, &accounts::all(project)?)), ("readers", readers(targets))] {
        let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
        text = between(&begin, &end, &text, &table).context(DOCUMENT)?;
    }
    fs::write(&path, text).with_context(|| format!("cannot write {DOCUMENT}"))
}

/// What all runs of each target did.
fn runs(targets: &[Target], accounts: &Accounts) -> String {
    let mut table = "| target | what is read, and what it is compared with | executions | with coverage | CPU minutes |\n\
                     |---|---|---:|---:|---:|\n"
        .to_owned();
    let mut sums = [Sum::default(); 2];
    for target in targets {
        let of_engine = |engine| {
            let found = accounts.get(&target.name).and_then(|engines| engines.get(engine));
            found.copied().unwrap_or_default()
        };
        let engines = ["stable", "coverage"].map(of_engine);
        for (sum, of_target) in sums.iter_mut().zip(engines) {
            sum.executions += of_target.executions;
            sum.cpu_seconds += of_target.cpu_seconds;
        }
        let [stable, coverage] = engines;
        let minutes = (stable.cpu_seconds + coverage.cpu_seconds) / 60.0;
        let executions = [stable.executions + coverage.executions, coverage.executions];
        let Target { name, about, .. } = target;
        let _ =
            writeln!(table, "| `{name}` | {about} | {} | {} | {minutes:.1} |", executions[0], executions[1]);
    }
    let [stable, coverage] = sums;
    let _ = write!(
        table,
        "\n{} targets, {} executions in {:.1} CPU hours; with coverage {} in {:.1} CPU hours.",
        targets.len(),
        stable.executions + coverage.executions,
        (stable.cpu_seconds + coverage.cpu_seconds) / 3600.0,
        coverage.executions,
        coverage.cpu_seconds / 3600.0
    );
    table
}

/// The functions that read what others write, by module, and the targets that call them.
fn readers(targets: &[Target]) -> String {
    let mut modules: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for target in targets {
        for path in &target.reads {
            let (module, name) = split(path);
            modules.entry(module).or_default().entry(name).or_default().push(&target.name);
        }
    }
    let mut table = "| module | functions | targets |\n|---|---|---|\n".to_owned();
    for (module, functions) in modules {
        let names: Vec<String> = functions.keys().map(|name| format!("`{name}`")).collect();
        let mut targets: Vec<&str> = functions.into_values().flatten().collect();
        targets.sort_unstable();
        targets.dedup();
        let targets: Vec<String> = targets.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| `{module}` | {} | {} |", names.join(", "), targets.join(", "));
    }
    table.trim_end().to_owned()
}

/// The module of a function, and its name with that of its type.
fn split(path: &str) -> (&str, &str) {
    let of_type = path.match_indices("::").find(|(at, _)| {
        path.get(at + 2..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    });
    let at = of_type.map(|(at, _)| at).or_else(|| path.rfind("::"));
    at.and_then(|at| Some((path.get(..at)?, path.get(at + 2..)?))).unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, reads: &[&str]) -> Target {
        let reads = reads.iter().map(ToString::to_string).collect();
        Target { name: name.to_owned(), about: "a thing".to_owned(), reads, slice: 1 }
    }

    #[test]
    fn the_runs_of_both_engines_are_added_up() {
        let sum = |executions, cpu_seconds| Sum { executions, cpu_seconds };
        let engines = [("stable", sum(10, 60.0)), ("coverage", sum(5, 30.0))];
        let engines = engines.into_iter().map(|(name, sum)| (name.to_owned(), sum)).collect();
        let table = runs(&[target("a", &[]), target("b", &[])], &[("a".to_owned(), engines)].into());
        assert!(
            table.contains("| `a` | a thing | 15 | 5 | 1.5 |\n| `b` | a thing | 0 | 0 | 0.0 |\n"),
            "{table}"
        );
        assert!(
            table.ends_with("2 targets, 15 executions in 0.0 CPU hours; with coverage 5 in 0.0 CPU hours.")
        );
    }

    #[test]
    fn a_module_has_one_line_with_its_functions_and_their_targets() {
        let table = readers(&[
            target("a", &["m::n::T::parse", "m::n::read"]),
            target("b", &["m::n::read", "m::o::read"]),
        ]);
        assert!(
            table.ends_with("| `m::n` | `T::parse`, `read` | `a`, `b` |\n| `m::o` | `read` | `b` |"),
            "{table}"
        );
    }
}
