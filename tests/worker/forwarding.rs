//! Requests that are forwarded to the application, and its responses: only the fields that Vestibule is responsible for
//! change.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use miniflare_test_harness::{Client, HarnessBuilder, Request, Response, SCHEME_HEADER};
use serde_json::{Value, json};
use vestibule_test_runtimes::{Kind, needs, part_needs};

use crate::test_env::{APP, Surround, TestEnv, begin, echo, email, settings, settings_with};

/// Settings with which every request updates the session.
fn always_renewed() -> Value {
    settings_with(&json!({ "session": { "update_age": "0s" } }))
}

/// The settings with another upstream.
fn to(target: &str) -> Value {
    let mut settings = settings();
    settings["upstreams"][0]["to"] = json!(target);
    settings
}

#[test]
fn the_application_receives_the_access_token_and_the_claims() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    let token = crate::test_env::session(&browser, APP)["access_token"].as_str().unwrap().to_owned();
    browser.get(&format!("{APP}/dashboard?tab=1")).send().expect_status(200);
    let got = env.requests_to_service("APP").pop().unwrap();
    assert_eq!(got.url(), format!("{APP}/dashboard?tab=1"));
    assert_eq!(got.header_all("authorization"), [format!("Bearer {token}")]);
    assert_eq!(got.header_all("x-user-email"), ["alice@example.com"]);
    assert_eq!(got.header_all("x-user-roles"), ["admin,user"]);
    assert_eq!(got.header_all("x-forwarded-host"), ["app.example.com"]);
    assert_eq!(got.header_all("x-forwarded-proto"), ["https"]);
    assert_eq!(got.header("cookie"), None);
}

#[test]
fn claims_outside_ascii_are_sent_as_utf_8() {
    let env = TestEnv::new();
    let browser = env.signed_in("zoe");
    browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    let got = env.requests_to_service("APP").pop().unwrap();
    assert_eq!(got.header_all("x-user-name"), ["Zoë 李 🦀"]);
}

#[test]
fn every_kind_of_upstream_is_reached() {
    if part_needs!(Workers) {
        let env = TestEnv::with(to("assets:SITE"), |builder| builder.service("SITE", echo));
        env.signed_in("alice").get(&format!("{APP}/a")).send().expect_status(200);
        assert_eq!(env.requests_to_service("SITE").pop().unwrap().url(), "https://app.example.com/a");
    }

    let env = TestEnv::with(to("https://upstream.example"), |builder| builder.host("upstream.example", echo));
    env.signed_in("alice").get(&format!("{APP}/a?b")).send().expect_status(200);
    let got = env.requests_to("upstream.example").pop().unwrap();
    assert_eq!((got.url().as_str(), got.host.as_str()), ("https://upstream.example/a?b", "upstream.example"));
    assert_eq!(got.header_all("x-forwarded-host"), ["app.example.com"]);
    assert_eq!(got.header_all("x-user-email"), ["alice@example.com"]);

    let env = TestEnv::with(to("origin"), |builder| builder.origin("app.example.com", echo));
    env.signed_in("alice").get(&format!("{APP}/a")).send().expect_status(200);
    let got = env.requests_to("app.example.com").pop().unwrap();
    assert_eq!(got.url(), "https://app.example.com/a");
    assert_eq!(got.header_all("x-user-email"), ["alice@example.com"]);
}

#[test]
fn requests_of_each_host_reach_its_own_upstream() {
    let mut settings = settings();
    settings["upstreams"] = json!([
        { "host": "api.example.com", "to": "service:API", "headers": { "X-Api-User": "email" } },
        { "to": "service:APP" },
    ]);
    let env = TestEnv::with(settings, |builder| builder.service("API", echo).service("APP", echo));
    let browser = env.client();
    for host in ["api", "www"] {
        let page = begin(&browser, &format!("https://{host}.example.com"), "alice", "/x").follow().send();
        assert_eq!((page.status, page.url), (200, format!("https://{host}.example.com/x")));
    }
    // A client cannot send a header that Vestibule sets for another upstream.
    let lie = browser.get("https://www.example.com/x").header("x-api-user", "evil").send().expect_status(200);
    assert!(!lie.text().contains("evil"), "{}", lie.text());
    let api = env.requests_to_service("API");
    assert_eq!((api.len(), api[0].header("x-api-user")), (1, Some("alice@example.com")));
    assert_eq!(env.requests_to_service("APP").len(), 2);
}

/// Every kind of upstream, with an application that returns the request it received.
fn kinds() -> [(&'static str, Surround); 3] {
    [
        ("service:APP", |builder| builder.service("APP", echo)),
        ("https://upstream.example", |builder| builder.host("upstream.example", echo)),
        ("origin", |builder| builder.origin("app.example.com", echo)),
    ]
}

#[test]
fn methods_bodies_and_content_headers_are_forwarded() {
    for (target, surround) in kinds() {
        let env = TestEnv::with(to(target), surround);
        let browser = env.signed_in("alice");
        for (method, body) in [
            ("GET", ""),
            ("HEAD", ""),
            ("GET", "{\"query\":1}"),
            ("POST", "a=1"),
            ("POST", ""),
            ("PUT", "\0\u{1f980}"),
            ("PATCH", "x"),
            ("DELETE", "x"),
            ("OPTIONS", ""),
            ("PROPFIND", "x"),
        ] {
            let length = body.len().to_string();
            let request = browser.request(method, &format!("{APP}/x")).body("text/x-test; a=b", body);
            let request = if body.is_empty() { request.header("content-length", &length) } else { request };
            let reply = request.send().expect_status(200);
            if method == "HEAD" {
                continue;
            }
            let got = reply.json();
            let field = |wanted: &str| -> Vec<&str> {
                let fields = got["headers"].as_array().unwrap().iter();
                let named = fields.filter(|field| field[0].as_str().unwrap().eq_ignore_ascii_case(wanted));
                named.map(|field| field[1].as_str().unwrap()).collect()
            };
            assert_eq!(
                (got["method"].as_str(), got["body"].as_str()),
                (Some(method), Some(body)),
                "{target}"
            );
            assert_eq!(field("content-type"), ["text/x-test; a=b"], "{target} {method}");
            if !body.is_empty() {
                assert_eq!(field("content-length"), [length.as_str()], "{target} {method}");
                assert_eq!(field("transfer-encoding"), [""; 0], "{target} {method}");
            }
        }
    }
}

#[test]
fn a_worker_behind_a_service_binding_receives_request_cf() {
    needs!(Workers);
    let application = "export default { fetch: (request) => Response.json(request.cf) };";
    let env = TestEnv::with(settings(), |builder| builder.service_worker("APP", application));
    let known = json!({ "country": "AQ", "colo": "MCM" });
    let reply = env.client().get(&format!("{APP}/about")).cf(&known).send().expect_status(200);
    assert_eq!(reply.json(), known);
}

#[test]
fn paths_and_queries_are_forwarded_byte_for_byte() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for target in [
        "/%C3%A9",
        "/a%20b/",
        "/%41%7e~",
        "/[|]@:!$&'()*+,=-._~",
        "/a;v=1",
        "/a%3Fb",
        "/a%23b",
        "/100%25",
        "/a?",
        "/a?b=%27%00%0D&&=+%20",
        "/a?x=%E9&y=%zz",
        "/a??x=/../b//c",
        "/a?return=https://other.example/%2e%2e",
        "/a?[x]={}|^`\\!$()*,;:@",
        "/it's?it's",
    ] {
        browser.get(&format!("{APP}{target}")).send().expect_status(200);
        assert_eq!(env.requests_to_service("APP").pop().unwrap().target, target);
    }
}

#[test]
fn responses_are_returned_unchanged_whether_the_session_is_updated_or_not() {
    for (case, settings) in [("not updated", settings()), ("updated", always_renewed())] {
        let renewed = case == "updated";
        let env = TestEnv::with(settings, |builder| builder.service("APP", application));
        let browser = env.signed_in("alice");
        let before = |path: &str| browser.get(&format!("{APP}{path}")).navigation();
        for (path, status, body) in [
            ("/text", 203, "text"),
            ("/empty", 200, ""),
            ("/204", 204, ""),
            ("/205", 205, ""),
            ("/304", 304, ""),
            ("/404", 404, "not here"),
            ("/503", 503, "later"),
            ("/599", 599, "odd"),
        ] {
            let reply = before(path).send();
            assert_eq!((reply.status, reply.text().as_str()), (status, body), "{path} {case}");
            assert_eq!(reply.header("x-mine"), Some("kept"), "{path} {case}");
            assert_eq!(reply.header("etag"), Some("\"1\""), "{path} {case}");
            let control = if renewed { "private, no-store" } else { "public, max-age=60" };
            assert_eq!(reply.header_all("cache-control"), [control], "{path} {case}");
            let own: Vec<_> = reply.set_cookies().into_iter().filter(|c| !c.contains("authjs")).collect();
            assert_eq!(own, ["a=1; Path=/", "b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT"], "{path} {case}");
            assert_eq!(reply.set_cookie("__Secure-authjs.session-token").is_some(), renewed, "{path} {case}");
            let head = browser.request("HEAD", &format!("{APP}{path}")).send();
            assert_eq!((head.status, head.body.len()), (status, 0), "HEAD {path} {case}");
            assert_eq!(head.header("content-length"), reply.header("content-length"), "HEAD {path} {case}");
        }

        for status in [301, 302, 303, 307, 308] {
            let reply = before(&format!("/redirect?{status}")).send();
            assert_eq!((reply.status, reply.location()), (status, "https://other.example/x"), "{case}");
        }

        let zipped = before("/gzip").header("accept-encoding", "gzip").send().expect_status(200);
        assert_eq!((zipped.header("content-encoding"), &zipped.body[..]), (Some("gzip"), GZIP), "{case}");

        let odd = before("/999").send();
        assert_eq!((odd.status, odd.text().as_str()), (999, "very odd"), "{case}");
        // workerd makes no response of that status, so the cookie cannot be added to it.
        if renewed && !part_needs!(Workers) {
            assert!(odd.set_cookie("__Secure-authjs.session-token").is_some());
        } else if renewed {
            let line = env.logs().wait_for("session_not_updated", Duration::from_secs(5)).json().unwrap();
            assert_eq!((&line["level"], &line["path"]), (&json!("warn"), &json!("/999")), "{line}");
        }
        assert_eq!(email(&browser), "alice@example.com", "{case}");
    }
}

/// `hello`, compressed with gzip.
const GZIP: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,
    0,
];

/// Each case has its own environment: the application closes the connection after its response, and the runtime could
/// otherwise reuse that connection for the next request.
#[test]
fn early_hints_are_not_used_as_the_response() {
    for (method, body) in [("GET", "hi"), ("HEAD", "")] {
        let env = TestEnv::with(settings(), |builder| builder.service("APP", application));
        let browser = env.signed_in("alice");
        let reply = browser.request(method, &format!("{APP}/early-hints")).send();
        assert_eq!((reply.status, reply.text().as_str()), (200, body), "{method}");
        assert_eq!(reply.header("x-mine"), Some("kept"), "{method}");
        assert_eq!(reply.header_all("cache-control"), ["public, max-age=60"], "{method}");
    }
}

fn application(request: &Request) -> Response {
    let answer = match request.path() {
        "/text" => Response::text("text").with_status(203),
        "/404" => Response::text("not here").with_status(404),
        "/503" => Response::text("later").with_status(503),
        "/599" => Response::text("odd").with_status(599),
        "/999" => Response::text("very odd").with_status(999),
        "/gzip" => Response::bytes(GZIP).header("content-encoding", "gzip"),
        "/redirect" => {
            let (_, status) = request.target.split_once('?').unwrap();
            Response::redirect("https://other.example/x").with_status(status.parse().unwrap())
        }
        "/early-hints" => {
            let rest = if request.method == "HEAD" { "" } else { "hi" };
            return Response::raw(format!(
                "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\
                 connection: close\r\nx-mine: kept\r\netag: \"1\"\r\ncache-control: public, max-age=60\r\nset-cookie: a=1; Path=/\r\n\
                 set-cookie: b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT\r\n\r\n{rest}"
            ));
        }
        path => Response::status(path[1..].parse().unwrap_or(200)),
    };
    answer
        .header("x-mine", "kept")
        .header("etag", "\"1\"")
        .header("cache-control", "public, max-age=60")
        .header("set-cookie", "a=1; Path=/")
        .header("set-cookie", "b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT")
}

#[test]
fn every_kind_of_upstream_gets_the_requested_host_and_not_the_client_s_forwarded_headers() {
    let kinds: [(&str, &str, Surround); 3] = [
        ("service:APP", "app.example.com:8443", |builder| builder.service("APP", echo)),
        ("https://upstream.example", "upstream.example", |builder| builder.host("upstream.example", echo)),
        ("origin", "app.example.com:8443", |builder| builder.origin("app.example.com", echo)),
    ];
    for (target, host, surround) in kinds {
        let env = TestEnv::with(to(target), surround);
        let mut request = env.client().get("https://app.example.com:8443/about");
        for (name, value) in [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Port", "81"),
            ("X-Forwarded-Prefix", "/evil"),
            ("X-Forwarded-Server", "evil.example"),
            ("X-Forwarded-Scheme", "http"),
            ("X-Real-IP", "192.0.2.1"),
            ("X-Original-Host", "evil.example"),
            ("Forwarded", "for=192.0.2.1;host=evil.example"),
            ("CF_Connecting_IP", "192.0.2.1"),
            ("Connection", "close, X-Plain, Keep-Alive"),
            ("Keep-Alive", "timeout=1"),
            ("Proxy-Connection", "keep-alive"),
            ("TE", "trailers"),
            ("X-Plain", "named by Connection"),
            ("CF-Connecting-IP", "2001:db8::7"),
        ] {
            request = request.header(name, value);
        }
        let got = request.send().expect_status(200).json();
        let headers: Vec<(String, String)> = serde_json::from_value(got["headers"].clone()).unwrap();
        let mut received: BTreeMap<String, String> =
            headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        // By which a loop is noticed.
        let hops = received.remove("vestibule-hops").expect("a hop");
        assert!(hops.len() == 16 && hops.bytes().all(|b| b.is_ascii_hexdigit()), "{hops}");
        let is_cloudflare = part_needs!(Cloudflare);
        let address = if is_cloudflare { "2001:db8::7" } else { "127.0.0.1" };
        let mut expected = json!({
            "host": host,
            "x-real-ip": address,
            "x-forwarded-for": address,
            "x-forwarded-host": "app.example.com:8443",
            "x-forwarded-proto": "https",
        });
        if is_cloudflare {
            expected["cf-connecting-ip"] = json!(address);
        }
        if !part_needs!(RawRequests) {
            assert!(received.remove("x-plain").is_some(), "the host has read which fields Connection names");
        }
        assert_eq!(json!(received), expected, "{target}");
    }
}

#[test]
fn cached_set_cookie_an_updated_session_is_never_cacheable_even_if_the_upstream_allows_it() {
    let env = TestEnv::with(always_renewed(), |builder| {
        builder.service("APP", |_| {
            Response::text("page")
                .header("cache-control", "public, s-maxage=600")
                .header("cdn-cache-control", "max-age=600")
                .header("cloudflare-cdn-cache-control", "max-age=600")
                .header("surrogate-control", "max-age=600")
                .header("vary", "cookie")
        })
    });
    let browser = env.signed_in("alice");
    let renewed = browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
    assert!(renewed.set_cookie("__Secure-authjs.session-token").is_some());
    assert_eq!(renewed.header_all("cache-control"), ["private, no-store"]);
    for name in ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"] {
        assert_eq!(renewed.header(name), None, "{name}");
    }
    assert_eq!(renewed.header("vary"), Some("cookie"));
    let public = browser.get(&format!("{APP}/about")).send().expect_status(200);
    assert_eq!(public.header_all("set-cookie"), [""; 0]);
    assert_eq!(public.header("cdn-cache-control"), Some("max-age=600"));
}

#[test]
fn cached_responses_of_one_user_are_not_stored_by_the_edge() {
    needs!(Workers);
    let kinds: [(&str, &str, Surround); 2] = [
        ("https://upstream.example", "upstream.example", |builder| builder.host("upstream.example", echo)),
        ("origin", "app.example.com", |builder| builder.origin("app.example.com", echo)),
    ];
    for (target, host, surround) in kinds {
        let env = TestEnv::with(to(target), surround);
        let browser = env.signed_in("alice");
        let nobody = env.client();
        for (client, path, kept) in
            [(&browser, "/report.pdf", Some(json!(-1))), (&nobody, "/public/logo.png", None)]
        {
            client.get(&format!("{APP}{path}")).send().expect_status(200);
            let got = env.requests_to(host).pop().unwrap();
            let ttl = got.cf.as_ref().and_then(|cf| cf.get("cacheTtl")).cloned();
            assert_eq!(ttl, kept, "{target} {path}");
            assert_eq!((got.header("cache-control"), got.header("pragma")), (None, None), "{target} {path}");
        }
    }
}

#[test]
fn a_redirect_to_the_upstream_s_own_origin_is_rewritten_to_the_worker_s() {
    for renewed in [false, true] {
        let mut settings = if renewed { always_renewed() } else { settings() };
        settings["upstreams"][0]["to"] = json!("https://upstream.example");
        let env = TestEnv::with(settings, |builder| {
            builder.host("upstream.example", |request| match request.target.split_once('?') {
                Some((_, location)) => {
                    Response::redirect(location).header("set-cookie", "a=1").header("x-mine", "1")
                }
                None => Response::text("page"),
            })
        });
        let browser = env.signed_in("alice");
        for (sent, arrives) in [
            ("https://upstream.example/a/?b", "https://app.example.com/a/?b"),
            ("//upstream.example/a/", "https://app.example.com/a/"),
            ("/a/", "/a/"),
            ("https://other.example/a", "https://other.example/a"),
            ("https://upstream.example.evil.example/", "https://upstream.example.evil.example/"),
        ] {
            let reply = browser.get(&format!("{APP}/x?{sent}")).send().expect_status(302);
            assert_eq!(reply.header_all("location"), [arrives]);
            assert_eq!((reply.header("x-mine"), reply.set_cookies()[0]), (Some("1"), "a=1"));
            assert_eq!(reply.set_cookie("__Secure-authjs.session-token").is_some(), renewed);
        }
    }
}

#[test]
fn range_and_conditional_requests_are_forwarded_unchanged() {
    for settings in [settings(), always_renewed()] {
        let env = TestEnv::with(settings, |builder| {
            builder.service("APP", |request| {
                if request.header("if-none-match") == Some("\"1\"") {
                    return Response::status(304).header("etag", "\"1\"");
                }
                match request.header("range") {
                    Some("bytes=2-4") => {
                        Response::text("llo").with_status(206).header("content-range", "bytes 2-4/5")
                    }
                    Some(_) => Response::status(416).header("content-range", "bytes */5"),
                    None => Response::text("hello").header("accept-ranges", "bytes").header("etag", "\"1\""),
                }
            })
        });
        let browser = env.signed_in("alice");
        let get = || browser.get(&format!("{APP}/file"));
        let part = get().header("range", "bytes=2-4").send().expect_status(206);
        assert_eq!((part.text().as_str(), part.header("content-range")), ("llo", Some("bytes 2-4/5")));
        assert_eq!(part.header("content-length"), Some("3"));
        let beyond = get().header("range", "bytes=9-").send().expect_status(416);
        assert_eq!(beyond.header("content-range"), Some("bytes */5"));
        let same = get().header("if-none-match", "\"1\"").send().expect_status(304);
        assert_eq!((same.header("etag"), same.body.len()), (Some("\"1\""), 0));
        let whole = get().header("if-none-match", "\"2\"").send().expect_status(200);
        assert_eq!((whole.text().as_str(), whole.header("accept-ranges")), ("hello", Some("bytes")));
    }
}

#[test]
fn a_body_of_unknown_length_reaches_every_kind_of_upstream() {
    for (target, surround) in kinds() {
        let env = TestEnv::with(to(target), surround);
        let cookie = cookie_of(&env.signed_in("alice"));
        // The runtime's HTTP client sends the body of a GET only if its length is known.
        for method in ["POST", "PUT", "DELETE"] {
            let request = format!(
                "{method} /x HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: {cookie}\r\n\
                 Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Late: 1\r\n\r\n"
            );
            let reply = env.client().raw(request.as_bytes(), Duration::from_secs(10));
            let text = reply.text();
            assert_eq!(reply.statuses(), [200], "{target} {method}");
            assert!(
                text.contains(r#""body":"abcde""#) && !text.contains("X-Late"),
                "{target} {method}: {text}"
            );
        }
    }
}

#[test]
fn header_smuggling_a_client_cannot_send_headers_that_vestibule_sets() {
    let env = TestEnv::new();
    let browser = env.signed_in("bob");
    browser.set_cookie(APP, "mine=1; Path=/");
    for signed_in in [true, false] {
        let mut request = browser.get(&format!("{APP}{}", if signed_in { "/dashboard" } else { "/about" }));
        if !signed_in {
            request = request.header("cookie", "mine=1");
        }
        for (name, value) in [
            ("X-User-Email", "evil"),
            ("x_user_email", "evil"),
            ("X.User_Roles", "evil"),
            ("Authorization", "Bearer evil"),
            ("Connection", "x-user-email, authorization, close"),
            ("X-Middleware-Subrequest", "evil"),
            ("x_middleware_subrequest", "evil"),
            ("X-Forwarded-Host", "evil"),
            ("X-Forwarded-Uri", "/evil"),
            ("X-Original-URL", "/evil"),
            ("X-Rewrite-URL", "/evil"),
            ("Forwarded", "host=evil"),
            ("X-Plain", "kept"),
        ] {
            request = request.header(name, value);
        }
        request.send().expect_status(200);
        let got = env.requests_to_service("APP").pop().unwrap();
        let evil: Vec<_> = got.headers.iter().filter(|(_, value)| value.contains("evil")).collect();
        assert!(evil.is_empty(), "{evil:?}");
        assert_eq!(got.header("x-plain"), Some("kept"));
        assert_eq!(got.header("cookie"), Some("mine=1"));
        assert_eq!(got.header("x-user-email"), signed_in.then_some("bob@example.com"));
    }
}

#[test]
fn header_values_outside_ascii_are_forwarded() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    for bytes in [&b"caf\xe9"[..], "café".as_bytes(), b"\x80\xff", b"a\tb"] {
        let cookie = [cookie_of(&browser).as_bytes(), b"; mine=", bytes].concat();
        let head = format!("GET /x HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: ");
        let request =
            [head.as_bytes(), &cookie, b"\r\nX-Odd: ", bytes, b"\r\nConnection: close\r\n\r\n"].concat();
        let reply = browser.raw(&request, Duration::from_secs(5));
        assert_eq!(reply.statuses(), [200], "{bytes:?}");
        let got = env.requests_to_service("APP").pop().unwrap();
        if part_needs!(FieldBytes) {
            assert_eq!(got.header_bytes("x-odd"), Some(bytes), "byte for byte");
        }
        assert_eq!(got.header_bytes("cookie"), Some(rewritten(&[b"mine=", bytes].concat()).as_slice()));
    }
}

/// A value that was changed because reserved cookies were removed. A server of your own leaves the rest as it is. Elsewhere it is
/// written as UTF-8: workerd replaces other bytes by U+FFFD before a Worker sees them, and a component reads the value as
/// ISO 8859-1.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    match (str::from_utf8(bytes), Kind::chosen()) {
        (Ok(_), _) | (Err(_), Kind::Native) => bytes.to_owned(),
        (Err(_), Kind::Workers) => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
        (Err(_), Kind::Wasi) => bytes.iter().copied().map(char::from).collect::<String>().into_bytes(),
    }
}

#[test]
fn an_app_s_cookies_arrive_byte_for_byte_if_no_cookie_is_removed() {
    let env = TestEnv::new();
    let browser = env.signed_in("alice");
    let session = cookie_of(&browser);
    for bytes in [&b"caf\xe9"[..], "caf\u{e9}".as_bytes(), b"\x80\xff", b"%E9; b=\"1\";c= 2 ;d", b"1;; e"] {
        for (before, after) in [("", ""), (session.as_str(), "; "), (session.as_str(), ";")] {
            let cookie = [before.as_bytes(), after.as_bytes(), b"mine=", bytes].concat();
            let head =
                format!("GET /about HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: ");
            let request = [head.as_bytes(), &cookie, b"\r\nConnection: close\r\n\r\n"].concat();
            let reply = browser.raw(&request, Duration::from_secs(5));
            assert_eq!(reply.statuses(), [200], "{bytes:?}");
            let got = env.requests_to_service("APP").pop().unwrap();
            let own = [b"mine=", bytes].concat();
            let is_rewritten = !before.is_empty() || !part_needs!(FieldBytes);
            let expected = if is_rewritten { rewritten(&own) } else { own };
            assert_eq!(got.header_bytes("cookie"), Some(expected.as_slice()), "{before:.20} {bytes:?}");
        }
    }
}

#[test]
fn a_websocket_is_only_forwarded_for_a_signed_in_user() {
    needs!(WebSockets);
    for settings in [settings(), always_renewed()] {
        let env = TestEnv::with(settings, |builder| {
            builder.service("APP", |request| {
                if request.header("upgrade").is_none() {
                    return Response::text("page");
                }
                Response::websocket(request, |socket| {
                    let message = socket.read().unwrap();
                    socket.send(message).unwrap();
                    socket.get_mut().wait_for_close();
                })
            })
        });
        let browser = env.signed_in("alice");
        for (cookie, status) in [("", "401"), (cookie_of(&browser).as_str(), "101")] {
            let mut socket = env.connect();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let request = format!(
                "GET /socket HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-Fetch-Mode: websocket\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n"
            );
            socket.write_all(request.as_bytes()).unwrap();
            let head = head(&mut socket);
            assert_eq!(head.split(' ').nth(1), Some(status), "{head}");
            if status == "101" {
                socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
                let mut frame = [0; 4];
                socket.read_exact(&mut frame).unwrap();
                assert_eq!(&frame, &[0x81, 2, b'h', b'i']);
            }
        }
        let got = env.requests_to_service("APP").pop().unwrap();
        assert_eq!(got.header("x-user-email"), Some("alice@example.com"));
    }
}

#[test]
fn a_failing_upstream_gives_502_and_does_not_end_the_session() {
    let failing = |request: &Request| match request.path() {
        "/close" => Response::close(),
        "/garbage" => Response::raw("no response\r\n\r\n"),
        _ => Response::text("fine"),
    };
    let kinds: [(&str, &dyn Fn(HarnessBuilder) -> HarnessBuilder); 3] = [
        ("service:APP", &|builder| builder.service("APP", failing)),
        ("https://upstream.example", &|builder| builder.host("upstream.example", failing)),
        ("origin", &|builder| builder.origin("app.example.com", failing)),
    ];
    // A response with an updated session takes another code path than one without.
    for update_age in ["0s", "1d"] {
        for (target, surround) in kinds {
            let mut settings = to(target);
            settings["session"]["update_age"] = json!(update_age);
            let env = TestEnv::with(settings, surround);
            let browser = env.signed_in("alice");
            for path in ["/close", "/garbage"] {
                let reply = browser.get(&format!("{APP}{path}")).send().expect_status(502);
                assert_eq!(reply.json(), json!({ "error": "upstream_unavailable" }), "{target}");
                assert_eq!(reply.header("cache-control"), Some("private, no-store"));
                assert_eq!(reply.set_cookies(), [""; 0]);
            }
            let line = env.logs().wait_for("forward_failed", Duration::from_secs(5)).json().unwrap();
            assert_eq!(
                (&line["host"], &line["path"]),
                (&json!("app.example.com"), &json!("/close")),
                "{line}"
            );
            assert_eq!(browser.get(&format!("{APP}/fine")).send().expect_status(200).text(), "fine");
            assert_eq!(email(&browser), "alice@example.com");
        }
    }
}

#[test]
fn a_missing_service_binding_gives_500_and_the_log_names_it() {
    needs!(Answers500);
    let env = TestEnv::with(to("service:FORGOTTEN"), |builder| builder);
    let reply = env.client().get(&format!("{APP}/about")).send().expect_status(500);
    // A component that is told its services refuses the whole configuration.
    if Kind::chosen() == Kind::Workers {
        assert_eq!(reply.json(), json!({ "error": "upstream_unavailable" }));
    }
    let line = env.logs().wait_for("FORGOTTEN", Duration::from_secs(5));
    assert_eq!(line.level, "error");
}

/// The `Cookie` header of this browser.
fn cookie_of(browser: &Client) -> String {
    let pairs = browser.cookies(APP).into_iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("; ")
}

/// Reads a response's head byte by byte, so that nothing after it is consumed.
fn head(from: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
