//! What a developer and CI do in this repository, as `cargo xtask COMMAND`.

mod apps;
mod bench;
mod browser;
mod build;
mod dev;
mod explain;
mod project;
mod providers;
mod race;
mod stack;
mod step;
mod test;
mod time;
mod tools;
mod wasm;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::project::Project;

const USAGE: &str = "\
cargo xtask COMMAND

  build          the Worker as `wrangler deploy` ships it: build/index.js and build/index_bg.wasm
  size           what is in it, and how much of each
  dev            the Worker, a provider and an application at http://localhost:8787, until Ctrl-C
    --once           start all of it, ask it for two pages, and stop
    --example nextjs the application in examples/nextjs instead of the demo's
    --port N, --provider-port N, --app-port N
  test           everything that has to hold: format, clippy, documentation, build, tests, browser, hosts, pages,
                 applications
    --quick          all but what needs a browser
  race           what becomes of sessions when many requests want one refresh token: a simulation, and its table
    --races N, --seed N
    --write          puts the table into docs/refresh.md
  providers      a sign-in with every provider, as its documentation has it, and the table of what passed
    --write          makes docs/providers.md from the presets
  browser        those of a browser alone: a walk through the demo, one over several hosts, a look at every page;
                 pictures in target/screenshots/
    browser | hosts | pages   one of them
  apps           applications written for Auth.js alone, in a browser: next-auth's client, the Next.js example
    react | nextjs   one of them
  bench          what a request costs, beside Auth.js and other Workers: CPU time of workerd, requests a second
    --quick          one short round; the numbers are rough
    --only CASE      those whose name begins so, and what they are compared with
    --soak           a million requests, and how the memory grows
    --write          puts the report into docs/performance.md, beside its JSON and SVG
  explain METHOD URL
                 what the rules of wrangler.toml say about a request, and why
    --claims JSON    somebody who is signed in with these claims; otherwise signed out
    --header 'NAME: VALUE', --config FILE
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let project = Project::find()?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["build"] => build::build(&project, build::Effort::from_environment()),
        ["size"] => build::size(&project),
        ["dev", options @ ..] => dev::dev(&project, &dev::Options::parse(options)?),
        ["test", options @ ..] => test::test(&project, test::Options::parse(options)?),
        ["apps", options @ ..] => apps::apps(&project, apps::Options::parse(options)?),
        ["explain", request @ ..] => explain::explain(&project, request),
        ["race", options @ ..] => race::race(&project, race::Options::parse(options)?),
        ["providers", options @ ..] => providers::providers(&project, providers::Options::parse(options)?),
        ["bench", options @ ..] => bench::bench(&project, options),
        ["browser"] => browser::browser(&project, None),
        ["browser", only] => browser::browser(&project, Some(only)),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        [other, ..] => bail!("there is no command `{other}`\n\n{USAGE}"),
    }
}
