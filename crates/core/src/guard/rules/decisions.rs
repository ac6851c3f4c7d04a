//! What the rules say about one request: about each reading of its path, and about all of them together.

use crate::guard::decision::Decision;
use crate::guard::principals::Principals;
use crate::guard::requirements::Access;
use crate::guard::rules::rule::{Caching, Deny, Rule};
use crate::session::proven::ProvenClaims;
use crate::upstream::ServerReading;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::time::Timestamp;

/// Where it is written what holds without a rule.
const DEFAULT: &str = "AUTH.default_access";

/// The decisions about one request.
#[derive(Clone, Debug)]
pub struct RuleDecisions<'a> {
    /// The decision about the path as it is written, which is forwarded.
    pub(super) written: ReadingDecision<'a>,
    /// The decisions about those other readings for which another rule decides.
    pub(super) others: Vec<ReadingDecision<'a>>,
}

impl<'a> RuleDecisions<'a> {
    /// Whether every request may pass, signed in or not.
    pub fn is_public(&self) -> bool {
        self.readings().all(ReadingDecision::is_public)
    }

    /// The decision for a session with these claims. `None` is a user who is signed out. The request passes if every
    /// reading lets it pass; otherwise the strictest denial applies.
    pub fn decision(&self, claims: Option<&ProvenClaims<'_>>) -> Decision {
        let strictness = |decision: &Decision| match decision {
            Decision::Pass => 0,
            Decision::SignIn | Decision::StepUp => 1,
            Decision::Forbidden => 2,
            Decision::NotFound => 3,
        };
        let decisions = self.readings().map(|reading| reading.decision(claims));
        decisions.max_by_key(strictness).unwrap_or(Decision::Forbidden)
    }

    /// Which rule does not let a session with these claims pass, by its place in the configuration, and the requirement that the
    /// claims do not meet. `None` if every rule lets it pass.
    pub fn refusing(
        &self,
        claims: Option<&ProvenClaims<'_>>,
        now: Timestamp,
    ) -> Option<(&'a str, Option<String>)> {
        let decision = self.decision(claims);
        if decision != Decision::Pass {
            let reading = self.readings().find(|reading| reading.decision(claims) == decision)?;
            let unmet = |claims: &ProvenClaims<'_>| {
                if !reading.principals().include(claims.is_client()) {
                    return Some(format!("to be {}", reading.principals()));
                }
                let requirements = reading.access.requirements().iter();
                requirements.filter(|asked| !asked.is_met(claims)).map(ToString::to_string).next()
            };
            return Some((reading.place(), claims.and_then(unmet)));
        }
        let claims = claims?;
        self.readings().find_map(|reading| {
            let checks = reading.matched?.rule.step_up.checks(|name| claims.get(name), now);
            let unmet = checks.into_iter().find(|check| !check.is_met)?;
            Some((reading.place(), Some(unmet.requirement)))
        })
    }

    /// The place in the configuration of what decides about the path as it is written.
    pub fn place(&self) -> &'a str {
        self.written.place()
    }

    /// Whether a rule that decides about some reading of the path forbids every cache to store the response.
    pub fn forbids_storing(&self) -> bool {
        self.readings()
            .filter_map(|reading| reading.matched)
            .any(|matched| matched.rule.caching == Caching::Forbidden)
    }

    /// Whether pages of other origins may send the request with a session. Each rule that restricts a reading of the path has to
    /// allow it.
    pub fn allows_cross_origin(&self) -> bool {
        let allows = |reading: &ReadingDecision<'_>| {
            reading.matched.is_some_and(|matched| matched.rule.allows_cross_origin)
        };
        allows(&self.written) && self.others.iter().all(|reading| reading.is_public() || allows(reading))
    }

    /// Whether only clients without a user may pass.
    pub fn is_for_clients_only(&self) -> bool {
        self.readings().any(|reading| reading.principals() == Principals::Clients)
    }

    /// The rule that matches the path as it is written. It decides where the request goes.
    pub fn rule(&self) -> Option<&'a Rule> {
        self.written.matched.map(|matched| matched.rule)
    }

    /// Which rules decided.
    pub(crate) fn places(&self) -> DecidedPlaces {
        let place =
            |decision: &ReadingDecision<'_>| Some((decision.matched?.index, decision.matched?.pattern));
        DecidedPlaces { written: place(&self.written), others: self.others.iter().map(place).collect() }
    }

    pub(in crate::guard) fn readings(&self) -> impl Iterator<Item = &ReadingDecision<'a>> {
        std::iter::once(&self.written).chain(&self.others)
    }
}

/// Indices of a rule and of one of its patterns; their order is the order of the configuration.
pub(super) type Place = (usize, usize);

/// Which rules decided about a request: for each reading the rule and its pattern, `None` for what holds by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecidedPlaces {
    pub(super) written: Option<Place>,
    pub(super) others: Vec<Option<Place>>,
}

/// Who reads a request so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The path is as it is written.
    Written,
    /// Any server may.
    Any,
    /// Servers with these habits do.
    Some(Vec<ServerReading>),
    /// Servers that read this method do, which is not the one that the request has.
    OfMethod(Method),
}

/// One reading of a request's path, and what the rules say about it.
#[derive(Clone, Debug)]
pub struct DecidedReading<'a> {
    /// The decoded segments.
    pub segments: Vec<String>,
    /// Who reads the path so.
    pub readers: Readers,
    /// What the rules say.
    pub decision: ReadingDecision<'a>,
}

impl DecidedReading<'_> {
    /// Whether what the rules say counts. A reading that only some servers have restricts, by a rule that matches it, and
    /// never asks for what holds by default.
    pub fn asks(&self) -> bool {
        match self.readers {
            Readers::Written | Readers::Any | Readers::OfMethod(_) => true,
            Readers::Some(_) => self.decision.matched.is_some() && !self.decision.is_public(),
        }
    }
}

/// The decision about one reading of a request's path.
#[derive(Clone, Copy, Debug)]
pub struct ReadingDecision<'a> {
    /// The rule that decided. `None` if no rule matched and the default access applies.
    pub matched: Option<Matched<'a>>,
    /// Who may pass.
    pub access: &'a Access,
}

impl<'a> ReadingDecision<'a> {
    /// The place in the configuration of what decides.
    fn place(&self) -> &'a str {
        self.matched.map_or(DEFAULT, |matched| matched.rule.place.as_str())
    }
}

impl ReadingDecision<'_> {
    /// Whether every request may pass, signed in or not.
    pub fn is_public(&self) -> bool {
        matches!(self.access, Access::Public)
    }

    /// The decision for a session with these claims. `None` is a user who is signed out.
    pub fn decision(&self, claims: Option<&ProvenClaims<'_>>) -> Decision {
        let is_admitted = || {
            claims.is_some_and(|claims| {
                self.principals().include(claims.is_client()) && self.access.admits(claims)
            })
        };
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

    /// Whom it lets pass: what holds by default is for users.
    pub fn principals(&self) -> Principals {
        self.matched.map(|matched| matched.rule.principals).unwrap_or_default()
    }

    fn deny(&self) -> Deny {
        self.matched.map(|matched| matched.rule.deny).unwrap_or_default()
    }

    /// The index of the rule that decided.
    pub(super) fn index(&self) -> Option<usize> {
        self.matched.map(|matched| matched.index)
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
