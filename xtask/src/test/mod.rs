//! `cargo xtask test`: every check that has to pass before a change is merged, or the tests that match one name.

mod only;
mod steps;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use self::steps::Step;
use crate::project::Project;
use crate::step::step;
use crate::time::{Stopwatch, show};

/// The options on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Skip the steps that need a browser, and those with other projects' frameworks
    #[arg(long)]
    quick: bool,
    /// Run only the tests that match this name, and build only what they need
    ///
    /// NAME is a test target (`flows`), a target and a part of a test's name (`flows::refresh`), the same with the
    /// package in front (`vestibule-core::flows::refresh`), or a part of a test's name in any target (`refresh`). The
    /// library of a package and a program are also targets: they contain unit tests. The Worker is built only for a
    /// target that starts it, and such a target runs only if NAME contains its name.
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    only: Option<String>,
}

/// Runs all steps and stops at the first one that fails, or runs the tests that `--only` names.
pub(crate) fn test(project: &Project, options: &Options) -> Result<()> {
    match &options.only {
        Some(name) => only::run(project, name),
        None => run_all(project, options.quick),
    }
}

fn run_all(project: &Project, quick: bool) -> Result<()> {
    let steps = steps::all(project, quick);
    let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
    println!("{} steps: {}", steps.len(), names.join("; "));
    let total = Stopwatch::start();
    let mut times = Vec::new();
    let result = steps.iter().try_for_each(|Step { name, work }| {
        let watch = Stopwatch::start();
        let result = step(name, work);
        times.push((*name, watch.elapsed()));
        result
    });
    println!("\n{}", table(&times, total.elapsed()));
    if result.is_ok() {
        let skipped =
            if quick { "; skipped: the other steps that need a browser, and the frameworks" } else { "" };
        println!("\npassed in {total}{skipped}");
    }
    result
}

/// A table of the duration of each step and of all steps.
fn table(times: &[(&str, Duration)], total: Duration) -> String {
    let width = times.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut table = String::new();
    for (name, time) in times {
        let _ = writeln!(table, "{name:width$}  {:>12}", show(*time));
    }
    let _ = write!(table, "{:width$}  {:>12}", "total", show(total));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_misspelt_flag_does_not_run_everything() {
        assert_eq!(read::<Options>(&["--quick"]).unwrap(), Options { quick: true, only: None });
        assert!(read::<Options>(&["--quik"]).unwrap_err().to_string().contains("--quik"));
        assert!(read::<Options>(&["--only"]).is_err());
        assert!(read::<Options>(&["--only", "flows", "--quick"]).is_err());
        assert!(read::<Options>(&["flows"]).is_err());
    }

    #[test]
    fn the_table_has_a_line_for_each_step_and_one_for_the_total() {
        let times = [("format", Duration::from_millis(1240)), ("clippy, native", Duration::from_secs(75))];
        let expected =
            "format                 1.2 s\nclippy, native    1 min 15 s\ntotal             1 min 16 s";
        assert_eq!(table(&times, Duration::from_secs(76)), expected);
    }
}
