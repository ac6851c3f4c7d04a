//! `check --live`: what the providers and the origin say.
//!
//! Nothing here sends a request. [`live`] is a function of the answers so far: it names the requests that it needs, until it
//! needs none. So the judgement is the same natively and in the npm package, and a test answers for the providers. The times
//! and sizes of all answers are limited, no redirect is followed, and addresses are `https`, or on loopback.
//!
//! No secret is in any of these requests, except the client's secret at its provider's own token endpoint.

mod around;
mod client;
mod metadata;
mod redirect;
mod sites;
mod wire;

use std::collections::BTreeMap;

use vestibule_core::config::{Config, Provider, ProviderKind};
use vestibule_core::http::client::FetchRequest;
use vestibule_core::oauth::provider::OAuthProvider;
use vestibule_workers::RUNTIME;

pub use self::wire::{Answer, Probe, Received};
use crate::check::{Report, check};
use crate::deployment::{ConfigFiles, Deployment, Files};
use crate::finding::Finding;
use crate::load::Loaded;

/// All requests of one check. A configuration with more providers and hosts is checked in part.
const MAX_PROBES: usize = 64;

/// The rounds of requests: metadata, then what they name.
const MAX_ROUNDS: usize = 8;

/// Sends requests.
pub trait Fetch {
    /// The answer to each request, in their order. Each answer keeps to the request's time and size.
    fn fetch(&mut self, probes: &[Probe]) -> Vec<Answer>;
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Step {
    /// These requests have to be answered first.
    Ask(Vec<Probe>),
    /// Everything is known.
    Done(Report),
}

/// The check with all of its requests.
pub fn run(input: &ConfigFiles, sites: &[String], fetch: &mut impl Fetch) -> Report {
    let mut answers = BTreeMap::new();
    for _ in 0..MAX_ROUNDS {
        match live(input, sites, &answers) {
            Step::Done(report) => return report,
            Step::Ask(probes) => {
                let received = fetch.fetch(&probes).into_iter();
                answers.extend(probes.into_iter().map(|probe| probe.id).zip(received));
            }
        }
    }
    check(input)
}

/// The report, or the requests that it needs. `answers` are the answers so far, by the ids of their requests. `sites` are the
/// addresses of the site; without them, those that the files name.
pub fn live(input: &ConfigFiles, sites: &[String], answers: &BTreeMap<String, Answer>) -> Step {
    let report = check(input);
    let Ok(files) = Files::read(input) else { return Step::Done(report) };
    let Some(deployment) = files.deployment(input.environment.as_deref()) else { return Step::Done(report) };
    let loaded = Loaded::new(&deployment, &RUNTIME);
    // A configuration with mistakes has no providers yet.
    let Some(config) = &loaded.config else { return Step::Done(report) };
    let mut context = Context {
        deployment: &deployment,
        loaded: &loaded,
        config,
        answers,
        wanted: Vec::new(),
        findings: report.findings,
    };
    let sites = context.sites(sites);
    for (index, provider) in config.providers.iter().enumerate() {
        if let ProviderKind::OAuth(oauth) = &provider.kind {
            ProviderCheck { context: &mut context, index, provider, oauth }.ask(&sites);
        }
    }
    context.around(&sites);
    if context.wanted.is_empty() || answers.len() >= MAX_PROBES {
        return Step::Done(Report::new(context.findings));
    }
    context.wanted.truncate(MAX_PROBES - answers.len());
    Step::Ask(context.wanted)
}

/// What is asked about, and what is known.
struct Context<'a> {
    deployment: &'a Deployment<'a>,
    loaded: &'a Loaded,
    config: &'a Config,
    answers: &'a BTreeMap<String, Answer>,
    wanted: Vec<Probe>,
    findings: Vec<Finding>,
}

impl<'a> Context<'a> {
    /// The answer to a request. `None` while it was not sent: then it is sent next.
    fn fetch(&mut self, id: &str, request: &FetchRequest) -> Option<&'a Answer> {
        let answer = self.answers.get(id);
        if answer.is_none() && self.wanted.iter().all(|probe| probe.id != id) {
            self.wanted.push(Probe::new(id, request));
        }
        answer
    }

    fn refuse(&mut self, place: &str, problem: impl Into<String>, fix: impl Into<String>) {
        let at = self.deployment.locate(place);
        self.findings.push(Finding::error(at, place, problem, fix));
    }

    fn advise(&mut self, place: &str, problem: impl Into<String>, fix: impl Into<String>) {
        let at = self.deployment.locate(place);
        self.findings.push(Finding::advice(at, place, problem, fix));
    }
}

/// A provider of OAuth or OpenID Connect that is asked.
struct ProviderCheck<'c, 'a> {
    context: &'c mut Context<'a>,
    index: usize,
    provider: &'a Provider,
    oauth: &'a OAuthProvider,
}

impl ProviderCheck<'_, '_> {
    fn ask(&mut self, sites: &[String]) {
        let Some(metadata) = self.metadata() else { return };
        self.keys(&metadata);
        for site in sites {
            self.redirect_uri(&metadata, site);
        }
        if let Some(site) = sites.first() {
            self.client_secret(&metadata, site);
        }
    }

    /// The id of a request to this provider.
    fn id(&self, what: &str) -> String {
        format!("{}: {what}", self.provider.id)
    }

    /// A place in the provider's table.
    fn place(&self, key: &str) -> String {
        let index = self.index;
        if key.is_empty() {
            format!("AUTH.providers[{index}]")
        } else {
            format!("AUTH.providers[{index}].{key}")
        }
    }

    fn refuse(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        let place = self.place(key);
        self.context.refuse(&place, problem, fix);
    }

    fn advise(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        let place = self.place(key);
        self.context.advise(&place, problem, fix);
    }

    /// The variable of the provider with this end: `AUTH_OKTA_SECRET`.
    fn variable(&self, end: &str) -> String {
        format!("AUTH_{}_{end}", self.provider.id.replace('-', "_").to_ascii_uppercase())
    }

    /// Whether the value of a variable is at hand, or is not needed because the configuration has it.
    fn knows(&self, end: &str) -> bool {
        let name = self.variable(end);
        !self.context.loaded.is_stand_in(&name)
            && (self.context.deployment.text(&name).is_some()
                || !self.context.deployment.is_set_elsewhere(&name))
    }
}
