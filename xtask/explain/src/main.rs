//! `cargo xtask explain GET https://app.example.com/admin --claims '{"roles":["user"]}'`: what becomes of a
//! request by the rules of wrangler.toml. Nothing is sent anywhere, and no secret is needed.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use vestibule_core::config::Config;
use vestibule_core::guard::explain;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let question = Question::parse(arguments)?;
    let file = &question.file;
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let config = load(&text).with_context(|| file.clone())?;
    print!("{}", question.answer(&config));
    Ok(())
}

/// What was asked on the command line.
#[derive(Debug)]
struct Question {
    request: Request,
    claims: Option<Map<String, Value>>,
    file: String,
}

impl Question {
    /// Reads `METHOD URL [--claims JSON] [--signed-out] [--header 'NAME: VALUE'] [--config FILE]`.
    fn parse(arguments: &[String]) -> Result<Self> {
        const HOW: &str = "say for example: cargo xtask explain GET https://app.example.com/admin \
                           --claims '{\"roles\": [\"user\"]}'";
        let (mut claims, mut headers, mut file) = (None, Headers::new(), "wrangler.toml".to_owned());
        let mut is_signed_out = false;
        let mut plain = Vec::new();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--claims" => {
                    let object = serde_json::from_str(value()?);
                    claims = Some(object.context("`--claims` takes a JSON object")?);
                }
                "--signed-out" => is_signed_out = true,
                "--header" => {
                    let field = value()?.split_once(':').context("`--header` takes 'NAME: VALUE'")?;
                    headers.append(field.0.trim(), field.1.trim());
                }
                "--config" => file.clone_from(value()?),
                flag if flag.starts_with("--") => bail!("there is no `{flag}`; {HOW}"),
                other => plain.push(other),
            }
        }
        ensure!(!(is_signed_out && claims.is_some()), "`--signed-out` has no claims");
        let [method, url] = plain.as_slice() else { bail!("a method and a URL are needed; {HOW}") };
        let url = RequestUrl::parse(url)
            .with_context(|| format!("`{url}` is no URL like https://app.example.com/admin"))?;
        Ok(Self { request: Request { method: Method::new(method), url, headers }, claims, file })
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
    Ok(Config::load(vars.get("AUTH").cloned().unwrap_or_default(), &variable)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Question> {
        Question::parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
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
        assert!(out.contains("a person   302 to /auth/signin"), "{out}");
        let out = answered(&["GET", url, "--claims", "{\"roles\": [\"user\"]}"]);
        assert!(out.contains("asks       roles is \"admin\": no, it is [\"user\"]\n"), "{out}");
        assert!(out.contains("a script   403\n") && !out.contains("goes to"), "{out}");
        let out = answered(&["GET", "http://localhost:8787/about", "--signed-out"]);
        assert!(out.contains("goes to    http://localhost:9401\n"), "{out}");
    }

    #[test]
    fn a_question_that_cannot_be_read_is_told() {
        for (arguments, named) in [
            (&["GET"][..], "a method and a URL"),
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
