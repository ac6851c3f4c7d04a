//! What upstreams get and what comes back, in the real runtime: header fields, caches, slashes and prefixes.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, mpsc};

use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};
use vestibule_test_runtimes::{needs, part_needs};

use crate::streaming::MAX_WAIT;
use crate::test_env::{APP, Surround, TestEnv, echo, settings};

/// Every kind of upstream, with an echo behind it, and the host that it is known by to the harness.
fn kinds() -> [(&'static str, Option<&'static str>, Surround); 3] {
    [
        ("service:APP", None, |builder| builder.service("APP", echo)),
        ("https://upstream.example", Some("upstream.example"), |builder| {
            builder.host("upstream.example", echo)
        }),
        ("origin", Some("app.example.com"), |builder| builder.origin("app.example.com", echo)),
    ]
}

/// The last request that the upstream got.
fn last(env: &TestEnv, host: Option<&str>) -> Request {
    host.map_or_else(|| env.requests_to_service("APP"), |host| env.requests_to(host)).pop().unwrap()
}

fn with_upstream(change: impl FnOnce(&mut Value)) -> Value {
    let mut settings = settings();
    change(&mut settings);
    settings
}

#[test]
fn header_smuggling_no_client_says_what_gateways_and_networks_say() {
    for (target, host, surround) in kinds() {
        let env = TestEnv::with(with_upstream(|all| all["upstreams"][0]["to"] = json!(target)), surround);
        let browser = env.signed_in("bob");
        for path in ["/dashboard", "/about"] {
            let mut request = browser.get(&format!("{APP}{path}"));
            for name in [
                "True-Client-IP",
                "Client_IP",
                "X-Client-IP",
                "X-Cluster-Client-IP",
                "X-Original-Forwarded-For",
                "X-Envoy-External-Address",
                "X-ProxyUser-Ip",
                "Cf-Access-Jwt-Assertion",
                "Cf-Cert-Verified",
                "Cf-Ipcity",
                "Cf_Ray",
                "X-Override-URL",
                "X-Rewrite-URI",
                "X_Original_URI",
                "X-HTTP-Host-Override",
                "X-Host",
                "X-Forwarded",
                "X-Forwarded-Email",
                "X-Auth-Request-User",
                "X-Amzn-Oidc-Data",
                "Remote-User",
            ] {
                request = request.header(name, "evil");
            }
            request = request.header("cf-ray", "8f1").header("x-plain", "kept");
            request.send().expect_status(200);
            let got = last(&env, host);
            let evil: Vec<_> = got.headers.iter().filter(|(_, value)| value.contains("evil")).collect();
            assert!(evil.is_empty(), "{target} {path}: {evil:?}");
            let ray = part_needs!(Cloudflare).then_some("8f1");
            assert_eq!((got.header("cf-ray"), got.header("x-plain")), (ray, Some("kept")), "{target}");
        }
    }
}

#[test]
fn identity_through_a_shared_cache_does_not_go_on_public_paths_either() {
    needs!(Workers);
    for (target, host, surround) in kinds() {
        let Some(host) = host else { continue };
        let env = TestEnv::with(with_upstream(|all| all["upstreams"][0]["to"] = json!(target)), surround);
        let browser = env.signed_in("alice");
        for (client, ttl) in [(&browser, Some(json!(-1))), (&env.client(), None)] {
            client.get(&format!("{APP}/public/logo.png")).send().expect_status(200);
            let got = last(&env, Some(host));
            let sent = got.cf.as_ref().and_then(|cf| cf.get("cacheTtl")).cloned();
            assert_eq!(sent, ttl, "{target}");
            assert_eq!(got.header("x-user-email").is_some(), ttl.is_some(), "{target}");
        }
    }
}

#[test]
fn cached_answers_of_a_rule_that_says_so_are_kept_by_nobody_and_still_streamed() {
    for target in ["service:APP", "https://upstream.example"] {
        let settings = with_upstream(|all| {
            all["upstreams"][0]["to"] = json!(target);
            let rule = json!({ "match": "/account/:path*", "access": "signed-in", "cache": "no-store" });
            all["rules"].as_array_mut().unwrap().insert(0, rule);
        });
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let env = TestEnv::with(settings, move |builder| {
            let wait = Arc::new(wait);
            let answer = move |request: &Request| {
                let answer = match request.target.as_str() {
                    "/account/stream" => {
                        let wait = wait.lock().unwrap().take().expect("one stream");
                        Response::stream(move |body| {
                            body.write_all(b"first")?;
                            wait.recv_timeout(MAX_WAIT).expect("the client has the first piece");
                            body.write_all(b"second")
                        })
                    }
                    "/account/999" => Response::text("odd").with_status(999),
                    _ => Response::text("page"),
                };
                answer
                    .header("cache-control", "public, max-age=600")
                    .header("cdn-cache-control", "max-age=600")
                    .header("etag", "\"1\"")
                    .header("set-cookie", "a=1; Path=/")
            };
            let other = answer.clone();
            builder.service("APP", answer).host("upstream.example", other)
        });
        let browser = env.signed_in("alice");
        let reply = browser.get(&format!("{APP}/account")).send().expect_status(200);
        assert_eq!(reply.header_all("cache-control"), ["private, no-store"], "{target}");
        assert_eq!(
            (reply.header("cdn-cache-control"), reply.header("etag")),
            (None, Some("\"1\"")),
            "{target}"
        );
        assert_eq!(reply.set_cookies(), ["a=1; Path=/"], "{target}");
        let reply = browser.get(&format!("{APP}/dashboard")).send().expect_status(200);
        assert_eq!(reply.header("cache-control"), Some("public, max-age=600"), "{target}");

        let mut reply = browser.get(&format!("{APP}/account/stream")).stream().unwrap();
        assert_eq!(reply.header("cache-control"), Some("private, no-store"), "{target}");
        let mut first = [0; 5];
        reply.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"first");
        go_on.send(()).unwrap();
        let mut rest = String::new();
        reply.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "second", "{target}");

        let odd = browser.get(&format!("{APP}/account/999")).send();
        assert_eq!(odd.status, 999);
        // workerd makes no response of that status.
        if part_needs!(Workers) {
            env.logs().wait_for("cache_control_not_set", MAX_WAIT);
        } else {
            assert_eq!(odd.header_all("cache-control"), ["private, no-store"], "{target}");
        }
    }
}

#[test]
fn header_smuggling_a_percent_encoded_value_is_the_claim() {
    let encoded = with_upstream(|all| all["upstreams"][0]["header_encoding"] = json!("percent"));
    let env = TestEnv::with(encoded, |builder| builder.service("APP", echo));
    env.signed_in("zoe").get(&format!("{APP}/dashboard")).send().expect_status(200);
    let got = last(&env, None);
    assert_eq!(got.header_all("x-user-name"), ["Zo%C3%AB%20%E6%9D%8E%20%F0%9F%A6%80"]);
}

#[test]
fn path_confusion_ambiguous_slashes_arrive_byte_for_byte_where_one_rule_decides() {
    for (target, host, surround) in kinds() {
        let settings = with_upstream(|all| {
            all["upstreams"][0]["to"] = json!(target);
            all["rules"] = json!([
                { "match": "/about", "access": "public" },
                { "match": "/:path*", "access": "signed-in", "ambiguous_slashes": "allow" },
            ]);
        });
        let env = TestEnv::with(settings, surround);
        let browser = env.signed_in("alice");
        for path in [
            "/api/v4/projects/group%2Fproject",
            "/@scope%2fname",
            "/api/queues/%2F/orders",
            "//evil.example/x",
            "/a//b///",
            "/a%252Fb?x=//y",
        ] {
            browser.get(&format!("{APP}{path}")).send().expect_status(200);
            assert_eq!(last(&env, host).target, path, "{target}");
            let reply = env.client().get(&format!("{APP}{path}")).navigation().send().expect_status(302);
            assert!(reply.location().starts_with(&format!("{APP}/auth/signin?")), "{target} {path}");
        }
        for (path, status) in [
            ("//about", 401),
            ("/about%2F", 401),
            ("/a%2F..%2fb", 400),
            ("/a/..%2Fabout", 400),
            ("/a%5cb", 400),
            ("//auth/session", 404),
            ("/auth%2Fsession", 404),
        ] {
            env.client().get(&format!("{APP}{path}")).send().expect_status(status);
        }
    }
}

#[test]
fn path_confusion_a_stripped_prefix_is_put_back_into_redirects_at_every_kind_of_upstream() {
    fn application(request: &Request) -> Response {
        match request.target.split_once("?to=") {
            Some((_, location)) => Response::redirect(location).header("x-mine", "1"),
            None => echo(request),
        }
    }
    let kinds: [(&str, Option<&str>, &str, Surround); 3] = [
        ("service:APP", None, APP, |builder| builder.service("APP", application)),
        ("https://upstream.example", Some("upstream.example"), "https://upstream.example", |builder| {
            builder.host("upstream.example", application)
        }),
        ("origin", Some("app.example.com"), APP, |builder| builder.origin("app.example.com", application)),
    ];
    for (target, host, own, surround) in kinds {
        let settings = with_upstream(|all| {
            all["rules"] = json!([
                { "match": "/about", "access": "public", "to": target },
                { "match": "/api/:path*", "access": "public", "to": target, "strip_prefix": "/api" },
            ]);
        });
        let env = TestEnv::with(settings, surround);
        let browser = env.client();
        for (path, arrives) in [
            ("/api", "/"),
            ("/api/orders/%C3%A9;x=1?q=%2F", "/orders/%C3%A9;x=1?q=%2F"),
            ("/%61pi/x", "/x"),
            ("/about", "/about"),
        ] {
            browser.get(&format!("{APP}{path}")).send().expect_status(200);
            assert_eq!(last(&env, host).target, arrives, "{target}");
        }
        let posted = browser.post(&format!("{APP}/api/orders")).body("text/plain", "a body").send();
        assert_eq!(posted.expect_status(200).json()["body"], "a body", "{target}");
        for (sent, arrives) in [
            ("/login?x".to_owned(), "/api/login?x".to_owned()),
            (format!("{own}/login"), format!("{APP}/api/login")),
            ("login".to_owned(), "login".to_owned()),
            ("https://other.example/a".to_owned(), "https://other.example/a".to_owned()),
            ("//other.example/a".to_owned(), "//other.example/a".to_owned()),
        ] {
            let reply = browser.get(&format!("{APP}/api/x?to={sent}")).send().expect_status(302);
            assert_eq!((reply.location(), reply.header("x-mine")), (arrives.as_str(), Some("1")), "{target}");
        }
    }
}

#[test]
fn another_worker_knows_what_the_edge_knows_of_a_request_without_its_prefix() {
    needs!(Workers);
    let application =
        "export default { fetch: (request) => Response.json({ url: request.url, cf: request.cf }) };";
    let settings = with_upstream(|all| {
        let rule = json!({ "match": "/api/:path*", "access": "public", "to": "service:APP", "strip_prefix": "/api" });
        all["rules"] = json!([rule]);
    });
    let env = TestEnv::with(settings, |builder| builder.service_worker("APP", application));
    let known = json!({ "country": "AQ", "colo": "MCM" });
    let reply = env.client().get(&format!("{APP}/api/x?y")).cf(&known).send().expect_status(200);
    assert_eq!(reply.json(), json!({ "url": format!("{APP}/x?y"), "cf": known }));
}

/// A server without an icon.
fn iconless(request: &Request) -> Response {
    match request.target.as_str() {
        "/favicon.ico" => Response::text("not here").with_status(404),
        _ => echo(request),
    }
}

#[test]
fn a_site_gets_an_icon_where_its_server_has_none() {
    let to_service = with_upstream(|all| {
        all["upstreams"][0]["to"] = json!("service:APP");
        all["theme"] = json!({ "name": "Acme" });
    });
    let env = TestEnv::with(to_service.clone(), |builder| builder.service("APP", iconless));
    let icon = env.client().get(&format!("{APP}/favicon.ico")).send().expect_status(200);
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
    assert!(icon.text().contains(">A</text>"), "{}", icon.text());

    let env = TestEnv::with(to_service, |builder| builder.service("APP", echo));
    let own = env.client().get(&format!("{APP}/favicon.ico")).send().expect_status(200);
    assert!(!own.text().contains("<svg"), "{}", own.text());
}
