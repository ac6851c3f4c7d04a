//! The head of a request, as the core decides about it. What two servers could read differently is refused.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use crate::egress;
use crate::fields;
use crate::network::Network;
use vestibule_core::http::request::{self, Request, RequestUrl, may_be_authority};
use vestibule_core::jose::base64url;
use vestibule_server_settings::{CLIENT, REQUEST};

/// Why a request is not answered as it is: the status, and a text for anyone who reads the answer.
pub(crate) type DenialReason = (u16, &'static str);

/// How many header fields a request may have, its cookies as one.
pub(crate) const MAX_FIELDS: usize = 128;

/// How the requests of a connection arrive.
pub(crate) struct Arrival {
    /// Whether they come by TLS.
    secure: bool,
    /// The address of the other end of the connection, and its text.
    peer: IpAddr,
    peer_text: String,
}

impl Arrival {
    /// By a connection from there, with TLS or without.
    pub(crate) fn new(secure: bool, peer: SocketAddr) -> Self {
        let peer = peer.ip().to_canonical();
        Self { secure, peer, peer_text: peer.to_string() }
    }
}

/// The head for the core, with the client's address and the request's identifier. Those that a client sends are removed from
/// `parts`.
pub(crate) fn head(
    parts: &mut Parts,
    arrival: &Arrival,
    proxies: &[Network],
) -> Result<Request, DenialReason> {
    if parts.method == Method::CONNECT {
        return Err((405, "This is no proxy for other hosts."));
    }
    let encodings = parts.headers.get_all(header::TRANSFER_ENCODING);
    if encodings.iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || encodings.iter().count() > 1
    {
        return Err((501, "Only chunked is supported as a transfer coding."));
    }
    for name in [CLIENT, REQUEST] {
        parts.headers.remove(name);
    }
    parts.headers.remove(egress::ORIGIN);
    let authority = authority(parts)?;
    let scheme = if arrival.secure { "https" } else { "http" };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    // `a:443` alone is the target of a CONNECT (RFC 9112 section 3.2.3).
    let is_authority = parts.uri.authority().is_some() && parts.uri.scheme().is_none();
    if !target.starts_with('/') || is_authority {
        return Err((400, "The target of the request is not a path."));
    }
    let url = RequestUrl::parse(&[scheme, "://", &authority, target].concat());
    let url =
        url.filter(|_| may_be_authority(&authority)).ok_or((400, "The host of the request is not valid."))?;
    join_cookies(&mut parts.headers);
    // hyper counts them for HTTP/1.1 only.
    if parts.headers.len() > MAX_FIELDS {
        return Err((431, "The request has too many header fields."));
    }
    let mut headers = fields::read(&parts.headers);
    let client = client(&parts.headers, arrival.peer, proxies);
    // Of almost all requests, where no proxy is in front.
    let client = if client == arrival.peer { arrival.peer_text.clone() } else { client.to_string() };
    headers.append(CLIENT, client);
    headers.append(REQUEST, identifier());
    Ok(Request { method: request::Method::new(parts.method.as_str()), url, headers })
}

/// The host that the request names: once, and the same everywhere (RFC 9112 section 3.2).
fn authority(parts: &Parts) -> Result<String, DenialReason> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            Some(host.to_str().map_err(|_| (400, "The host of the request is not valid."))?)
        }
        (None, _) => None,
        (Some(_), Some(_)) => return Err((400, "The request names several hosts.")),
    };
    match (parts.uri.authority(), host) {
        (None, Some(host)) => Ok(host.to_owned()),
        (Some(authority), host) => {
            if host.is_some_and(|host| !host.eq_ignore_ascii_case(authority.as_str())) {
                return Err((400, "The request names several hosts."));
            }
            // HTTP/2 has the host there, and HTTP/1.1 where a client takes this server for a proxy.
            Ok(authority.as_str().to_owned())
        }
        (None, None) => Err((400, "The request names no host.")),
    }
}

/// Makes one field of several `Cookie` fields, which HTTP/2 allows and HTTP/1.1 does not (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

thread_local! {
    /// What the names of a thread's requests begin with, and the number of the next one.
    static NEXT: ([u8; 8], Cell<u64>) = {
        let mut random = [0; 8];
        // Without random bytes the names are those of others, too, which costs nothing but order in the log.
        getrandom::fill(&mut random).ok();
        (random, Cell::new(0))
    };
}

/// Names the request in the log. No one has to be unable to guess it, so not each name needs random bytes, which are a call of
/// the system.
fn identifier() -> String {
    NEXT.with(|(random, next)| {
        let number = next.get();
        next.set(number.wrapping_add(1));
        let [.., a, b, c, d] = number.to_be_bytes();
        base64url::encode(&[random.as_slice(), &[a, b, c, d]].concat())
    })
}

/// The client's address: what the connection says, and behind known proxies the last address in `X-Forwarded-For` that is none
/// of theirs.
fn client(fields: &HeaderMap, peer: IpAddr, proxies: &[Network]) -> IpAddr {
    const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut client = peer;
    if !is_proxy(client) {
        return client;
    }
    let values: Vec<String> = fields.get_all(FORWARDED_FOR).iter().map(fields::text).collect();
    for said in values.iter().flat_map(|value| value.split(',')).rev() {
        if !is_proxy(client) {
            break;
        }
        // An address that cannot be read ends what is known.
        let Some(address) = request::forwarded_address(said) else { break };
        client = address;
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn arrival() -> Arrival {
        Arrival::new(true, "10.0.0.1:5000".parse().unwrap())
    }

    fn read(target: &str, fields: &[(&str, &str)]) -> Result<Request, DenialReason> {
        head(&mut parts(target, fields), &arrival(), &[])
    }

    #[test]
    fn the_head_has_the_url_as_it_was_sent_and_what_the_server_knows() {
        let fields = [("host", "App.example.com:8443"), (CLIENT, "evil"), (REQUEST, "evil"), ("x", "1")];
        let request = read("/a%2Fb/?x=%20&y", &fields).unwrap();
        assert_eq!(request.url.origin(), "https://app.example.com:8443");
        assert_eq!(request.url.path_and_query(), "/a%2Fb/?x=%20&y");
        assert_eq!(request.headers.get_all(CLIENT).collect::<Vec<_>>(), ["10.0.0.1"]);
        assert_eq!(request.headers.get_all(REQUEST).filter(|id| *id != "evil").count(), 1);
        assert_eq!(request.headers.get_all(REQUEST).count(), 1);
        assert_eq!(request.headers.get("x"), Some("1"));
    }

    #[test]
    fn each_request_has_a_name_of_its_own_in_every_thread() {
        let names = || (0..100).map(|_| identifier()).collect::<Vec<_>>();
        let mut all = names();
        all.extend(std::thread::spawn(names).join().unwrap());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|name| name.len() == 16));
    }

    #[test]
    fn the_cookies_of_http2_are_one_field() {
        let fields = [("host", "a"), ("cookie", "a=1"), ("x", "1"), ("cookie", "b=2")];
        let request = read("/", &fields).unwrap();
        assert_eq!(request.headers.get_all("cookie").collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn request_smuggling_a_request_without_one_host_is_refused() {
        for (target, fields) in [
            ("/", &[][..]),
            ("/", &[("host", "a"), ("host", "a")]),
            ("/", &[("host", "a"), ("host", "b")]),
            ("/", &[("host", "a b")]),
            ("/", &[("host", "")]),
            ("/", &[("host", "u@a")]),
            ("/", &[("host", "a/b")]),
            ("/", &[("host", "a?b")]),
            ("/", &[("host", "a#b")]),
            ("http://a/", &[("host", "b")]),
            ("http://u@a/", &[]),
            ("*", &[("host", "a")]),
            ("a:443", &[("host", "a:443")]),
        ] {
            assert_eq!(read(target, fields).unwrap_err().0, 400, "{target} {fields:?}");
        }
        assert_eq!(read("http://a/x", &[("host", "A")]).unwrap().url.path, "/x");
        assert_eq!(read("/", &[("host", "a"), ("transfer-encoding", "gzip, chunked")]).unwrap_err().0, 501);
    }

    #[test]
    fn only_known_proxies_say_who_the_client_is() {
        let proxies: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, said, client) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("10.0.0.1", "evil, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "1.1.1.1:1, 198.51.100.1:4711, 10.0.0.2:80", "198.51.100.1"),
            ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ] {
            let mut parts = parts("/", &[("host", "a"), ("x-forwarded-for", said)]);
            let arrival = Arrival::new(true, (peer.parse::<IpAddr>().unwrap(), 5000).into());
            let request = head(&mut parts, &arrival, &proxies).unwrap();
            assert_eq!(request.headers.get(CLIENT), Some(client), "{peer} {said}");
        }
    }
}
