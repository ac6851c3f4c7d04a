//! Real WebSockets through the Worker to every kind of upstream, until either end closes.

use std::net::TcpStream;

use miniflare_test_harness::tungstenite::{self, Message, WebSocket, protocol::CloseFrame};
use miniflare_test_harness::{Connection, Request, Response};
use serde_json::{Value, json};
use vestibule_test_runtimes::{needs, part_needs};

use crate::test_env::{APP, Surround, TestEnv, settings, settings_with};

/// Every kind of upstream, with an application that echoes messages.
fn upstreams() -> Vec<(&'static str, Surround)> {
    let mut upstreams: Vec<(&str, Surround)> = vec![
        ("service:APP", |builder| builder.service("APP", application)),
        ("https://upstream.example", |builder| builder.host("upstream.example", application)),
        ("origin", |builder| builder.origin("app.example.com", application)),
    ];
    if part_needs!(Workers) {
        upstreams.push(("service:OTHER", |builder| builder.service_worker("OTHER", WORKER)));
    }
    upstreams
}

/// The same application as a Worker.
const WORKER: &str = r#"
export default {
  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("page");
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.binaryType = "arraybuffer";
    server.send(request.headers.get("x-user-email"));
    server.addEventListener("message", ({ data }) => {
      if (data === "close") server.close(4321, "as you wish");
      else server.send(data);
    });
    server.addEventListener("close", ({ code }) => server.close(code === 1005 ? 1000 : code));
    return new Response(null, { status: 101, webSocket: client, headers: { "sec-websocket-protocol": "chat" } });
  },
};
"#;

fn application(request: &Request) -> Response {
    if request.header("upgrade").is_none() {
        return Response::text("page");
    }
    let email = request.header("x-user-email").unwrap_or_default().to_owned();
    Response::websocket(request, move |socket| {
        echo(socket, &email).ok();
    })
}

/// Sends the user's e-mail address, and then returns every message until the connection ends.
fn echo(socket: &mut WebSocket<&mut Connection>, email: &str) -> tungstenite::Result<()> {
    socket.send(Message::text(email))?;
    loop {
        match socket.read()? {
            Message::Text(text) if text == "close" => socket.send(close(4321, "as you wish"))?,
            // The next `read` sends the closing frame.
            Message::Close(_) => {}
            message => socket.send(message)?,
        }
    }
}

fn close(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
}

/// The settings with this upstream, without and with a session update on every response.
fn both(to: &str) -> [Value; 2] {
    let mut renewed = settings_with(&json!({ "session": { "update_age": "0s" } }));
    renewed["upstreams"][0]["to"] = json!(to);
    let mut settings = settings();
    settings["upstreams"][0]["to"] = json!(to);
    [settings, renewed]
}

fn open(env: &TestEnv) -> WebSocket<TcpStream> {
    let browser = env.signed_in("alice");
    let request = browser.get(&format!("{APP}/socket")).header("origin", APP);
    let request = request.header("sec-websocket-protocol", "chat");
    let mut socket = request.websocket().unwrap().unwrap_or_else(|refused| panic!("{refused:?}"));
    assert_eq!(socket.read().unwrap(), Message::text("alice@example.com"));
    socket
}

#[test]
fn text_and_binary_messages_of_every_length_are_forwarded_in_both_directions() {
    needs!(WebSockets);
    for (to, surround) in upstreams() {
        for settings in both(to) {
            let env = TestEnv::with(settings, surround);
            let mut socket = open(&env);
            for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
                let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
                for message in [Message::text("é".repeat(length / 2)), Message::binary(bytes)] {
                    socket.send(message.clone()).unwrap();
                    assert!(socket.read().unwrap() == message, "{to}: {length}");
                }
            }
            // Several messages in flight keep their order.
            for n in 0..100 {
                socket.send(Message::text(n.to_string())).unwrap();
            }
            for n in 0..100 {
                assert_eq!(socket.read().unwrap(), Message::text(n.to_string()), "{to}");
            }
        }
    }
}

#[test]
fn a_websocket_opens_through_a_rule_with_a_prefix_whose_responses_no_cache_keeps() {
    needs!(WebSockets);
    for (to, surround) in upstreams() {
        let [mut settings, _] = both(to);
        let rule = json!({
            "match": "/socket/:path*",
            "access": "signed-in",
            "cache": "no-store",
            "to": to,
            "strip_prefix": "/socket",
            "headers": { "X-User-Email": "email" },
        });
        settings["rules"].as_array_mut().unwrap().insert(0, rule);
        let env = TestEnv::with(settings, surround);
        let mut socket = open(&env);
        socket.send(Message::text("hi")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("hi"), "{to}");
    }
}

#[test]
fn either_end_can_close_with_its_own_code() {
    needs!(WebSockets);
    for (to, surround) in upstreams() {
        let env = TestEnv::with(both(to)[0].clone(), surround);
        let mut socket = open(&env);
        socket.send(Message::text("close")).unwrap();
        assert_eq!(socket.read().unwrap(), close(4321, "as you wish"), "{to}");

        let mut socket = open(&env);
        socket.send(close(4000, "mine")).unwrap();
        let Message::Close(frame) = socket.read().unwrap() else { panic!("{to}: not closed") };
        assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(4000), "{to}");
    }
}

#[test]
fn a_signed_out_user_gets_401_and_the_upstream_gets_no_request() {
    for (to, surround) in upstreams() {
        let env = TestEnv::with(both(to)[0].clone(), surround);
        for accept in ["text/html", "*/*"] {
            let request = env.client().get(&format!("{APP}/socket?room=1")).header("accept", accept);
            let request = request.header("sec-fetch-mode", "websocket").header("origin", APP);
            let refused = request.websocket().unwrap().expect_err("it is not opened").expect_status(401);
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{to}");
            // A browser cannot navigate to the socket: after signing in, the user comes back to the page's origin.
            let back = "callbackUrl=https%3A%2F%2Fapp.example.com%2F";
            assert!(refused.json()["signInUrl"].as_str().unwrap().ends_with(back), "{to}");
        }
        let reached = env.requests_to_service("APP").len()
            + env.requests_to("upstream.example").len()
            + env.requests_to("app.example.com").len();
        assert_eq!(reached, 0, "{to}");
    }
}

#[test]
fn a_user_without_the_required_claims_gets_403() {
    let env = TestEnv::with(settings(), |builder| builder.service("APP", application));
    let refused = env.signed_in("bob").get(&format!("{APP}/admin/socket")).websocket().unwrap();
    assert_eq!(
        refused.expect_err("it is not opened").expect_status(403).json(),
        json!({ "error": "forbidden" })
    );
}

#[test]
fn the_response_of_an_upstream_that_rejects_a_websocket_is_forwarded() {
    needs!(WebSockets);
    let env = TestEnv::with(settings(), |builder| {
        builder.service("APP", |request| match request.header("upgrade") {
            Some(_) => Response::text("not here").with_status(426),
            None => Response::text("page"),
        })
    });
    let refused = env.signed_in("bob").get(&format!("{APP}/socket")).websocket().unwrap();
    assert_eq!(refused.expect_err("it is not opened").expect_status(426).text(), "not here");
}

#[test]
fn a_websocket_stays_open_after_its_request_handler_has_returned() {
    needs!(WebSockets);
    let env = TestEnv::with(settings(), |builder| builder.service("APP", application));
    let mut socket = open(&env);
    // Other requests run meanwhile. The handler of this request has already returned.
    let browser = env.signed_in("bob");
    for _ in 0..50 {
        browser.get(&format!("{APP}/page")).send().expect_status(200);
    }
    socket.send(Message::text("still there")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("still there"));
}
