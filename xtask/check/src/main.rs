//! `cargo xtask check` and `cargo xtask explain`: what the Worker would refuse about a configuration, and how its rules treat
//! a request. Nothing is sent over the network, except by `check --live`.

mod fetch;
mod files;

use std::process::ExitCode;
use std::time::SystemTime;

use crate::fetch::Node;
use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use vestibule_check::explain::{Question, explain, table};
use vestibule_check::live::run;
use vestibule_check::{ComponentStore, ConfigFiles, Report, RunsOn, check};
use xtask_arguments::check::{Arguments as Check, Files, Place, Runtime};
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
    if arguments.live && arguments.place.runtime != Runtime::Workers {
        bail!("--live is for --runtime workers");
    }
    let mut input = read(&arguments.file, arguments.place, &arguments.files)?;
    input.may_lack_secrets |= arguments.errors_only;
    if arguments.live { live(&input, &arguments.site) } else { Ok(check(&input)) }
}

/// The files of a configuration that is to run there.
fn read(named: &str, place: Place, files: &Files) -> Result<ConfigFiles> {
    let runtime = match (place.runtime, place.store) {
        (Runtime::Wasi, store) => RunsOn::Wasi(match store.unwrap_or_default() {
            Store::Redis => ComponentStore::Redis,
            Store::Keyvalue => ComponentStore::KeyValue,
            Store::None => ComponentStore::None,
        }),
        (_, Some(_)) => bail!("--store is for --runtime wasi"),
        (Runtime::Native, None) => RunsOn::Native,
        (Runtime::Workers, None) => return files::read(named, files),
    };
    let Files { env, dev_vars, secrets } = files;
    for (option, is_given) in
        [("env", env.is_some()), ("dev-vars", dev_vars.is_some()), ("secrets", secrets.is_some())]
    {
        if is_given {
            bail!("--{option} is for --runtime workers");
        }
    }
    let vestibule = Some(files::own(named)?);
    Ok(ConfigFiles { vestibule, runtime, may_lack_secrets: true, ..ConfigFiles::default() })
}

/// The check with the words of the providers.
fn live(input: &ConfigFiles, sites: &[String]) -> Result<Report> {
    let mut node = Node::default();
    let report = run(input, sites, &mut node);
    node.failure.map_or(Ok(report), Err)
}

fn run_explain(arguments: &Explain) -> Result<ExitCode> {
    let input = read(&arguments.config, arguments.place, &arguments.files)?;
    let answer = if arguments.table {
        table(&input).map(|table| {
            if arguments.json { format!("{}\n", serde_json::json!(table)) } else { table.to_string() }
        })
    } else {
        explain(&input, &question(arguments))
    };
    match answer {
        Ok(text) => {
            if let Some(decided) = input.decided() {
                eprintln!("{decided}");
            }
            print!("{text}");
        }
        Err(report) => refuse(&report, arguments.place.runtime)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(report: &Report, runtime: Runtime) -> Result<()> {
    let runtime = runtime.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    bail!("the configuration has mistakes for --runtime {runtime}\n{}", report.to_text().trim_end())
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
    fn a_configuration_is_explained_for_the_runtime_that_it_is_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.toml");
        let text = "base_path = \"/auth\"\nrefresh.lease = \"redis\"\n[[providers]]\nid = \"okta\"\n\
                    issuer = \"https://a.okta.com\"\n[[rules]]\nmatch = \"/\"\naccess = \"public\"\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let answer = |words: &[&str]| {
            let arguments =
                arguments(&[&["GET", "https://a.example/", "--config", path], words].concat()).unwrap();
            let input = read(&arguments.config, arguments.place, &arguments.files)
                .map_err(|error| error.to_string())?;
            explain(&input, &question(&arguments)).map_err(|report| report.to_text())
        };
        for accepted in
            [&["--runtime", "native"][..], &["--runtime", "wasi"], &["--runtime", "wasi", "--store", "none"]]
        {
            let said = answer(accepted).unwrap();
            assert!(said.contains("rule       AUTH.rules[0] /\n"), "{said}");
        }
        for (refused, part) in [
            (&[][..], "\"redis\" is not a known value; known here: kv, durable-object, none"),
            (&["--runtime", "wasi", "--store", "keyvalue"], "known here: keyvalue, none"),
            (&["--store", "none"], "--store is for --runtime wasi"),
            (&["--runtime", "native", "--env", "production"], "--env is for --runtime workers"),
            (&["--runtime", "native", "--dev-vars", "x"], "--dev-vars is for --runtime workers"),
        ] {
            let said = answer(refused).unwrap_err();
            assert!(said.contains(part), "{said}");
        }
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
