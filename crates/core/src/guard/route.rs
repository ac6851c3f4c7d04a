//! Where a request that may pass goes, and what it carries from the session.

use std::fmt;

use thiserror::Error;

use crate::guard::headers::{EdgeFields, GuardedNames, Outgoing, SessionCookies};
use crate::guard::rules::{Rule, RuleSet};
use crate::session::claims::{Session, holds_text, is_access_token_claim};
use crate::session::proven::ProvenClaims;
use crate::upstream::bearer_token::BearerToken;
use crate::upstream::cookie_name::CookieReading;
use crate::upstream::header_value::{HeaderEncoding, HeaderValue, HeaderValueError};
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::value::UpstreamValue;
use crate::upstream::{Assertion, Target, Upstream};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::oauth::token_exchange::ExchangeTarget;

/// Where a request goes, and what it carries from the session.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The server that the request goes to.
    pub target: &'a Target,
    /// The beginning of the path that the server does not get.
    pub strip_prefix: Option<&'a PathPrefix>,
    /// What it carries as `Authorization: Bearer`.
    pub authorization: Option<&'a BearerToken>,
    /// For each header, its name in lower case and its value.
    pub headers: &'a [(String, UpstreamValue)],
    /// For each cookie, its name and its value.
    pub cookies: &'a [(String, UpstreamValue)],
    /// How characters outside ASCII are written in `headers`.
    pub header_encoding: HeaderEncoding,
    /// Whether the request carries the sealed session cookie.
    pub forward_session: bool,
    /// Whether the request carries a signed assertion about the user, and for which audience.
    pub assertion: &'a Assertion,
}

impl<'a> Route<'a> {
    /// The route of a request about which `rule` has decided: the upstream of its host, with the rule's changes. Without an
    /// upstream, the request goes to the site's own origin server, with nothing added.
    ///
    /// If the rule names another server, nothing of the upstream's configuration applies: what one server may know
    /// about users is not sent to another.
    pub fn new(upstream: Option<&'a Upstream>, rule: Option<&'a Rule>) -> Self {
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
            if rule.forwarding.authorization.is_none() && sets_authorization(headers) {
                route.authorization = None;
            }
        }
        if let Some(cookies) = &rule.forwarding.cookies {
            route.cookies = cookies;
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
            cookies: &[],
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
            cookies: &upstream.cookies,
            header_encoding: upstream.header_encoding,
            forward_session: upstream.forward_session,
            assertion: &upstream.assertion,
        }
    }

    /// Whether the request carries anything from the opened session.
    pub fn needs_session(&self) -> bool {
        self.authorization.is_some()
            || self.values().any(UpstreamValue::is_of_session)
            || *self.assertion != Assertion::None
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

    /// Whether the request carries `Authorization` from the session, if there is a value for it.
    pub fn sets_authorization(&self) -> bool {
        self.authorization.is_some() || sets_authorization(self.headers)
    }

    /// The values of all headers and cookies.
    fn values(&self) -> impl Iterator<Item = &'a UpstreamValue> + use<'a> {
        self.headers.iter().chain(self.cookies).map(|(_, value)| value)
    }

    /// The paths of all claims that are sent, or exchanged for what is sent.
    fn paths(&self) -> impl Iterator<Item = &'a DataPath> + use<'a> {
        self.authorization
            .map(BearerToken::path)
            .into_iter()
            .chain(self.values().flat_map(UpstreamValue::paths))
    }

    /// The name of the cookie that is the access token itself.
    pub fn access_token_cookie(&self) -> Option<&'a str> {
        let is_token = |value: &UpstreamValue| {
            value.as_claim().is_some_and(|path| path.root() == "access_token" && path.rest().len() == 0)
        };
        self.cookies.iter().find(|(_, value)| is_token(value)).map(|(name, _)| name.as_str())
    }

    /// Who shall accept the token that the request carries in place of the session's own.
    pub fn exchange_target(&self) -> Option<&'a ExchangeTarget> {
        self.authorization.and_then(BearerToken::target)
    }

    /// Whether the request carries the access token, or one for which it is exchanged, in a header or in a cookie.
    pub fn needs_access_token(&self) -> bool {
        self.paths().any(is_access_token_claim)
    }

    /// Whether the request carries a claim that is in the session's entry in the store, and was not read.
    pub(crate) fn lacks_any(&self, session: &Session) -> bool {
        self.paths().any(|path| session.lacks(path.root()))
    }

    /// Whether a header or a cookie of the request carries the session's access token: the token itself, its expiry, or a claim that
    /// holds a copy of it.
    pub fn sends_access_token(&self, session: &Session) -> bool {
        let token = session.access_token().filter(|token| !token.is_empty());
        let is_copy = |from: &DataPath| {
            token.zip(from.lookup(session.claims())).is_some_and(|(token, value)| holds_text(value, token))
        };
        self.paths().any(|from| is_access_token_claim(from) || is_copy(from))
    }

    /// The headers and cookies that identify the user, from the session's claims, and those that have secrets only.
    pub fn identity(&self, claims: Option<&ProvenClaims<'_>>) -> IdentityHeaders {
        let mut identity = IdentityHeaders::default();
        let find = |path: &DataPath| claims?.lookup(path);
        let mut left_out = Vec::new();
        let mut sent = |field: SentIn, name: &str, from: &dyn fmt::Display, value: HeaderValue| {
            left_out.extend(value.left_out.map(|error| LeftOut {
                field,
                name: name.to_owned(),
                claim: from.to_string(),
                error,
            }));
            value.text
        };
        if let Some(from) = self.authorization.and_then(BearerToken::as_claim) {
            let value = find(from).map(|claim| HeaderEncoding::Utf8.value(claim)).unwrap_or_default();
            let text = sent(SentIn::Header, AUTHORIZATION, from, value);
            identity.fields.extend(text.map(|text| (AUTHORIZATION.to_owned(), ["Bearer ", &text].concat())));
        }
        for (name, from) in self.headers {
            if name == AUTHORIZATION && self.authorization.is_some() {
                continue;
            }
            let is_encoded = name != AUTHORIZATION;
            let encoding = if is_encoded { self.header_encoding } else { HeaderEncoding::Utf8 };
            let text = sent(SentIn::Header, name, from, from.header(encoding, &find));
            identity.fields.extend(text.map(|text| (name.clone(), text)));
        }
        for (name, from) in self.cookies {
            let text = sent(SentIn::Cookie, name, from, from.cookie(&find));
            identity.cookies.extend(text.map(|text| (name.clone(), text)));
        }
        identity.left_out = left_out;
        identity
    }

    /// The changes to the headers of `request`: they include the headers and cookies of `identity`, and the cookies of
    /// `session` if this upstream gets the session.
    pub fn changes(
        &self,
        rules: &RuleSet,
        guarded: &GuardedNames,
        request: &Request,
        identity: &IdentityHeaders,
        session: SessionCookies<'_>,
    ) -> Changes {
        let outgoing = Outgoing {
            guarded,
            sets_authorization: self.sets_authorization(),
            forward_session: self.forward_session,
            // A preflight passes without authorization because it has no effect. It must not turn into another method
            // at the upstream.
            methods_matter: request.method == Method::Options || rules.distinguishes_methods(),
            session: if self.forward_session { session } else { SessionCookies::default() },
            set: &identity.fields,
            cookies: &identity.cookies,
        };
        outgoing.changes(request)
    }
}

/// The name of the field that has a key of its own.
const AUTHORIZATION: &str = "authorization";

fn sets_authorization(headers: &[(String, UpstreamValue)]) -> bool {
    headers.iter().any(|(name, _)| name == AUTHORIZATION)
}

impl GuardedNames {
    /// Guards the headers and cookies that some upstream or rule sets.
    pub fn of(upstreams: &[Upstream], rules: &RuleSet, edge: EdgeFields, passed: &[String]) -> Self {
        let rules = || rules.rules().iter().map(|rule| &rule.forwarding);
        let headers = upstreams.iter().flat_map(|upstream| &upstream.headers);
        let headers = headers.chain(rules().flat_map(|rule| rule.headers.iter().flatten()));
        let headers = headers.map(|(name, _)| name.as_str()).filter(|name| *name != AUTHORIZATION);
        let cookies = upstreams.iter().flat_map(|upstream| &upstream.cookies);
        let cookies = cookies.chain(rules().flat_map(|rule| rule.cookies.iter().flatten()));
        let cookies = cookies.map(|(name, _)| CookieReading::of(name));
        Self::new(headers, edge).passing(passed).with_upstream_cookies(cookies)
    }
}

/// The headers and cookies that identify the user.
#[derive(Clone, Default)]
pub struct IdentityHeaders {
    /// The headers' names and values.
    pub fields: Vec<(String, String)>,
    /// The cookies' names and values.
    pub cookies: Vec<(String, String)>,
    /// What of the claims is not sent.
    pub left_out: Vec<LeftOut>,
}

impl fmt::Debug for IdentityHeaders {
    /// Prints names only: the values are tokens and secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().chain(&self.cookies).map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// A claim that is not sent, or not all of it.
#[derive(Clone, Debug, Error)]
#[error("the {field} {name} for the claim {claim}: {error}")]
pub struct LeftOut {
    /// Where it would be sent.
    pub field: SentIn,
    /// The header's or cookie's name.
    pub name: String,
    /// The claim's path in the session.
    pub claim: String,
    /// Why.
    #[source]
    pub error: HeaderValueError,
}

/// Where a claim is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentIn {
    /// In a header field of its own.
    Header,
    /// In a cookie.
    Cookie,
}

impl fmt::Display for SentIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Cookie => "cookie",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_identifies_the_user_is_printed_without_values() {
        let field = |name: &str| vec![(name.to_owned(), "secret".to_owned())];
        let headers =
            IdentityHeaders { fields: field("x-user"), cookies: field("token"), left_out: Vec::new() };
        assert_eq!(format!("{headers:?}"), r#"["x-user", "token"]"#);
    }

    #[test]
    fn the_cookie_with_the_access_token_is_the_one_that_is_the_token_and_nothing_else() {
        let cookies = |values: &[&str]| -> Vec<(String, UpstreamValue)> {
            let value = |path: &str| UpstreamValue::Claim(DataPath::parse(path).unwrap());
            values.iter().map(|path| (format!("of_{path}"), value(path))).collect()
        };
        let name = |cookies: &[(String, UpstreamValue)]| {
            Route { cookies, ..Route::to(&Target::Origin) }.access_token_cookie().map(str::to_owned)
        };
        assert_eq!(
            name(&cookies(&["sub", "access_token.sub", "access_token", "roles"])).as_deref(),
            Some("of_access_token")
        );
        assert_eq!(name(&cookies(&["sub", "access_token.sub", "refresh_token"])), None);
    }

    #[test]
    fn what_is_left_out_says_in_which_header_or_cookie_it_would_be() {
        let text = |field| {
            let (name, claim) = ("user".to_owned(), "profile".to_owned());
            LeftOut { field, name, claim, error: HeaderValueError::Control }.to_string()
        };
        assert!(text(SentIn::Header).starts_with("the header user for the claim profile: "));
        assert!(text(SentIn::Cookie).starts_with("the cookie user for the claim profile: "));
    }
}
