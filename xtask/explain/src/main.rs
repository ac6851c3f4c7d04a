//! `cargo xtask explain GET https://app.example.com/admin --claims '{"roles":["user"]}'`: what becomes of a
//! request by the rules of wrangler.toml. Nothing is sent anywhere, and no secret is needed.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Map, Value};
use vestibule_core::config::Config;
use vestibule_core::explain::explain;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use xtask_arguments::explain::Arguments;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let question = Question::from(arguments)?;
    let file = &question.file;
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let config = load(&text).with_context(|| file.clone())?;
    print!("{}", question.answer(&config));
    Ok(())
}

/// What was asked on the command line, read.
#[derive(Debug)]
struct Question {
    request: Request,
    claims: Option<Map<String, Value>>,
    file: String,
}

impl Question {
    fn from(arguments: Arguments) -> Result<Self> {
        let Arguments { method, url, claims, signed_out: _, header, config } = arguments;
        let mut headers = Headers::new();
        for (name, value) in &header {
            headers.append(name, value);
        }
        let url = RequestUrl::parse(&url)
            .with_context(|| format!("`{url}` is no URL like https://app.example.com/admin"))?;
        Ok(Self { request: Request { method: Method::new(&method), url, headers }, claims, file: config })
    }

    fn answer(&self, config: &Config) -> String {
        let Request { method, url, .. } = &self.request;
        let who = if self.claims.is_some() { "signed in" } else { "signed out" };
        let (origin, path) = (url.origin(), url.path_and_query());
        let explanation = explain(config, &self.request, self.claims.as_ref());
        format!("{} {origin}{path}   {who}\n\n{explanation}", method.as_str())
    }
}

/// The configuration in a wrangler.toml. Secrets are made up: nothing is sealed here.
fn load(text: &str) -> Result<Config> {
    let settings: Value = serde_json::to_value(toml::from_str::<toml::Table>(text)?)?;
    let vars = settings.get("vars").cloned().unwrap_or_default();
    let variable = |name: &str| match vars.get(name).and_then(Value::as_str) {
        Some(value) => Some(value.to_owned()),
        // Older secrets, of which there need be none.
        None if name.starts_with("AUTH_SECRET_") => None,
        None if name.ends_with("_ISSUER") => Some("https://issuer.invalid".to_owned()),
        // No two are the same: that may be refused.
        None => Some(format!("made-up-to-explain-without-secrets:{name}")),
    };
    Ok(Config::load(vars.get("AUTH").cloned().unwrap_or_default(), &variable, &vestibule::runtime::RUNTIME)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Question> {
        let words = std::iter::once(&"explain").chain(arguments);
        Question::from(Arguments::try_parse_from(words)?)
    }

    fn answered(arguments: &[&str]) -> String {
        asked(arguments).unwrap().answer(&load(include_str!("../../../wrangler.toml")).unwrap())
    }

    #[test]
    fn the_demo_s_rules_are_explained() {
        let url = "http://localhost:8787/admin/x?y=1";
        let out = answered(&["GET", url]);
        assert!(out.starts_with("GET http://localhost:8787/admin/x?y=1   signed out\n"), "{out}");
        assert!(out.contains("rule       AUTH.rules[1] /admin/:path*\n"), "{out}");
        assert!(out.contains("browser    302 to /auth/signin"), "{out}");
        let out = answered(&["GET", url, "--claims", "{\"roles\": [\"user\"]}"]);
        assert!(out.contains("requires   roles is \"admin\": no, it is [\"user\"]\n"), "{out}");
        assert!(out.contains("script     403\n") && !out.contains("goes to"), "{out}");
        let out = answered(&["GET", "http://localhost:8787/about", "--signed-out"]);
        assert!(out.contains("goes to    http://localhost:9401\n"), "{out}");
    }

    #[test]
    fn a_question_that_cannot_be_read_is_told() {
        for (arguments, named) in [
            (&["GET"][..], "<URL>"),
            (&["GET", "/admin"], "no URL"),
            (&["GET", "https://h/", "--claims", "[]"], "--claims"),
            (&["GET", "https://h/", "--claims"], "--claims"),
            (&["GET", "https://h/", "--claims", "{}", "--signed-out"], "--signed-out"),
            (&["GET", "https://h/", "--header", "x"], "--header"),
            (&["GET", "https://h/", "--cookie", "x"], "--cookie"),
        ] {
            let message = format!("{:#}", asked(arguments).unwrap_err());
            assert!(message.contains(named), "{message}");
        }
    }
}
