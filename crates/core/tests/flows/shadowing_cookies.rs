//! Several cookies of one name: what a browser sends when another host of the domain, or another configuration, has set
//! one, too.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";

/// An upstream that opens the session itself.
fn forwarding_the_session() -> Value {
    let mut settings = settings();
    settings["upstreams"][0]["forward_session"] = json!(true);
    settings
}

/// The session that a new sign-in of `user` gets.
fn session_of(world: &TestEnv, user: &str) -> String {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser.cookie(SESSION).unwrap().to_owned()
}

/// Sends a request with these cookies.
fn get(world: &TestEnv, path: &str, cookies: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = pairs.join("; ");
    let headers = [("cookie", cookie.as_str()), ("sec-fetch-mode", "cors"), ("accept", "application/json")];
    world.send("GET", &format!("{APP}{path}"), &headers, b"")
}

/// Who `GET /session` says is signed in.
fn user(world: &TestEnv, cookies: &[(&str, &str)]) -> Value {
    let answer = get(world, "/auth/session", cookies);
    let session: Value = serde_json::from_str(&answer.body).unwrap();
    session["user"]["name"].clone()
}

/// The domains of the cookies of that name that an answer expires; an empty text is the host alone.
fn expired(answer: &Answer, name: &str) -> Vec<String> {
    let begins = format!("{name}=; Max-Age=0; ");
    let cookies = answer.headers.get_all("set-cookie").filter_map(|cookie| cookie.strip_prefix(&begins));
    let domain = |rest: &str| {
        let (first, _) = rest.split_once("; ").unwrap();
        first.strip_prefix("Domain=").unwrap_or_default().to_owned()
    };
    cookies.map(domain).collect()
}

#[test]
fn shadowing_cookies_one_that_does_not_open_hides_no_session() {
    let world = TestEnv::new();
    let alice = session_of(&world, "alice");
    let other = TestEnv::in_environment(settings(), &|name| match name {
        "AUTH_SECRET" => Some("the secret of the site above this one".to_owned()),
        other => vestibule_testing::environment(other),
    });
    let foreign = session_of(&other, "bob");
    for hiding in ["junk", &foreign, &alice] {
        for cookies in [[(SESSION, hiding), (SESSION, &alice)], [(SESSION, &alice), (SESSION, hiding)]] {
            assert_eq!(user(&world, &cookies), "alice");
            assert!(get(&world, "/dashboard", &cookies).forwarded.is_some());
        }
    }
    let numbered = format!("{SESSION}.0");
    assert_eq!(user(&world, &[(SESSION, "junk"), (&numbered, &alice)]), "alice");
    assert_eq!(user(&world, &[(&numbered, "junk"), (SESSION, &alice)]), "alice");
}

#[test]
fn shadowing_cookies_of_different_users_sign_no_one_in_and_are_removed() {
    for domain in [None, Some("example.com")] {
        let mut settings = forwarding_the_session();
        settings["cookies"] = domain.map_or_else(|| json!({}), |domain| json!({ "domain": domain }));
        let world = TestEnv::with(settings);
        let (alice, bob) = (session_of(&world, "alice"), session_of(&world, "bob"));
        let both = [(SESSION, alice.as_str()), (SESSION, bob.as_str())];

        let answer = get(&world, "/auth/session", &both);
        assert_eq!(answer.body, "null");
        let mut removed = expired(&answer, SESSION);
        removed.sort();
        assert_eq!(removed, ["", "app.example.com", "example.com"]);

        let answer = get(&world, "/dashboard", &both);
        assert_eq!((answer.status, answer.forwarded.is_none()), (401, true));
        assert_eq!(expired(&answer, SESSION).len(), 3);
        assert_eq!(answer.headers.get("cache-control"), Some("private, no-store"));

        // A public page stays as it is for everyone, and its upstream gets neither session.
        let answer = get(&world, "/about", &both);
        assert!(!answer.headers.contains("set-cookie"));
        assert_eq!(answer.forwarded.unwrap().request.headers.get("cookie"), None);

        let log = world.log_text();
        assert_eq!(log.matches("session_cookies_conflict").count(), 3, "one line for each request: {log}");
        assert!(!log.contains(&alice) && !log.contains("alice"));
    }
}

#[test]
fn shadowing_cookies_of_different_users_are_removed_by_the_next_sign_in() {
    for domain in [None, Some("example.com")] {
        let mut settings = settings();
        settings["cookies"] = domain.map_or_else(|| json!({}), |domain| json!({ "domain": domain }));
        let world = TestEnv::with(settings);
        let (alice, bob) = (session_of(&world, "alice"), session_of(&world, "bob"));
        for (before, removed) in [
            // The one that is written replaces one of them.
            (vec![alice.as_str(), &bob], 2),
            (vec![&bob], usize::from(domain.is_some())),
            (vec![&alice], usize::from(domain.is_some())),
            (vec!["of another site"], usize::from(domain.is_some())),
        ] {
            let mut browser = Browser::new();
            let request = browser.begin(&world, "/");
            let callback = world.provider.authorize(&request, "alice");
            let sessions = before.iter().map(|session| format!("{SESSION}={session}"));
            let header =
                std::iter::once(browser.cookie_header()).chain(sessions).collect::<Vec<_>>().join("; ");
            let answer = world.send("GET", &callback, &[("cookie", &header)], b"");
            assert_eq!(answer.location(), format!("{APP}/"));
            assert_eq!(expired(&answer, SESSION).len(), removed, "{domain:?} {before:?}");
            let last = answer.headers.get_all("set-cookie").filter(|c| c.starts_with(SESSION)).last();
            assert!(!last.unwrap().contains("Max-Age=0"), "the new one comes last");
        }
    }
}

#[test]
fn shadowing_cookies_of_one_user_the_newest_counts_and_signing_in_again_replaces_all() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let world = TestEnv::with(shared);
    let first = session_of(&world, "bob");
    world.pass(Duration::from_mins(1));
    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!(["admin"]));
    let second = session_of(&world, "bob");
    for cookies in [[(SESSION, &first), (SESSION, &second)], [(SESSION, &second), (SESSION, &first)]] {
        let cookies = cookies.map(|(name, value)| (name, value.as_str()));
        assert!(get(&world, "/admin/x", &cookies).forwarded.is_some(), "the newest has the role");
    }
    assert!(get(&world, "/admin/x", &[(SESSION, &first)]).forwarded.is_none());
}

#[test]
fn shadowing_cookies_an_upstream_gets_only_the_session_that_was_decided_about() {
    let world = TestEnv::with(forwarding_the_session());
    let alice = session_of(&world, "alice");
    let cookie = |path: &str, cookies: &[(&str, &str)]| {
        let forwarded = get(&world, path, cookies).forwarded.unwrap();
        forwarded.request.headers.get("cookie").map(str::to_owned)
    };
    let (own, numbered) = (format!("{SESSION}={alice}"), format!("{SESSION}.0"));
    for path in ["/dashboard", "/about"] {
        for cookies in [
            [("a", "1"), (SESSION, "planted"), (SESSION, &alice), ("b", "2")],
            [("a", "1"), (SESSION, &alice), (SESSION, "planted"), ("b", "2")],
            [("a", "1"), (&numbered, "planted"), (SESSION, &alice), ("b", "2")],
            [("a", "1"), ("__Secure-next-auth.session-token", "planted"), (SESSION, &alice), ("b", "2")],
            // Auth.js joins it to the session, because its name begins like the session's.
            [("a", "1"), ("__Secure-authjs.session-token.x", "planted"), (SESSION, &alice), ("b", "2")],
        ] {
            assert_eq!(cookie(path, &cookies), Some(format!("a=1; {own}; b=2")), "{path}");
        }
        let cookies = [("a", "1"), (SESSION, "x"), (SESSION, "y")];
        if path == "/about" {
            assert_eq!(cookie(path, &cookies), Some("a=1".to_owned()));
        }
    }
}

#[test]
fn shadowing_cookies_a_form_is_sent_with_any_csrf_cookie_that_verifies() {
    let mut browser = Browser::new();
    let world = TestEnv::new();
    let token = browser.csrf(&world);
    let name = "__Host-authjs.csrf-token";
    let own = browser.cookie(name).unwrap().to_owned();
    let sign_in = |cookies: &str| {
        let form = format!("csrfToken={token}&callbackUrl=%2F");
        let headers = [("cookie", cookies), ("content-type", "application/x-www-form-urlencoded")];
        let answer = world.send("POST", &format!("{APP}/auth/signin/acme"), &headers, form.as_bytes());
        answer.location().starts_with("https://idp.example/")
    };
    let mut stranger = Browser::new();
    stranger.csrf(&world);
    let planted = stranger.cookie(name).unwrap();
    assert!(sign_in(&format!("{name}={own}")));
    assert!(sign_in(&format!("{name}=x; {name}={planted}; {name}={own}")));
    assert!(!sign_in(&format!("{name}={planted}")));
}

#[test]
fn shadowing_cookies_the_attempt_that_opens_and_has_the_state_is_finished() {
    let world = TestEnv::new();
    let (mut browser, mut stranger) = (Browser::new(), Browser::new());
    let request = browser.begin(&world, "/");
    stranger.begin(&world, "/");
    let attempt = |browser: &Browser| {
        let name = browser.cookie_names().into_iter().find(|name| name.contains("transaction")).unwrap();
        (name.to_owned(), browser.cookie(name).unwrap().to_owned())
    };
    let ((name, own), (_, other)) = (attempt(&browser), attempt(&stranger));
    let callback = world.provider.authorize(&request, "alice");
    let finish = |cookies: &str| world.send("GET", &callback, &[("cookie", cookies)], b"");
    for hiding in [format!("{name}={other}"), format!("{name}=x")] {
        let answer = finish(&hiding);
        assert!(answer.location().contains("/auth/error?error="), "{answer:?}");
    }
    let answer = finish(&format!("{name}=x; {name}={other}; {name}={own}"));
    assert_eq!(answer.location(), format!("{APP}/"));
}

#[test]
fn shadowing_cookies_a_return_address_that_is_not_trusted_hides_none_that_is() {
    let world = TestEnv::new();
    let name = "__Secure-authjs.callback-url";
    let page = |cookies: &str| {
        let headers = [("cookie", cookies), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
        world.send("GET", &format!("{APP}/auth/signout"), &headers, b"").body
    };
    let cookies =
        format!("{name}=https%3A%2F%2Fevil.example%2F; {name}=https%3A%2F%2Fapp.example.com%2Fcart");
    assert!(page(&cookies).contains("https://app.example.com/cart"));
    assert!(!page(&cookies).contains("evil"));
}

/// Signs out with these cookies and a good csrf token.
fn sign_out(world: &TestEnv, host: &str, cookies: &[(&str, &str)]) -> Answer {
    let mut browser = Browser::new();
    let answer = browser.fetch(world, &format!("https://{host}/auth/csrf"));
    let token: Value = serde_json::from_str(&answer.body).unwrap();
    let pairs = cookies.iter().map(|(name, value)| format!("{name}={value}"));
    let header = std::iter::once(browser.cookie_header()).chain(pairs).collect::<Vec<_>>().join("; ");
    let form = format!("csrfToken={}", token["csrfToken"].as_str().unwrap());
    let headers = [("cookie", header.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    world.send("POST", &format!("https://{host}/auth/signout"), &headers, form.as_bytes())
}

#[test]
fn signing_out_reaches_the_cookies_of_every_domain_that_cookies_domain_may_have_been() {
    for domain in [None, Some("example.com"), Some("app.example.com")] {
        let mut settings = settings();
        settings["cookies"] = domain.map_or_else(|| json!({}), |domain| json!({ "domain": domain }));
        let world = TestEnv::with(settings);
        let alice = session_of(&world, "alice");
        let other = format!("{SESSION}.12");
        let answer = sign_out(&world, "app.example.com", &[(SESSION, &alice), (&other, "left over")]);
        for name in [SESSION, &other] {
            let mut removed = expired(&answer, name);
            removed.sort();
            assert_eq!(removed, ["", "app.example.com", "example.com"], "{domain:?} {name}");
        }
    }
    // What does not open here may be the session of the site whose domain this host is in.
    let world = TestEnv::new();
    let answer = sign_out(&world, "app.example.com", &[(SESSION, "of another site")]);
    assert_eq!(expired(&answer, SESSION), [""]);
}

#[test]
fn work_bombs_signing_out_names_few_domains_and_none_that_a_browser_refuses() {
    let mut settings = settings();
    settings["cookies"] = json!({ "domain": "d.c.b.a.example.com" });
    let world = TestEnv::with(settings);
    let deep = "h.g.f.e.d.c.b.a.example.com";
    let alice = session_of(&TestEnv::new(), "alice");
    let answer = sign_out(&world, deep, &[(SESSION, &alice)]);
    let mut removed = expired(&answer, SESSION);
    removed.sort_by_key(String::len);
    let widest =
        ["", "example.com", "a.example.com", "b.a.example.com", "c.b.a.example.com", "d.c.b.a.example.com"];
    assert_eq!(removed, widest);

    // Planted cookies do not make the answer large.
    let planted: Vec<String> = (0..100).map(|n| format!("{SESSION}.{n}")).collect();
    let mut cookies: Vec<(&str, &str)> = planted.iter().map(|name| (name.as_str(), "x")).collect();
    cookies.push((SESSION, &alice));
    let answer = sign_out(&TestEnv::new(), "app.example.com", &cookies);
    assert_eq!(expired(&answer, &planted[15]).len(), 3);
    assert_eq!(expired(&answer, &planted[16]), [""]);
    let size: usize = answer.headers.get_all("set-cookie").map(str::len).sum();
    assert!(size < 16 * 1024, "{size}");

    let world = TestEnv::new();
    for host in ["127.0.0.1:8787", "localhost:8787", "site.workers.dev"] {
        let answer = sign_out(&world, host, &[(SESSION, &alice)]);
        let expected: &[&str] = if host == "site.workers.dev" { &["", host] } else { &[""] };
        assert_eq!(expired(&answer, SESSION), expected, "{host}");
    }
}
