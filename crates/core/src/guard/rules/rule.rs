//! One rule.

use crate::guard::budget::Budget;
use crate::guard::conditions::Condition;
use crate::guard::matcher::{Pattern, Reading};
use crate::guard::principals::Principals;
use crate::guard::requirements::Access;
use crate::session::step_up::StepUp;
use crate::upstream::bearer_token::BearerToken;
use crate::upstream::header_value::HeaderEncoding;
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::value::UpstreamValue;
use crate::upstream::{Assertion, Target};
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::{Method, Request};

/// A rule: which requests it applies to, what it requires, and how it forwards.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its place in the configuration, e.g. `AUTH.rules[1]`.
    pub place: String,
    /// The rule applies to paths that one of these patterns matches.
    pub patterns: Vec<Pattern>,
    /// The rule applies to this host only.
    pub host: Option<HostPattern>,
    /// The rule applies to these methods only. HEAD counts as GET, because it differs only in the body.
    pub methods: Option<Vec<Method>>,
    /// The rule applies to requests that meet all of these conditions.
    pub has: Vec<Condition>,
    /// The rule applies to requests that meet none of these conditions.
    pub missing: Vec<Condition>,
    /// Who may pass.
    pub access: Access,
    /// Whom of those: users, or clients without one.
    pub principals: Principals,
    /// What is asked of how and when those who may pass authenticated.
    pub step_up: StepUp,
    /// The response to a request that may not pass.
    pub deny: Deny,
    /// Whether pages of other origins may send requests with a session.
    pub allows_cross_origin: bool,
    /// Whether its public paths run server functions for everyone.
    pub has_public_server_functions: bool,
    /// Whether paths with empty segments and encoded slashes pass, all of which this rule decides about.
    pub allows_any_slashes: bool,
    /// Which caches may store the responses.
    pub caching: Caching,
    /// How the rule changes where its requests go, and with which headers.
    pub forwarding: Forwarding,
}

/// What a rule changes in the upstream's configuration.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// Another server. Then nothing else of the upstream's configuration applies.
    pub target: Option<Target>,
    /// The beginning of the path that the other server does not get.
    pub strip_prefix: Option<PathPrefix>,
    /// Replaces the upstream's `authorization`.
    pub authorization: Option<BearerToken>,
    /// Replaces the upstream's `headers`.
    pub headers: Option<Vec<(String, UpstreamValue)>>,
    /// Replaces the upstream's `cookies`.
    pub cookies: Option<Vec<(String, UpstreamValue)>>,
    /// Replaces the upstream's `header_encoding`.
    pub header_encoding: Option<HeaderEncoding>,
    /// Replaces the upstream's `assertion`.
    pub assertion: Option<Assertion>,
}

/// Why a rule does not apply to a request although it matches the path.
#[derive(Clone, Copy, Debug)]
pub enum Mismatch<'a> {
    /// The rule is for another host.
    Host,
    /// The rule is for other methods.
    Method,
    /// The request does not meet this condition of `has`.
    Lacks(&'a Condition),
    /// The request meets this condition of `missing`.
    Has(&'a Condition),
}

impl Rule {
    /// A rule for every request whose path one of the patterns matches.
    pub fn new(place: impl Into<String>, patterns: Vec<Pattern>, access: Access) -> Self {
        Self {
            place: place.into(),
            patterns,
            host: None,
            methods: None,
            has: Vec::new(),
            missing: Vec::new(),
            access,
            principals: Principals::default(),
            step_up: StepUp::default(),
            deny: Deny::default(),
            allows_cross_origin: false,
            has_public_server_functions: false,
            allows_any_slashes: false,
            caching: Caching::default(),
            forwarding: Forwarding::default(),
        }
    }

    /// Why the rule does not apply to the request, apart from its path. `None` if it applies.
    pub(crate) fn mismatch(&self, request: &Request, budget: &Budget) -> Option<Mismatch<'_>> {
        if !self.host.as_ref().is_none_or(|host| host.matches(&request.url.authority)) {
            return Some(Mismatch::Host);
        }
        let method = &request.method;
        let method = if *method == Method::Head { [&Method::Head, &Method::Get] } else { [method; 2] };
        if !self.methods.as_ref().is_none_or(|methods| methods.iter().any(|m| method.contains(&m))) {
            return Some(Mismatch::Method);
        }
        let lacks =
            || self.has.iter().find(|condition| !condition.is_met(request, budget)).map(Mismatch::Lacks);
        let has =
            || self.missing.iter().find(|condition| condition.is_met(request, budget)).map(Mismatch::Has);
        lacks().or_else(has)
    }

    /// Whether the rule applies to the request through its pattern number `at`.
    pub(super) fn is_for(&self, at: usize, request: &Request, reading: &Reading<'_>) -> bool {
        self.patterns.get(at).is_some_and(|pattern| pattern.matches_reading(reading))
            && self.mismatch(request, reading.budget).is_none()
    }
}

/// The response to a request that may not pass. The variants are in the order of strictness: if several readings of a
/// path deny a request differently, the strictest applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deny {
    /// A signed-out user must sign in. A signed-in user without the required claims gets 403, since signing in again
    /// would not change that.
    #[default]
    SignIn,
    /// 403.
    Forbidden,
    /// 404, which does not reveal that the path exists.
    NotFound,
}

/// Which caches may store the responses to requests that a rule decides about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Those that the upstream allows to.
    #[default]
    ByUpstream,
    /// None, not even the browser's.
    Forbidden,
}
