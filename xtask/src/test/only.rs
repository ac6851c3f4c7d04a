//! `cargo xtask test --only NAME`: runs the tests that match a name, with cargo's own selection of targets.

use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::step;
use crate::time::Stopwatch;
use crate::tools;
use crate::workspace::{Package, Target, Workspace};

/// Test targets that start the Worker in build/, or another runtime. They are listed here because the output of `cargo
/// metadata` does not show it: the harness they use is a dependency of their whole package.
pub(super) const SUITES: [&str; 4] = ["worker", "worker_refresh", "authjs", "conformance"];

/// The one of these that also starts nginx.
const NGINX_TARGET: &str = "worker";

/// Runs the tests that match `name`. No match is an error: a misspelt name must not look like passing tests.
pub(super) fn run(project: &Project, name: &str) -> Result<()> {
    let watch = Stopwatch::start();
    let workspace = Workspace::read(project)?;
    let selection = Selection::of(&workspace, name)?;
    println!("{}", selection.describe());
    tools::ensure_npm(project)?;
    if selection.has(NGINX_TARGET) {
        tools::ensure_nginx(project)?;
    }
    if SUITES.iter().any(|target| selection.has(target)) {
        build::build(project, Effort::Optimized)?;
    }
    let command = selection.command(project);
    let tests = step("cargo test", || run_and_count(command))?;
    ensure!(
        tests > 0 || selection.is_one_program(),
        "no {}; the test targets are: {}",
        selection.describe(),
        targets(&workspace).join(", ")
    );
    let counted = if tests == 1 { "1 test".to_owned() } else { format!("{tests} tests") };
    println!("\npassed in {watch}: {}", if tests == 0 { name } else { &counted });
    Ok(())
}

/// The targets and tests that a name selects.
#[derive(Debug, PartialEq, Eq)]
struct Selection<'a> {
    targets: Vec<(&'a str, &'a Target)>,
    /// The text that a test's name has to contain.
    filter: Option<String>,
    /// Whether the name contains no target. All targets are searched then, except those that start the Worker.
    is_any_target: bool,
}

impl<'a> Selection<'a> {
    fn of(workspace: &'a Workspace, name: &str) -> Result<Selection<'a>> {
        let path = name.strip_suffix("::").unwrap_or(name);
        let words: Vec<&str> = path.split("::").collect();
        ensure!(
            words.iter().all(|word| !word.is_empty()),
            "`{name}` is not a valid name: write for example flows::refresh"
        );
        // A trailing `::` stays in the filter, so that `flows::refresh::` does not select `refresh_trouble`.
        let end = name.strip_prefix(path).unwrap_or_default();
        let all = || workspace.packages.iter().flat_map(tests_of);
        let named = |package: Option<&str>, target: &str| -> Vec<_> {
            all()
                .filter(|(of, it)| {
                    package.is_none_or(|package| is_same(of, package)) && is_same(&it.name, target)
                })
                .collect()
        };
        let selected = match words.as_slice() {
            [package, target, rest @ ..] if !named(Some(package), target).is_empty() => {
                Some((named(Some(package), target), rest))
            }
            [target, rest @ ..] if !named(None, target).is_empty() => Some((named(None, target), rest)),
            _ => None,
        };
        let Some((targets, rest)) = selected else {
            let is_searched =
                |(_, target): &(&str, &Target)| target.has_harness && !SUITES.contains(&target.name.as_str());
            let targets = all().filter(is_searched).collect();
            return Ok(Selection { targets, filter: Some(name.to_owned()), is_any_target: true });
        };
        let filter = (!rest.is_empty()).then(|| rest.join("::") + end);
        if let (Some(filter), Some((_, program))) = (&filter, targets.iter().find(|(_, it)| !it.has_harness))
        {
            bail!(
                "{} is a single program without named tests, so `{filter}` cannot select one: leave it out",
                program.name
            );
        }
        Ok(Selection { targets, filter, is_any_target: false })
    }

    fn has(&self, target: &str) -> bool {
        self.targets.iter().any(|(_, it)| it.name == target)
    }

    fn is_one_program(&self) -> bool {
        self.targets.iter().any(|(_, target)| !target.has_harness)
    }

    fn describe(&self) -> String {
        let names: Vec<String> =
            self.targets.iter().map(|(package, target)| format!("{package}::{}", target.name)).collect();
        let tests = match &self.filter {
            Some(filter) => format!("tests with `{filter}` in their names"),
            None => "all tests".to_owned(),
        };
        let skipped = if self.is_any_target {
            format!(
                "\n(skipped: {}, which start the built Worker; name the target to run them)",
                SUITES.join(", ")
            )
        } else {
            String::new()
        };
        format!("{tests} of {}{skipped}", names.join(", "))
    }

    /// The command for all selected targets in one run of cargo, so that a shared dependency is compiled once and with the
    /// same features as by `cargo test --workspace`.
    fn command(&self, project: &Project) -> Command {
        let mut words: Vec<&str> = Vec::new();
        for (package, target) in &self.targets {
            for flag in [vec!["--package", *package], flag(target).unwrap_or_default()] {
                if !words.windows(flag.len()).any(|earlier| earlier == flag) {
                    words.extend(flag);
                }
            }
        }
        let mut command = project.cargo();
        command.arg("test").args(words);
        if self.is_one_program() {
            return command;
        }
        // The test harness prints to a pipe here, and would leave out colors.
        let color = std::io::stdout().is_terminal().then_some("--color=always");
        let arguments: Vec<&str> = self.filter.as_deref().into_iter().chain(color).collect();
        if !arguments.is_empty() {
            command.arg("--").args(arguments);
        }
        command
    }
}

/// The targets of a package that `cargo test` runs, each with the package's name.
fn tests_of(package: &Package) -> impl Iterator<Item = (&str, &Target)> {
    let targets = package.targets.iter().filter(|target| target.test && flag(target).is_some());
    targets.map(|target| (package.name.as_str(), target))
}

/// The arguments that make cargo select this target; `None` if it has no tests.
fn flag(target: &Target) -> Option<Vec<&str>> {
    match target.kind.first()?.as_str() {
        "test" => Some(vec!["--test", &target.name]),
        "bin" => Some(vec!["--bin", &target.name]),
        "lib" | "rlib" | "cdylib" | "dylib" | "staticlib" | "proc-macro" => Some(vec!["--lib"]),
        _ => None,
    }
}

/// Whether both names are the same, except for `-` and `_`: the package `a-b` has the library `a_b`.
fn is_same(name: &str, written: &str) -> bool {
    name.replace('-', "_") == written.replace('-', "_")
}

fn targets(workspace: &Workspace) -> Vec<&str> {
    workspace.packages.iter().flat_map(tests_of).map(|(_, target)| target.name.as_str()).collect()
}

/// Runs cargo, prints its output, and counts the tests.
fn run_and_count(mut command: Command) -> Result<usize> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut filter = OutputFilter::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if filter.shows(&line) {
                println!("{line}");
            }
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "the tests ended with {status}");
    Ok(filter.tests)
}

/// Counts the tests in the output of the test harness, and hides targets without a matching test.
#[derive(Debug, Default)]
struct OutputFilter {
    tests: usize,
    /// Whether the current lines report a target without a matching test.
    is_empty: bool,
    last_was_blank: bool,
}

impl OutputFilter {
    /// Reads the next line, and says whether to show it.
    fn shows(&mut self, line: &str) -> bool {
        if let Some(count) =
            line.strip_prefix("running ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok())
        {
            self.tests += count;
            self.is_empty = count == 0;
        }
        let is_hidden = self.is_empty;
        if line.starts_with("test result:") {
            self.is_empty = false;
        }
        let is_repeated_blank = line.is_empty() && self.last_was_blank;
        if !is_hidden {
            self.last_was_blank = line.is_empty();
        }
        !is_hidden && !is_repeated_blank
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::show;

    fn workspace() -> Workspace {
        Workspace::read(&Project::find().unwrap()).unwrap()
    }

    /// The targets that a name selects, and the filter.
    fn selected(name: &str) -> (Vec<String>, Option<String>) {
        let workspace = workspace();
        let selection = Selection::of(&workspace, name).unwrap();
        let names = selection.targets.iter().map(|(_, target)| target.name.clone()).collect();
        (names, selection.filter)
    }

    fn one(target: &str, filter: Option<&str>) -> (Vec<String>, Option<String>) {
        (vec![target.to_owned()], filter.map(ToOwned::to_owned))
    }

    #[test]
    fn a_target_is_found_in_any_package() {
        let workspace = workspace();
        let (package, _) =
            workspace.packages.iter().flat_map(tests_of).find(|(_, it)| it.name == "flows").unwrap();
        assert_eq!(selected("flows"), one("flows", None));
        assert_eq!(selected("flows::refresh"), one("flows", Some("refresh")));
        assert_eq!(selected("flows::refresh::"), one("flows", Some("refresh::")));
        assert_eq!(selected("flows::"), one("flows", None));
        assert_eq!(selected("flows::api::a_test"), one("flows", Some("api::a_test")));
        assert_eq!(selected(&format!("{package}::flows")), one("flows", None));
        assert_eq!(selected(&format!("{package}::flows::refresh::x")), one("flows", Some("refresh::x")));
        assert_eq!(selected("xtask::only"), one("xtask", Some("only")));
        assert_eq!(selected("miniflare-test-harness::jar"), one("miniflare_test_harness", Some("jar")));
    }

    #[test]
    fn a_name_without_a_target_searches_the_targets_that_do_not_start_the_worker() {
        let (targets, filter) = selected("refresh::ends");
        assert_eq!(filter.as_deref(), Some("refresh::ends"));
        for target in ["flows", "guard", "xtask"] {
            assert!(targets.iter().any(|it| it == target), "{target} in {targets:?}");
        }
        // `race` is a program and would run as a whole.
        assert!(!targets.iter().any(|it| it == "race" || SUITES.contains(&it.as_str())), "{targets:?}");
    }

    #[test]
    fn the_targets_that_start_the_worker_exist() {
        let workspace = workspace();
        for name in SUITES {
            let selection = Selection::of(&workspace, &format!("{name}::x")).unwrap();
            assert!(selection.has(name) && !selection.is_any_target, "{name}");
        }
        assert!(SUITES.contains(&NGINX_TARGET));
    }

    #[test]
    fn a_name_that_selects_nothing_is_rejected() {
        let workspace = workspace();
        for name in ["", "::", "flows::::x", "::refresh", "race::x"] {
            assert!(Selection::of(&workspace, name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_cargo_command_contains_the_target_and_the_filter() {
        let workspace = workspace();
        let project = Project::find().unwrap();
        let command = |name| show(&Selection::of(&workspace, name).unwrap().command(&project));
        let xtask = command("xtask::only");
        assert!(xtask.contains(" test --package xtask --bin xtask -- only"), "{xtask}");
        let race = command("race");
        assert!(race.ends_with("--test race"), "{race}");
        let any = command("a_name");
        assert!(any.contains("--bin xtask") && any.contains("--test flows"), "{any}");
        assert_eq!(any.matches("--lib").count(), 1, "{any}");
        assert_eq!(any.matches("--package xtask ").count(), 1, "{any}");
    }

    #[test]
    fn tests_are_counted_and_targets_without_a_match_are_hidden() {
        let output = "\nrunning 0 tests\n\ntest result: ok. 0 passed\n\n\nrunning 2 tests\ntest a ... ok\n\
            test b ... ok\n\ntest result: ok. 2 passed\n\n\nrunning 1 test\ntest c ... ok\n\ntest result: ok. 1 passed\n";
        let mut filter = OutputFilter::default();
        let shown: Vec<&str> = output.lines().filter(|line| filter.shows(line)).collect();
        assert_eq!(filter.tests, 3);
        let expected = "\nrunning 2 tests\ntest a ... ok\ntest b ... ok\n\ntest result: ok. 2 passed\n\n\
            running 1 test\ntest c ... ok\n\ntest result: ok. 1 passed";
        assert_eq!(shown.join("\n"), expected);
    }
}
