//! `cargo xtask coverage`: which lines and branches of the core the tests run. cargo-llvm-cov builds the tests with the
//! compiler's instrumentation, on a nightly compiler: only that one counts branches.

mod export;
mod source;
mod table;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::export::Counts;
use crate::project::Project;
use crate::step::{run_quietly, step};
use crate::tools;

/// The sources that are measured, without their tests.
const SOURCES: [&str; 2] = ["crates/oidc/src", "crates/core/src"];

/// The tests that run. Those of the root package have the refused configurations, and the documents of the keys.
const TESTS: &[&str] = &[
    "--package=vestibule-oidc",
    "--package=vestibule-core",
    "--package=vestibule",
    "--lib",
    "--test=jws",
    "--test=flows",
    "--test=guard",
    "--test=providers",
    "--test=configuration",
    "--test=reference",
];

/// The least share of lines and of branches, in percent.
const LINES: f64 = 96.0;
const BRANCHES: f64 = 85.0;

/// What cargo-llvm-cov writes, and the list of what is not covered.
const EXPORT: &str = "target/coverage/export.json";
const LIST: &str = "target/coverage/uncovered.txt";

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// List what is not covered of the files whose paths contain this text only
    #[arg(long, value_name = "TEXT", default_value = "")]
    file: String,
    /// Print what the last run measured
    #[arg(long)]
    last: bool,
}

/// Runs the tests, and prints the coverage of each room and what is not covered. Fails below the limits.
pub(crate) fn coverage(project: &Project, options: &Options) -> Result<()> {
    if !options.last {
        measure(project)?;
    }
    let text = std::fs::read_to_string(project.path(EXPORT))
        .context("there is no earlier measurement: leave out --last")?;
    let mut files = export::read(&text, &project.path(""))?;
    files.retain(|file| SOURCES.iter().any(|source| Path::new(&file.name).starts_with(source)));
    for file in &mut files {
        source::forget_tests(&project.path(""), file)?;
    }
    let all = source::files(project, &SOURCES)?;
    files.retain(|file| all.contains(&file.name) && !file.is_empty());

    let list = table::uncovered(&files, "");
    std::fs::write(project.path(LIST), &list).with_context(|| format!("cannot write {LIST}"))?;
    print!("{}", table::uncovered(&files, &options.file));
    println!(
        "\nThe list is in {LIST}: `file: lines`, and `file:line:column` of branches of which one way is not taken.\n"
    );
    println!("{}", table::rooms(&files, &SOURCES));
    let total = files.iter().map(export::File::counts).fold(Counts::default(), Counts::plus);
    println!("at least {LINES} % of lines and {BRANCHES} % of branches");
    if total.lines.percent() < LINES || total.branches.percent() < BRANCHES {
        bail!(
            "the tests cover too little: write the tests that are missing, or remove code that nothing reaches"
        );
    }
    Ok(())
}

/// Builds and runs the tests, and exports what they ran.
fn measure(project: &Project) -> Result<()> {
    tools::ensure_nightly(project)?;
    let program = tools::ensure_program(project, tools::LLVM_COV)?;
    let export = project.path(EXPORT);
    let directory = export.parent().context("the export is in no directory")?;
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let command = |words: &[&str]| -> Command {
        let mut command = project.command(&program);
        command.env("RUSTUP_TOOLCHAIN", "nightly").arg("llvm-cov").args(words);
        // Those of the compiler that runs this program.
        command.env_remove("CARGO").env_remove("RUSTC");
        command
    };
    // What an earlier run wrote.
    run_quietly(&mut command(&["clean", "--profraw-only"]))?;
    step("tests with instrumentation", || {
        let mut tests = command(&["--branch", "--no-report"]);
        run_quietly(tests.args(TESTS)).map(drop)
    })?;
    step("export", || {
        // Without the defaults, which leave out directories by words in their paths: this command chooses by SOURCES.
        let choice =
            ["--no-default-ignore-filename-regex", "--ignore-filename-regex", "/(registry|rustlib)/"];
        let mut report = command(&["report", "--branch", "--json", "--skip-functions"]);
        run_quietly(report.args(choice).arg("--output-path").arg(&export)).map(drop)
    })
}
