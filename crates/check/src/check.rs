//! Everything that the Worker would refuse, and what it would advise.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::advice::advice;
use crate::bindings::Bindings;
use crate::compiled;
use crate::deployment::{ConfigFiles, Deployment, Files};
use crate::finding::{Finding, Severity};
use crate::load::{Loaded, refused};
use crate::own;
use crate::runtime::RunsOn;
use crate::size;

/// What a check found, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report of these findings, in the order of the files.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| (&a.at, a.severity).cmp(&(&b.at, b.severity)));
        findings.dedup();
        Self { findings }
    }

    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// The report for programs.
    pub fn to_json(&self) -> Value {
        let errors = self.errors();
        json!({
            "errors": errors,
            "advice": self.findings.len() - errors,
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        })
    }

    /// A line for each mistake, and nothing else.
    pub fn errors_to_text(&self) -> String {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.fold(String::new(), |text, error| text + &error.to_string() + "\n")
    }

    /// The report for people: a line for each finding, and how many there are.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let _ = writeln!(text, "{finding}");
        }
        let plural = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let errors = self.errors();
        let advice = self.findings.len() - errors;
        let counts =
            [plural(errors, "error", "errors"), plural(advice, "piece of advice", "pieces of advice")];
        let _ = writeln!(text, "{}", counts.join(", "));
        text
    }
}

/// Checks the files of a deployment.
pub fn check(input: &ConfigFiles) -> Report {
    let files = match Files::read(input) {
        Ok(files) => files,
        Err(findings) => return Report::new(findings),
    };
    if input.runtime != RunsOn::Workers {
        let deployment = files.deployment(None);
        return Report::new(
            deployment.map(|deployment| own::findings(&deployment, input.runtime)).unwrap_or_default(),
        );
    }
    let mut findings: Vec<Finding> = compiled::findings(&files).into_iter().collect();
    findings.extend(files.decided.clone());
    for environment in environments(&files, input.environment.as_deref()) {
        match files.deployment(environment) {
            Some(deployment) => findings.extend(deployment_findings(&deployment)),
            None => findings.push(no_environment(&files, environment.unwrap_or_default())),
        }
    }
    Report::new(findings)
}

/// The environments to check: the wanted one, or the top level and all others. The top level is left out where only
/// environments are deployed: where it has no configuration and they have.
fn environments<'a>(files: &'a Files, wanted: Option<&'a str>) -> Vec<Option<&'a str>> {
    if wanted.is_some() {
        return vec![wanted];
    }
    let has_auth = |environment| files.deployment(environment).is_some_and(|it| it.auth.is_some());
    let named = files.environments();
    let top = has_auth(None) || !named.iter().any(|name| has_auth(Some(name)));
    top.then_some(None).into_iter().chain(named.into_iter().map(Some)).collect()
}

fn no_environment(files: &Files, name: &str) -> Finding {
    let at = files.deployment(None).map(|top| top.at).unwrap_or_default();
    let known = files.environments();
    let fix = if known.is_empty() {
        "the file has none".to_owned()
    } else {
        format!("the file has {}", known.join(", "))
    };
    Finding::error(at, format!("env.{name}"), "there is no such environment", fix)
}

fn deployment_findings(deployment: &Deployment<'_>) -> Vec<Finding> {
    let mut findings = size::findings(deployment);
    if deployment.auth.is_none()
        && let Some(absent) = size::misplaced(deployment).or_else(|| deployment.not_inherited())
    {
        findings.push(absent);
        return findings;
    }
    let bindings = Bindings::of(deployment);
    findings.extend(bindings.findings());
    let loaded = Loaded::new(deployment, RunsOn::Workers.runtime(true));
    let errors = loaded.errors.iter().map(|error| refused(deployment, error));
    let refused: Vec<Finding> = errors.chain(missing_secrets(deployment, &loaded)).collect();
    // A variable of the wrong type counts as missing; once is enough.
    let is_known =
        |refused: &Finding| findings.iter().any(|known| known.place == format!("vars.{}", refused.place));
    let refused: Vec<Finding> = refused.into_iter().filter(|refused| !is_known(refused)).collect();
    findings.extend(refused);
    let Some(config) = &loaded.config else { return findings };
    findings.extend(bindings.missing_services(deployment, config));
    let errors = binding_errors(deployment, &loaded, &bindings);
    if errors.is_empty()
        && let Some(config) = loaded.bound(deployment, &bindings)
    {
        findings.extend(advice(deployment, &config, &bindings));
    }
    findings.extend(errors);
    findings
}

/// The secrets that no file has. Where nothing is known about secrets, one line names all of them.
fn missing_secrets(deployment: &Deployment<'_>, loaded: &Loaded) -> Vec<Finding> {
    if deployment.knows_secrets() {
        return loaded.missing.iter().map(|(_, error)| refused(deployment, error)).collect();
    }
    let (settable, keys): (Vec<_>, Vec<_>) =
        loaded.missing.iter().partition(|(name, error)| *name == error.place);
    // A key that a variable may replace is more probably forgotten than set elsewhere.
    let mut findings: Vec<Finding> = keys.iter().map(|(_, error)| refused(deployment, error)).collect();
    if !settable.is_empty() {
        let names: Vec<&str> = settable.iter().map(|(name, _)| name.as_str()).collect();
        findings.push(Finding::advice(
            deployment.at.clone(),
            "secrets",
            format!("the Worker needs {}, and which secrets are set is not known here", names.join(", ")),
            "set each with `wrangler secret put`; a .dev.vars beside this file, or --secrets with the output of `wrangler \
             secret list`, says which are",
        ));
    }
    findings
}

/// What the core refuses because a binding is missing. Each check consumes the configuration, and all of them run.
fn binding_errors(deployment: &Deployment<'_>, loaded: &Loaded, bindings: &Bindings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in [Bindings::check_lease, Bindings::check_tokens, Bindings::check_revocation] {
        if let Ok(config) = loaded.load(deployment)
            && let Err(errors) = check(bindings, config)
        {
            findings.extend(errors.iter().map(|error| refused(deployment, error)));
        }
    }
    findings
}
