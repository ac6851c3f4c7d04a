//! `cargo xtask check` and `cargo xtask explain`: what the Worker would refuse about a configuration, and how its rules treat
//! a request. Nothing is sent over the network, except by `check --live`.

mod fetch;
mod files;

use std::process::ExitCode;
use std::time::SystemTime;

use crate::fetch::Node;
use anyhow::{Result, bail};
use clap::Parser;
use vestibule_check::explain::{Question, explain, table};
use vestibule_check::live::run;
use vestibule_check::{ComponentStore, ConfigFiles, Report, check, check_component};
use xtask_arguments::check::{Arguments as Check, Runtime};
use xtask_arguments::component::Store;
use xtask_arguments::explain::Arguments as Explain;

/// The command, which xtask passes on.
#[derive(Debug, Parser)]
enum Command {
    Check(Check),
    Explain(Explain),
}

fn main() -> ExitCode {
    let run = match Command::parse() {
        Command::Check(arguments) => run_check(&arguments),
        Command::Explain(arguments) => run_explain(&arguments),
    };
    run.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run_check(arguments: &Check) -> Result<ExitCode> {
    let report = report(arguments)?;
    if arguments.errors_only {
        eprint!("{}", report.errors_to_text());
    } else if arguments.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_text());
    }
    Ok(if report.errors() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn report(arguments: &Check) -> Result<Report> {
    if arguments.runtime == Runtime::Wasi {
        let store = match arguments.store {
            Store::Redis => ComponentStore::Redis,
            Store::Keyvalue => ComponentStore::KeyValue,
            Store::None => ComponentStore::None,
        };
        return Ok(check_component(files::own(&arguments.file)?, store));
    }
    let mut input = files::read(&arguments.file, &arguments.files)?;
    input.may_lack_secrets = arguments.errors_only;
    if arguments.live { live(&input, &arguments.site) } else { Ok(check(&input)) }
}

/// The check with the words of the providers.
fn live(input: &ConfigFiles, sites: &[String]) -> Result<Report> {
    let mut node = Node::default();
    let report = run(input, sites, &mut node);
    node.failure.map_or(Ok(report), Err)
}

fn run_explain(arguments: &Explain) -> Result<ExitCode> {
    let input = files::read(&arguments.config, &arguments.files)?;
    let answer = if arguments.table {
        table(&input).map(|table| {
            if arguments.json { format!("{}\n", serde_json::json!(table)) } else { table.to_string() }
        })
    } else {
        explain(&input, &question(arguments))
    };
    match answer {
        Ok(text) => print!("{text}"),
        Err(report) => refuse(&report)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(report: &Report) -> Result<()> {
    bail!("the configuration has mistakes\n{}", report.to_text().trim_end())
}

fn question(arguments: &Explain) -> Question {
    Question {
        method: arguments.method.clone().unwrap_or_default(),
        url: arguments.url.clone().unwrap_or_default(),
        headers: arguments.header.clone(),
        claims: arguments.claims.clone(),
        now: now(),
    }
}

/// The time: a rule may ask how long ago the user authenticated.
#[allow(clippy::disallowed_methods, reason = "this is no wasm32")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask_arguments::check::Files;

    fn arguments(words: &[&str]) -> Result<Explain, clap::Error> {
        Explain::try_parse_from(std::iter::once(&"explain").chain(words))
    }

    fn answer(words: &[&str]) -> Result<String, String> {
        let arguments = arguments(words).map_err(|error| error.to_string())?;
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wrangler.toml");
        let input = files::read(demo, &Files::default()).unwrap();
        if arguments.table {
            return table(&input).map(|table| table.to_string()).map_err(|report| report.to_text());
        }
        explain(&input, &question(&arguments)).map_err(|report| report.to_text())
    }

    #[test]
    fn the_demo_s_rules_are_explained() {
        let url = "http://localhost:8787/admin/x?y=1";
        let out = answer(&["GET", url]).unwrap();
        assert!(out.starts_with("GET http://localhost:8787/admin/x?y=1   signed out\n"), "{out}");
        assert!(out.contains("rule       AUTH.rules[1] /admin/:path*\n"), "{out}");
        assert!(out.contains("browser    302 to /auth/signin"), "{out}");
        let out = answer(&["GET", url, "--claims", "{\"roles\": [\"user\"]}"]).unwrap();
        assert!(out.contains("requires   roles is \"admin\": no, it is [\"user\"]\n"), "{out}");
        assert!(out.contains("script     403\n") && !out.contains("goes to"), "{out}");
        let out = answer(&["GET", "http://localhost:8787/about", "--signed-out"]).unwrap();
        assert!(out.contains("goes to    http://localhost:9401\n"), "{out}");
    }

    #[test]
    fn the_demo_s_rules_are_a_table() {
        let out = answer(&["--table"]).unwrap();
        let lines: Vec<Vec<&str>> =
            out.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
        let cells = |line: &[&str]| -> Vec<String> {
            line.iter().filter(|cell| !cell.is_empty()).map(ToString::to_string).collect()
        };
        assert_eq!(cells(&lines[0]), ["rule", "paths", "signed out", "signed in", "requires", "goes to"]);
        assert_eq!(
            cells(&lines[1]),
            ["AUTH.rules[0]", "/, /about", "passes", "passes", "-", "http://localhost:9401"]
        );
        assert_eq!(
            cells(&lines[2]),
            [
                "AUTH.rules[1]",
                "/admin/:path*",
                "signs in",
                "403",
                "roles is \"admin\"",
                "http://localhost:9401"
            ]
        );
        let last = lines.last().unwrap();
        assert_eq!(cells(last)[..4], ["AUTH.default_access", "any other path", "signs in", "passes"]);
    }

    #[test]
    fn an_invalid_argument_is_named_in_the_error() {
        for (words, named) in [
            (&["GET"][..], "<URL>"),
            (&["GET", "/admin"], "not a URL"),
            (&["GET", "https://h/", "--claims", "[]"], "--claims"),
            (&["GET", "https://h/", "--claims"], "--claims"),
            (&["GET", "https://h/", "--claims", "{}", "--signed-out"], "--signed-out"),
            (&["GET", "https://h/", "--header", "x"], "--header"),
            (&["GET", "https://h/", "--cookie", "x"], "--cookie"),
            (&["GET", "https://h/", "--table"], "--table"),
            (&["GET", "https://h/", "--json"], "--json"),
        ] {
            let message = answer(words).unwrap_err();
            assert!(message.contains(named), "{message}");
        }
    }
}
