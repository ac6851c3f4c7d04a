//! `[[vars.AUTH.upstreams]]`: where requests are forwarded to, and what is added to them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::session::session_source;
use super::{authorization, secrets};
use crate::config::Runtime;
use crate::config::place::refuse;
use crate::config::schema::{EXACT_PATHS, FRAMEWORKS, HEADER_ENCODINGS};
use crate::config::table::{Table, Text};
use crate::session::names::CookieNaming;
use crate::upstream::cookie_name::CookieReading;
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::value::UpstreamValue;
use crate::upstream::{Assertion, ServerReading, Target, Upstream};
use vestibule_oidc::data::{DataPath, Template};
use vestibule_oidc::http::origin::{HostPattern, endpoint};

/// Header fields that control the connection, describe the request, or are set by the platform. A claim in one of them
/// would break the request or falsify it.
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

/// Prefixes of such fields: of proxies, browsers, CORS, forwarding, Next.js (internal ones) and Vestibule. The runtime adds the
/// prefix of the network in front of it ([`Runtime::edge`]).
const FORBIDDEN_PREFIXES: [&str; 6] =
    ["proxy-", "sec-", "access-control-", "x-forwarded-", "x-middleware-", "x-vestibule-"];

/// The fields below a prefix of [`FORBIDDEN_PREFIXES`] that say who the user is, and nothing of the request: those of
/// oauth2-proxy, which apps behind it read. A client's own are removed like all fields of the prefix.
const OF_USERS: [&str; 5] = [
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
];

/// The host of upstreams without one.
const EVERY_HOST: &str = "*";

pub(super) fn upstreams(auth: &Table<'_>, naming: &CookieNaming) -> Vec<Upstream> {
    let tables = auth.tables("upstreams");
    let mut upstreams: Vec<Upstream> = Vec::new();
    let mut earlier: BTreeMap<String, usize> = BTreeMap::new();
    for (at, upstream) in tables.iter().enumerate() {
        let host = upstream.text("host").and_then(|text| text.parsed(HostPattern::parse));
        if host.is_some() || !upstream.has("host") {
            let hosts = host.as_ref().map_or_else(|| EVERY_HOST.to_owned(), HostPattern::to_string);
            let first = |hosts: &str| earlier.get(hosts).and_then(|at| tables.get(*at));
            refuse_shadowed(first(EVERY_HOST), first(&hosts), upstream);
            earlier.entry(hosts).or_insert(at);
        }
        if !upstream.has("to") {
            let targets = upstream.place.loading.runtime.targets;
            refuse!(upstream.at("to"), "the target of the requests is missing", "{targets}");
        }
        let target = upstream.text("to").and_then(|text| target(&text));
        let authorization = authorization::authorization(upstream);
        let headers = headers(&upstream.table("headers"), upstream.has("authorization"));
        let cookies = cookies(&upstream.table("cookies"), naming);
        let assertion = assertion(upstream).unwrap_or_default();
        let forward_session = upstream.flag("forward_session").unwrap_or(false);
        // A placeholder: without a target, the whole configuration is refused.
        let target = target.unwrap_or(Target::Origin);
        let (locales, exact_paths) = (locales(upstream), exact_paths(upstream));
        upstreams.push(Upstream {
            host,
            target,
            strip_prefix: strip_prefix(upstream),
            authorization,
            headers,
            cookies,
            header_encoding: upstream.chosen("header_encoding", &HEADER_ENCODINGS).unwrap_or_default(),
            forward_session,
            assertion,
            locales,
            framework: upstream.chosen("framework", &FRAMEWORKS),
            exact_paths,
        });
    }
    upstreams
}

/// The beginning of the path that the server does not get.
pub(super) fn strip_prefix(table: &Table<'_>) -> Option<PathPrefix> {
    let text = table.text("strip_prefix")?;
    let prefix = PathPrefix::parse(text.text);
    if prefix.is_none() {
        refuse!(
            text,
            "{text} must be a path in plain characters that begins with a slash and ends without one",
            "write for example \"/api\""
        );
    }
    prefix
}

/// The languages that a path may begin with.
fn locales(upstream: &Table<'_>) -> Vec<String> {
    let mut locales = Vec::new();
    for locale in upstream.texts("locales") {
        let is_tag = locale.text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_tag || locale.text.is_empty() {
            refuse!(
                locale,
                "{locale} cannot be the first segment of a path in a language",
                "write for example \"en\" or \"pt-BR\""
            );
        }
        locales.push(locale.text.to_owned());
    }
    locales
}

/// How the upstream does not read paths.
fn exact_paths(upstream: &Table<'_>) -> Vec<ServerReading> {
    let mut exact = Vec::new();
    for text in upstream.texts("exact_paths") {
        if let Some((_, readings)) = EXACT_PATHS.iter().find(|(name, _)| *name == text.text) {
            exact.extend_from_slice(readings);
            continue;
        }
        let names = EXACT_PATHS.map(|(name, _)| format!("\"{name}\"")).join(", ");
        refuse!(text, "{text} is not one of the ways in which servers read paths", "write some of {names}");
    }
    exact
}

/// Refuses an upstream all of whose requests go to one before it: to the first for every host, or to the first for the same.
fn refuse_shadowed(of_every_host: Option<&Table<'_>>, of_host: Option<&Table<'_>>, upstream: &Table<'_>) {
    if let Some(first) = of_every_host {
        let before = first.place;
        refuse!(
            upstream.place,
            "this upstream is never reached: {before} has no host and matches every request",
            "the first match wins; put this one first"
        );
    } else if let Some(first) = of_host {
        let before = first.place;
        refuse!(
            upstream.place,
            "this upstream is never reached: {before} has the same host",
            "remove one of them"
        );
    }
}

/// The target of `to`: `origin`, a service of the runtime, or the origin of a server.
pub(super) fn target(text: &Text<'_>) -> Option<Target> {
    if text.text == "origin" {
        return Some(Target::Origin);
    }
    let Runtime { services, targets, service_name, .. } = text.place.loading.runtime;
    if let Some(name) = services.iter().find_map(|prefix| text.text.strip_prefix(prefix)) {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            refuse!(text, "{text} does not name a binding", "{service_name}");
        }
        return Some(Target::Service(name.to_owned()));
    }
    if !text.text.contains("://") {
        refuse!(text, "{text} is not a known target", "{targets}");
        return None;
    }
    let url = text.parsed(endpoint)?;
    if url.path() != "/" || url.query().is_some() {
        let origin = url.origin();
        refuse!(
            text,
            "{text} must not have a path or query, which are those of the request",
            "write \"{origin}\""
        );
    }
    Some(Target::Url(url))
}

/// Whether the upstream receives an assertion, and for which audience.
pub(super) fn assertion(table: &Table<'_>) -> Option<Assertion> {
    match table.value("assertion")? {
        Value::Bool(true) => return Some(Assertion::ForTarget),
        Value::Bool(false) => return Some(Assertion::None),
        Value::String(audience) if is_audience(audience) => return Some(Assertion::For(audience.clone())),
        _ => {}
    }
    refuse!(
        table.at("assertion"),
        "the audience must have 1 to 256 visible ASCII characters",
        "write true, or the audience's name, for example \"https://api.example.com\" or \"orders\""
    );
    None
}

/// Whether a text is one audience that needs no quoting: no space, quote, backslash or comma.
fn is_audience(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\,".contains(&b))
}

/// The header fields for an upstream, in lower case, and their values. `has_authorization`: the table around them has the
/// key `authorization`.
pub(super) fn headers(table: &Table<'_>, has_authorization: bool) -> Vec<(String, UpstreamValue)> {
    let mut headers: Vec<(String, UpstreamValue)> = Vec::new();
    let mut dashed_names: BTreeSet<String> = BTreeSet::new();
    let edge = table.place.loading.runtime.edge;
    for source in table.entries() {
        let name = source.name().to_ascii_lowercase();
        // Many servers treat `_` in the name of a header field as `-`.
        let dashed = name.replace('_', "-");
        if !is_token(&name) {
            refuse!(source, "this cannot be the name of a header field");
        } else if dashed == "authorization" && (name != dashed || !is_template(source.text)) {
            refuse!(
                source,
                "Authorization has its own key, which adds \"Bearer\"",
                "write authorization = {source} in the table that has headers, or a text like \"JWT {{access_token}}\""
            );
        } else if dashed == "authorization" && has_authorization {
            refuse!(source, "the key authorization sets this header field, too", "remove one of the two");
        } else if FORBIDDEN_HEADERS.contains(&dashed.as_str())
            || (FORBIDDEN_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
                && !OF_USERS.contains(&name.as_str()))
            || edge.prefix.is_some_and(|prefix| dashed.starts_with(prefix))
        {
            let hint = if dashed == "cookie" {
                format!("write cookies = {{ NAME = {source} }} in the table that has headers")
            } else {
                "choose a name like \"X-User-Email\"".to_owned()
            };
            refuse!(
                source,
                "this header field describes the request itself and cannot carry a claim",
                "{hint}"
            );
        } else if dashed_names.contains(&dashed) {
            refuse!(
                source,
                "this header field is set twice: upper and lower case, \"-\" and \"_\" make no difference in a field's name"
            );
        }
        dashed_names.insert(dashed);
        headers.extend(value(&source).map(|value| (name, value)));
    }
    headers
}

/// The cookies for an upstream, and their values.
pub(super) fn cookies(table: &Table<'_>, naming: &CookieNaming) -> Vec<(String, UpstreamValue)> {
    let mut cookies: Vec<(String, UpstreamValue)> = Vec::new();
    let mut readings: BTreeSet<String> = BTreeSet::new();
    for source in table.entries() {
        let name = source.name();
        let reading = CookieReading::of(name);
        if !is_token(name) {
            refuse!(source, "this cannot be the name of a cookie");
        } else if naming.is_reserved(name) {
            refuse!(
                source,
                "Vestibule has cookies of such names itself",
                "choose another name, or write forward_session = true for the sealed session"
            );
        } else if readings.contains(reading.as_str()) {
            refuse!(source, "some servers read another one of these names as the same cookie");
        }
        if let Some(value) = value(&source) {
            readings.insert(reading.as_str().to_owned());
            cookies.push((name.to_owned(), value));
        }
    }
    cookies
}

/// Whether a text is a template: it is no path, and has a brace.
fn is_template(text: &str) -> bool {
    text.contains('{') && DataPath::parse(text).is_err()
}

/// A value for an upstream: the path of a claim, or a text with placeholders for claims and secrets.
fn value(source: &Text<'_>) -> Option<UpstreamValue> {
    if !is_template(source.text) {
        return session_source(source).map(UpstreamValue::Claim);
    }
    // A claim may have any name, so that every path in braces is a placeholder.
    let (template, _) = Template::parse(source.text, &|_| true);
    let template = secrets::with_template_secrets(template, &source.place);
    for path in template.paths() {
        if let Some(hint) = secrets::template_secret_hint(path) {
            refuse!(source, "{{{path}}} does not name a secret", "{hint}");
        }
        session_source(&source.with(&path.to_string()))?;
    }
    let literal = template.text(&|_| None);
    if literal.contains(['{', '}']) {
        refuse!(source, "{source} has a brace that belongs to no placeholder", "write {{NAME}} for a claim");
    } else if !literal.bytes().all(|b| matches!(b, b' '..=b'~')) {
        refuse!(source, "{source} has characters that a header field cannot carry");
    }
    Some(UpstreamValue::of_template(template))
}

/// Whether a text is a token: [RFC 9110 section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
