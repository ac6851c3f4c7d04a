//! Converts methods, URLs and header fields between the host's types and the core's.

use wasip2::http::types::{Fields, IncomingRequest, Method as HostMethod, Scheme};

use vestibule_core::http::egress;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl, may_be_authority};
use vestibule_core::http::url::Url;
use vestibule_wasi_settings::Origin;

use crate::configuration::Proxy;

/// Fields about one connection, which a host writes itself and refuses from a component (RFC 9110 section 7.6.1). `host` is
/// the request's authority.
const OF_CONNECTION: [&str; 10] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The head of a request. The error is the status of the answer: for a CONNECT, for a request that names no host, several, or
/// one that is none.
pub(crate) fn head(request: &IncomingRequest, proxy: Proxy) -> Result<Request, u16> {
    const BAD_REQUEST: u16 = 400;
    let method = method(&request.method());
    if method.as_str() == "CONNECT" {
        return Err(405);
    }
    let mut headers = headers(&request.headers());
    headers.remove(egress::ORIGIN);
    let scheme = match request.scheme() {
        Some(Scheme::Https) => "https",
        _ => "http",
    };
    let scheme = proxy.scheme(&mut headers).unwrap_or(scheme);
    // The host may take it from either of two places, which a proxy in front may read differently.
    let hosts: Vec<&str> = headers.get_all("host").collect();
    let authority = request.authority().or_else(|| hosts.first().map(|host| (*host).to_owned()));
    let is_named_once = |authority: &String| {
        hosts.len() < 2
            && hosts.iter().all(|host| host.eq_ignore_ascii_case(authority))
            && may_be_authority(authority)
    };
    let authority = authority.filter(is_named_once).ok_or(BAD_REQUEST)?;
    let path = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let url = RequestUrl::parse(&format!("{scheme}://{authority}{path}")).ok_or(BAD_REQUEST)?;
    if !headers.contains("host") {
        headers.append("host", url.authority.as_str());
    }
    Ok(Request { method, url, headers })
}

fn method(method: &HostMethod) -> Method {
    match method {
        HostMethod::Get => Method::Get,
        HostMethod::Head => Method::Head,
        HostMethod::Post => Method::Post,
        HostMethod::Options => Method::Options,
        HostMethod::Put => Method::new("PUT"),
        HostMethod::Delete => Method::new("DELETE"),
        HostMethod::Connect => Method::new("CONNECT"),
        HostMethod::Trace => Method::new("TRACE"),
        HostMethod::Patch => Method::new("PATCH"),
        HostMethod::Other(name) => Method::new(name),
    }
}

/// The core's method as the host's.
pub(crate) fn to_host_method(method: &Method) -> HostMethod {
    match method.as_str() {
        "GET" => HostMethod::Get,
        "HEAD" => HostMethod::Head,
        "POST" => HostMethod::Post,
        "OPTIONS" => HostMethod::Options,
        "PUT" => HostMethod::Put,
        "DELETE" => HostMethod::Delete,
        "CONNECT" => HostMethod::Connect,
        "TRACE" => HostMethod::Trace,
        "PATCH" => HostMethod::Patch,
        other => HostMethod::Other(other.to_owned()),
    }
}

/// Where a URL leads: its origin, and its path with the query as they are written, without a fragment. The path of a request
/// that is forwarded may have characters that a URL of the configuration may not.
pub(crate) fn parts(url: &str) -> Option<(Origin, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let server = Url::parse(&format!("{scheme}://{authority}")).ok()?;
    Some((Origin::of(&server), path_with_query(path)))
}

/// A path with its query as a host accepts it: with a slash, and without a fragment.
pub(crate) fn path_with_query(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{path}")
}

/// The host's header fields as the core's, in the same order. A byte that is no character of UTF-8 is one of Latin-1.
pub(crate) fn headers(fields: &Fields) -> Headers {
    fields.entries().into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

/// Whether no field is about one connection.
pub(crate) fn is_for_any_connection(headers: &Headers) -> bool {
    !OF_CONNECTION.iter().any(|name| headers.contains(name))
}

/// The core's header fields as the host's, without those of a connection. One that the host refuses is left out.
pub(crate) fn to_host_fields(headers: &Headers) -> Fields {
    let fields = headers.iter().filter(|(name, _)| !OF_CONNECTION.contains(name));
    let fields: Vec<(String, Vec<u8>)> =
        fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
    // One call of the host, which takes all or nothing.
    Fields::from_list(&fields).unwrap_or_else(|_| {
        let accepted = Fields::new();
        for (name, value) in &fields {
            let _ = accepted.append(name, value);
        }
        accepted
    })
}
