//! Runs applications written for Auth.js behind the Worker, in a real browser, by the scripts in tests/browser/.

use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build::{self, Effort};
use crate::project::Project;
use crate::stack::{Client, Demo, NEXT_JS, Ports, Setup, Stack, Storage};
use crate::step::{run, run_quietly, step};
use crate::tools;

/// One step: the demo that runs, and the script that uses it in the browser.
#[derive(Debug)]
pub(crate) struct AppWalk {
    pub(crate) name: &'static str,
    demo: Demo,
    script: &'static str,
}

pub(crate) const WALKS: [AppWalk; 3] = [
    AppWalk { name: "next-auth/react 5", demo: Demo::React(Client::V5), script: "react.mjs" },
    AppWalk { name: "next-auth/react 4", demo: Demo::React(Client::V4), script: "react.mjs" },
    AppWalk { name: "Next.js", demo: Demo::NextJs, script: "nextjs.mjs" },
];

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Run only this application
    #[arg(value_name = "APPLICATION")]
    only: Option<Application>,
}

/// The applications, named as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Application {
    /// A page that signs in through next-auth's client for React, versions 5 and 4
    React,
    /// The application in examples/nextjs
    Nextjs,
}

impl Application {
    fn script(self) -> &'static str {
        match self {
            Application::React => "react.mjs",
            Application::Nextjs => "nextjs.mjs",
        }
    }
}

/// `cargo xtask apps`: builds the Worker and runs the scripts.
pub(crate) fn apps(project: &Project, options: Options) -> Result<()> {
    build::build(project, Effort::Optimized)?;
    let chromium = tools::ensure_chromium(project)?;
    let wanted = |walk: &&AppWalk| options.only.is_none_or(|only| walk.script == only.script());
    WALKS.iter().filter(wanted).try_for_each(|walk| step(walk.name, || walk.run(project, &chromium)))
}

impl AppWalk {
    /// Builds the application if needed, starts it and runs the script. The Worker has to be in `build/`.
    pub(crate) fn run(&self, project: &Project, chromium: &Path) -> Result<()> {
        if self.demo == Demo::NextJs {
            build_next(project)?;
        }
        self.run_script(project, chromium)
    }

    /// Starts the demo on free ports with its own storage, and runs the script. The script writes screenshots to
    /// target/screenshots/.
    fn run_script(&self, project: &Project, chromium: &Path) -> Result<()> {
        let ports = Ports::free()?;
        let stack = Stack::start(
            project,
            Setup::of(project, self.demo),
            ports,
            Storage::fresh(project, ports)?,
            &|| false,
        )?;
        let mut command = project.command(tools::node(project)?);
        command.arg(format!("tests/browser/{}", self.script));
        command.env("WALK_URL", stack.url()).env("WALK_APP_URL", ports.app_url());
        command.env("WALK_CHROMIUM", chromium);
        command.env("WALK_SCREENSHOTS", project.path("target/screenshots"));
        if let Demo::React(client) = self.demo {
            command.env("REACT_CLIENT", client.package());
        }
        let result = run(&mut command);
        stack.stop();
        result
    }
}

/// Runs `next build`, which does not use the network.
fn build_next(project: &Project) -> Result<()> {
    tools::ensure_npm_of(project, NEXT_JS)?;
    step("next build", || {
        let mut command = project.command(tools::node(project)?);
        command.current_dir(project.path(NEXT_JS)).args(["node_modules/next/dist/bin/next", "build"]);
        run_quietly(command.env("NEXT_TELEMETRY_DISABLED", "1")).map(drop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn every_application_on_the_command_line_has_a_step() {
        for application in Application::value_variants() {
            let script = application.script();
            assert!(WALKS.iter().any(|walk| walk.script == script), "{script}");
        }
        assert_eq!(read::<Options>(&["react"]).unwrap().only, Some(Application::React));
        assert_eq!(read::<Options>(&["nextjs"]).unwrap().only, Some(Application::Nextjs));
        assert!(read::<Options>(&["next"]).unwrap_err().to_string().contains("'next'"));
    }
}
