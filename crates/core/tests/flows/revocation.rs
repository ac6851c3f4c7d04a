//! `flow/session/revocation`: what was revoked passes nothing, anywhere, once its time has come. Each test checks a
//! sentence of `docs/sessions.md` ("Where a session ends").

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, Browser, RUNTIME, TestEnv, environment};

use crate::refresh::{EXPIRED, EXPIRING, SECOND, bearer, given, sent, with_lease};

const SESSION: &str = "__Secure-authjs.session-token";
const STORES: [&str; 2] = ["kv", "durable-object"];
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
pub const OPERATOR: &str = "an-operators-own-secret-of-32-characters";

/// A site whose revocations are in this store, and whose operators may revoke sessions.
pub fn site(store: &str) -> Value {
    let mut settings = with_lease(if store == "none" { "none" } else { store });
    settings["revocation"] = json!({ "store": store });
    settings
}

pub fn with_operator(name: &str) -> Option<String> {
    match name {
        "AUTH_REVOKE_SECRET" => Some(OPERATOR.to_owned()),
        "AUTH_REVOKE_ALL_SECRET" => Some(format!("{OPERATOR}-for-everything")),
        name => environment(name),
    }
}

/// After this time every process knows of a revocation: the interval, what KV remembers, and its own delay.
fn promised(store: &str) -> Duration {
    if store == "kv" { MINUTE * 5 + Duration::from_secs(30) + MINUTE } else { SECOND * 10 }
}

fn in_site(store: &str, user: &str) -> (TestEnv, Browser) {
    let variables = if store == "none" { &environment } else { &with_operator as &dyn Fn(&str) -> _ };
    let (world, mut browser) = (TestEnv::in_environment(site(store), variables), Browser::new());
    browser.sign_in(&world, user, "/");
    (world, browser)
}

fn sign_out(world: &TestEnv, browser: &mut Browser, everywhere: bool) -> Answer {
    let csrf = browser.csrf(world);
    let mut fields = vec![("csrfToken", csrf.as_str())];
    if everywhere {
        fields.push(("everywhere", "true"));
    }
    browser.post(world, &format!("{APP}/auth/signout"), &fields)
}

fn status(world: &TestEnv, copy: &Browser) -> u16 {
    copy.clone().fetch(world, &format!("{APP}/api")).status
}

/// Every way in which a copy of the session could be of use, at this process.
fn uses(world: &TestEnv, copy: &Browser) -> Vec<&'static str> {
    let mut uses = Vec::new();
    let mut note = |name, is_used: bool| uses.extend(is_used.then_some(name));
    let answer = copy.clone().fetch(world, &format!("{APP}/api"));
    note("the guard", answer.status == 200 || answer.forwarded.is_some());
    let answer = copy.clone().open(world, &format!("{APP}/dashboard"));
    note("a page", answer.forwarded.is_some());
    note("/session", copy.clone().session(world) != Value::Null);
    let headers = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
    let answer = copy.clone().send(world, "GET", &format!("{APP}/auth/token"), &headers, b"");
    note("/token", answer.status == 200);
    let answer = copy.clone().fetch(world, &format!("{APP}/auth/verify"));
    note("/verify", answer.status == 204 || answer.status == 200);
    let answer = copy.clone().open(world, &format!("{APP}/about"));
    let forwarded = answer.forwarded.expect("a public path").request;
    note("the identity on a public path", forwarded.headers.contains("x-user-email"));
    uses
}

#[test]
fn a_copy_of_a_signed_out_cookie_passes_nothing_anywhere_once_the_promised_time_is_over() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        let copy = browser.clone();
        let others: Vec<TestEnv> =
            ["here", "there", "elsewhere"].map(|place| world.isolate(site(store), place)).into();
        for other in &others {
            assert_eq!(status(other, &copy), 200, "{store}");
        }
        assert_eq!(sign_out(&world, &mut browser, false).location(), format!("{APP}/"), "{store}");
        assert_eq!(uses(&world, &copy), [""; 0], "at once in the same process: {store}");
        world.pass(promised(store));
        for other in &others {
            assert_eq!(uses(other, &copy), [""; 0], "{store}");
        }
        // Also for as long as the cookie would live.
        world.pass(DAY * 29);
        for other in others.iter().chain([&world.isolate(site(store), "a new place")]) {
            assert_eq!(uses(other, &copy), [""; 0], "{store}");
        }
        assert_eq!(given(&world), 0, "nothing was refreshed: {store}");
    }
}

#[test]
fn without_a_store_a_sign_out_ends_the_cookie_of_its_browser_and_the_start_says_so() {
    let (world, mut browser) = in_site("none", "bob");
    let copy = browser.clone();
    sign_out(&world, &mut browser, false);
    assert_eq!(browser.cookie(SESSION), None);
    assert_eq!(status(&world, &copy), 401, "this process knows it");
    assert_eq!(status(&world.isolate(site("none"), "here"), &copy), 200);
    let advice = advice(site("none"), true);
    assert!(advice.contains("a copy of it stays valid until it expires"), "{advice}");
}

#[test]
fn what_changes_something_goes_by_a_read_of_the_last_thirty_seconds() {
    let (world, mut browser) = in_site("kv", "bob");
    let copy = browser.clone();
    let other = world.isolate(site("kv"), "here");
    assert_eq!(status(&other, &copy), 200);
    sign_out(&world, &mut browser, false);
    world.pass(SECOND * 31);
    let post = |copy: &Browser| {
        let headers = [("origin", APP), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")];
        copy.clone().send(&other, "POST", &format!("{APP}/api"), &headers, b"x")
    };
    assert_eq!(post(&copy).status, 401);
    assert!(post(&copy).forwarded.is_none());
}

#[test]
fn a_proxy_that_does_not_say_the_method_may_ask_about_a_request_that_changes_something() {
    let (world, mut browser) = in_site("kv", "bob");
    let copy = browser.clone();
    let other = world.isolate(site("kv"), "here");
    let verify = |copy: &Browser| copy.clone().fetch(&other, &format!("{APP}/auth/verify")).status;
    assert_eq!(verify(&copy), 204);
    sign_out(&world, &mut browser, false);
    world.pass(SECOND * 31);
    assert_eq!(verify(&copy), 401);
}

#[test]
fn a_session_that_was_revoked_is_neither_renewed_nor_refreshed_and_gets_no_cookie() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        let copy = browser.clone();
        let other = world.isolate(site(store), "there");
        assert_eq!(status(&other, &copy), 200, "{store}");
        sign_out(&world, &mut browser, false);
        for passed in [EXPIRED, DAY * 2] {
            world.pass(passed);
            let answer = copy.clone().fetch(&other, &format!("{APP}/api"));
            assert_eq!((answer.status, given(&world)), (401, 0), "{store}");
            let written = answer.headers.get_all("set-cookie").any(|cookie| {
                cookie.starts_with(SESSION) && !cookie.contains("Max-Age=0") && !cookie.contains("1970")
            });
            assert!(!written, "{store}");
        }
    }
}

#[test]
fn a_refresh_that_is_under_way_when_the_session_is_revoked_brings_nothing_back() {
    for store in STORES {
        for after in [0, 50, 150, 250, 400, 900] {
            let (world, mut browser) = in_site(store, "bob");
            let copy = browser.clone();
            world.pass(EXPIRED);
            world.http.token_time.set(Duration::from_millis(300));
            let other = world.isolate(site(store), "here");
            let cookies = copy.cookie_header();
            let csrf = browser.csrf(&other);
            let all_cookies = browser.cookie_header();
            let out = async {
                world.clock.sleep(Duration::from_millis(after)).await;
                let headers =
                    [("cookie", all_cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
                let form = format!("csrfToken={csrf}");
                other.sent("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes()).await
            };
            let answers = world.all([sent(&world, &cookies, Duration::ZERO), Box::pin(out)]);
            assert_eq!(answers[1].status, 302, "{store}, {after} ms");
            let mut late = copy.clone();
            late.take(&answers[0]);
            world.pass(promised(store));
            for place in [&world, &other, &world.isolate(site(store), "there")] {
                for cookie in [&copy, &late] {
                    assert_eq!(uses(place, cookie), [""; 0], "{store}, {after} ms");
                }
            }
        }
    }
}

#[test]
fn a_session_that_is_renewed_on_one_host_while_another_signs_it_out_ends_all_the_same() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        world.pass(DAY + MINUTE);
        let other = world.isolate(site(store), "there");
        let mut renewed = browser.clone();
        assert_eq!(renewed.fetch(&other, &format!("{APP}/api")).status, 200, "{store}");
        assert_ne!(renewed.cookie(SESSION), browser.cookie(SESSION), "{store}: it was renewed");
        sign_out(&world, &mut browser, false);
        world.pass(promised(store));
        assert_eq!(uses(&other, &renewed), [""; 0], "{store}");
    }
}

#[test]
fn sign_out_everywhere_ends_all_sessions_of_the_user_and_of_no_one_else() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        let (mut second, mut third) = (Browser::new(), Browser::new());
        second.sign_in(&world, "bob", "/");
        third.sign_in(&world, "alice", "/");
        let other = world.isolate(site(store), "there");
        let page = browser.open(&world, &format!("{APP}/auth/signout")).body;
        assert!(page.contains("Sign out everywhere"), "{page}");
        let of_nobody = Browser::new().open(&world, &format!("{APP}/auth/signout")).body;
        assert!(!of_nobody.contains("Sign out everywhere"), "{of_nobody}");
        sign_out(&world, &mut browser, true);
        world.pass(promised(store));
        assert_eq!(uses(&other, &second), [""; 0], "{store}");
        assert_eq!(status(&other, &third), 200, "{store}");

        // Who signs in again, however soon, stays.
        sign_out_and_in(&world, &mut second);
        assert_eq!(status(&world, &second), 200, "{store}");
        world.pass(promised(store));
        assert_eq!(status(&other, &second), 200, "{store}");
    }
}

fn sign_out_and_in(world: &TestEnv, browser: &mut Browser) {
    *browser = Browser::new();
    browser.sign_in(world, "bob", "/");
    sign_out(world, browser, true);
    browser.sign_in(world, "bob", "/");
}

#[test]
fn an_ended_copy_ends_no_other_session() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        let (mut stolen, mut second) = (browser.clone(), Browser::new());
        second.sign_in(&world, "bob", "/");
        let csrf = stolen.csrf(&world);
        sign_out(&world, &mut browser, false);
        let writes = (world.store.writes.get(), world.store.calls.get());
        for _ in 0..5 {
            let fields = [("csrfToken", csrf.as_str()), ("everywhere", "true")];
            stolen.clone().post(&world, &format!("{APP}/auth/signout"), &fields);
        }
        assert_eq!(world.store.writes.get(), writes.0, "{store}");
        world.pass(promised(store));
        assert_eq!(status(&world, &second), 200, "{store}");
    }
}

#[test]
fn clocks_that_are_seconds_apart_let_no_session_go_on_and_lock_no_one_out() {
    for store in STORES {
        for behind in [0, 3, 9] {
            let (world, mut browser) = in_site(store, "bob");
            let mut second = Browser::new();
            second.sign_in(&world, "bob", "/");
            // The process that revokes has a clock that is behind.
            world.clock.set_back(Duration::from_secs(behind));
            sign_out(&world, &mut browser, true);
            assert_eq!(status(&world, &second), 401, "{store}, {behind} s");
            let mut again = Browser::new();
            again.sign_in(&world, "bob", "/");
            assert_eq!(status(&world, &again), 200, "{store}, {behind} s");
            world.pass(promised(store));
            let other = world.isolate(site(store), "there");
            assert_eq!((status(&other, &second), status(&other, &again)), (401, 200), "{store}, {behind} s");
        }
    }
}

#[test]
fn garbage_in_the_store_brings_no_ended_session_back_and_ends_no_other() {
    for garbage in ["", "null", "{}", "{\"at\":-1}", "[1,2", "{\"at\":99999999999999999}", "\u{0}\u{1}"] {
        let (world, mut browser) = in_site("kv", "bob");
        let copy = browser.clone();
        let mut alice = Browser::new();
        alice.sign_in(&world, "alice", "/");
        sign_out(&world, &mut browser, false);
        world.store.garbles("revoked/", garbage);
        let other = world.isolate(site("kv"), "here");
        assert_eq!((status(&other, &copy), status(&other, &alice)), (401, 200), "{garbage:?}");
    }
    // The fact of a user that cannot be read is ignored, and the log says so.
    let (world, mut browser) = in_site("kv", "bob");
    let mut second = Browser::new();
    second.sign_in(&world, "bob", "/");
    sign_out(&world, &mut browser, true);
    world.store.garbles("revoked/", "{\"at\":\"soon\"}");
    let other = world.isolate(site("kv"), "here");
    assert_eq!(status(&other, &second), 200);
    assert_eq!(other.logged(LogEvent::RevocationUnreadable).len(), 1);
}

#[test]
fn while_the_store_is_down_what_was_revoked_stays_out_and_the_others_pass_until_their_renewal() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        let copy = browser.clone();
        let mut alice = Browser::new();
        alice.sign_in(&world, "alice", "/");
        sign_out(&world, &mut browser, false);
        assert_eq!(status(&world, &alice), 200, "{store}");
        world.store.is_down.set(true);
        for _ in 0..20 {
            world.pass(SECOND * 40);
            assert_eq!((status(&world, &copy), status(&world, &alice)), (401, 200), "{store}");
        }
        let lines = world.logged(LogEvent::RevocationUnavailable).len();
        assert!((1..=15).contains(&lines), "{store}: {lines} lines in 14 minutes");
        // Nothing is renewed or refreshed without a read.
        world.pass(EXPIRED);
        let answer = alice.clone().fetch(&world, &format!("{APP}/api"));
        assert_eq!((answer.status, given(&world)), (503, 0), "{store}");
        world.store.is_down.set(false);
        world.pass(SECOND * 6);
        let answer = alice.fetch(&world, &format!("{APP}/api"));
        assert_eq!((answer.status, bearer(&answer)), (200, Some("access-alice~1")), "{store}");
    }
}

#[test]
fn on_unavailable_refuse_lets_no_session_pass_that_could_not_be_looked_up_and_ends_none() {
    for store in STORES {
        let mut settings = site(store);
        settings["revocation"]["on_unavailable"] = json!("refuse");
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        assert_eq!(status(&world, &browser), 200, "{store}");
        world.store.is_down.set(true);
        world.pass(MINUTE * 6);
        for url in ["/api", "/auth/session", "/auth/verify"] {
            let answer = browser.fetch(&world, &format!("{APP}{url}"));
            assert_eq!(answer.status, 503, "{store}, {url}");
            assert!(answer.headers.contains("retry-after"), "{store}, {url}");
        }
        assert!(browser.cookie(SESSION).is_some(), "{store}");
        assert_eq!(browser.open(&world, &format!("{APP}/about")).status, 200, "{store}: public");
        world.store.is_down.set(false);
        world.pass(SECOND * 6);
        assert_eq!(status(&world, &browser), 200, "{store}");
    }
}

#[test]
fn where_no_session_may_pass_unchecked_a_slow_store_is_waited_for() {
    // The last one is about to refresh its access token, and can go on without.
    let cases = [
        ("refuse", MINUTE * 6, 2000..3000),
        ("accept", MINUTE * 6, 1000..2000),
        ("accept", EXPIRING, 1000..2000),
    ];
    for (policy, age, took) in cases {
        let mut settings = site("kv");
        settings["revocation"]["on_unavailable"] = json!(policy);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        world.pass(age);
        world.store.latency.set([2000, 2000, 40, 40]);
        let begun = world.clock.now();
        assert_eq!(status(&world, &browser), 200, "{policy}");
        assert!(took.contains(&(world.clock.now() - begun)), "{policy}: {} ms", world.clock.now() - begun);
    }
}

#[test]
fn a_sign_out_that_cannot_be_stored_says_so_and_is_stored_later() {
    for store in STORES {
        let (world, mut browser) = in_site(store, "bob");
        let copy = browser.clone();
        let other = world.isolate(site(store), "there");
        let form = format!("csrfToken={}", browser.csrf(&world));
        let cookies = browser.cookie_header();
        world.store.is_down.set(true);
        let answer = world.clock.run(async {
            let headers =
                [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            let url = format!("{APP}/auth/signout");
            let answer = world.sent("POST", &url, &headers, form.as_bytes()).await;
            // There are attempts after the response.
            world.store.is_down.set(false);
            answer
        });
        browser.take(&answer);
        assert_eq!(answer.status, 200, "{store}");
        assert!(answer.body.contains("Other copies of your session could not be ended"), "{}", answer.body);
        assert_eq!(browser.cookie(SESSION), None, "{store}");
        assert_eq!(status(&world, &copy), 401, "this process knows it: {store}");
        assert_eq!(world.logged(LogEvent::RevocationNotStored).len(), 1, "{store}");
        world.pass(promised(store));
        assert_eq!(status(&other, &copy), 401, "{store}");
    }
}

#[test]
fn a_sign_out_by_a_script_that_cannot_be_stored_leads_to_the_page_that_says_so() {
    for page in [None, Some("/bye")] {
        let mut settings = site("kv");
        if let Some(page) = page {
            settings["pages"] = json!({ "sign_out": page });
        }
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "bob", "/");
        world.store.is_down.set(true);
        let csrf = browser.csrf(&world);
        let fields = [("csrfToken", csrf.as_str()), ("json", "true")];
        let answer = browser.post(&world, &format!("{APP}/auth/signout"), &fields);
        let url = answer.headers.get("location").map(str::to_owned).or_else(|| {
            let body: Value = serde_json::from_str(&answer.body).ok()?;
            body["url"].as_str().map(str::to_owned)
        });
        let shown = browser.open(&world, &url.expect("where the script goes"));
        assert!(shown.body.contains("You are signed out in this browser"), "{page:?}: {}", shown.body);
    }
}

#[test]
fn a_revoked_session_reaches_no_server_that_opens_it_itself() {
    let mut settings = site("kv");
    settings["upstreams"][0]["forward_session"] = json!(true);
    let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let copy = browser.clone();
    let sent_cookie = |world: &TestEnv| {
        let answer = copy.clone().open(world, &format!("{APP}/about"));
        let forwarded = answer.forwarded.expect("a public path").request;
        forwarded.headers.get("cookie").is_some_and(|cookie| cookie.contains(SESSION))
    };
    assert!(sent_cookie(&world));
    sign_out(&world, &mut browser, false);
    let other = world.isolate(settings, "here");
    assert!(!sent_cookie(&world) && !sent_cookie(&other));
}

#[test]
fn dead_credentials_live_on_a_preflight_carries_no_session_to_a_server_that_opens_it_itself() {
    let mut settings = site("kv");
    settings["upstreams"][0]["forward_session"] = json!(true);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let mut copy = browser.clone();
    sign_out(&world, &mut browser, false);
    let preflight = [("origin", APP), ("access-control-request-method", "GET")];
    let answer = copy.send(&world, "OPTIONS", &format!("{APP}/about"), &preflight, b"");
    let forwarded = answer.forwarded.expect("a public path").request;
    assert!(!forwarded.headers.joined("cookie").contains(SESSION));
}

#[test]
fn facts_are_read_once_in_an_interval_and_those_of_everything_once_for_all_users() {
    let (world, mut browser) = in_site("kv", "bob");
    let mut alice = Browser::new();
    alice.sign_in(&world, "alice", "/");
    let reads = || world.store.revocation_reads.get();
    let other = world.isolate(site("kv"), "there");
    let before = reads();
    for _ in 0..50 {
        assert_eq!(status(&other, &browser), 200);
    }
    assert_eq!(reads() - before, 3, "the session, the user, everything");
    assert_eq!(status(&other, &alice), 200);
    assert_eq!(reads() - before, 5, "everything is known");
    world.pass(MINUTE * 5 + SECOND);
    browser.fetch(&other, &format!("{APP}/api"));
    assert_eq!(reads() - before, 8);
    // Requests at once share one read.
    world.pass(MINUTE * 5 + SECOND);
    let cookies = browser.cookie_header();
    world.all((0..20).map(|_| sent(&other, &cookies, Duration::ZERO)));
    assert_eq!(reads() - before, 11);
}

/// What the log says at start about revocation.
fn advice(settings: Value, has_store: bool) -> String {
    let config = Config::load(settings, &environment, &RUNTIME).unwrap();
    let config = config.check_revocation(&RUNTIME, &|_| has_store).unwrap();
    let advice = config.advice(&RUNTIME);
    advice.into_iter().find(|line| line.starts_with("AUTH.revocation")).unwrap_or_default()
}

#[test]
fn a_member_without_the_sites_store_says_at_start_that_sign_outs_elsewhere_do_not_reach_it() {
    let member = json!({
        "login_url": "https://auth.example.com",
        "cookies": { "domain": "example.com" },
        "rules": [{ "match": "/about", "access": "public" }],
    });
    let advice_of = |has_store| advice(member.clone(), has_store);
    assert!(advice_of(false).contains("a sign-out at another host"), "{}", advice_of(false));
    assert!(advice_of(false).contains("AUTH_KV"), "{}", advice_of(false));
    assert_eq!(advice_of(true), "");
}

/// A site with an upstream that gets nothing of the user but what this says, and tokens of clients.
fn with_upstream(upstream: &Value) -> Value {
    let mut settings = site("kv");
    settings["upstreams"] = json!([{ "to": "https://upstream.example" }]);
    for (key, value) in upstream.as_object().unwrap() {
        settings["upstreams"][0][key] = value.clone();
    }
    settings["providers"][0]["accept_bearer"] = json!({ "audience": "https://api.example.com" });
    settings
}

#[test]
fn on_a_public_path_nothing_is_read_that_its_server_does_not_get() {
    let (plain, informed) =
        (with_upstream(&json!({})), with_upstream(&json!({ "headers": { "X-User": "sub" } })));
    let world = TestEnv::with(plain.clone());
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let foreign =
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
    let token = [("authorization", "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA")];
    for (settings, method, headers, is_read) in [
        (&plain, "GET", &[][..], false),
        (&plain, "GET", &token[..], false),
        (&plain, "POST", &foreign[..], false),
        (&informed, "POST", &foreign[..], true),
        (&informed, "GET", &[][..], true),
    ] {
        let other = world.isolate(settings.clone(), "here");
        let before = world.store.revocation_reads.get();
        let fetched = world.fetches("https://idp.example/jwks");
        let answer = browser.send(&other, method, &format!("{APP}/about"), headers, b"");
        assert!(answer.forwarded.is_some(), "{headers:?}");
        assert_eq!(world.store.revocation_reads.get() > before, is_read, "{method} {headers:?}");
        assert_eq!(world.fetches("https://idp.example/jwks"), fetched, "{headers:?}");
    }
}

#[test]
fn a_server_that_opens_sessions_itself_gets_no_revoked_one_on_a_public_path() {
    let settings = with_upstream(&json!({ "forward_session": true }));
    let world = TestEnv::with(settings.clone());
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let mut copy = browser.clone();
    let seen = |place: &TestEnv, browser: &mut Browser| {
        let forwarded = browser.open(place, &format!("{APP}/about")).forwarded.unwrap();
        forwarded.request.headers.joined("cookie").contains("session-token")
    };
    assert!(seen(&world, &mut copy));
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    for place in [&world, &world.isolate(settings, "here")] {
        assert!(!seen(place, &mut copy.clone()));
    }
}

#[test]
fn what_is_known_of_a_session_is_looked_up_again_sooner_where_its_token_needs_a_refresh() {
    for (ago, is_read_again) in [(60, false), (3600 - 50, true)] {
        let mut settings = site("kv");
        settings["session"]["update_age"] = json!("1d");
        settings["revocation"]["interval"] = json!("10m");
        settings["upstreams"] = json!([{ "to": "https://upstream.example", "headers": { "X-User": "sub" } }]);
        let world = TestEnv::with(settings.clone());
        let mut browser = Browser::new();
        browser.sign_in(&world, "bob", "/");
        world.pass(Duration::from_secs(ago));
        let other = world.isolate(settings, "here");
        let cookies = browser.cookie_header();
        let reads = [(); 2].map(|()| {
            let before = world.store.revocation_reads.get();
            let headers = [("cookie", cookies.as_str())];
            assert_eq!(other.send("GET", &format!("{APP}/api"), &headers, b"").status, 200);
            world.pass(Duration::from_secs(70));
            world.store.revocation_reads.get() - before
        });
        assert_eq!((reads[0] > 0, reads[1] > 0), (true, is_read_again), "{ago}: {reads:?}");
    }
}

#[test]
fn while_the_store_is_down_a_session_goes_on_but_nothing_renews_it() {
    for store in STORES {
        let mut settings = site(store);
        settings["session"] = json!({ "updatable": ["name"] });
        settings["upstreams"] =
            json!([{ "to": "https://upstream.example", "headers": { "X-Email": "email" } }]);
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        // Otherwise the provider has to confirm the user first.
        world.provider.alters_answer_at("token", |answer| {
            answer.as_object_mut().unwrap().remove("refresh_token");
        });
        browser.sign_in(&world, "bob", "/");
        world.pass(DAY + MINUTE);
        let other = world.isolate(settings, "there");
        let csrf = browser.csrf(&other);
        let update = json!({ "csrfToken": csrf, "data": { "name": "Robert" } }).to_string();
        let json_type = [("content-type", "application/json")];
        let session = format!("{APP}/auth/session");
        let sealed = browser.cookie(SESSION).map(str::to_owned);
        world.store.is_down.set(true);
        for url in [&format!("{APP}/api"), &session] {
            assert_eq!(browser.fetch(&other, url).status, 200, "{store} {url}");
        }
        let answer = browser.send(&other, "POST", &session, &json_type, update.as_bytes());
        assert_eq!((answer.status, answer.headers.contains("retry-after")), (503, true), "{store}");
        assert_eq!(browser.cookie(SESSION), sealed.as_deref(), "{store}");
        world.store.is_down.set(false);
        world.pass(SECOND * 6);
        assert_eq!(status(&other, &browser), 200, "{store}");
        let answer = browser.send(&other, "POST", &session, &json_type, update.as_bytes());
        assert_eq!(answer.status, 200, "{store}");
        assert_ne!(browser.cookie(SESSION), sealed.as_deref(), "{store}");
    }
}

#[test]
fn a_refresh_that_is_under_way_ends_by_what_its_process_knows_while_the_store_is_down() {
    for store in STORES {
        let (world, browser) = in_site(store, "bob");
        world.pass(EXPIRED);
        world.http.token_time.set(Duration::from_millis(500));
        let cookies = browser.cookie_header();
        let revoked = async {
            world.clock.sleep(Duration::from_millis(250)).await;
            world.store.is_down.set(true);
            let headers = [("authorization", &*format!("Bearer {OPERATOR}"))];
            let body = json!({ "user": { "provider": "acme", "sub": "bob-1" } }).to_string();
            world.sent("POST", &format!("{APP}/auth/revoke"), &headers, body.as_bytes()).await
        };
        let answers = world.all([sent(&world, &cookies, Duration::ZERO), Box::pin(revoked)]);
        assert_eq!((answers[0].status, answers[1].status), (401, 503), "{store}");
        assert!(answers[0].forwarded.is_none(), "{store}");
        assert_eq!(given(&world), 1, "it was under way: {store}");
    }
}
