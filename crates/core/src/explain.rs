//! Why a request passes or does not, told before it is sent: the same decisions as
//! [`handle`](crate::Vestibule::handle) makes, by the same functions, with their reasons.
//!
//! It knows the configuration only: hooks of an app's own may decide otherwise.

use std::fmt;

use serde_json::{Map, Value};

use crate::config::Config;
use crate::flow::guard::assertion;
use crate::flow::host_role::HostRole;
use crate::guard::budget::Budget;
use crate::guard::decision::Decision;
use crate::guard::headers::GuardedNames;
use crate::guard::matcher::{Case, Reading};
use crate::guard::path::{CanonicalPath, PathError};
use crate::guard::readings::PathReadings;
use crate::guard::route::Route;
use crate::guard::rules::{
    DecidedReading, Matched, Mismatch, Readers, ReadingDecision, RuleDecisions, TooMuchWorkError,
};
use crate::session::proven::ProvenClaims;
use crate::upstream::{Target, Upstream};
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::{Method, Request};

/// What becomes of `request` where the session has these claims; `None` is somebody who is signed out.
pub fn explain<'a>(
    config: &'a Config,
    request: &Request,
    claims: Option<&Map<String, Value>>,
) -> Explanation<'a> {
    let path = match CanonicalPath::new(&request.url.path) {
        Ok(path) => path,
        Err(refused) => return Explanation::Refused(refused),
    };
    let origin = Origin::parse(&request.url.origin());
    let standing = origin.map_or(HostRole::Login, |origin| HostRole::of(config, &origin));
    let outside_of = match standing {
        HostRole::Outside(domain) => Some(domain.as_str()),
        HostRole::Login | HostRole::Member(_) => None,
    };
    if path.below(&config.base_path).is_some() {
        return outside_of.map_or(Explanation::AuthRoute, Explanation::NoAuthRoute);
    }
    let claims = claims.filter(|_| outside_of.is_none());
    let has_subject = claims.is_some_and(|claims| claims.get("sub").is_some_and(Value::is_string));
    let claims = claims.map(|claims| {
        // Claims that leave out who it is are those of some user of the first provider.
        let mut claims = claims.clone();
        claims.entry("sub").or_insert_with(|| "someone".into());
        if let (false, Some(first)) = (claims.contains_key("provider"), config.providers.first()) {
            claims.insert("provider".to_owned(), first.id.clone().into());
        }
        claims
    });
    let claims = claims.as_ref().and_then(|claims| config.proven_claims(claims));
    let claims = claims.as_ref();
    let upstream = Upstream::of_host(&config.upstreams, &request.url.authority);
    let upstream = PathReadings::of_upstream(upstream);
    let Ok(decided) = config.rules.decide(request, &path, &upstream) else { return Explanation::TooMuchWork };
    let is_preflight = request.is_preflight();
    let decision = if is_preflight { Decision::Pass } else { decided.decision(claims) };
    let readings = config.rules.readings(request, &path, &upstream, &Budget::new());
    let readings = readings.into_iter().filter(DecidedReading::asks);
    let readings = readings.map(|reading| explained(config, request, reading, claims)).collect();
    // On a preflight nobody is known.
    let passed = (decision == Decision::Pass)
        .then(|| passed(config, request, &decided, claims.filter(|_| !is_preflight), has_subject));
    Explanation::Decided(Box::new(Explained {
        readings,
        is_preflight,
        decision,
        by_navigation: matches!(request.method, Method::Get | Method::Head | Method::Post),
        sign_in: sign_in(config, standing),
        outside_of,
        passed,
    }))
}

/// Where people sign in, as a path where that is on the host that was asked.
fn sign_in(config: &Config, standing: HostRole<'_>) -> String {
    let page = config.pages.sign_in.clone().unwrap_or_else(|| format!("{}/signin", config.base_path));
    match standing {
        HostRole::Member(login) if page.starts_with('/') => format!("{}{page}", login.as_str()),
        _ => page,
    }
}

/// What becomes of a request. Written out, it is for people.
#[derive(Debug)]
pub enum Explanation<'a> {
    /// 400: servers read such a path differently.
    Refused(PathError),
    /// 414: to decide about the path would cost more work than a request may.
    TooMuchWork,
    /// It is below `base_path`: Vestibule answers it itself.
    AuthRoute,
    /// The same on a host outside of this domain, to which `cookies.domain` is set: 403.
    NoAuthRoute(&'a str),
    /// The rules decide.
    Decided(Box<Explained<'a>>),
}

/// What the rules say, and what follows.
#[derive(Debug)]
pub struct Explained<'a> {
    /// Each way in which a server may read the path; as it is written first.
    pub readings: Vec<ExplainedReading<'a>>,
    /// A preflight passes, whatever the rules say.
    pub is_preflight: bool,
    /// What becomes of the request: the strictest of what the readings say.
    pub decision: Decision,
    /// Whether a browser navigates with this method.
    by_navigation: bool,
    sign_in: String,
    /// `cookies.domain`, where the host is outside of it: nobody is signed in there.
    pub outside_of: Option<&'a str>,
    /// What is forwarded, where it passes.
    pub passed: Option<Passed<'a>>,
}

/// What is said about one reading of the path.
#[derive(Debug)]
pub struct ExplainedReading<'a> {
    /// The path as it is read, decoded.
    pub path: String,
    /// Who reads it so.
    pub readers: Readers,
    /// Rules that match it and are for other requests, and why.
    pub passed_over: Vec<(&'a str, String)>,
    /// What holds.
    pub verdict: ReadingDecision<'a>,
    /// What is asked of claims, whether it is met, and what the claims have.
    pub requirements: Vec<(String, bool, String)>,
    /// What becomes of the request by this reading alone.
    pub decision: Decision,
}

/// What is forwarded.
#[derive(Debug)]
pub struct Passed<'a> {
    /// Where to.
    pub route: Route<'a>,
    /// Header fields that say who it is.
    pub set: Vec<(String, String)>,
    /// Whom an assertion is for, where the upstream gets them and somebody is signed in.
    pub audience: Option<String>,
    /// Whether the session says who that is, so that one is made.
    pub has_subject: bool,
    /// Header fields of the request that do not go out as they came.
    pub changed: Vec<String>,
    /// Header fields that nobody but Vestibule sets, whichever request it is.
    pub guarded: Vec<String>,
}

fn explained<'a>(
    config: &'a Config,
    request: &Request,
    reading: DecidedReading<'a>,
    claims: Option<&ProvenClaims<'_>>,
) -> ExplainedReading<'a> {
    let DecidedReading { segments, readers, decision: verdict } = reading;
    let requirements = verdict.access.requirements().iter();
    let requirements = requirements.map(|requirement| match claims {
        Some(claims) => (requirement.to_string(), requirement.is_met(claims), requirement.found(claims)),
        None => (requirement.to_string(), false, "signed out".to_owned()),
    });
    ExplainedReading {
        path: format!("/{}", segments.join("/")),
        passed_over: passed_over(config, request, &segments, verdict.matched),
        readers,
        requirements: requirements.collect(),
        decision: verdict.decision(claims),
        verdict,
    }
}

/// Rules before the one that decides whose patterns match, too.
fn passed_over<'a>(
    config: &'a Config,
    request: &Request,
    segments: &[String],
    matched: Option<Matched<'a>>,
) -> Vec<(&'a str, String)> {
    let before = matched.map_or(usize::MAX, |matched| matched.index);
    let budget = Budget::new();
    let reading = Reading::new(segments, Case::Matters, &budget);
    let rules = config.rules.rules().iter().take(before);
    let rules = rules.filter(|rule| rule.patterns.iter().any(|pattern| pattern.matches_reading(&reading)));
    let why = |objection| match objection {
        Mismatch::Host => "it is for another host".to_owned(),
        Mismatch::Method => "it is for other methods".to_owned(),
        Mismatch::Lacks(condition) => format!("the request has not: {condition}"),
        Mismatch::Has(condition) => format!("the request has: {condition}"),
    };
    rules.filter_map(|rule| Some((rule.place.as_str(), why(rule.mismatch(request, &budget)?)))).collect()
}

fn passed<'a>(
    config: &'a Config,
    request: &Request,
    decided: &RuleDecisions<'a>,
    claims: Option<&ProvenClaims<'_>>,
    has_subject: bool,
) -> Passed<'a> {
    let route = Route::new(&config.upstreams, &request.url.authority, decided.rule());
    let guarded = GuardedNames::of(&config.upstreams, &config.rules, config.edge);
    let set = route.identity(claims);
    let out = route.changes(&config.rules, &guarded, request, &set, &[]).applied_to(&request.headers);
    let values =
        |headers: &Headers, name: &str| -> Vec<String> { headers.get_all(name).map(str::to_owned).collect() };
    let mut changed: Vec<String> = Vec::new();
    for (name, _) in request.headers.iter() {
        if values(&request.headers, name) != values(&out, name) && !changed.iter().any(|known| known == name)
        {
            changed.push(name.to_owned());
        }
    }
    let mut guarded: Vec<String> = guarded.names().map(str::to_owned).collect();
    guarded.extend(route.authorization.map(|_| "authorization".to_owned()));
    let audience = route.audience(request).filter(|_| claims.is_some());
    Passed { route, set, audience, has_subject, changed, guarded }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => writeln!(f, "answer     400 to everybody: {refused}"),
            Self::TooMuchWork => writeln!(f, "answer     414 to everybody: {TooMuchWorkError}"),
            Self::AuthRoute => writeln!(f, "answer     one of Vestibule's own pages, below base_path"),
            Self::NoAuthRoute(domain) => {
                writeln!(f, "answer     403 to everybody: the host is outside of cookies.domain ({domain})")
            }
            Self::Decided(explained) => explained.fmt(f),
        }
    }
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.readings.len() > 1 {
            let count = self.readings.len();
            writeln!(
                f,
                "Servers read this path in {count} ways. All have to let it pass; the strictest refusal holds.\n"
            )?;
        }
        for reading in &self.readings {
            reading.fmt(f)?;
        }
        if self.is_preflight {
            writeln!(f, "This is a CORS preflight: it carries nothing that says who it is, and passes.\n")?;
        }
        if let Some(domain) = self.outside_of {
            writeln!(f, "The host is outside of cookies.domain ({domain}): nobody is signed in there.\n")?;
        }
        let (person, script) = match self.decision {
            Decision::Pass => ("passes".to_owned(), "passes"),
            Decision::SignIn if self.outside_of.is_some() => ("403, with a page".to_owned(), "403"),
            Decision::SignIn => (format!("302 to {}, and back after signing in", self.sign_in), "401"),
            Decision::Forbidden => ("403, with a page".to_owned(), "403"),
            Decision::NotFound => ("404".to_owned(), "404"),
        };
        if self.by_navigation {
            writeln!(f, "a person   {person}")?;
        }
        writeln!(f, "a script   {script}")?;
        if let Some(passed) = &self.passed {
            writeln!(f)?;
            passed.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ExplainedReading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "path       {}", self.path)?;
        match &self.readers {
            Readers::Written => {}
            Readers::Any => writeln!(f, "read so    by any server that decodes it otherwise")?,
            Readers::Some(habits) => {
                let habits: Vec<&str> = habits.iter().map(|habit| habit.description()).collect();
                writeln!(f, "read so    by servers {}", habits.join(", and "))?;
            }
        }
        for (place, why) in &self.passed_over {
            writeln!(f, "not        {place}: {why}")?;
        }
        match self.verdict.matched {
            None => writeln!(f, "rule       none matches: AUTH.default_access holds")?,
            Some(Matched { rule, pattern, .. }) => {
                let pattern = rule.patterns.get(pattern).map(ToString::to_string).unwrap_or_default();
                writeln!(f, "rule       {} {pattern}", rule.place)?;
                for (word, conditions) in [("has", &rule.has), ("missing", &rule.missing)] {
                    for condition in conditions {
                        writeln!(f, "{word:<10} {condition}")?;
                    }
                }
            }
        }
        if self.verdict.is_public() {
            writeln!(f, "asks       nothing: it is public")?;
        } else if self.requirements.is_empty() {
            writeln!(f, "asks       to be signed in")?;
        }
        for (asked, is_met, found) in &self.requirements {
            writeln!(f, "asks       {asked}: {}, it is {found}", if *is_met { "yes" } else { "no" })?;
        }
        let says = match self.decision {
            Decision::Pass => "pass",
            Decision::SignIn => "sign in first",
            Decision::Forbidden => "forbidden",
            Decision::NotFound => "not found",
        };
        writeln!(f, "so         {says}\n")
    }
}

impl fmt::Display for Passed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match self.route.target {
            Target::Origin => "the zone's own origin".to_owned(),
            Target::Service(name) => format!("the service {name}"),
            Target::Url(url) => url.origin().to_owned(),
        };
        writeln!(f, "goes to    {target}")?;
        for (name, value) in &self.set {
            // A token is nobody's to read over a shoulder.
            let value = if name == "authorization" { "Bearer ..." } else { value };
            writeln!(f, "sets       {name}: {value}")?;
        }
        let wanted = self.route.headers.iter().map(|(name, from)| (name.as_str(), from));
        let wanted = wanted.chain(self.route.authorization.map(|from| ("authorization", from)));
        for (name, from) in wanted.filter(|(name, _)| !self.set.iter().any(|(set, _)| set == name)) {
            writeln!(f, "sets not   {name}: there is no {from} in the session")?;
        }
        match &self.audience {
            Some(audience) if self.has_subject => {
                writeln!(f, "sets       {}: signed, for {audience}", assertion::HEADER)?;
            }
            Some(_) => writeln!(f, "sets not   {}: there is no sub in the session", assertion::HEADER)?,
            None => {}
        }
        if self.route.forward_session {
            writeln!(f, "sets       cookie: the sealed session")?;
        }
        for name in &self.changed {
            writeln!(f, "changes    {name}: not as the client sent it")?;
        }
        if !self.guarded.is_empty() {
            writeln!(
                f,
                "guards     {}: a client's own never pass, in any spelling",
                self.guarded.join(", ")
            )?;
        }
        Ok(())
    }
}
