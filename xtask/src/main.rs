//! The commands for developers and CI in this repository: `cargo xtask COMMAND`.

mod apps;
mod authjs;
mod bench;
mod browser;
mod build;
mod check;
mod cli;
mod commands;
mod conformance;
mod coverage;
mod dev;
mod differential;
mod examples;
mod frameworks;
mod fuzz;
mod hashed_user;
mod helpers;
mod host;
mod icons;
mod interop;
mod layers;
mod marked;
mod memory;
mod migrate;
mod model;
mod mutants;
mod package;
mod project;
mod providers;
mod proxies;
mod public_suffixes;
mod race;
mod release;
mod runtime;
mod server;
mod stack;
mod step;
mod supply_chain;
mod test;
mod time;
mod tools;

mod vocabulary;
mod wasi;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Command;
use crate::project::Project;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let Some(command) = cli::parse(&arguments).command else {
        return if cli::command().print_help().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    // The arguments after the command's name.
    let rest = arguments.get(2..).unwrap_or_default();
    match run(&command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, rest: &[OsString]) -> Result<()> {
    let project = Project::find()?;
    match command {
        Command::Build(options) => build(&project, *options),
        Command::Release(options) => release::release(&project, options),
        Command::Size => build::size(&project),
        Command::Dev(options) => dev::dev(&project, options),
        Command::Test(options) => test::test(&project, options),
        Command::Providers(options) => providers::providers(&project, *options),
        Command::Browser(options) => browser::browser(&project, options),
        Command::Apps(options) => apps::apps(&project, *options),
        Command::Migrate(options) => migrate::migrate(&project, *options),
        Command::Examples(options) => examples::examples(&project, *options),
        Command::Frameworks(options) => frameworks::frameworks(&project, options),
        Command::Proxies(options) => proxies::proxies(&project, options),
        Command::Conformance(options) => conformance::conformance(&project, options),
        Command::Package => package::package(&project),
        Command::Interop(options) => interop::interop(&project, options),
        Command::Commands => commands::commands(&project),
        Command::Bench(arguments) => bench::bench(&project, arguments, rest),
        Command::Race(options) => race::race(&project, *options),
        Command::Model(options) => model::model(&project, options),
        Command::Memory(options) => memory::memory(&project, options),
        Command::Coverage(options) => coverage::coverage(&project, options),
        Command::Mutants(options) => mutants::mutants(&project, options),
        Command::Fuzz(options) => fuzz::fuzz(&project, options),
        Command::Differential(options) => differential::differential(&project, options),
        Command::Authjs(options) => authjs::authjs(&project, options),
        Command::SupplyChain(options) => supply_chain::supply_chain(&project, *options),
        Command::Wasi(options) => wasi::wasi(&project, options),
        Command::Server(options) => server::server(&project, options),
        Command::Layers(options) => layers::layers(&project, *options),
        Command::Vocabulary => vocabulary::check(&project),
        Command::Suffixes => public_suffixes::renew(&project),
        Command::Icons => icons::renew(&project),
        Command::Check(_) => check::run(&project, "check", rest),
        Command::Explain(_) => check::run(&project, "explain", rest),
        Command::HashedUser(_) => hashed_user::print(&project, rest),
    }
}

/// Builds the Worker. What may be deployed is checked first; a Worker on this machine shows the mistakes itself.
fn build(project: &Project, options: build::Options) -> Result<()> {
    if build::Effort::from_environment() == build::Effort::Optimized {
        check::check_before_build(project)?;
    }
    build::run(project, options)
}
