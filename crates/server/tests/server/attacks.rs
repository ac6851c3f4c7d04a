//! Raw bytes: what hyper and an app's server could read differently, floods, slow clients, and connections that break.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::http::{self, Message};
use crate::site::{Site, recorded};

#[test]
fn request_smuggling_ambiguous_requests_are_refused_and_nothing_behind_them_is_answered() {
    let (site, targets) = recorded();
    let server = site.start();
    let smuggled = "GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for head in [
        "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        "POST /public/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /public/x HTTP/1.1\r\n\r\n",
        "GET http://b/public/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /public/x HTTP/1.1\r\nHost: a\r\nX\x00Y: 1\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = http::exchange(server.address, format!("{head}{smuggled}").as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "405" | "501"), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
    assert_eq!(*targets.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn a_chunked_body_arrives_whole_and_what_follows_it_on_the_connection_is_not_read() {
    let (site, targets) = recorded();
    let server = site.start();
    let request = "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET /public/second HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = http::exchange(server.address, request.as_bytes());
    assert!(answer.contains(r#""body":"abcde""#), "{answer}");
    assert_eq!(*targets.lock().unwrap(), ["/public/x"]);
}

#[test]
fn requests_on_one_connection_are_answered_one_after_another() {
    let (site, targets) = recorded();
    let server = site.start();
    let requests = "POST /public/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n\
                    GET /public/no HTTP/1.1\r\nA: 1\r\nGET /public/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = http::exchange(server.address, requests.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert_eq!(*targets.lock().unwrap(), ["/public/1", "/public/2"]);
}

#[test]
fn header_floods_are_refused() {
    let (site, targets) = recorded();
    let server = site.start();
    let many = "X: 1\r\n".repeat(200);
    let long = format!("X: {}\r\n", "x".repeat(70_000));
    for fields in [many, long] {
        let request = format!("GET /public/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let answer = http::exchange(server.address, request.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let target = format!("GET /public/{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
    let answer = http::exchange(server.address, target.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(targets.lock().unwrap().is_empty());
}

#[test]
fn slow_clients_lose_their_connection_and_no_one_else_does() {
    let (site, _) = recorded();
    let site = site.with(&["--header-timeout", "1", "--body-timeout", "1"]);
    let server = site.start();
    for begun in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET /public/x HTTP/1.1\r\nHost: a\r\n",
        "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
    ] {
        let answer = http::exchange(server.address, begun.as_bytes());
        assert!(!answer.contains(" 200 "), "{begun:?}: {answer}");
    }
    let page = http::send(server.address, &Message::request("GET", "/public/x").with("host", "a"));
    assert_eq!(page.status(), 200);
}

#[test]
fn slow_clients_that_send_a_letter_of_http2_and_leave_take_no_place() {
    let (site, _) = recorded();
    let server = site.with(&["--header-timeout", "600", "--connections", "2"]).start();
    let left: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = http::connect(server.address);
            stream.write_all(b"P").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            stream
        })
        .collect();
    let page = http::send(server.address, &Message::request("GET", "/public/x").with("host", "a"));
    assert_eq!(page.status(), 200);
    drop(left);
}

#[test]
fn unbounded_connections_no_more_are_accepted_than_there_are_files_for() {
    let (mut site, _) = recorded();
    site.before = "ulimit -n 140".to_owned();
    let mut server = site.with(&["--header-timeout", "600"]).start();
    server.said("at most 6 connections are served at the same moment, not 10000");
    let mut silent: Vec<_> = (0..200).map(|_| http::connect(server.address)).collect();
    for stream in &mut silent {
        stream.write_all(b"GET /").unwrap();
    }
    silent.truncate(5);
    let page = http::send(server.address, &Message::request("GET", "/public/x").with("host", "a"));
    assert_eq!(page.status(), 200);
    server.never_said("could not be accepted");
}

#[test]
fn an_upload_may_take_longer_than_the_upstream_and_pause_as_long_as_a_client_may() {
    let (site, targets) = recorded();
    let server = site.with(&["--upstream-timeout", "1"]).start();
    let mut stream = http::connect(server.address);
    stream.write_all(b"POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    thread::sleep(Duration::from_millis(1500));
    stream.write_all(b"def").unwrap();
    let answer = Message::read(&mut BufReader::new(stream)).unwrap();
    assert_eq!((answer.status(), &answer.value()["body"]), (200, &"abcdef".into()));
    assert_eq!(*targets.lock().unwrap(), ["/public/x"]);
}

#[test]
fn a_body_that_the_client_does_not_send_whole_is_its_own_fault_and_not_the_upstreams() {
    let (site, _) = recorded();
    let mut server = site.with(&["--body-timeout", "1"]).start();
    for (length, body) in [
        ("Content-Length: 10", "abc"),
        ("Transfer-Encoding: chunked", "3\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "x"),
    ] {
        let request = format!("POST /public/x HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n{body}");
        let answer = http::exchange(server.address, request.as_bytes());
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("incomplete_body"),
            "{length}: {answer}"
        );
        let line = server.wait_for("forward_failed");
        assert!(line.contains(r#""error_source":"client""#) && line.contains(r#""level":"info""#), "{line}");
    }
}

#[test]
fn header_smuggling_no_client_names_an_origin_for_the_gateway_in_any_spelling() {
    let server = Site::new(3600).start();
    let request = Message::request("GET", "/public/x")
        .with("host", "a")
        .with("Vestibule-Egress-Origin", "https://evil.example")
        .with("Vestibule_Egress_Origin", "https://evil.example")
        .with("vestibule.egress-origin", "https://evil.example");
    assert!(!http::send(server.address, &request).text().contains("evil.example"));
}

#[test]
fn narrower_than_the_upstream_reads_a_method_in_other_letters_is_restricted_too() {
    let (site, targets) = recorded();
    site.configure(
        "default_access = \"public\"",
        "[[rules]]\nmatch = \"/api\"\nmethods = [\"POST\"]\naccess = \"signed-in\"",
    );
    let server = site.start();
    for method in ["POST", "post", "Post"] {
        let answer = http::send(server.address, &Message::request(method, "/api").with("host", "a"));
        assert_eq!(answer.status(), 401, "{method}");
    }
    assert!(targets.lock().unwrap().is_empty());
}

#[test]
fn an_answer_is_of_this_servers_version_of_http_whatever_the_upstreams_is() {
    let app = http::serve_raw(|mut stream| {
        Message::read(&mut BufReader::new(stream.try_clone().unwrap()));
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nabc").unwrap();
    });
    let server = Site::with_app(3600, app).start();
    let answer =
        http::exchange(server.address, b"GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    // Its end is seen by its last chunk.
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn a_client_that_closes_its_half_or_all_of_its_connection_disturbs_no_one() {
    let (site, _) = recorded();
    let server = site.start();
    for _ in 0..8 {
        let mut stream = http::connect(server.address);
        stream.write_all(b"POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        assert!(!answer.contains(" 200 "), "{answer}");
        drop(http::connect(server.address));
    }
    let page = http::send(server.address, &Message::request("GET", "/public/x").with("host", "a"));
    assert_eq!(page.status(), 200);
}

#[test]
fn an_app_that_breaks_off_in_the_middle_of_a_body_gives_no_whole_answer() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let app = http::serve_raw(move |mut stream| {
            Message::read(&mut BufReader::new(stream.try_clone().unwrap()));
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nabcde\r\n").unwrap();
            stream.flush().unwrap();
            thread::sleep(Duration::from_millis(50));
        });
        let site = Site::with_app(3600, app);
        let server = site.start();
        let mut stream = http::connect(server.address);
        stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        assert!(first.starts_with("HTTP/1.1 200"), "{first}");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).ok();
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.contains("abcde") && !rest.contains("\r\n0\r\n\r\n"), "{head}: {rest}");
    }
}

#[test]
fn an_app_that_is_not_there_or_does_not_answer_is_a_502_and_the_log_says_why() {
    let silent = http::serve_raw(|stream| {
        BufReader::new(stream).lines().for_each(drop);
    });
    let site = Site::with_app(3600, silent).with(&["--upstream-timeout", "1"]);
    let mut server = site.start();
    let ask = |address| http::send(address, &Message::request("GET", "/public/x").with("host", "a"));
    assert_eq!(ask(server.address).status(), 502);
    server.wait_for("no response within 1s");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let site = Site::with_app(3600, nowhere);
    let mut server = site.start();
    assert_eq!(ask(server.address).status(), 502);
    server.wait_for("Connection refused");
}

#[test]
fn an_answer_is_streamed_as_the_app_sends_it() {
    let app = http::serve_raw(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        Message::read(&mut reader);
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").unwrap();
        // The second part comes when the client has the first one.
        let mut line = String::new();
        if reader.read_line(&mut line).is_ok() {
            stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").ok();
        }
    });
    let site = Site::with_app(3600, app);
    let server = site.start();
    let mut stream = http::connect(server.address);
    stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut seen = String::new();
    while !seen.contains("one") {
        let mut part = [0; 512];
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    assert!(!seen.contains("two"));
}

#[test]
fn an_answer_arrives_also_while_the_client_still_sends() {
    let (site, targets) = recorded();
    let server = site.start();
    for length in ["Content-Length: 8388608", "Transfer-Encoding: chunked"] {
        let mut stream = http::connect(server.address);
        write!(stream, "POST /x HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n").unwrap();
        // The server has answered before the client sends its body.
        thread::sleep(Duration::from_millis(200));
        let part = vec![b'1'; 64 * 1024];
        for n in 0..128 {
            let sent = if length.starts_with('T') {
                write!(stream, "10000\r\n")
                    .and_then(|()| stream.write_all(&part))
                    .and_then(|()| write!(stream, "\r\n"))
            } else {
                stream.write_all(&part)
            };
            assert!(sent.is_ok(), "{length}: {n}: {sent:?}");
        }
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 401"), "{length}: {read:?} {answer}");
    }
    assert!(targets.lock().unwrap().is_empty());
}
