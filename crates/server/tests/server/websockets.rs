//! WebSockets through the server to the app.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::handshake::client::generate_key;
use tungstenite::http::Request;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message as Frame, WebSocket, accept};

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::site::Site;

/// An app that returns every message.
fn echo() -> std::net::SocketAddr {
    http::serve_raw(|stream| {
        let Ok(mut socket) = accept(stream) else { return };
        while let Ok(message) = socket.read() {
            if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                return;
            }
        }
    })
}

fn open(
    address: std::net::SocketAddr,
    browser: &Browser,
) -> Result<WebSocket<std::net::TcpStream>, Box<tungstenite::Error>> {
    let request = Request::builder()
        .uri(format!("ws://{address}/socket"))
        .header("host", address.to_string())
        .header("origin", format!("http://{address}"))
        .header("cookie", browser.cookie())
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key())
        .body(())
        .unwrap();
    match tungstenite::client(request, http::connect(address)) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(error)) => Err(Box::new(error)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn messages_pass_both_ways_until_either_end_closes() {
    let site = Site::with_app(3600, echo());
    let server = site.start();
    let browser = Browser::signed_in(server.address, &site.provider);
    let mut socket = open(server.address, &browser).unwrap();
    let large = "x".repeat(300_000);
    for text in ["one", "two", &large] {
        socket.send(Frame::text(text)).unwrap();
        assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), text);
    }
    socket.close(Some(CloseFrame { code: 4321.into(), reason: "done".into() })).unwrap();
    let closed = socket.read().unwrap();
    assert!(matches!(&closed, Frame::Close(Some(frame)) if u16::from(frame.code) == 4321), "{closed:?}");
    assert!(socket.read().is_err());
}

#[test]
fn a_websocket_without_a_session_or_from_another_origin_is_refused() {
    let site = Site::with_app(3600, echo());
    let server = site.start();
    let refused = open(server.address, &Browser::default()).unwrap_err();
    assert!(matches!(&*refused, tungstenite::Error::Http(answer) if answer.status() == 401), "{refused:?}");
    let browser = Browser::signed_in(server.address, &site.provider);
    let request = Message::request("GET", "/socket")
        .with("host", server.address.to_string())
        .with("origin", "http://evil.example")
        .with("cookie", browser.cookie())
        .with("upgrade", "websocket")
        .with("sec-websocket-version", "13")
        .with("sec-websocket-key", generate_key());
    let mut stream = http::connect(server.address);
    stream.write_all(&request.with("connection", "upgrade").bytes()).unwrap();
    let answer = Message::read(&mut std::io::BufReader::new(stream)).unwrap();
    assert_eq!(answer.status(), 403, "{answer:?}");
}

#[test]
fn an_open_websocket_does_not_keep_a_process_longer_than_it_drains() {
    let site = Site::with_app(3600, echo()).with(&["--drain", "1"]);
    let mut server = site.start();
    let browser = Browser::signed_in(server.address, &site.provider);
    let mut socket = open(server.address, &browser).unwrap();
    server.signal("TERM");
    server.wait_for("ending");
    socket.send(Frame::text("still there")).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "still there");
    let reader = thread::spawn(move || socket.read().is_err());
    assert!(server.ended().success());
    assert!(reader.join().unwrap());
}

#[test]
fn a_websocket_that_one_end_has_closed_takes_no_place_although_the_other_end_stays() {
    let app = http::serve_raw(|stream| {
        drop(accept(stream));
    });
    let mut site = Site::with_app(3600, app).with(&["--connections", "2"]);
    site.threads = 1;
    let server = site.start();
    let browser = Browser::signed_in(server.address, &site.provider);
    let open: Vec<_> = (0..2).map(|_| open(server.address, &browser).unwrap()).collect();
    let begun = Instant::now();
    let health = http::send(server.address, &Message::request("GET", "/auth/health").with("host", "a"));
    assert_eq!(health.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop(open);
}
