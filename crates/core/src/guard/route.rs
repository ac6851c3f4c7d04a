//! Where a request that may pass goes, and what it carries from the session.

use thiserror::Error;

use crate::guard::headers::{EdgeFields, GuardedNames, Outgoing, SessionCookies};
use crate::guard::rules::{Rule, RuleSet};
use crate::session::claims::{Session, holds_text, is_access_token_claim};
use crate::session::proven::ProvenClaims;
use crate::upstream::header_value::{HeaderEncoding, HeaderValue, HeaderValueError};
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::{Assertion, Target, Upstream};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::request::{Method, Request};

/// Where a request goes, and what it carries from the session.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The server that the request goes to.
    pub target: &'a Target,
    /// The beginning of the path that the server does not get.
    pub strip_prefix: Option<&'a PathPrefix>,
    /// The path in the session of the token for `Authorization: Bearer`.
    pub authorization: Option<&'a DataPath>,
    /// For each header, its name in lower case and the path of its value in the session.
    pub headers: &'a [(String, DataPath)],
    /// How characters outside ASCII are written in `headers`.
    pub header_encoding: HeaderEncoding,
    /// Whether the request carries the sealed session cookie.
    pub forward_session: bool,
    /// Whether the request carries a signed assertion about the user, and for which audience.
    pub assertion: &'a Assertion,
}

impl<'a> Route<'a> {
    /// The route of a request to `authority` about which `rule` has decided: the first upstream for the host, with the
    /// rule's changes. Without an upstream, the request goes to the site's own origin server, with nothing added.
    ///
    /// If the rule names another server, nothing of the upstream's configuration applies: what one server may know
    /// about users is not sent to another.
    pub fn new(upstreams: &'a [Upstream], authority: &str, rule: Option<&'a Rule>) -> Self {
        let upstream = Upstream::of_host(upstreams, authority);
        let mut route = upstream.map_or(Self::to(&Target::Origin), Self::of);
        let Some(rule) = rule else { return route };
        if let Some(target) = &rule.forwarding.target {
            route = Self { strip_prefix: rule.forwarding.strip_prefix.as_ref(), ..Self::to(target) };
        }
        if let Some(authorization) = &rule.forwarding.authorization {
            route.authorization = Some(authorization);
        }
        if let Some(headers) = &rule.forwarding.headers {
            route.headers = headers;
        }
        if let Some(encoding) = rule.forwarding.header_encoding {
            route.header_encoding = encoding;
        }
        if let Some(assertion) = &rule.forwarding.assertion {
            route.assertion = assertion;
        }
        route
    }

    fn to(target: &'a Target) -> Self {
        Self {
            target,
            strip_prefix: None,
            authorization: None,
            headers: &[],
            header_encoding: HeaderEncoding::default(),
            forward_session: false,
            assertion: &Assertion::None,
        }
    }

    fn of(upstream: &'a Upstream) -> Self {
        Self {
            target: &upstream.target,
            strip_prefix: upstream.strip_prefix.as_ref(),
            authorization: upstream.authorization.as_ref(),
            headers: &upstream.headers,
            header_encoding: upstream.header_encoding,
            forward_session: upstream.forward_session,
            assertion: &upstream.assertion,
        }
    }

    /// Whether the request carries anything from the opened session.
    pub fn needs_session(&self) -> bool {
        self.authorization.is_some() || !self.headers.is_empty() || *self.assertion != Assertion::None
    }

    /// Whether the upstream learns who the user is, from the request's headers or by opening the session itself.
    pub fn sends_identity(&self) -> bool {
        self.needs_session() || self.forward_session
    }

    /// The assertion's audience (`aud`), which an upstream must check: the origin of its URL, `service:` with the
    /// service's name, or for the site's own origin server that of the request. `None` if the request carries no
    /// assertion.
    pub fn audience(&self, request: &Request) -> Option<String> {
        match (self.assertion, self.target) {
            (Assertion::None, _) => None,
            (Assertion::For(audience), _) => Some(audience.clone()),
            (Assertion::ForTarget, Target::Origin) => Some(request.url.origin()),
            (Assertion::ForTarget, Target::Service(name)) => Some(format!("service:{name}")),
            (Assertion::ForTarget, Target::Url(url)) => Some(url.origin().to_owned()),
        }
    }

    /// Whether the request carries the access token, in a header or in the sealed session.
    pub fn needs_access_token(&self) -> bool {
        let named = self.headers.iter().map(|(_, from)| from);
        self.forward_session || self.authorization.into_iter().chain(named).any(is_access_token_claim)
    }

    /// Whether a header of the request carries the session's access token: the token itself, its expiry, or a claim that
    /// holds a copy of it.
    pub fn sends_access_token(&self, session: &Session) -> bool {
        let token = session.access_token().filter(|token| !token.is_empty());
        let is_copy = |from: &DataPath| {
            token.zip(from.lookup(session.claims())).is_some_and(|(token, value)| holds_text(value, token))
        };
        let named = self.headers.iter().map(|(_, from)| from);
        self.authorization.into_iter().chain(named).any(|from| is_access_token_claim(from) || is_copy(from))
    }

    /// The headers that identify the user, from the session's claims.
    pub fn identity(&self, claims: Option<&ProvenClaims<'_>>) -> IdentityHeaders {
        let mut identity = IdentityHeaders::default();
        let Some(claims) = claims else { return identity };
        let mut add = |name: &str, prefix: &str, from: &DataPath, encoding: HeaderEncoding| {
            let HeaderValue { text, left_out } =
                claims.lookup(from).map(|claim| encoding.value(claim)).unwrap_or_default();
            identity.fields.extend(text.map(|text| (name.to_owned(), format!("{prefix}{text}"))));
            identity.left_out.extend(left_out.map(|error| LeftOut {
                name: name.to_owned(),
                claim: from.to_string(),
                error,
            }));
        };
        if let Some(from) = self.authorization {
            add("authorization", "Bearer ", from, HeaderEncoding::Utf8);
        }
        for (name, from) in self.headers {
            add(name, "", from, self.header_encoding);
        }
        identity
    }

    /// The changes to the headers of `request`: they include the `identity` headers, and the cookies of `session` if this
    /// upstream gets the session.
    pub fn changes(
        &self,
        rules: &RuleSet,
        guarded: &GuardedNames,
        request: &Request,
        identity: &[(String, String)],
        session: SessionCookies<'_>,
    ) -> Changes {
        let outgoing = Outgoing {
            guarded,
            sets_authorization: self.authorization.is_some(),
            forward_session: self.forward_session,
            // A preflight passes without authorization because it has no effect. It must not turn into another method
            // at the upstream.
            methods_matter: request.method == Method::Options || rules.distinguishes_methods(),
            session: if self.forward_session { session } else { SessionCookies::default() },
            set: identity,
        };
        outgoing.changes(request)
    }
}

impl GuardedNames {
    /// Guards the headers that some upstream or rule sets.
    pub fn of(upstreams: &[Upstream], rules: &RuleSet, edge: EdgeFields, passed: &[String]) -> Self {
        let upstreams = upstreams.iter().flat_map(|upstream| &upstream.headers);
        let rules = rules.rules().iter().flat_map(|rule| rule.forwarding.headers.iter().flatten());
        Self::new(upstreams.chain(rules).map(|(name, _)| name.as_str()), edge).passing(passed)
    }
}

/// The headers that identify the user.
#[derive(Clone, Debug, Default)]
pub struct IdentityHeaders {
    /// Their names and values.
    pub fields: Vec<(String, String)>,
    /// What of the claims is not sent.
    pub left_out: Vec<LeftOut>,
}

/// A claim that is not sent, or not all of it.
#[derive(Clone, Debug, Error)]
#[error("the header {name} for the claim {claim}: {error}")]
pub struct LeftOut {
    /// The header's name.
    pub name: String,
    /// The claim's path in the session.
    pub claim: String,
    /// Why.
    #[source]
    pub error: HeaderValueError,
}
