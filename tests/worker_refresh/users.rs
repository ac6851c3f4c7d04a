//! Several users at the same time: a user never gets another user's token.

use std::time::Duration;

use miniflare_test_harness::{Client, SCHEME_HEADER};

use crate::credentials::{Api, Shape, access_token, sign_in};
use crate::setup::{APP, MAX_WAIT, STRICT, expire, fetch, fetch_in_parallel};

const USERS: [&str; 2] = ["ada", "bob"];

/// The browsers of two users with expired access tokens.
fn two_users(harness: &miniflare_test_harness::Harness) -> [Client; 2] {
    USERS.map(|name| {
        let browser = sign_in(harness, name);
        expire(&browser);
        browser
    })
}

#[test]
fn a_hundred_interleaved_requests_of_two_users_each_get_their_own_token() {
    for (lease, shape) in [("kv", Shape::Body), ("durable-object", Shape::Cookies)] {
        let api = Api::new(shape, Duration::ZERO);
        let harness = api.worker(lease).isolates(&["FRA", "FRA"]).start().unwrap();
        harness.kv("AUTH_KV").limit_writes(Duration::from_hours(1));
        let browsers = two_users(&harness);
        for round in 1..=2 {
            let mixed = (0..100).map(|i| browsers[i % 2].fork().at(i / 2 % 2)).collect();
            for (i, answer) in fetch_in_parallel(&harness, mixed).into_iter().enumerate() {
                let own = format!("Bearer {}", access_token(shape, USERS[i % 2], round));
                assert_eq!((answer.status, answer.text()), (200, own), "{lease}\n{}", harness.logs().text());
            }
            assert_eq!(api.refreshed(), (round * 2, 0), "{lease}");
            for browser in &browsers {
                fetch(&harness, browser).expect_status(200);
                expire(browser);
            }
        }
    }
}

#[test]
fn requests_of_two_users_on_one_connection_each_get_their_own_token() {
    for lease in STRICT {
        let api = Api::new(Shape::Body, Duration::from_millis(50));
        let harness = api.worker(lease).start().unwrap();
        let browsers = two_users(&harness);
        // Like a proxy, each connection carries the requests of both users, all sent before the first response.
        let pipelined: Vec<u8> = (0..10).flat_map(|i| request(&browsers[i % 2], i == 9)).collect();
        let connections: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..10).map(|_| scope.spawn(|| harness.client().raw(&pipelined, MAX_WAIT))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for connection in connections {
            assert_eq!(connection.statuses(), [200; 10], "{lease}: {}", connection.text());
            let text = connection.text();
            let tokens: Vec<&str> =
                text.match_indices("Bearer access-").map(|(at, _)| &text[at + 14..at + 19]).collect();
            let own: Vec<String> = (0..10).map(|i| format!("{}~1", USERS[i % 2])).collect();
            assert_eq!(tokens, own, "{lease}");
        }
        assert_eq!(api.refreshed(), (2, 0), "{lease}");
    }
}

/// The bytes of a request.
fn request(browser: &Client, is_last: bool) -> Vec<u8> {
    let cookies: Vec<String> =
        browser.cookies(APP).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let connection = if is_last { "close" } else { "keep-alive" };
    let head = format!(
        "GET /api HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: {}\r\n\
         Connection: {connection}\r\n\r\n",
        cookies.join("; ")
    );
    head.into_bytes()
}
