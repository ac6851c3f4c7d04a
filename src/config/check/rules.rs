//! Who may go where.

mod conditions;
mod requirements;

use super::session::session_source;
use super::upstreams;
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawRule;
use crate::guard::matcher::Pattern;
use crate::guard::rules::{Deny, Forwarding, Rule};
use crate::http::origin::HostPattern;
use crate::http::request::Method;
pub(super) use requirements::claims;

pub(super) fn rules(raw: &[(usize, RawRule<'_>)], problems: &mut Problems) -> Vec<Rule> {
    let place = Place::root().key("rules");
    let mut rules = Vec::new();
    let mut earlier: Vec<Reach<'_>> = Vec::new();
    for (i, raw) in raw {
        let place = place.index(*i);
        let patterns = patterns(raw, &place, problems);
        let host = raw.host.map(|host| problems.parsed(&place.key("host"), host, HostPattern::parse(host)));
        let methods = methods(raw, &place, problems);
        let has = conditions::conditions(raw.has.as_deref(), &place.key("has"), problems);
        let missing = conditions::conditions(raw.missing.as_deref(), &place.key("missing"), problems);
        let access = requirements::access(raw, &place, problems);
        let deny = deny(raw, &place, problems);
        let forwarding = forwarding(raw, &place, problems);
        // A rule of which a part could not be read is left out: the whole configuration is refused anyway.
        let (Some(host), Some(access)) = (host.map_or(Some(None), |host| host.map(Some)), access) else {
            continue;
        };

        let reach = Reach { index: *i, raw, host: host.clone(), methods: methods.clone() };
        refuse_shadowed(&reach, &earlier, &place, problems);
        earlier.push(reach);
        rules.push(Rule {
            place: place.to_string(),
            patterns,
            host,
            methods,
            has,
            missing,
            access,
            deny,
            forwarding,
        });
    }
    rules
}

fn patterns(raw: &RawRule<'_>, place: &Place, problems: &mut Problems) -> Vec<Pattern> {
    let place = place.key("match");
    let Some(texts) = raw.patterns.as_ref().filter(|texts| !texts.is_empty()) else {
        problems.refuse_and_mend(
            &place,
            "missing: the paths of this rule",
            "write for example \"/admin/:path*\"",
        );
        return Vec::new();
    };
    let texts = texts.iter(&place);
    texts.filter_map(|(place, text)| problems.parsed(&place, text, Pattern::parse(text))).collect()
}

fn methods(raw: &RawRule<'_>, place: &Place, problems: &mut Problems) -> Option<Vec<Method>> {
    let texts = raw.methods.as_ref()?;
    let place = place.key("methods");
    if texts.is_empty() {
        problems.refuse_and_mend(&place, "no method at all matches nothing", "leave it out for every method");
    }
    for (place, text) in texts.iter(&place) {
        // RFC 9110 section 9.1: a token, case-sensitive; every registered one is in upper case.
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
            problems.refuse(&place, format!("{} is no method", quoted(text)));
        } else if text.bytes().any(|b| b.is_ascii_lowercase()) {
            let mend = format!("write \"{}\"", text.to_ascii_uppercase());
            problems.refuse_and_mend(&place, format!("{}: methods are in upper case", quoted(text)), mend);
        }
    }
    Some(texts.iter(&place).map(|(_, text)| Method::new(text)).collect())
}

fn deny(raw: &RawRule<'_>, place: &Place, problems: &mut Problems) -> Deny {
    const DENY: [(&str, Deny); 3] =
        [("sign-in", Deny::SignIn), ("forbidden", Deny::Forbidden), ("not-found", Deny::NotFound)];
    let Some(text) = raw.deny else { return Deny::default() };
    let place = place.key("deny");
    if raw.access == Some("public") {
        problems.refuse_and_mend(&place, "a public path is denied to nobody", "leave it out");
    }
    problems.chosen(&place, text, &DENY).unwrap_or_default()
}

fn forwarding(raw: &RawRule<'_>, place: &Place, problems: &mut Problems) -> Forwarding {
    let target = raw.to.and_then(|text| upstreams::target(text, &place.key("to"), problems));
    let authorization =
        raw.authorization.and_then(|text| session_source(text, &place.key("authorization"), problems));
    let headers = raw.headers.as_deref();
    let headers = headers.map(|headers| upstreams::headers(headers, &place.key("headers"), problems));
    let assertion = upstreams::assertion(raw.assertion, &place.key("assertion"), problems);
    Forwarding { target, authorization, headers, assertion }
}

/// What a rule can apply to.
struct Reach<'a> {
    index: usize,
    raw: &'a RawRule<'a>,
    host: Option<HostPattern>,
    methods: Option<Vec<Method>>,
}

impl Reach<'_> {
    /// Whether every request that `later` could match by `pattern` is taken by this rule. True only where
    /// that is plain to see: the same pattern, or one for everything.
    fn takes(&self, later: &Self, pattern: &str) -> bool {
        let host = self.host.is_none() || self.host == later.host;
        let methods = match (&self.methods, &later.methods) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.iter().all(|method| mine.contains(method)),
        };
        let any_request = self.raw.has.is_none() && self.raw.missing.is_none();
        let place = Place::root();
        let mut patterns = self.raw.patterns.iter().flat_map(|patterns| patterns.iter(&place));
        host && methods && any_request && patterns.any(|(_, mine)| mine == pattern || is_everything(mine))
    }
}

/// `/:path*`, `/(.*)`
fn is_everything(pattern: &str) -> bool {
    if pattern == "/(.*)" {
        return true;
    }
    let name = pattern.strip_prefix("/:").and_then(|rest| rest.strip_suffix('*'));
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

fn refuse_shadowed(reach: &Reach<'_>, earlier: &[Reach<'_>], place: &Place, problems: &mut Problems) {
    let place = place.key("match");
    for (at, pattern) in reach.raw.patterns.iter().flat_map(|texts| texts.iter(&place)) {
        if let Some(first) = earlier.iter().find(|first| first.takes(reach, pattern)) {
            let before = Place::root().key("rules").index(first.index);
            let problem = format!("{} is never reached: {before} takes all of it before", quoted(pattern));
            problems.refuse_and_mend(&at, problem, "the first match wins: put the narrower rule first");
        }
    }
}
