//! What scripts of other origins may read of Vestibule's own responses, and where a script's user signs in.

use serde::Serialize;
use serde_json::{Value, json};
use url::Url;
use vestibule_core::hooks::{DefaultSession, Hooks};
use vestibule_core::session::claims::Session;
use vestibule_testing::{Answer, Browser, TestEnv, settings};

/// The host of the API, where the Worker is.
const API: &str = "https://api.example.com";
/// A page that calls it.
const APP: &str = "https://app.example.com";
const OTHER: &str = "https://shop.example.com";

fn site() -> Value {
    let mut settings = settings();
    settings["cookies"] = json!({ "domain": "example.com" });
    settings["trusted_origins"] = json!([APP, OTHER, "https://*.apps.example.com"]);
    settings
}

fn signed_in(env: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(env, user, "/");
    browser
}

/// A script's request for an address of the API, from a page of that origin.
fn fetch(env: &TestEnv, browser: &mut Browser, origin: &str, path: &str) -> Answer {
    fetch_with(env, browser, "GET", &[("origin", origin), ("sec-fetch-site", "same-site")], path)
}

fn fetch_with(
    env: &TestEnv,
    browser: &mut Browser,
    method: &str,
    fields: &[(&str, &str)],
    path: &str,
) -> Answer {
    let fields = [fields, &[("sec-fetch-mode", "cors"), ("accept", "*/*")]].concat();
    browser.send(env, method, &format!("{API}{path}"), &fields, b"")
}

/// The origin that may read the answer, if the answer allows it in full.
fn reader(answer: &Answer) -> Option<&str> {
    let origin = answer.headers.get("access-control-allow-origin");
    assert_eq!(answer.headers.contains("access-control-allow-credentials"), origin.is_some());
    if origin.is_some() {
        assert_eq!(answer.headers.get("access-control-allow-credentials"), Some("true"));
        assert!(answer.headers.joined("vary").contains("Origin"));
    }
    origin
}

fn no_cors(answer: &Answer) {
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name.starts_with("access-control-")), "{names:?}");
}

fn return_address(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let url = Url::parse(body["signInUrl"].as_str().unwrap()).unwrap();
    url.query_pairs().find(|(name, _)| name == "callbackUrl").unwrap().1.into_owned()
}

#[test]
fn cross_origin_reads_a_trusted_page_learns_where_to_sign_in() {
    let env = TestEnv::with(site());
    let answer = fetch(&env, &mut Browser::new(), APP, "/data");
    assert_eq!((answer.status, reader(&answer)), (401, Some(APP)));
    assert_eq!(return_address(&answer), format!("{APP}/"));
    let mut bob = signed_in(&env, "bob");
    let answer = fetch(&env, &mut bob, APP, "/admin/users");
    assert_eq!((answer.status, reader(&answer)), (403, Some(APP)));
    let answer = fetch_with(&env, &mut Browser::new(), "POST", &[("origin", APP)], "/data");
    assert_eq!((answer.status, reader(&answer)), (401, Some(APP)));
}

#[test]
fn cross_origin_reads_a_refusal_to_wait_and_one_for_a_long_path_are_readable() {
    let mut settings = site();
    let rules: Vec<Value> = (0..60)
        .map(|n| json!({ "match": format!("/:a*/:b*/:c*/x{n}"), "require": { "roles": ["admin"] } }))
        .collect();
    settings["rules"] = json!(rules);
    let env = TestEnv::with(settings);
    let answer = fetch(&env, &mut Browser::new(), APP, &format!("/{}", "a/".repeat(8_000)));
    assert_eq!((answer.status, reader(&answer)), (414, Some(APP)));

    let env = TestEnv::with(site());
    let mut alice = signed_in(&env, "alice");
    env.pass(std::time::Duration::from_hours(2));
    env.provider.goes_down("token");
    let answer = fetch(&env, &mut alice, APP, "/data");
    assert_eq!((answer.status, reader(&answer)), (503, Some(APP)));
    assert_eq!(answer.headers.get("access-control-expose-headers"), Some("Retry-After"));
}

#[test]
fn cross_origin_reads_no_other_page_reads_an_answer() {
    let env = TestEnv::with(site());
    let mut bob = signed_in(&env, "bob");
    for origin in [
        "https://evil.example",
        "https://blog.example.com",
        "https://a.apps.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "null",
        API,
    ] {
        for path in ["/auth/session", "/auth/csrf", "/auth/token", "/data", "/admin/users"] {
            no_cors(&fetch(&env, &mut bob, origin, path));
            no_cors(&fetch(&env, &mut Browser::new(), origin, path));
            let preflight = [("origin", origin), ("access-control-request-method", "GET")];
            if path.starts_with("/auth/") {
                no_cors(&fetch_with(&env, &mut Browser::new(), "OPTIONS", &preflight, path));
            }
        }
    }
    // An origin that came twice is believed neither time.
    let twice = [("origin", APP), ("origin", APP)];
    no_cors(&fetch_with(&env, &mut Browser::new(), "GET", &twice, "/data"));
    // And without trusted origins nothing is added at all.
    let env = TestEnv::new();
    let answer = fetch(&env, &mut Browser::new(), APP, "/data");
    assert!(!answer.headers.contains("vary"));
    no_cors(&answer);
}

#[test]
fn cross_origin_reads_a_forwarded_response_is_the_upstream_s() {
    let env = TestEnv::with(site());
    let mut alice = signed_in(&env, "alice");
    let answer = fetch(&env, &mut alice, APP, "/data");
    assert!(answer.forwarded.is_some());
    no_cors(&answer);
    // So is its answer to a preflight, on public and on guarded paths.
    let preflight = [("origin", APP), ("access-control-request-method", "PUT")];
    for path in ["/about", "/data", "/authors"] {
        let answer = fetch_with(&env, &mut Browser::new(), "OPTIONS", &preflight, path);
        no_cors(&answer);
    }
    // A page that a user sees, and a redirect, are for no script.
    for path in ["/data", "/admin/users"] {
        let navigation = [("origin", APP), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
        no_cors(&signed_in(&env, "bob").send(&env, "GET", &format!("{API}{path}"), &navigation, b""));
        no_cors(&env.send("GET", &format!("{API}{path}"), &navigation, b""));
    }
}

#[test]
fn cross_origin_reads_the_session_and_the_csrf_token_are_for_trusted_pages() {
    let env = TestEnv::with(site());
    let mut alice = signed_in(&env, "alice");
    for path in ["/auth/session", "/auth/csrf"] {
        for (method, announced) in [("GET", "GET"), ("HEAD", "GET")] {
            let answer = fetch_with(&env, &mut alice, method, &[("origin", APP)], path);
            assert_eq!((answer.status, reader(&answer)), (200, Some(APP)), "{method} {path}");
            let preflight = [("origin", APP), ("access-control-request-method", announced)];
            let answer = fetch_with(&env, &mut Browser::new(), "OPTIONS", &preflight, path);
            assert_eq!((answer.status, reader(&answer)), (204, Some(APP)), "{path}");
            assert_eq!(answer.headers.get("access-control-allow-methods"), Some("GET"));
            assert_eq!(answer.headers.get("access-control-allow-headers"), Some("Content-Type"));
        }
        for announced in ["POST", "DELETE", "get"] {
            let preflight = [("origin", APP), ("access-control-request-method", announced)];
            no_cors(&fetch_with(&env, &mut Browser::new(), "OPTIONS", &preflight, path));
        }
    }
    // Every other route is for the own origin.
    for path in
        ["/auth/providers", "/auth/signin", "/auth/verify", "/auth/error", "/auth/nothing", "/auth/token"]
    {
        no_cors(&fetch(&env, &mut alice, APP, path));
        let preflight = [("origin", APP), ("access-control-request-method", "GET")];
        no_cors(&fetch_with(&env, &mut alice, "OPTIONS", &preflight, path));
    }
}

#[test]
fn cross_origin_reads_a_host_of_another_site_has_no_readers() {
    // Without cookies.domain the deployment may have hosts of several sites.
    let mut settings = settings();
    settings["trusted_origins"] = json!([APP, "https://one.pages.dev"]);
    let env = TestEnv::with(settings);
    let ask = |own: &str, origin: &str| {
        let fields = [("origin", origin), ("sec-fetch-mode", "cors")];
        reader(&env.send("GET", &format!("{own}/auth/session"), &fields, b"")).map(str::to_owned)
    };
    assert_eq!(ask("https://api.example.com", APP).as_deref(), Some(APP));
    assert_eq!(ask("https://api.example.org", APP), None);
    assert_eq!(ask("http://api.example.com", APP), None);
    assert_eq!(ask("https://two.pages.dev", "https://one.pages.dev"), None);
    assert_eq!(
        ask("https://api.one.pages.dev", "https://one.pages.dev").as_deref(),
        Some("https://one.pages.dev")
    );
}

#[test]
fn token_leaks_a_trusted_page_sees_the_session_without_its_tokens() {
    let mut settings = site();
    settings["token_origins"] = json!([OTHER]);
    settings["claims"]["copy"] = json!("account.access_token");
    settings["claims"]["proof"] = json!("account.id_token");
    settings["session"]["expose"] = json!({
        "access_token": "access_token", "until": "expires_at", "user.roles": "roles",
        "user.copy": "copy", "user.proof": "proof",
    });
    let env = TestEnv::with(settings);
    let mut alice = signed_in(&env, "alice");
    let see = |alice: &mut Browser, origin: &str| -> Value {
        serde_json::from_str(&fetch(&env, alice, origin, "/auth/session").body).unwrap()
    };
    let all = see(&mut alice, OTHER);
    assert_eq!(
        (&all["access_token"], &all["user"]["copy"]),
        (&json!("access-alice"), &json!("access-alice"))
    );
    assert!(all["until"].is_number() && all["user"]["proof"].is_string());
    let some = see(&mut alice, APP);
    assert_eq!(some["user"]["email"], "alice@example.com");
    assert!(some["user"]["roles"].is_array());
    assert!(!some.to_string().contains("access-alice"), "{some}");
    for value in [&some["access_token"], &some["until"], &some["user"]["copy"], &some["user"]["proof"]] {
        assert!(value.is_null(), "{some}");
    }
    // The own origin, and a server that asks, see it as ever.
    let url = format!("{API}/auth/session");
    for fields in [&[("sec-fetch-site", "same-origin")][..], &[("origin", API)], &[]] {
        let body: Value = serde_json::from_str(&alice.send(&env, "GET", &url, fields, b"").body).unwrap();
        assert_eq!(body["access_token"], "access-alice", "{fields:?}");
    }
}

/// An app that shows the access token under another name.
struct Shows;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    standard: DefaultSession,
    shown: Option<String>,
}

impl From<DefaultSession> for Shown {
    fn from(standard: DefaultSession) -> Self {
        Self { standard, shown: None }
    }
}

impl Hooks for Shows {
    type Profile = Value;
    type Session = Shown;

    fn session(&self, session: &Session, standard: DefaultSession) -> Shown {
        Shown { standard, shown: session.access_token().map(str::to_owned) }
    }
}

#[test]
fn token_leaks_a_hook_cannot_show_what_a_trusted_page_may_not_see() {
    let env = TestEnv::with_hooks(site(), Shows);
    let mut alice = signed_in(&env, "alice");
    let own = alice.send(&env, "GET", &format!("{API}/auth/session"), &[], b"");
    assert!(own.body.contains("access-alice"), "{}", own.body);
    let answer = fetch(&env, &mut alice, APP, "/auth/session");
    assert!(
        answer.body.contains("alice@example.com") && !answer.body.contains("access-alice"),
        "{}",
        answer.body
    );
}

#[test]
fn token_leaks_the_token_route_is_for_token_origins_only() {
    let mut settings = site();
    settings["token_origins"] = json!([OTHER]);
    let env = TestEnv::with(settings);
    let mut alice = signed_in(&env, "alice");
    let header = ("x-vestibule-token", "1");
    let ask =
        |alice: &mut Browser, fields: &[(&str, &str)]| fetch_with(&env, alice, "GET", fields, "/auth/token");
    let answer = ask(&mut alice, &[("origin", OTHER), ("sec-fetch-site", "same-site"), header]);
    assert_eq!((answer.status, reader(&answer)), (200, Some(OTHER)));
    assert!(answer.body.contains("access-alice"));
    for fields in [
        &[("origin", APP), ("sec-fetch-site", "same-site"), header][..],
        &[("origin", OTHER), ("sec-fetch-site", "same-site")],
        &[("origin", OTHER), header],
        &[("origin", OTHER), ("sec-fetch-site", "cross-site"), header],
        &[("sec-fetch-site", "same-site"), header],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-site"), header],
    ] {
        let answer = ask(&mut alice, fields);
        assert_eq!(answer.status, 403, "{fields:?}");
        assert!(!answer.body.contains("access-alice"), "{fields:?}");
    }
    let preflight = |origin: &'static str| {
        let fields = [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "x-vestibule-token"),
        ];
        fetch_with(&env, &mut Browser::new(), "OPTIONS", &fields, "/auth/token")
    };
    let granted = preflight(OTHER);
    assert_eq!((granted.status, reader(&granted)), (204, Some(OTHER)));
    assert!(granted.headers.get("access-control-allow-headers").unwrap().contains("X-Vestibule-Token"));
    no_cors(&preflight(APP));
    // Signed out, the page learns that, too.
    let fields = [("origin", OTHER), ("sec-fetch-site", "same-site"), header];
    let answer = ask(&mut Browser::new(), &fields);
    assert_eq!((answer.status, reader(&answer)), (401, Some(OTHER)));
}

#[test]
fn open_redirect_a_script_s_user_comes_back_to_the_page() {
    let mut settings = site();
    settings["pages"] = json!({ "sign_in": "/login" });
    let env = TestEnv::with(settings);
    let back = |fields: &[(&str, &str)]| {
        return_address(&fetch_with(&env, &mut Browser::new(), "GET", fields, "/data?x=1"))
    };
    let address = format!("{API}/data?x=1");
    for (fields, expected) in [
        (&[("referer", "https://api.example.com/list?page=2")][..], "https://api.example.com/list?page=2"),
        (&[("referer", "https://app.example.com/"), ("origin", APP)], "https://app.example.com/"),
        (&[("referer", "https://app.example.com/deep/page?x")], "https://app.example.com/deep/page?x"),
        (&[("referer", "https://a.apps.example.com/")], "https://a.apps.example.com/"),
        (&[("origin", APP)], "https://app.example.com/"),
        // Nobody says from where, or somebody who is not trusted.
        (&[], &address),
        (&[("origin", "null")], &address),
        (&[("referer", "https://evil.example/")], &address),
        (&[("referer", "https://blog.example.com/")], &address),
        (&[("referer", "http://app.example.com/")], &address),
        (&[("referer", "https://evil.example/"), ("origin", APP)], &address),
        (&[("referer", "//evil.example")], &address),
        (&[("referer", "/list")], &address),
        (&[("referer", "https://app.example.com@evil.example/")], &address),
        (&[("referer", "https://app.example.com\\@evil.example/")], &address),
        (&[("referer", "javascript:alert(1)")], &address),
        (&[("referer", "https://app.example.com/"), ("referer", "https://app.example.com/x")], &address),
        // From a page to sign in nobody wants to come back there.
        (&[("referer", "https://api.example.com/auth/signin")], &address),
        (&[("referer", "https://api.example.com/login?callbackUrl=%2F")], &address),
    ] {
        assert_eq!(back(fields), expected, "{fields:?}");
    }
    // A navigation goes where the user wanted to go.
    let fields = [("referer", "https://app.example.com/"), ("accept", "text/html")];
    let answer = env.send("GET", &address, &fields, b"");
    assert!(answer.location().contains("data%3Fx%3D1"), "{}", answer.location());
}

#[test]
fn open_redirect_a_trusted_origin_that_no_return_address_may_name_is_no_way_out() {
    // Without cookies.domain and trusted_hosts, users come back to the own host only.
    let mut settings = settings();
    settings["trusted_origins"] = json!([APP]);
    let env = TestEnv::with(settings.clone());
    let ask = |env: &TestEnv| return_address(&fetch(env, &mut Browser::new(), APP, "/data"));
    assert_eq!(ask(&env), format!("{API}/data"));
    settings["trusted_hosts"] = json!(["app.example.com"]);
    assert_eq!(ask(&TestEnv::with(settings)), format!("{APP}/"));
}

#[test]
fn token_leaks_a_trusted_page_sees_no_claim_with_a_token_inside() {
    let mut settings = site();
    settings["claims"]["backend"] = json!("account.backend");
    settings["claims"]["greeting"] = json!("account.greeting");
    settings["session"]["expose"] =
        json!({ "user.plan": "backend.plan", "user.key": "backend.token", "user.greeting": "greeting" });
    let env = TestEnv::with(settings);
    env.provider.alters_answer_at("token", |answer| {
        answer["backend"] = json!({ "plan": "pro", "token": "of-the-backend" });
        answer["greeting"] = json!(["Hello", "Bearer access-alice"]);
    });
    let mut alice = signed_in(&env, "alice");
    let own = alice.send(&env, "GET", &format!("{API}/auth/session"), &[], b"").body;
    assert!(own.contains("pro") && own.contains("of-the-backend") && own.contains("Bearer"), "{own}");
    let other = fetch(&env, &mut alice, APP, "/auth/session").body;
    assert!(other.contains("pro"), "{other}");
    assert!(!other.contains("of-the-backend") && !other.contains("Bearer"), "{other}");
}
