//! Tests the bytes that the client sends, and how it treats responses that a real server would not send.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "test helpers, which never run on wasm32")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use miniflare_test_harness::{
    Client, ClientError, Harness, RequestBuilder, Response,
    tungstenite::{Message, handshake::derive_accept_key},
};
use serde_json::json;

const MAX_WAIT: Duration = Duration::from_secs(20);
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn harness() -> Harness {
    Harness::from_module("export default {}").start().unwrap()
}

/// A received request: the start line, the fields sorted by name, and the body. The order of fields with different names and
/// the case of names have no meaning.
#[derive(Debug, PartialEq, Eq)]
struct Arrived {
    start: String,
    fields: Vec<(String, String)>,
    body: String,
}

/// A server that answers one request with these bytes and then closes the connection.
fn server(answer: impl Into<Vec<u8>>) -> (u16, JoinHandle<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, answer) = (listener.local_addr().unwrap().port(), answer.into());
    let serve = move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(MAX_WAIT)).unwrap();
        let arrived = arrived(&stream);
        (&stream).write_all(&answer).unwrap();
        arrived
    };
    (port, thread::spawn(serve))
}

fn arrived(stream: &TcpStream) -> Arrived {
    let mut from = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        match line.strip_suffix("\r\n").unwrap() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let start = lines.remove(0);
    let split = |line: String| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    let mut fields: Vec<_> = lines.into_iter().map(|line| split(line).unwrap()).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let length = fields.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let mut body = vec![0; length.parse().unwrap()];
    from.read_exact(&mut body).unwrap();
    Arrived { start, fields, body: String::from_utf8(body).unwrap() }
}

/// The received request to `path`, without its `Host` if that is the server's own.
fn sent(client: &Client, method: &str, path: &str, edit: fn(RequestBuilder) -> RequestBuilder) -> Arrived {
    let (port, server) = server(EMPTY);
    edit(client.request(method, &format!("http://127.0.0.1:{port}{path}"))).send().expect_status(200);
    let mut arrived = server.join().unwrap();
    arrived.fields.retain(|(name, value)| name != "host" || *value != format!("127.0.0.1:{port}"));
    arrived
}

fn expected(start: &str, fields: &[(&str, &str)], body: &str) -> Arrived {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arrived { start: start.to_owned(), fields, body: body.to_owned() }
}

#[test]
fn a_request_has_only_the_header_fields_that_the_test_sets() {
    let harness = harness();
    let client = harness.client();
    let close = ("connection", "close");
    let scheme = ("x-harness-scheme", "http");
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
        let arrived = sent(&client, method, "/", |request| request);
        assert_eq!(arrived, expected(&format!("{method} / HTTP/1.1"), &[close, scheme], ""));
    }
    for method in ["POST", "PUT", "PATCH"] {
        let fields = [close, ("content-length", "0"), scheme];
        let arrived = sent(&client, method, "/", |request| request);
        assert_eq!(arrived, expected(&format!("{method} / HTTP/1.1"), &fields, ""));
    }
    for method in ["GET", "DELETE", "PROPFIND", "POST"] {
        let fields = [close, ("content-length", "2"), ("content-type", "application/json"), scheme];
        let arrived = sent(&client, method, "/", |request| request.json(&json!({})));
        assert_eq!(arrived, expected(&format!("{method} / HTTP/1.1"), &fields, "{}"));
    }
}

#[test]
fn a_path_is_sent_without_normalization() {
    let harness = harness();
    let client = harness.client();
    for path in
        ["//a/../%2e%2e/./", "/a;b=c,d|e[f]{g}^~\\", "/%zz%2F%2f?%&?==&", "/é%C3%A9?ü", "/?", "/a?b/../c"]
    {
        let arrived = sent(&client, "GET", path, |request| request);
        assert_eq!(arrived.start, format!("GET {path} HTTP/1.1"));
    }
    for (path, start) in [("", "GET / HTTP/1.1"), ("?a=b", "GET /?a=b HTTP/1.1"), ("/a#b", "GET /a HTTP/1.1")]
    {
        assert_eq!(sent(&client, "GET", path, |request| request).start, start);
    }
}

#[test]
fn the_test_s_fields_replace_the_client_s_own_and_repeated_fields_keep_their_order() {
    let harness = harness();
    let client = harness.client();
    client.set_cookie("http://127.0.0.1/", "a=1");
    let arrived = sent(&client, "POST", "/", |request| {
        let request = request.navigation().cross_site().form(&[("a", "b c"), ("d", "&")]);
        request.header("X-B", "1").header("x-a", "é \" ,").header("x-b", "").header("x-B", "2")
    });
    let fields = [
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("connection", "close"),
        ("content-length", "11"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-user", "?1"),
        ("upgrade-insecure-requests", "1"),
        ("x-a", "é \" ,"),
        ("x-b", "1"),
        ("x-b", ""),
        ("x-b", "2"),
        ("x-harness-scheme", "http"),
    ];
    assert_eq!(arrived, expected("POST / HTTP/1.1", &fields, "a=b+c&d=%26"));

    let arrived = sent(&client, "GET", "/", |request| {
        let request = request.navigation().header("Host", "a.example").header("Accept", "x/y");
        let request = request
            .header("Cookie", "b=2")
            .header("Connection", "X-C, close")
            .header("sec-fetch-site", "none");
        request
            .header("User-Agent", "me")
            .header("Accept-Encoding", "gzip")
            .header("x-harness-scheme", "https")
    });
    let fields = [
        ("accept", "x/y"),
        ("accept-encoding", "gzip"),
        ("connection", "X-C, close"),
        ("cookie", "b=2"),
        ("host", "a.example"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-user", "?1"),
        ("upgrade-insecure-requests", "1"),
        ("user-agent", "me"),
        ("x-harness-scheme", "https"),
    ];
    assert_eq!(arrived, expected("GET / HTTP/1.1", &fields, ""));
    assert_eq!(
        sent(&client, "GET", "/", |request| request).fields[1],
        ("cookie".to_owned(), "a=1".to_owned())
    );
}

#[test]
fn a_response_is_returned_without_changes() {
    let harness = harness();
    let client = harness.client();
    let answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 299 Odd\r\nSet-Cookie: a=1\r\nX-A: \xff\r\n\
        Set-Cookie: b=2; Path=/\r\nContent-Encoding: gzip\r\nSet-Cookie: a=3\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;x=y\r\nplain\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let (port, _server) = server(answer);
    let reply = client.get(&format!("http://127.0.0.1:{port}/")).send().expect_status(299);
    assert_eq!(reply.set_cookies(), ["a=1", "b=2; Path=/", "a=3"]);
    assert_eq!(reply.header("X-a"), Some("\u{fffd}"));
    assert_eq!((reply.header("content-encoding"), reply.text().as_str()), (Some("gzip"), "plain"));
    assert_eq!(client.cookie("http://127.0.0.1/", "a").as_deref(), Some("3"));

    for status in ["301 Moved", "404 Not Found", "503 Gone Fishing", "999 Odd"] {
        let (port, _server) = server(format!("HTTP/1.1 {status}\r\nLocation: /x\r\n\r\nuntil the end"));
        let reply = client.get(&format!("http://127.0.0.1:{port}/")).send();
        assert_eq!(
            (reply.status.to_string().as_str(), reply.text().as_str()),
            (&status[..3], "until the end")
        );
    }
    for (method, status) in [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")] {
        let (port, _server) = server(format!("HTTP/1.1 {status}\r\nContent-Length: 9\r\nX-A: 1\r\n\r\n"));
        let reply = client.request(method, &format!("http://127.0.0.1:{port}/")).send();
        assert_eq!((reply.header("x-a"), reply.body.as_slice()), (Some("1"), &[][..]), "{status}");
    }
}

#[test]
fn an_incomplete_or_missing_response_is_an_error() {
    let harness = harness();
    let client = harness.client();
    for broken in [
        "",
        "\x16\x03\x01",
        "HTTP/1.1 200 OK\r\nX-A",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwhole\r\n",
    ] {
        let (port, _server) = server(broken);
        let url = format!("http://127.0.0.1:{port}/");
        let error = client.get(&url).try_send().unwrap_err().to_string();
        assert!(error.contains(&format!("GET {url}")), "{error}");
    }
}

#[test]
fn the_client_closes_the_connection_after_its_timeout() {
    let harness = harness();
    let client = harness.client().timeout(Duration::from_millis(200));
    for begun in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let (url, server) = silent(begun);
        let start = Instant::now();
        let error = client.get(&url).try_send().unwrap_err().to_string();
        assert!(start.elapsed() < MAX_WAIT && error.contains("200ms"), "{error}");
        server.join().unwrap();
    }
    let (url, server) = silent("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let mut reply = harness.client().get(&url).stream().unwrap();
    let mut half = [0; 4];
    reply.read_exact(&mut half).unwrap();
    drop(reply);
    server.join().unwrap();
    let (url, server) = silent("");
    assert!(client.get(&url).websocket().is_err());
    server.join().unwrap();
}

/// A server that sends the beginning of a response, and then waits until the client closes the connection.
fn silent(begun: &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let wait = move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(MAX_WAIT)).unwrap();
        arrived(&stream);
        (&stream).write_all(begun.as_bytes()).unwrap();
        assert!(matches!((&stream).read(&mut [0]), Ok(0)), "the client has not closed the connection");
    };
    (url, thread::spawn(wait))
}

#[test]
fn a_request_that_is_not_valid_http_is_an_error() {
    let harness = harness();
    let client = harness.client();
    for request in [
        client.get("https://a.example/a b"),
        client.request("G T", "https://a.example/"),
        client.get("https://a.example/").header("x a", "1"),
        client.get("https://a.example/").header("x-a", "1\r\nx-b: 2"),
    ] {
        let error = request.try_send().unwrap_err();
        assert!(matches!(error, ClientError::NotHttp { .. }), "{error}");
    }
}

#[test]
fn a_websocket_is_opened_with_the_request_s_headers_and_cookies() {
    let harness = Harness::from_module("export default {}")
        .host("socket.example", |request| {
            assert_eq!(request.cookie("a"), Some("1"));
            assert_eq!(request.header("origin"), Some("https://a.example"));
            Response::websocket(request, |socket| {
                socket.send(Message::text("hello")).unwrap();
                let message = socket.read().unwrap();
                socket.send(message).unwrap();
            })
        })
        .start()
        .unwrap();
    let client = harness.client();
    client.set_cookie("https://socket.example/", "a=1");
    for offered in ["", "chat", "chat, other"] {
        let mut request = client.get("https://socket.example/").header("origin", "https://a.example");
        if !offered.is_empty() {
            request = request.header("sec-websocket-protocol", offered);
        }
        let mut socket = request.websocket().unwrap().unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("hello"));
        socket.send(Message::binary("again")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::binary("again"));
    }
}

#[test]
fn a_rejected_websocket_gives_the_response_and_a_wrong_accept_key_is_an_error() {
    let harness = harness();
    let client = harness.client();
    for framing in
        ["Content-Length: 2\r\n\r\nno", "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "\r\nno"]
    {
        let (port, _server) =
            server(format!("HTTP/1.1 426 No\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n{framing}"));
        let refused = client.get(&format!("http://127.0.0.1:{port}/")).websocket().unwrap().unwrap_err();
        assert_eq!((refused.status, refused.text().as_str()), (426, "no"));
        assert_eq!(refused.set_cookies(), ["a=1", "b=2"]);
        assert_eq!(client.cookie("http://127.0.0.1/", "b").as_deref(), Some("2"));
    }
    let another = derive_accept_key(b"another key");
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let (port, _server) = server(format!("{head}Sec-WebSocket-Accept: {another}\r\n\r\n"));
    assert!(client.get(&format!("http://127.0.0.1:{port}/")).websocket().is_err());
}
