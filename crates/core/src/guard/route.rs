//! Where a request goes that may pass, and what of the session goes with it.

use crate::guard::headers::{EdgeFields, GuardedNames, Outgoing, field_value};
use crate::guard::rules::{Rule, RuleSet};
use crate::session::claims::is_access_token_claim;
use crate::session::proven::ProvenClaims;
use crate::upstream::{Assertion, Target, Upstream};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::{Method, Request};

/// Where a request goes, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// Where to.
    pub target: &'a Target,
    /// `Authorization: Bearer` from this place in the session.
    pub authorization: Option<&'a DataPath>,
    /// Header's name in lower case, and the place in the session whose value it carries.
    pub headers: &'a [(String, DataPath)],
    /// Whether the sealed session cookie goes with it.
    pub forward_session: bool,
    /// Whether a signed token says who it is.
    pub assertion: &'a Assertion,
}

impl<'a> Route<'a> {
    /// The route of a request to this host about which `rule` has decided: the first upstream for the host,
    /// changed as the rule says. Where there is no upstream, the zone's own origin, with nothing added.
    ///
    /// A rule that names another server takes nothing over from the upstream: what one server may know of
    /// people is not said to the other.
    pub fn new(upstreams: &'a [Upstream], authority: &str, rule: Option<&'a Rule>) -> Self {
        let upstream = Upstream::of_host(upstreams, authority);
        let mut route = upstream.map_or(Self::to(&Target::Origin), Self::of);
        let Some(rule) = rule else { return route };
        if let Some(target) = &rule.forwarding.target {
            route = Self::to(target);
        }
        if let Some(authorization) = &rule.forwarding.authorization {
            route.authorization = Some(authorization);
        }
        if let Some(headers) = &rule.forwarding.headers {
            route.headers = headers;
        }
        if let Some(assertion) = &rule.forwarding.assertion {
            route.assertion = assertion;
        }
        route
    }

    fn to(target: &'a Target) -> Self {
        Self {
            target,
            authorization: None,
            headers: &[],
            forward_session: false,
            assertion: &Assertion::None,
        }
    }

    fn of(upstream: &'a Upstream) -> Self {
        Self {
            target: &upstream.target,
            authorization: upstream.authorization.as_ref(),
            headers: &upstream.headers,
            forward_session: upstream.forward_session,
            assertion: &upstream.assertion,
        }
    }

    /// Whether anything of the session goes with the request.
    pub fn wants_session(&self) -> bool {
        self.authorization.is_some() || !self.headers.is_empty() || *self.assertion != Assertion::None
    }

    /// Whether the upstream learns who it is, by what goes with the request or by opening the session itself.
    pub fn tells_who(&self) -> bool {
        self.wants_session() || self.forward_session
    }

    /// Whom the assertion is for, which an upstream compares: the origin of its URL; `service:` and the service's
    /// name; in front of the zone's own origin the origin that was asked. `None` where there is none.
    pub fn audience(&self, request: &Request) -> Option<String> {
        match (self.assertion, self.target) {
            (Assertion::None, _) => None,
            (Assertion::For(audience), _) => Some(audience.clone()),
            (Assertion::ForTarget, Target::Origin) => Some(request.url.origin()),
            (Assertion::ForTarget, Target::Service(name)) => Some(format!("service:{name}")),
            (Assertion::ForTarget, Target::Url(url)) => Some(url.origin().to_owned()),
        }
    }

    /// Whether the access token goes with it, in a field of its own or in the sealed session.
    pub fn wants_token(&self) -> bool {
        let named = self.headers.iter().map(|(_, from)| from);
        self.forward_session || self.authorization.into_iter().chain(named).any(is_access_token_claim)
    }

    /// What the request says about the person: header fields from the session's claims.
    pub fn identity(&self, claims: Option<&ProvenClaims<'_>>) -> Vec<(String, String)> {
        let Some(claims) = claims else { return Vec::new() };
        let text = |from: &DataPath| claims.lookup(from).and_then(field_value);
        let bearer = self.authorization.and_then(text);
        let bearer = bearer.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        let named = self.headers.iter().filter_map(|(name, from)| Some((name.clone(), text(from)?)));
        bearer.into_iter().chain(named).collect()
    }

    /// What becomes of the header fields of `request`, which go out with `identity` among them, and with the `renewed`
    /// cookies where this upstream gets the session.
    pub fn changes(
        &self,
        rules: &RuleSet,
        guarded: &GuardedNames,
        request: &Request,
        identity: &[(String, String)],
        renewed: &[SetCookie],
    ) -> Changes {
        let outgoing = Outgoing {
            guarded,
            sets_authorization: self.authorization.is_some(),
            forward_session: self.forward_session,
            // A preflight passes unguarded because it does nothing: it must not become another method behind
            // us.
            methods_matter: request.method == Method::Options || rules.distinguishes_methods(),
            renewed: if self.forward_session { renewed } else { &[] },
            set: identity,
        };
        outgoing.changes(request)
    }
}

impl GuardedNames {
    /// The names that some upstream or rule sets.
    pub fn of(upstreams: &[Upstream], rules: &RuleSet, edge: EdgeFields) -> Self {
        let upstreams = upstreams.iter().flat_map(|upstream| &upstream.headers);
        let rules = rules.rules().iter().flat_map(|rule| rule.forwarding.headers.iter().flatten());
        Self::new(upstreams.chain(rules).map(|(name, _)| name.as_str()), edge)
    }
}
