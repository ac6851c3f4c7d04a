//! What passes between the server and the app: lengths, bodies, connections that are used again.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::site::{Site, received, recorded};

fn page(address: SocketAddr) -> Message {
    http::send(address, &Message::request("GET", "/public/x").with("host", "a"))
}

/// An app whose answers have exactly these bytes, after which it closes the connection.
fn answering(bytes: &'static str) -> SocketAddr {
    http::serve_raw(move |mut stream| {
        Message::read(&mut BufReader::new(stream.try_clone().unwrap()));
        stream.write_all(bytes.as_bytes()).unwrap();
    })
}

#[test]
fn an_upstream_has_its_whole_time_also_when_the_provider_took_longer_than_that() {
    let app = http::serve(|request| {
        thread::sleep(Duration::from_millis(300));
        crate::site::echo(request)
    });
    let site = Site::with_app(1, app).with(&["--upstream-timeout", "1"]);
    let server = site.start();
    let mut browser = Browser::signed_in(server.address, &site.provider);
    thread::sleep(Duration::from_millis(1100));
    site.provider.set_pause(Duration::from_millis(1500));
    let answer = browser.get(server.address, "/x");
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

#[test]
fn a_request_without_a_body_says_so_where_its_method_may_have_one() {
    let (site, _) = recorded();
    let server = site.start();
    for method in ["POST", "PUT", "PATCH"] {
        let request = Message::request(method, "/public/x").with("host", "a").with("content-length", "0");
        let answer = http::send(server.address, &request);
        assert_eq!(received(&answer, "content-length"), ["0"], "{method}");
    }
    assert_eq!(received(&page(server.address), "content-length"), [""; 0]);
}

#[test]
fn a_body_of_unknown_length_arrives_whatever_the_method_is() {
    let (site, _) = recorded();
    let server = site.start();
    for method in ["GET", "DELETE", "OPTIONS", "POST"] {
        let request = format!(
            "{method} /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        let answer = http::exchange(server.address, request.as_bytes());
        assert!(answer.contains(r#""body":"abc""#), "{method}: {answer}");
    }
}

#[test]
fn response_smuggling_an_answer_has_the_length_that_its_body_has() {
    for (fields, body) in [
        ("transfer-encoding: chunked\r\ncontent-length: 3", "5\r\nabcde\r\n0\r\n\r\n"),
        ("content-length: 9\r\ntransfer-encoding: chunked", "5\r\nabcde\r\n0\r\n\r\n"),
        ("content-length: 5, 5", "abcde"),
        ("content-length: 5\r\ncontent-length: 5", "abcde"),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}");
        let site = Site::with_app(3600, answering(Box::leak(bytes.into_boxed_str())));
        let server = site.start();
        let answer = page(server.address);
        assert_eq!(answer.text(), "abcde", "{fields}: {answer:?}");
        let lengths: Vec<_> = answer.all("content-length").collect();
        assert!(lengths.is_empty() || lengths == ["5"], "{fields}: {lengths:?}");
    }
    for wrong in [
        "content-length: 5\r\ncontent-length: 4\r\n\r\nabcde",
        "content-length: 5, 4\r\n\r\nabcde",
        "content-length: -5\r\n\r\nabcde",
        "transfer-encoding: gzip, chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        "transfer-encoding: gzip\r\n\r\nabcde",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{wrong}");
        let site = Site::with_app(3600, answering(Box::leak(bytes.into_boxed_str())));
        let server = site.start();
        assert_eq!(page(server.address).status(), 502, "{wrong}");
    }
}

#[test]
fn a_request_whose_connection_the_app_has_closed_meanwhile_is_sent_again_if_it_may_be() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    // It answers the first request of a connection, and closes it when the second one arrives, as a server does whose time for a
    // connection without requests has just ended.
    let app = http::serve_raw(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(request) = Message::read(&mut reader) else { return };
        count.fetch_add(1, Ordering::Relaxed);
        stream.write_all(&crate::site::echo(request).bytes()).unwrap();
        if Message::read(&mut reader).is_some() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        stream.shutdown(Shutdown::Both).ok();
    });
    let mut site = Site::with_app(3600, app);
    site.threads = 1;
    let server = site.start();
    for (method, status) in [("GET", 200), ("POST", 502), ("HEAD", 200)] {
        assert_eq!(page(server.address).status(), 200);
        let before = requests.load(Ordering::Relaxed);
        let request = Message::request(method, "/public/x").with("host", "a");
        let mut stream = http::connect(server.address);
        stream.write_all(&request.with("connection", "close").bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method}: {answer}");
        let sent = requests.load(Ordering::Relaxed) - before;
        assert_eq!(sent, if status == 200 { 2 } else { 1 }, "{method}");
        // Leaves no connection behind.
        if status == 200 {
            http::send(server.address, &Message::request("POST", "/public/x").with("host", "a"));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_to_an_upstream_is_probed_so_that_one_that_has_vanished_is_noticed() {
    let (arrived, arrivals) = mpsc::channel();
    let app = http::serve_raw(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Message::read(&mut reader);
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").unwrap();
        arrived.send(stream.peer_addr().unwrap()).unwrap();
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let server = Site::with_app(3600, app).start();
    let mut stream = http::connect(server.address);
    stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let peer = arrivals.recv_timeout(http::MAX_WAIT).unwrap();
    thread::sleep(Duration::from_millis(300));
    let hexadecimal = |at: SocketAddr| format!("0100007F:{:04X}", at.port());
    let ends = format!("{} {}", hexadecimal(peer), hexadecimal(app));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&ends));
    // 02 is the timer of keepalive.
    let timer = line.and_then(|line| line.split_whitespace().nth(5)).unwrap();
    assert!(timer.starts_with("02:"), "{line:?}");
}

#[test]
fn an_upgrade_that_the_connection_does_not_name_is_none() {
    let (site, _) = recorded();
    let server = site.start();
    for (method, connection) in [("GET", "keep-alive"), ("GET", ""), ("POST", "upgrade")] {
        let connection =
            if connection.is_empty() { String::new() } else { format!("Connection: {connection}\r\n") };
        let mut stream = http::connect(server.address);
        write!(
            stream,
            "{method} /public/x HTTP/1.1\r\nHost: a\r\n{connection}Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        let answer = Message::read(&mut BufReader::new(stream)).unwrap();
        assert_eq!(received(&answer, "upgrade"), [""; 0], "{method} {connection}");
    }
}

#[test]
fn an_app_may_answer_with_as_many_fields_as_it_takes_to_remove_its_cookies() {
    let app = http::serve(|_| {
        let remove = |answer: Message, n| answer.with("set-cookie", format!("c{n}=; Max-Age=0"));
        (0..200).fold(Message::response(200), remove)
    });
    let server = Site::with_app(3600, app).start();
    let answer = page(server.address);
    assert_eq!((answer.status(), answer.all("set-cookie").count()), (200, 200));
}

#[test]
fn the_bytes_of_an_app_s_cookie_are_not_changed_when_one_beside_it_is_removed() {
    let (arrived, arrivals) = mpsc::channel();
    let app = http::serve_raw(move |mut stream| {
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).unwrap();
        bytes.truncate(length);
        arrived.send(bytes).unwrap();
        stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").unwrap();
    });
    let server = Site::with_app(3600, app).start();
    for value in [&b"caf\xe9"[..], "café".as_bytes()] {
        let mut stream = http::connect(server.address);
        let cookie = [b"Cookie: a=", value, b"; authjs.state=x; b=1\r\n"].concat();
        stream.write_all(&[b"GET /public/x HTTP/1.1\r\nHost: a\r\n", &cookie[..], b"\r\n"].concat()).unwrap();
        let bytes = arrivals.recv_timeout(http::MAX_WAIT).unwrap();
        let kept = [b"cookie: a=", value, b"; b=1\r\n"].concat();
        let is_kept = bytes.windows(kept.len()).any(|part| part == kept);
        assert!(is_kept, "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn an_upload_that_an_answered_upstream_no_longer_reads_does_not_hold_a_client_that_has_left() {
    // It answers at once, reads nothing more, and leaves its connection open.
    let app = http::serve_raw(|mut stream| {
        stream.read_exact(&mut [0; 64]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        thread::sleep(http::MAX_WAIT);
    });
    let mut site = Site::with_app(3600, app).with(&["--connections", "1", "--upstream-timeout", "1"]);
    site.threads = 1;
    let server = site.start();
    let mut stream = http::connect(server.address);
    write!(stream, "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n").unwrap();
    let mut sender = stream.try_clone().unwrap();
    thread::spawn(move || while sender.write_all(&[b'1'; 8192]).is_ok() {});
    let answer = Message::read(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
    assert_eq!(answer.status(), 200);
    thread::sleep(Duration::from_secs(1));
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let begun = std::time::Instant::now();
    let health = http::send(server.address, &Message::request("GET", "/auth/health").with("host", "a"));
    assert_eq!(health.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
