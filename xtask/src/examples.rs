//! Runs the applications of the stories (examples/) behind the Worker, in a real browser, by the scripts in
//! tests/browser/examples/.

use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build::{self, Effort};
use crate::project::Project;
use crate::stack::{Demo, Example, Ports, Purpose, Setup, Stack, Storage};
use crate::step::{run, step};
use crate::tools;

/// The example that is a part of every `cargo xtask test`.
const EVERYWHERE: Example = Example::NestjsCookies;

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only this example
    #[arg(value_name = "EXAMPLE")]
    only: Option<Example>,
}

/// `cargo xtask examples`: builds the Worker, and walks through all examples or one.
pub(crate) fn examples(project: &Project, options: Options) -> Result<()> {
    build::build(project, Effort::from_environment())?;
    let chromium = tools::ensure_chromium(project)?;
    let wanted = |example: &&Example| options.only.is_none_or(|only| only == **example);
    Example::value_variants()
        .iter()
        .filter(wanted)
        .try_for_each(|example| step(example.directory(), || walk(project, *example, &chromium)))
}

/// Walks through the example that runs with every test. The Worker has to be in `build/`.
pub(crate) fn run_everywhere(project: &Project) -> Result<()> {
    walk(project, EVERYWHERE, &tools::ensure_chromium(project)?)
}

/// Builds the application, starts it on free ports with its own storage, and runs its script. The script writes screenshots
/// to target/screenshots/.
fn walk(project: &Project, example: Example, chromium: &Path) -> Result<()> {
    example.prepare(project, Purpose::Test)?;
    let ports = Ports::free()?;
    let demo = Demo::Example(example, Purpose::Test);
    let stack =
        Stack::start(project, Setup::of(project, demo), ports, Storage::fresh(project, ports)?, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg(script(example));
    command.env("WALK_URL", stack.url()).env("WALK_APP_URL", ports.app_url());
    command.env("WALK_CHROMIUM", chromium).env("WALK_SCREENSHOTS", project.path("target/screenshots"));
    let result = run(&mut command);
    stack.stop();
    result
}

fn script(example: Example) -> String {
    format!("tests/browser/{}.mjs", example.directory())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    /// The lines of the code in `replaces/`, without empty ones and comments.
    fn replaced(project: &Project, example: Example) -> usize {
        let directory = project.path(&format!("{}/replaces", example.directory()));
        let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
        let lines = |file| -> usize {
            let text = std::fs::read_to_string(file).unwrap();
            let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//") && !line.starts_with('#');
            text.lines().map(str::trim).filter(is_code).count()
        };
        files.map(lines).sum()
    }

    #[test]
    fn each_readme_says_how_many_lines_of_code_the_configuration_replaces() {
        let project = Project::find().unwrap();
        for example in Example::value_variants() {
            let file = format!("{}/README.md", example.directory());
            let text = std::fs::read_to_string(project.path(&file)).unwrap();
            let words = format!("replaces [{} lines](replaces)", replaced(&project, *example));
            assert!(
                text.split_whitespace().collect::<Vec<_>>().join(" ").contains(&words),
                "{file}: {words}"
            );
        }
    }

    #[test]
    fn each_example_has_a_script_and_a_name_on_the_command_line() {
        let project = Project::find().unwrap();
        for example in Example::value_variants() {
            assert!(project.path(&script(*example)).is_file(), "{}", script(*example));
            let name = example.to_possible_value().unwrap();
            assert_eq!(read::<Options>(&[name.get_name()]).unwrap().only, Some(*example));
        }
        assert_eq!(read::<Options>(&[]).unwrap().only, None);
        assert!(read::<Options>(&["nextjs"]).is_err());
    }
}
