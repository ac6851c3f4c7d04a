//! The access rules. The first rule that matches a request decides.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::guard::conditions::Condition;
use crate::guard::decision::Decision;
use crate::guard::decision::DefaultAccess;
use crate::guard::matcher::{FirstSegment, Pattern, Reading};
use crate::guard::path::CanonicalPath;
pub use crate::guard::requirements::{Access, ClaimRequirement, ClaimTest, Requirement};
use crate::upstream::{Assertion, Target};
use vestibule_oidc::data::DataPath;
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
    /// The response to a request that may not pass.
    pub deny: Deny,
    /// How the rule changes where its requests go, and with which headers.
    pub forwarding: Forwarding,
}

/// What a rule changes in the upstream's configuration.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// Another server. Then nothing else of the upstream's configuration applies.
    pub target: Option<Target>,
    /// Replaces the upstream's `authorization`.
    pub authorization: Option<DataPath>,
    /// Replaces the upstream's `headers`.
    pub headers: Option<Vec<(String, DataPath)>>,
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
            deny: Deny::default(),
            forwarding: Forwarding::default(),
        }
    }

    /// Why the rule does not apply to the request, apart from its path. `None` if it applies.
    pub fn mismatch(&self, request: &Request) -> Option<Mismatch<'_>> {
        if !self.host.as_ref().is_none_or(|host| host.matches(&request.url.authority)) {
            return Some(Mismatch::Host);
        }
        let method = &request.method;
        let method = if *method == Method::Head { [&Method::Head, &Method::Get] } else { [method; 2] };
        if !self.methods.as_ref().is_none_or(|methods| methods.iter().any(|m| method.contains(&m))) {
            return Some(Mismatch::Method);
        }
        let lacks = || self.has.iter().find(|condition| !condition.is_met(request)).map(Mismatch::Lacks);
        let has = || self.missing.iter().find(|condition| condition.is_met(request)).map(Mismatch::Has);
        lacks().or_else(has)
    }

    /// Whether the rule applies to the request through its pattern number `at`.
    fn is_for(&self, at: usize, request: &Request, reading: &Reading<'_>) -> bool {
        self.patterns.get(at).is_some_and(|pattern| pattern.matches_reading(reading))
            && self.mismatch(request).is_none()
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

/// All rules in their order, and the access where no rule matches.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    default: Access,
    /// Patterns by their literal first segment (`""` for `/`), so that with a thousand rules for a thousand first
    /// segments a request is matched only against those for its own.
    by_first_segment: BTreeMap<String, Vec<Place>>,
    /// Patterns that match any first segment. A request is matched against each of them.
    anywhere: Vec<Place>,
    distinguishes_methods: bool,
    looks_at_emails: bool,
}

/// Indices of a rule and of one of its patterns; their order is the order of the configuration.
type Place = (usize, usize);

impl RuleSet {
    /// A rule set. The first rule that matches decides, so the order matters.
    pub fn new(rules: Vec<Rule>, default: DefaultAccess) -> Self {
        let mut by_first_segment: BTreeMap<String, Vec<Place>> = BTreeMap::default();
        let mut anywhere = Vec::new();
        for (rule, Rule { patterns, .. }) in rules.iter().enumerate() {
            for (at, pattern) in patterns.iter().enumerate() {
                match pattern.first_segment() {
                    FirstSegment::None => by_first_segment.entry(String::new()).or_default(),
                    FirstSegment::Literal(text) => by_first_segment.entry(text.to_owned()).or_default(),
                    FirstSegment::Anything => &mut anywhere,
                }
                .push((rule, at));
            }
        }
        let default = match default {
            DefaultAccess::SignedIn => Access::SignedIn,
            DefaultAccess::Public => Access::Public,
        };
        let distinguishes_methods = rules.iter().any(|rule| rule.methods.is_some());
        let is_email_domain = |requirement: &Requirement| matches!(requirement, Requirement::EmailDomain(_));
        let looks_at_emails = rules.iter().any(|rule| rule.access.requirements().iter().any(is_email_domain));
        Self { rules, default, by_first_segment, anywhere, distinguishes_methods, looks_at_emails }
    }

    /// The rules in their order. After those of the configuration come the rules that make the configured pages public.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Decides about a request with this path. If servers read the path in several ways, every reading is decided,
    /// and the request must be allowed by all of them.
    pub fn decide(&self, request: &Request, path: &CanonicalPath) -> RuleDecisions<'_> {
        let mut others: Vec<ReadingDecision<'_>> = Vec::new();
        let written = self.decide_reading(request, path.segments());
        for segments in path.readings().skip(1) {
            let other = self.decide_reading(request, segments);
            if !others.iter().chain([&written]).any(|known| known.index() == other.index()) {
                others.push(other);
            }
        }
        RuleDecisions { written, others }
    }

    /// Decides about one reading of the path.
    pub fn decide_reading(&self, request: &Request, segments: &[String]) -> ReadingDecision<'_> {
        let reading = Reading::new(segments);
        let found = self.candidates(&reading).find_map(|(index, at)| {
            let rule = self.rules.get(index)?;
            rule.is_for(at, request, &reading).then_some(Matched { index, rule, pattern: at })
        });
        ReadingDecision { access: found.map_or(&self.default, |found| &found.rule.access), matched: found }
    }

    /// Whether any rule applies to some methods only. Then it matters which method an upstream sees.
    pub fn distinguishes_methods(&self) -> bool {
        self.distinguishes_methods
    }

    /// Whether any rule requires an e-mail address at a domain. Then it matters whether the address is verified.
    pub fn looks_at_emails(&self) -> bool {
        self.looks_at_emails
    }

    /// The patterns that may match, in the order of the rules.
    fn candidates(&self, reading: &Reading<'_>) -> impl Iterator<Item = Place> {
        let first = reading.segments.first().map_or("", String::as_str);
        let mut here = self.by_first_segment.get(first).map_or(&[][..], Vec::as_slice);
        let mut anywhere = self.anywhere.as_slice();
        let in_order = std::iter::from_fn(move || {
            let next = match (here.first(), anywhere.first()) {
                (Some(a), Some(b)) if a < b => &mut here,
                (_, Some(_)) => &mut anywhere,
                (_, None) => &mut here,
            };
            let (place, rest) = next.split_first()?;
            *next = rest;
            Some(*place)
        });
        in_order.filter(|(index, at)| {
            let pattern = self.rules.get(*index).and_then(|rule| rule.patterns.get(*at));
            pattern.is_some_and(|pattern| pattern.may_match(reading))
        })
    }
}

/// A rule that applies to a request.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// The rule's index among all rules.
    pub index: usize,
    /// The rule.
    pub rule: &'a Rule,
    /// The index of the pattern that matched.
    pub pattern: usize,
}

/// The decision about one reading of a request's path.
#[derive(Clone, Copy, Debug)]
pub struct ReadingDecision<'a> {
    /// The rule that decided. `None` if no rule matched and the default access applies.
    pub matched: Option<Matched<'a>>,
    /// Who may pass.
    pub access: &'a Access,
}

impl ReadingDecision<'_> {
    /// Whether every request may pass, signed in or not.
    pub fn is_public(&self) -> bool {
        matches!(self.access, Access::Public)
    }

    /// The decision for a session with these claims. `None` is a user who is signed out.
    pub fn decision(&self, claims: Option<&Map<String, Value>>) -> Decision {
        let is_admitted = || claims.is_some_and(|claims| self.access.admits(claims));
        if self.is_public() || is_admitted() {
            return Decision::Pass;
        }
        match (self.deny(), claims) {
            // The user is signed in without the required claims, so signing in again would lead back here.
            (Deny::SignIn, Some(_)) | (Deny::Forbidden, _) => Decision::Forbidden,
            (Deny::SignIn, None) => Decision::SignIn,
            (Deny::NotFound, _) => Decision::NotFound,
        }
    }

    fn deny(&self) -> Deny {
        self.matched.map(|matched| matched.rule.deny).unwrap_or_default()
    }

    fn index(&self) -> Option<usize> {
        self.matched.map(|matched| matched.index)
    }
}

/// The decisions about one request.
#[derive(Clone, Debug)]
pub struct RuleDecisions<'a> {
    /// The decision about the path as it is written, which is forwarded.
    written: ReadingDecision<'a>,
    /// The decisions about those other readings for which another rule decides.
    others: Vec<ReadingDecision<'a>>,
}

impl<'a> RuleDecisions<'a> {
    /// Whether every request may pass, signed in or not.
    pub fn is_public(&self) -> bool {
        self.readings().all(ReadingDecision::is_public)
    }

    /// The decision for a session with these claims. `None` is a user who is signed out. The request passes if every
    /// reading lets it pass; otherwise the strictest denial applies.
    pub fn decision(&self, claims: Option<&Map<String, Value>>) -> Decision {
        let strictness = |decision: &Decision| match decision {
            Decision::Pass => 0,
            Decision::SignIn => 1,
            Decision::Forbidden => 2,
            Decision::NotFound => 3,
        };
        let decisions = self.readings().map(|reading| reading.decision(claims));
        decisions.max_by_key(strictness).unwrap_or(Decision::Forbidden)
    }

    /// The rule that matches the path as it is written. It decides where the request goes.
    pub fn rule(&self) -> Option<&'a Rule> {
        self.written.matched.map(|matched| matched.rule)
    }

    fn readings(&self) -> impl Iterator<Item = &ReadingDecision<'a>> {
        std::iter::once(&self.written).chain(&self.others)
    }
}

#[cfg(test)]
mod tests;
