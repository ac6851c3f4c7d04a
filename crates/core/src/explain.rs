//! Explains whether a request would pass, and why, without sending it. It makes the decisions of
//! [`handle`](crate::Vestibule::handle) by the same functions.
//!
//! It reads the configuration only. An app's own hooks may decide otherwise.

mod table;
mod text;

use serde_json::{Map, Value};

pub use self::table::{AccessRow, AccessTable, access_table};

use crate::config::{Config, Provider};
use crate::flow::host_role::HostRole;
use crate::guard::budget::Budget;
use crate::guard::decision::Decision;
use crate::guard::headers::SessionCookies;
use crate::guard::matcher::{Case, Reading};
use crate::guard::path::PathError;
use crate::guard::readings::PathReadings;
use crate::guard::route::{IdentityHeaders, Route};
use crate::guard::rules::{DecidedReading, Matched, Mismatch, Readers, ReadingDecision, RuleDecisions};
use crate::session::proven::ProvenClaims;
use crate::session::read;
use crate::upstream::Upstream;
use crate::upstream::bearer_token::BearerToken;
use vestibule_oidc::http::cookie::Cookies;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::time::Timestamp;

/// Explains what happens to `request` at the time `now` if the session has these claims. `None`: no one is signed in.
pub fn explain<'a>(
    config: &'a Config,
    request: &Request,
    claims: Option<&Map<String, Value>>,
    now: Timestamp,
) -> Explanation<'a> {
    let path = match config.rules.canonical_path(&request.url) {
        Ok(path) => path,
        Err(error) => return Explanation::Rejected(error),
    };
    let origin = Origin::parse(&request.url.origin());
    let host_role = origin.map_or(HostRole::Login, |origin| HostRole::of(config, &origin));
    let outside_of = match host_role {
        HostRole::Outside(domain) => Some(domain.as_str()),
        HostRole::Login | HostRole::Member(_) | HostRole::Preview(_) => None,
    };
    if path.below(&config.base_path).is_some() {
        return outside_of.map_or(Explanation::AuthRoute, Explanation::AuthRouteOutside);
    }
    let claims = claims.filter(|_| outside_of.is_none());
    let has_subject = claims.is_some_and(|claims| claims.get("sub").is_some_and(Value::is_string));
    let claims = claims.map(|claims| {
        // Without `sub` or `provider`, the claims are those of any user of the first provider.
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
    let readings = PathReadings::of_upstream(upstream);
    let Ok(decided) = config.rules.decide(request, &path, &readings) else { return Explanation::TooMuchWork };
    let route = Route::new(upstream, decided.rule());
    if let Some(prefix) = route.strip_prefix.filter(|prefix| prefix.strip(&request.url.path).is_none()) {
        return Explanation::OutsidePrefix(prefix.as_str());
    }
    let is_preflight = request.is_preflight();
    let decision = match decided.decision(claims) {
        _ if is_preflight => Decision::Pass,
        Decision::Pass if claims.is_some_and(|claims| decided.step_up(claims, now).is_some()) => {
            Decision::StepUp
        }
        decision => decision,
    };
    let readings = config.rules.readings(request, &path, &readings, &Budget::new());
    let readings = readings.into_iter().filter(DecidedReading::asks);
    let readings = readings.map(|reading| explain_reading(config, request, reading, claims, now)).collect();
    // A preflight carries no credentials, so its user is unknown.
    let forwarded = (decision == Decision::Pass).then(|| {
        explain_forwarding(config, request, &decided, claims.filter(|_| !is_preflight), has_subject)
    });
    Explanation::Decided(Box::new(Explained {
        readings,
        is_preflight,
        decision,
        can_step_up: can_step_up(config, claims),
        is_navigation_method: matches!(request.method, Method::Get | Method::Head | Method::Post),
        sign_in: sign_in_page(config, host_role),
        outside_of,
        forwarded,
    }))
}

/// Whether the user's provider can be asked for more. One that is not configured here may be elsewhere.
fn can_step_up(config: &Config, claims: Option<&ProvenClaims<'_>>) -> bool {
    let id = claims.and_then(|claims| claims.get("provider")).and_then(Value::as_str);
    let provider = config.providers.iter().find(|provider| Some(provider.id.as_str()) == id);
    provider.is_none_or(Provider::gives_id_tokens)
}

/// The address of the sign-in page: a path if it is on the request's host, otherwise a URL.
fn sign_in_page(config: &Config, host_role: HostRole<'_>) -> String {
    let page = config.pages.sign_in.clone().unwrap_or_else(|| format!("{}/signin", config.base_path));
    match host_role {
        HostRole::Preview(_) => format!("{}/signin", config.base_path),
        HostRole::Member(login) if page.starts_with('/') => format!("{}{page}", login.as_str()),
        _ => page,
    }
}

/// What happens to a request. Its `Display` is a text for people.
#[derive(Debug)]
pub enum Explanation<'a> {
    /// 400: servers would read the path in different ways.
    Rejected(PathError),
    /// 414: to decide about the path would cost more work than a request may.
    TooMuchWork,
    /// 404: the upstream strips this prefix, and the path does not begin with it.
    OutsidePrefix(&'a str),
    /// The path is below `base_path`: Vestibule answers it itself.
    AuthRoute,
    /// 403: the path is below `base_path`, but the host is outside this `cookies.domain`.
    AuthRouteOutside(&'a str),
    /// The rules decide.
    Decided(Box<Explained<'a>>),
}

/// The decision of the rules, and its effect.
#[derive(Debug)]
pub struct Explained<'a> {
    /// Each way in which a server may read the path, beginning with the path as it is written.
    pub readings: Vec<ExplainedReading<'a>>,
    /// Whether the request is a CORS preflight, which passes whatever the rules say.
    pub is_preflight: bool,
    /// The decision: the strictest one of all readings.
    pub decision: Decision,
    /// Whether the user's provider can be asked for more.
    can_step_up: bool,
    /// Whether a browser can navigate with this method.
    is_navigation_method: bool,
    /// The address of the sign-in page.
    sign_in: String,
    /// `cookies.domain`, if the host is outside it, so that no one can be signed in there.
    pub outside_of: Option<&'a str>,
    /// What is forwarded, if the request passes.
    pub forwarded: Option<ForwardedRequest<'a>>,
}

/// The decision about one reading of the path.
#[derive(Debug)]
pub struct ExplainedReading<'a> {
    /// The decoded path.
    pub path: String,
    /// Who reads the path so.
    pub readers: Readers,
    /// Rules whose pattern matches but which do not apply to this request, by their place, with the reason.
    pub skipped: Vec<(&'a str, String)>,
    /// The rule that applies, and its access.
    pub applied: ReadingDecision<'a>,
    /// The requirements on the session's claims.
    pub requirements: Vec<ExplainedRequirement>,
    /// The decision by this reading alone.
    pub decision: Decision,
}

/// One requirement of a rule.
#[derive(Debug)]
pub struct ExplainedRequirement {
    /// The requirement in words.
    pub requirement: String,
    /// Whether the claims meet it.
    pub is_met: bool,
    /// The value of the claim; `None` if no one is signed in.
    pub found: Option<String>,
}

/// What the upstream gets.
#[derive(Debug)]
pub struct ForwardedRequest<'a> {
    /// The upstream, and what it is sent.
    pub route: Route<'a>,
    /// The header fields that identify the user.
    pub set: Vec<(String, String)>,
    /// Whether the session's access token is exchanged for one of the upstream's own.
    pub is_exchanged: bool,
    /// The cookies that are made of the session.
    pub set_cookies: Vec<(String, String)>,
    /// The audience of the assertion, if the upstream gets assertions and a user is signed in.
    pub audience: Option<String>,
    /// Whether the session has a subject. Without one there is no assertion.
    pub has_subject: bool,
    /// The client's header fields that are removed or replaced.
    pub changed: Vec<String>,
    /// The header fields that only Vestibule sets, in every request.
    pub guarded: Vec<String>,
}

fn explain_reading<'a>(
    config: &'a Config,
    request: &Request,
    reading: DecidedReading<'a>,
    claims: Option<&ProvenClaims<'_>>,
    now: Timestamp,
) -> ExplainedReading<'a> {
    let DecidedReading { segments, readers, decision: applied } = reading;
    let requirements = applied.access.requirements().iter();
    let requirements = requirements.map(|requirement| ExplainedRequirement {
        requirement: requirement.to_string(),
        is_met: claims.is_some_and(|claims| requirement.is_met(claims)),
        found: claims.map(|claims| requirement.found(claims)),
    });
    let asked = applied.matched.map(|matched| &matched.rule.step_up);
    let checks = asked.map(|asked| asked.checks(|name| claims?.get(name), now)).unwrap_or_default();
    let must_step_up = claims.is_some() && checks.iter().any(|check| !check.is_met);
    let requirements = requirements.chain(checks.into_iter().map(|check| ExplainedRequirement {
        requirement: check.requirement,
        is_met: check.is_met,
        found: claims.map(|_| check.found),
    }));
    let decision = match applied.decision(claims) {
        Decision::Pass if must_step_up => Decision::StepUp,
        decision => decision,
    };
    ExplainedReading {
        path: format!("/{}", segments.join("/")),
        skipped: skipped_rules(config, request, &segments, applied.matched),
        readers,
        requirements: requirements.collect(),
        decision,
        applied,
    }
}

/// The rules before the one that applies whose patterns match, too.
fn skipped_rules<'a>(
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
        Mismatch::Lacks(condition) => format!("the request lacks: {condition}"),
        Mismatch::Has(condition) => format!("the request has: {condition}"),
    };
    rules.filter_map(|rule| Some((rule.place.as_str(), why(rule.mismatch(request, &budget)?)))).collect()
}

fn explain_forwarding<'a>(
    config: &'a Config,
    request: &Request,
    decided: &RuleDecisions<'a>,
    claims: Option<&ProvenClaims<'_>>,
    has_subject: bool,
) -> ForwardedRequest<'a> {
    let upstream = Upstream::of_host(&config.upstreams, &request.url.authority);
    let route = Route::new(upstream, decided.rule());
    let names = config.cookie_names.of(request.url.secure);
    let cookies = Cookies::parse(request.headers.get_all("cookie"));
    let positions = read::only_positions(config.dialect, names, &cookies).unwrap_or_default();
    let session = SessionCookies { positions: &positions, renewed: &[] };
    let identity = route.identity(claims);
    let out = route
        .changes(&config.rules, &config.guarded, request, &identity, session)
        .applied_to(&request.headers);
    let values =
        |headers: &Headers, name: &str| -> Vec<String> { headers.get_all(name).map(str::to_owned).collect() };
    let mut changed: Vec<String> = Vec::new();
    for (name, _) in request.headers.iter() {
        if values(&request.headers, name) != values(&out, name)
            && !changed.iter().any(|listed| listed == name)
        {
            changed.push(name.to_owned());
        }
    }
    let mut guarded: Vec<String> = config.guarded.names().map(str::to_owned).collect();
    guarded.extend(route.sets_authorization().then(|| "authorization".to_owned()));
    let audience = route.audience(request).filter(|_| claims.is_some());
    let has_token = |token: &BearerToken| claims.and_then(|claims| claims.lookup(token.path())).is_some();
    let is_exchanged = route.exchange_target().is_some() && route.authorization.is_some_and(has_token);
    let IdentityHeaders { fields: set, cookies: set_cookies, .. } = identity;
    ForwardedRequest { route, set, is_exchanged, set_cookies, audience, has_subject, changed, guarded }
}
