//! `cargo xtask test`: every check that has to pass before a change is merged, or the tests that match one name.

mod lane;
mod only;
mod runtimes;
mod steps;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use self::lane::Lane;
use self::steps::Step;
use crate::project::Project;
use crate::runtime::RuntimeName;
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
    /// Build this runtime and run on it the suites with real HTTP: authjs, worker, worker_refresh, conformance
    ///
    /// Prints which tests are not run there, and why. With `--only`, NAME is one of these suites, or with a part of a
    /// test's name `worker::cookies`.
    #[arg(long, value_name = "RUNTIME", conflicts_with = "quick")]
    runtime: Option<RuntimeName>,
    /// Run only the steps of this part, which the command itself runs beside others
    #[arg(long, value_name = "PART", conflicts_with_all = ["only", "runtime"], hide = true)]
    part: Option<Part>,
}

/// Steps that run beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What the tests and the walks start
    Build,
    /// The built Worker with programs of other projects
    Walks,
}

impl Part {
    /// Its name on the command line.
    fn name(self) -> &'static str {
        match self {
            Part::Build => "build",
            Part::Walks => "walks",
        }
    }
}

/// Runs all steps, or the tests that `--only` names.
pub(crate) fn test(project: &Project, options: &Options) -> Result<()> {
    if let Some(runtime) = options.runtime {
        return runtimes::run_all(project, runtime, options.only.as_deref());
    }
    match (&options.only, options.part) {
        (Some(name), _) => only::run(project, name),
        (None, Some(part)) => run_part(project, part, options.quick),
        (None, None) => run_all(project, options.quick),
    }
}

/// Runs the checks beside the build, then the tests beside the walks, and then what would be in their way.
fn run_all(project: &Project, quick: bool) -> Result<()> {
    let program = std::env::current_exe().context("this program has no path")?;
    let beside = |part: Part| {
        let quick = quick.then_some("--quick");
        let arguments: Vec<&str> = ["test", "--part", part.name()].into_iter().chain(quick).collect();
        Lane::start(project, &program, part.name(), &arguments)
    };
    let mut report = Report::start();
    let result = (|| {
        report.run(&steps::tools(project))?;
        let build = beside(Part::Build)?;
        let checked = report.run(&steps::checks(project));
        report.finish("build, beside the checks", build)?;
        checked?;
        let walks = beside(Part::Walks)?;
        let tested = report.run(&steps::tests(project));
        // Both are seen to the end: a failure of one may explain one of the other.
        let walked = report.finish("walks, beside the tests", walks);
        tested.and(walked)?;
        report.run(&steps::last(project, quick))
    })();
    println!("\n{}", report.table());
    if result.is_ok() {
        let skipped =
            if quick { "; skipped: the other steps that need a browser, and the frameworks" } else { "" };
        println!("\npassed in {}{skipped}", report.total);
    }
    result
}

/// Runs the steps of one part, for a lane.
fn run_part(project: &Project, part: Part, quick: bool) -> Result<()> {
    let steps = match part {
        Part::Build => steps::built(project),
        Part::Walks => steps::walks(project, quick),
    };
    let mut report = Report::start();
    let result = report.run(&steps);
    println!("\n{}", report.table());
    result
}

/// How long the steps took.
struct Report {
    times: Vec<(&'static str, Duration)>,
    total: Stopwatch,
}

impl Report {
    fn start() -> Self {
        Self { times: Vec::new(), total: Stopwatch::start() }
    }

    /// Runs steps, until one fails.
    fn run(&mut self, steps: &[Step<'_>]) -> Result<()> {
        steps.iter().try_for_each(|Step { name, work }| self.time(name, || step(name, work)))
    }

    /// Waits for the end of a lane. The time is that of the waiting.
    fn finish(&mut self, name: &'static str, lane: Lane) -> Result<()> {
        self.time(name, || lane.finish())
    }

    fn time(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let watch = Stopwatch::start();
        let result = work();
        self.times.push((name, watch.elapsed()));
        result
    }

    fn table(&self) -> String {
        table(&self.times, self.total.elapsed())
    }
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
        assert_eq!(read::<Options>(&["--quick"]).unwrap(), Options { quick: true, ..Options::default() });
        assert!(read::<Options>(&["--quik"]).unwrap_err().to_string().contains("--quik"));
        assert!(read::<Options>(&["--only"]).is_err());
        assert!(read::<Options>(&["--only", "flows", "--quick"]).is_err());
        assert!(read::<Options>(&["flows"]).is_err());
        assert!(read::<Options>(&["--runtime", "nativ"]).is_err());
        assert!(read::<Options>(&["--runtime", "native", "--quick"]).is_err());
    }

    #[test]
    fn the_table_has_a_line_for_each_step_and_one_for_the_total() {
        let times = [("format", Duration::from_millis(1240)), ("clippy, native", Duration::from_secs(75))];
        let expected =
            "format                 1.2 s\nclippy, native    1 min 15 s\ntotal             1 min 16 s";
        assert_eq!(table(&times, Duration::from_secs(76)), expected);
    }
}
