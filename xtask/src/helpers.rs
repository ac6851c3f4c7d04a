//! Tests what the npm package has beside the Worker: the helpers for servers and pages with the types of the frameworks that
//! they are for, `init`, and the documents for TypeScript and Python.

use anyhow::Result;

use crate::host;
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// The directory of the tests in JavaScript, which has the package-lock.json of the frameworks.
const DIRECTORY: &str = "tests/npm";

/// The directory of the test of docs/python.md, which has its requirements.txt.
const PYTHON: &str = "tests/python";

/// Where its packages are installed.
const ENVIRONMENT: &str = "tests/python/.venv";

/// Installs what the tests need, and runs them. Neither needs the Worker.
pub(crate) fn run_tests(project: &Project) -> Result<()> {
    tools::ensure_npm_of(project, DIRECTORY)?;
    let node = tools::node(project)?;
    for arguments in [["stage.mjs"], ["--test"]] {
        let mut command = project.command(&node);
        run(command.current_dir(project.path(DIRECTORY)).args(arguments))?;
    }
    tools::ensure_python_of(project, PYTHON, ENVIRONMENT)?;
    let python = host::python_of(&project.path(ENVIRONMENT));
    run(project.command(python).arg(project.path(PYTHON).join("page.py")).env("PYTHONDONTWRITEBYTECODE", "1"))
}
