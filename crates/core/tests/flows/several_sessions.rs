//! A sign-out in a browser that sends several sessions: all that open end, in every browser that has a copy.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const HINT: &str = "__Secure-authjs.logout-hint";
const OTHER: &str = "__Secure-next-auth.session-token";

/// The default settings with a store of revocations, and a provider that revokes refresh tokens.
fn with_store(store: &str) -> Value {
    let mut settings = settings();
    settings["revocation"] = json!({ "store": store, "interval": "1s" });
    settings["providers"][0]["token_revocation"] = json!("https://idp.example/revoke");
    settings
}

/// The session that a new sign-in of `user` gets.
fn session_of(world: &TestEnv, user: &str) -> String {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser.cookie(SESSION).unwrap().to_owned()
}

/// The same session in the dialect of next-auth 4.
fn in_the_other_dialect(world: &TestEnv, sealed: &str) -> String {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let claims = seal::open(&keys, Dialect::AuthJsV5, SESSION, sealed, world.now()).unwrap();
    let day = Duration::from_hours(24);
    seal::seal(&keys, Dialect::NextAuthV4, "", &claims, day, world.now(), &mut |bytes| bytes.fill(7))
}

/// Signs out with these cookies and a good csrf token.
fn sign_out(world: &TestEnv, cookies: &[(&str, &str)], everywhere: bool) -> Answer {
    let mut browser = Browser::new();
    let csrf = browser.csrf(world);
    let pairs = cookies.iter().map(|(name, value)| format!("{name}={value}"));
    let header = std::iter::once(browser.cookie_header()).chain(pairs).collect::<Vec<_>>().join("; ");
    let form = format!("csrfToken={csrf}{}", if everywhere { "&everywhere=true" } else { "" });
    let headers = [("cookie", header.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = world.send("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes());
    assert_eq!(answer.status, 302, "{answer:?}");
    for (name, _) in cookies {
        let erased = format!("{name}=; Max-Age=0;");
        assert!(answer.headers.get_all("set-cookie").any(|cookie| cookie.starts_with(&erased)), "{answer:?}");
    }
    answer
}

/// Whether the guard lets a copy of one of these cookies pass.
fn passes(world: &TestEnv, (name, value): (&str, &str)) -> bool {
    let cookie = format!("{name}={value}");
    world.send("GET", &format!("{APP}/dashboard"), &[("cookie", &cookie)], b"").forwarded.is_some()
}

#[test]
fn a_sign_out_ends_every_session_that_the_request_carries() {
    for store in ["kv", "durable-object"] {
        for others in ["another user's", "another sign-in's", "the other dialect's"] {
            let settings = with_store(store);
            let world = TestEnv::with(settings.clone());
            let elsewhere = world.isolate(settings, "here");
            let user = if others == "another sign-in's" { "alice" } else { "bob" };
            let (alice, other) = (session_of(&world, "alice"), session_of(&world, user));
            let other_dialect = in_the_other_dialect(&world, &other);
            let other =
                if others == "the other dialect's" { (OTHER, &*other_dialect) } else { (SESSION, &*other) };
            let carried = [(SESSION, alice.as_str()), other];
            for cookie in carried {
                assert!(passes(&elsewhere, cookie), "{store}, {others}");
            }
            // Another browser of the same users is not asked to end.
            let kept = (SESSION, &*session_of(&world, user));
            sign_out(&world, &carried, false);
            world.pass(Duration::from_mins(2));
            for cookie in carried {
                assert!(!passes(&world, cookie), "{store}, {others}");
                assert!(!passes(&elsewhere, cookie), "{store}, {others}: a copy elsewhere");
            }
            assert!(passes(&elsewhere, kept), "{store}, {others}");
            assert_eq!(world.provider.revocations.borrow().len(), 2, "{store}, {others}: refresh tokens");
            assert_eq!(world.logged(LogEvent::SignedOut).len(), 2, "{store}, {others}");
        }
    }
}

#[test]
fn versions_of_one_session_end_once() {
    let world = TestEnv::with(with_store("kv"));
    let alice = session_of(&world, "alice");
    let other = in_the_other_dialect(&world, &alice);
    sign_out(&world, &[(SESSION, &alice), (SESSION, &alice), (OTHER, &other)], false);
    world.pass(Duration::from_secs(2));
    assert!(!passes(&world, (SESSION, &alice)) && !passes(&world, (OTHER, &other)));
    assert_eq!(world.logged(LogEvent::SignedOut).len(), 1);
    assert_eq!(world.provider.revocations.borrow().len(), 1);
}

#[test]
fn a_copy_of_a_session_that_has_ended_ends_no_other_and_hides_none() {
    let world = TestEnv::with(with_store("kv"));
    let (ended, alice) = (session_of(&world, "alice"), session_of(&world, "alice"));
    let elsewhere = session_of(&world, "alice");
    sign_out(&world, &[(SESSION, &ended)], false);
    world.pass(Duration::from_secs(2));
    sign_out(&world, &[(SESSION, &ended)], true);
    assert!(passes(&world, (SESSION, &alice)) && passes(&world, (SESSION, &elsewhere)));
    sign_out(&world, &[(SESSION, &ended), (SESSION, &alice)], false);
    world.pass(Duration::from_secs(2));
    assert!(!passes(&world, (SESSION, &alice)) && passes(&world, (SESSION, &elsewhere)));
    assert_eq!(world.logged(LogEvent::SignedOut).len(), 2);
}

#[test]
fn everywhere_is_about_the_user_who_is_signed_in_or_if_no_one_is_about_each() {
    for is_conflict in [true, false] {
        let world = TestEnv::with(with_store("kv"));
        let (alice, bob) = (session_of(&world, "alice"), session_of(&world, "bob"));
        let (alice_elsewhere, bob_elsewhere) = (session_of(&world, "alice"), session_of(&world, "bob"));
        let left_over = in_the_other_dialect(&world, &bob);
        // In the other dialect, bob's session does not count next to alice's.
        let other = if is_conflict { (SESSION, &*bob) } else { (OTHER, &*left_over) };
        sign_out(&world, &[(SESSION, &alice), other], true);
        world.pass(Duration::from_secs(2));
        assert!(!passes(&world, (SESSION, &alice)) && !passes(&world, other));
        assert!(!passes(&world, (SESSION, &alice_elsewhere)));
        assert_eq!(passes(&world, (SESSION, &bob_elsewhere)), !is_conflict);
    }
}

#[test]
fn a_sign_out_at_the_provider_is_of_the_session_whose_hint_the_browser_has() {
    let mut settings = with_store("kv");
    settings["providers"][0]["logout"] = json!("https://idp.example/bye");
    let world = TestEnv::with(settings);
    let alice = session_of(&world, "alice");
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let bob = browser.cookie(SESSION).unwrap().to_owned();
    let hint = browser.cookie(HINT).unwrap().to_owned();
    // In the order of the cookies the other one would come first.
    let carried = [(SESSION, &*alice), (SESSION, &*bob), (HINT, &*hint)];
    let answer = sign_out(&world, &carried, false);
    let logout = answer.location();
    assert!(logout.starts_with("https://idp.example/bye?"), "{logout}");
    assert!(logout.contains("id_token_hint=ey"), "{logout}");
    assert!(!passes(&world, carried[0]) && !passes(&world, carried[1]));
}

#[test]
fn sessions_of_different_users_are_removed_with_the_hint_for_their_provider() {
    let mut settings = with_store("kv");
    settings["providers"][0]["logout"] = json!("https://idp.example/bye");
    let world = TestEnv::with(settings);
    let cookie =
        format!("{SESSION}={}; {SESSION}={}", session_of(&world, "alice"), session_of(&world, "bob"));
    // The browser sends the hint to the sign-out route only.
    let answer = world.send("GET", &format!("{APP}/dashboard"), &[("cookie", &cookie)], b"");
    for name in [SESSION, HINT] {
        let erased = format!("{name}=; Max-Age=0;");
        assert!(answer.headers.get_all("set-cookie").any(|cookie| cookie.starts_with(&erased)), "{name}");
    }
}

#[test]
fn work_bombs_a_sign_out_ends_eight_sessions_at_most() {
    let world = TestEnv::with(with_store("kv"));
    let sessions: Vec<String> = (0..12).map(|_| session_of(&world, "alice")).collect();
    let carried: Vec<(&str, &str)> = sessions.iter().map(|session| (SESSION, session.as_str())).collect();
    sign_out(&world, &carried, false);
    assert_eq!(world.logged(LogEvent::SignedOut).len(), 8);
}
