//! Where requests go, and with what.

use serde_json::Value;

use super::session::session_source;
use crate::config::data::DataPath;
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawUpstream;
use crate::config::{Assertion, Target, Upstream};
use crate::http::origin::{HostPattern, endpoint};

/// Fields that carry a message from hop to hop, say what it is, or are the platform's: a value from a
/// session in one of them breaks the request or lies about it.
const FORBIDDEN_HEADERS: [&str; 24] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-http-method-override",
    "x-real-ip",
];

/// Beginnings of such fields: Cloudflare's, proxies', browsers', forwarding, Next.js's internal ones, and ours.
const FORBIDDEN_BEGINNINGS: [&str; 7] =
    ["cf-", "proxy-", "sec-", "access-control-", "x-forwarded-", "x-middleware-", "x-vestibule-"];

pub(super) fn upstreams(raw: &[(usize, RawUpstream<'_>)], problems: &mut Problems) -> Vec<Upstream> {
    let place = Place::root().key("upstreams");
    let mut upstreams: Vec<Upstream> = Vec::new();
    let mut earlier: Vec<(usize, Option<HostPattern>)> = Vec::new();
    for (i, raw) in raw {
        let place = place.index(*i);
        let host = match raw.host {
            None => Some(None),
            Some(text) => problems.parsed(&place.key("host"), text, HostPattern::parse(text)).map(Some),
        };
        if let Some(host) = &host {
            refuse_shadowed(host.as_ref(), &earlier, &place, problems);
            earlier.push((*i, host.clone()));
        }
        let target = upstream_target(raw, &place.key("to"), problems);
        let authorization =
            raw.authorization.and_then(|text| session_source(text, &place.key("authorization"), problems));
        let headers =
            raw.headers.as_deref().map(|headers| self::headers(headers, &place.key("headers"), problems));
        let assertion = assertion(raw.assertion, &place.key("assertion"), problems);
        // One of which a part could not be read is left out: the whole configuration is refused anyway.
        if let (Some(host), Some(target)) = (host, target) {
            upstreams.push(Upstream {
                host,
                target,
                authorization,
                headers: headers.unwrap_or_default(),
                forward_session: raw.forward_session.unwrap_or(false),
                assertion: assertion.unwrap_or_default(),
            });
        }
    }
    upstreams
}

fn refuse_shadowed(
    host: Option<&HostPattern>,
    earlier: &[(usize, Option<HostPattern>)],
    place: &Place,
    problems: &mut Problems,
) {
    let takes = |first: &Option<HostPattern>| match first {
        None => true,
        Some(first) => Some(first) == host,
    };
    if let Some((index, first)) = earlier.iter().find(|(_, first)| takes(first)) {
        let before = Place::root().key("upstreams").index(*index);
        let why = if first.is_some() { "has the same host" } else { "has no host and takes every request" };
        problems.refuse_and_mend(place, format!("never reached: {before} {why}"), "the first match wins");
    }
}

const TARGETS: &str =
    "write \"origin\", \"service:BINDING\", \"assets:BINDING\" or \"https://app.example.com\"";

fn upstream_target(raw: &RawUpstream<'_>, place: &Place, problems: &mut Problems) -> Option<Target> {
    if raw.to.is_none() {
        problems.refuse_and_mend(place, "missing: where the requests go", TARGETS);
    }
    target(raw.to?, place, problems)
}

/// Where requests go.
pub(super) fn target(text: &str, place: &Place, problems: &mut Problems) -> Option<Target> {
    if text == "origin" {
        return Some(Target::Origin);
    }
    if let Some(name) = text.strip_prefix("service:").or_else(|| text.strip_prefix("assets:")) {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            let mend = "write the name that stands behind `binding =` in wrangler.toml";
            problems.refuse_and_mend(place, format!("{} names no binding", quoted(text)), mend);
        }
        return is_name.then(|| Target::Binding(name.to_owned()));
    }
    if !text.contains("://") {
        problems.refuse_and_mend(place, format!("{} is not known", quoted(text)), TARGETS);
        return None;
    }
    let url = problems.parsed(place, text, endpoint(text))?;
    if url.path() != "/" || url.query().is_some() {
        let problem = format!("{}: path and query stay those of the request", quoted(text));
        problems.refuse_and_mend(place, problem, format!("write \"{}\"", url.origin()));
        return None;
    }
    Some(Target::Url(url))
}

/// Whether, and for whom, a signed token says who it is.
pub(super) fn assertion(raw: Option<&Value>, place: &Place, problems: &mut Problems) -> Option<Assertion> {
    match raw? {
        Value::Bool(true) => return Some(Assertion::ForTarget),
        Value::Bool(false) => return Some(Assertion::None),
        Value::String(audience) if is_audience(audience) => return Some(Assertion::For(audience.clone())),
        _ => {}
    }
    let mend = "write true, or the audience's name, for example \"https://api.example.com\" or \"orders\"";
    problems.refuse_and_mend(place, "this names no audience", mend);
    None
}

/// One name that everybody writes the same way.
fn is_audience(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\,".contains(&b))
}

/// Header fields, and the places in the session whose values they carry.
pub(super) fn headers(
    raw: &[(&str, &str)],
    place: &Place,
    problems: &mut Problems,
) -> Vec<(String, DataPath)> {
    // Many servers read `_` in a header's name as `-`.
    let same = |a: &str, b: &str| a.replace('_', "-") == b.replace('_', "-");
    let mut headers: Vec<(String, DataPath)> = Vec::new();
    for (name, source) in raw {
        let place = place.key(name);
        let name = name.to_ascii_lowercase();
        let dashed = name.replace('_', "-");
        if !is_token(&name) {
            problems.refuse(&place, "no header has such a name");
        } else if dashed == "authorization" {
            let mend = format!("write authorization = {} beside it", quoted(source));
            problems.refuse_and_mend(&place, "has a key of its own, which adds \"Bearer\"", mend);
        } else if FORBIDDEN_HEADERS.contains(&dashed.as_str())
            || FORBIDDEN_BEGINNINGS.iter().any(|beginning| dashed.starts_with(beginning))
        {
            let problem =
                "this header tells about the request itself and cannot carry a value of the session";
            problems.refuse_and_mend(&place, problem, "choose a name like \"X-User-Email\"");
        } else if headers.iter().any(|(other, _)| same(other, &name)) {
            problems.refuse(&place, "set twice: case, \"-\" and \"_\" make no difference in a header's name");
        }
        let source = session_source(source, &place, problems);
        headers.extend(source.map(|source| (name, source)));
    }
    headers
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
