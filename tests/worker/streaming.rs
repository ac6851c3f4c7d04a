//! Bodies are streamed in both directions while they are being sent.

use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use miniflare_test_harness::{Response, SCHEME_HEADER};
use serde_json::{Value, json};

use crate::test_env::{APP, TestEnv, begin, email, settings, settings_with};

pub const MAX_WAIT: Duration = Duration::from_secs(20);
const LARGE: usize = 20 * 1024 * 1024;

/// Settings without session updates, and settings with a new cookie on every response.
pub fn both() -> [Value; 2] {
    [settings(), settings_with(&json!({ "session": { "update_age": "0s" } }))]
}

#[test]
fn the_application_receives_the_first_chunk_while_the_client_still_sends() {
    for settings in both() {
        let (sender, first_chunk) = mpsc::channel();
        let sender = Mutex::new(sender);
        let env = TestEnv::with(settings, move |builder| {
            builder.service_unread("APP", move |_| {
                let sender = sender.lock().unwrap().clone();
                Response::takeover(move |connection| {
                    let (mut first, mut rest) = ([0; 5], Vec::new());
                    {
                        let mut body = connection.body();
                        body.read_exact(&mut first).unwrap();
                        sender.send(first).unwrap();
                        body.read_to_end(&mut rest).unwrap();
                    }
                    let length = (first.len() + rest.len()).to_string();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", length.len());
                    connection.write_all((head + &length).as_bytes()).unwrap();
                })
            })
        });
        let cookie = signed_in_without_a_page(&env);

        let mut connection = env.connect();
        connection.set_read_timeout(Some(MAX_WAIT)).unwrap();
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: {cookie}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nfirst\r\n"
        );
        connection.write_all(head.as_bytes()).unwrap();
        assert_eq!(&first_chunk.recv_timeout(MAX_WAIT).expect("the first chunk"), b"first");
        connection.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("11"), "{reply}");
    }
}

#[test]
fn the_client_receives_the_first_chunk_while_the_application_still_sends() {
    for settings in both() {
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let env = TestEnv::with(settings, move |builder| {
            builder.service("APP", move |request| {
                if request.path() != "/download" {
                    return Response::text("page");
                }
                let wait = wait.lock().unwrap().take().expect("one download");
                Response::stream(move |body| {
                    body.write_all(b"first")?;
                    wait.recv_timeout(MAX_WAIT).expect("the client receives the first chunk");
                    body.write_all(b"second")
                })
            })
        });
        let browser = env.signed_in("alice");
        let mut reply = browser.get(&format!("{APP}/download")).stream().unwrap();
        let mut first = [0; 5];
        reply.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"first");
        go_on.send(()).unwrap();
        let mut rest = String::new();
        reply.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "second");
    }
}

#[test]
fn large_bodies_are_forwarded_in_both_directions() {
    for settings in both() {
        let env = TestEnv::with(settings, |builder| {
            builder.service("APP", |request| Response::bytes(request.body.clone()))
        });
        let browser = env.signed_in("alice");
        let body: Vec<u8> = (0..LARGE).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
        let reply = browser
            .post(&format!("{APP}/x"))
            .body("application/octet-stream", body.clone())
            .send()
            .expect_status(200);
        assert!(reply.body == body, "{} of {LARGE} bytes came back", reply.body.len());
    }
}

#[test]
fn an_incomplete_download_is_an_error_for_the_client() {
    let env = TestEnv::with(settings(), |builder| {
        builder.service("APP", |request| match request.path() {
            "/download" => Response::raw("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\nhalf of it"),
            _ => Response::text("page"),
        })
    });
    let browser = env.signed_in("alice");
    let mut reply = browser.get(&format!("{APP}/download")).stream().unwrap();
    let mut body = Vec::new();
    reply.read_to_end(&mut body).unwrap_err();
    assert_eq!(email(&browser), "alice@example.com");
}

#[test]
fn server_sent_events_arrive_one_by_one_while_the_stream_is_open() {
    for settings in both() {
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let env = TestEnv::with(settings, move |builder| {
            builder.service("APP", move |request| {
                if request.path() != "/events" {
                    return Response::text("page");
                }
                assert_eq!(request.header("last-event-id"), Some("7"));
                let wait = wait.lock().unwrap().take().expect("one stream");
                Response::stream(move |body| {
                    for n in 0..3 {
                        body.write_all(format!("id: {n}\ndata: {{}}\n\n").as_bytes())?;
                        wait.recv_timeout(MAX_WAIT).expect("the client receives this event");
                    }
                    Ok(())
                })
                .header("content-type", "text/event-stream")
                .header("cache-control", "no-cache")
            })
        });
        let browser = env.signed_in("alice");
        let request = browser.get(&format!("{APP}/events")).header("accept", "text/event-stream");
        let mut reply = request.header("last-event-id", "7").stream().unwrap();
        assert_eq!(reply.header("content-type"), Some("text/event-stream"));
        for n in 0..3 {
            let expected = format!("id: {n}\ndata: {{}}\n\n");
            let mut event = vec![0; expected.len()];
            reply.read_exact(&mut event).unwrap();
            assert_eq!(String::from_utf8(event).unwrap(), expected);
            go_on.send(()).unwrap();
        }
        assert_eq!(reply.read(&mut [0]).unwrap(), 0);
    }
}

/// The cookies of a signed-in user, for an application without a page to return to.
pub fn signed_in_without_a_page(env: &TestEnv) -> String {
    let browser = env.client();
    let back = begin(&browser, APP, "alice", "/auth/session").follow().send();
    assert_eq!(back.json()["user"]["email"], "alice@example.com");
    let pairs = browser.cookies(APP).into_iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("; ")
}
