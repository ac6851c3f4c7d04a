//! What your own server reads: bytes of connections, heads of requests, and its files.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use url::Url as BrowserUrl;
use vestibule_core::config::{Source, Sources};
use vestibule_server::reading;

use crate::input::{NOW, first_line, shape, text};
use crate::{Shape, Target, obvious};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "http_framing",
        about: "the bytes of a connection, against the parser that the server has: each request with two lengths is found",
        reads: &["framing::Framing::see"],
        run: framing,
        slice: 1500,
    },
    Target {
        name: "request_head",
        about: "the head of a request: one host, the path as it was sent, and only known proxies name the client",
        reads: &["request::head", "network::Network::from_str", "target::Server::parse", "fields::read"],
        run: head,
        slice: 1500,
    },
    Target {
        name: "revocations_file",
        about: "the file of revocations: the last whole line of a name counts, and a damaged line is an error",
        reads: &["store::journal::entries"],
        run: revocations,
        slice: 1500,
    },
    Target {
        name: "overrides",
        about: "a configuration that a variable overrides, against an obvious merge, and where a mistake is written",
        reads: &["config::sources::Sources::merged", "config::sources::Sources::source_of"],
        run: overrides,
        slice: 1500,
    },
];

fn framing(input: &[u8]) -> Shape {
    let found = reading::is_ambiguous([input]);
    for size in [1, 2, 7, 64] {
        assert_eq!(reading::is_ambiguous(input.chunks(size)), found, "in parts of {size}");
    }
    let expected = obvious::is_ambiguous(input);
    if let Some(expected) = expected {
        assert_eq!(found, expected, "by the parser of the server");
    } else {
        // The server refuses what follows, and closes the connection.
        assert!(!obvious::begins_ambiguous(input) || found, "a request with two lengths is not found");
    }
    shape((found, expected, input.split(|byte| *byte == b'\n').count().min(12)))
}

/// `METHOD TARGET`, the address of the peer, a network of proxies, an origin, and header fields.
fn head(input: &[u8]) -> Shape {
    let text = text(input);
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (first, peer, network, origin, fields) = (line(), line(), line(), line(), line());
    let (method, target) = first.split_once(' ').unwrap_or(("GET", first));
    let peer = peer.trim().parse::<IpAddr>().unwrap_or_else(|_| IpAddr::from([203, 0, 113, 9]));
    let fields: Vec<(&str, &[u8])> = fields
        .split('\n')
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name, value.as_bytes()))
        .take(30)
        .collect();
    let contains = reading::is_in_network(network, peer);
    if let Some(contains) = contains {
        assert_eq!(contains, obvious::is_in_network(network, peer), "{peer} in {network:?}");
    }
    if let Some(address) = reading::address_at(origin, "/a/b?c") {
        // A name that ends in a number is none on the internet, and may be one of your own network.
        let there = BrowserUrl::parse(&address);
        let ends_in_number = address.split('/').nth(2).is_some_and(|host| {
            let name = host.split(':').next().unwrap_or_default().trim_end_matches('.');
            name.rsplit('.').next().is_some_and(|label| label.starts_with(|c: char| c.is_ascii_digit()))
        });
        let Ok(there) = there else {
            assert!(ends_in_number, "no browser reads {address}");
            return shape("a number");
        };
        assert!(there.username().is_empty() && there.password().is_none(), "{address}");
        assert_eq!((there.path(), there.query()), ("/a/b", Some("c")), "{origin:?}");
    }
    let networks = if contains.is_some() { vec![network] } else { Vec::new() };
    let all = |name: &str| {
        let is_it = |(n, _): &&(&str, &[u8])| n.eq_ignore_ascii_case(name);
        fields
            .iter()
            .filter(is_it)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect::<Vec<_>>()
    };
    match reading::head(method, target, &fields, peer, &networks) {
        Ok(request) => {
            assert_eq!(request.method.as_str(), method);
            let hosts = all("host");
            assert!(hosts.len() <= 1, "several hosts");
            if let Some(host) = hosts.first() {
                assert_eq!(request.url.authority, host.to_ascii_lowercase());
            }
            assert!(!request.url.authority.contains(['@', '/', '\\', '?', '#', ' ', ',']));
            // The path is what was sent, byte for byte.
            let sent = target.split('#').next().unwrap_or_default();
            let sent = match sent.split_once("://").filter(|_| !sent.starts_with('/')) {
                Some((_, rest)) => rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default(),
                None => sent,
            };
            let slash = if sent.starts_with('/') { "" } else { "/" };
            assert_eq!(request.url.path_and_query(), format!("{slash}{sent}"));
            // Who the client is, says the connection; a known proxy says more.
            let client = request.headers.get_all("vestibule-edge-client").collect::<Vec<_>>();
            let [client] = client.as_slice() else { panic!("{client:?}") };
            let said = all("x-forwarded-for").join(",");
            let expected = obvious::client(peer, &said, &|address| {
                contains.is_some() && obvious::is_in_network(network, address)
            });
            assert_eq!(client.parse::<IpAddr>(), Ok(expected), "{said:?} by {peer}");
            let ids = request.headers.get_all("vestibule-edge-request").collect::<Vec<_>>();
            assert!(
                ids.len() == 1 && !all("vestibule-edge-request").iter().any(|id| id == ids[0]),
                "{ids:?}"
            );
            assert!(request.headers.get_all("cookie").count() <= 1);
            let encodings = all("transfer-encoding");
            assert!(encodings.len() <= 1 && encodings.iter().all(|it| it.eq_ignore_ascii_case("chunked")));
            shape(("a request", request.headers.iter().count().min(8), *client == peer.to_string()))
        }
        Err(status) => {
            assert!(status.is_none_or(|status| matches!(status, 400 | 405 | 501)));
            shape(status)
        }
    }
}

/// A file.
fn revocations(input: &[u8]) -> Shape {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let whole = &lines[..lines.len() - 1];
    let mut expected = BTreeMap::new();
    let mut wrong = None;
    for (at, line) in whole.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let value = serde_json::from_slice::<Value>(line).unwrap_or_default();
        let parts = (value["name"].as_str(), value["record"].as_str(), value["until"].as_u64());
        let (Some(name), Some(record), Some(until)) = parts else {
            wrong = Some(at + 1);
            break;
        };
        expected.insert(name.to_owned(), (record.to_owned(), until));
    }
    let read = reading::records(input);
    assert_eq!(read.as_ref().err().copied(), wrong);
    let Ok(records) = read else { return shape("damaged") };
    assert_eq!(records, expected);
    // What is written is read again, also behind what was there.
    let last = whole.len().min(input.len());
    let end = input.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = text(&input[end..]);
    let line = reading::record_line(&rest, &text(input), NOW.millis());
    let file = [&input[..end], line.as_bytes()].concat();
    let again = reading::records(&file).unwrap_or_else(|line| panic!("line {line} was just written"));
    assert_eq!(again.get(&rest), Some(&(text(input), NOW.millis())));
    // Wherever a crash cuts the file, what was whole before counts.
    let cut = &file[..file.len() - 1];
    assert_eq!(reading::records(cut), Ok(records.clone()));
    shape((records.len().min(6), last.min(6)))
}

/// The first line is the file's table in JSON, the rest the variable's value.
fn overrides(input: &[u8]) -> Shape {
    let text = text(input);
    let (file, variable) = first_line(&text);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
    let file = if file.is_empty() { Value::Null } else { value(file) };
    let variable = if variable.is_empty() { Value::Null } else { value(variable) };
    let sources = Sources::new(
        Source { name: "file".into(), auth: file.clone() },
        Source { name: "variable".into(), auth: variable.clone() },
    );
    let parsed = |value: Value| match &value {
        Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or(value),
        _ => value,
    };
    let (file, variable) = (parsed(file), parsed(variable));
    let merged = sources.merged();
    assert_eq!(merged, merge(&file, &variable), "{file} and {variable}");
    // A key that only one of them has is written there.
    let table = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (below, above): (Map<_, _>, Map<_, _>) = (table(&file), table(&variable));
    let is_word =
        |key: &&String| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if file.is_object() && variable.is_object() {
        for key in below.keys().chain(above.keys()).filter(is_word) {
            let place = format!("AUTH.{key}");
            let expected = match (below.get(key), above.get(key)) {
                (Some(_), None) => Some("file"),
                (Some(Value::Object(_)), Some(Value::Object(_))) => None,
                _ => Some("variable"),
            };
            assert_eq!(sources.source_of(&place), expected, "{place}");
        }
    }
    shape((below.len().min(4), above.len().min(4), merged.as_object().map(Map::len)))
}

/// Tables are merged, all else is replaced; what is no table is not merged with one.
fn merge(file: &Value, variable: &Value) -> Value {
    match (file, variable) {
        (file, Value::Null) => file.clone(),
        (Value::Object(file), Value::Object(variable)) => {
            let mut merged = file.clone();
            for (key, value) in variable {
                let value = match file.get(key) {
                    Some(below @ Value::Object(_)) if value.is_object() => merge(below, value),
                    _ => value.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Null | Value::Object(_), variable) => variable.clone(),
        (file, _) => file.clone(),
    }
}
