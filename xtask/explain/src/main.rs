//! `cargo xtask explain GET https://app.example.com/admin --claims '{"roles":["user"]}'`: explains how the rules of
//! wrangler.toml treat a request. It sends nothing over the network and needs no secret.

use std::fs;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Map, Value};
use vestibule_core::config::Config;
use vestibule_core::explain::explain;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::time::Timestamp;
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

/// The parsed command line.
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
            .with_context(|| format!("`{url}` is not a URL like https://app.example.com/admin"))?;
        Ok(Self { request: Request { method: Method::new(&method), url, headers }, claims, file: config })
    }

    fn answer(&self, config: &Config) -> String {
        let Request { method, url, .. } = &self.request;
        let user = if self.claims.is_some() { "signed in" } else { "signed out" };
        let (origin, path) = (url.origin(), url.path_and_query());
        let explanation = explain(config, &self.request, self.claims.as_ref(), now());
        format!("{} {origin}{path}   {user}\n\n{explanation}", method.as_str())
    }
}

/// The time: a rule may ask how long ago the user authenticated.
#[allow(clippy::disallowed_methods, reason = "this is no wasm32")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(since.as_secs())
}

/// A private key that nothing else uses, because a configuration with a text that is no key is refused.
const PLACEHOLDER_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
     MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6YsmXwvIzYGAHRNS\n\
     +LAaLjn0w7H0g5s+WbKE95wEUYahRANCAAS/ZHv3AsE9w9bVLrMbtJ9utsPPhT+x\n\
     8uqz+OkEIAaIo8twhbjbqV3CcTC8T0loLDoHQolLtCpqwwp8Y690oimV\n\
     -----END PRIVATE KEY-----";

/// The configuration in the text of a wrangler.toml. Secrets have placeholder values, because nothing is encrypted here.
fn load(text: &str) -> Result<Config> {
    let settings: Value = serde_json::to_value(toml::from_str::<toml::Table>(text)?)?;
    let vars = settings.get("vars").cloned().unwrap_or_default();
    let variable = |name: &str| match vars.get(name).and_then(Value::as_str) {
        Some(value) => Some(value.to_owned()),
        // Older secrets and keys are optional.
        None if name.starts_with("AUTH_SECRET_") || name.ends_with(|c: char| c.is_ascii_digit()) => None,
        None if name.ends_with("_KEY_ID") => None,
        None if name.ends_with("_PRIVATE_KEY") || name.ends_with("_DECRYPTION_KEY") => {
            Some(PLACEHOLDER_KEY.to_owned())
        }
        None if name.ends_with("_ISSUER") => Some("https://issuer.invalid".to_owned()),
        // Each placeholder is different, because the configuration rejects some equal secrets.
        None => Some(format!("made-up-to-explain-without-secrets:{name}")),
    };
    Ok(Config::load(vars.get("AUTH").cloned().unwrap_or_default(), &variable, &vestibule::runtime::RUNTIME)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(arguments: &[&str]) -> Result<Question> {
        let words = std::iter::once(&"explain").chain(arguments);
        Question::from(Arguments::try_parse_from(words)?)
    }

    fn answer(arguments: &[&str]) -> String {
        question(arguments).unwrap().answer(&load(include_str!("../../../wrangler.toml")).unwrap())
    }

    #[test]
    fn the_demo_s_rules_are_explained() {
        let url = "http://localhost:8787/admin/x?y=1";
        let out = answer(&["GET", url]);
        assert!(out.starts_with("GET http://localhost:8787/admin/x?y=1   signed out\n"), "{out}");
        assert!(out.contains("rule       AUTH.rules[1] /admin/:path*\n"), "{out}");
        assert!(out.contains("browser    302 to /auth/signin"), "{out}");
        let out = answer(&["GET", url, "--claims", "{\"roles\": [\"user\"]}"]);
        assert!(out.contains("requires   roles is \"admin\": no, it is [\"user\"]\n"), "{out}");
        assert!(out.contains("script     403\n") && !out.contains("goes to"), "{out}");
        let out = answer(&["GET", "http://localhost:8787/about", "--signed-out"]);
        assert!(out.contains("goes to    http://localhost:9401\n"), "{out}");
    }

    #[test]
    fn an_invalid_argument_is_named_in_the_error() {
        for (arguments, named) in [
            (&["GET"][..], "<URL>"),
            (&["GET", "/admin"], "not a URL"),
            (&["GET", "https://h/", "--claims", "[]"], "--claims"),
            (&["GET", "https://h/", "--claims"], "--claims"),
            (&["GET", "https://h/", "--claims", "{}", "--signed-out"], "--signed-out"),
            (&["GET", "https://h/", "--header", "x"], "--header"),
            (&["GET", "https://h/", "--cookie", "x"], "--cookie"),
        ] {
            let message = format!("{:#}", question(arguments).unwrap_err());
            assert!(message.contains(named), "{message}");
        }
    }
}
