//! Claims follow the person: what a refresh says of the user. Each test checks a sentence of `docs/sessions.md`
//! ("Claims").

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::hooks::{DefaultSession, Hooks, SignIn, SignInAnswer, TokenOccasion};
use vestibule_core::http::client::FetchError;
use vestibule_core::log::LogEvent;
use vestibule_testing::{APP, Answer, Browser, TestEnv};

use crate::credentials::{json_api, sealed, sign_in_as_ada, token_api};
use crate::refresh::{EXPIRED, LEASES, bearer, given, sent, signed_in, with_lease};

const USERINFO: &str = "https://idp.example/userinfo";
const DAY: Duration = Duration::from_hours(24);

fn fetch(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

/// What the provider says of its users from now on.
fn userinfo(world: &TestEnv, change: impl Fn(&mut Value) + 'static) {
    world.provider.alters_answer_at("userinfo", change);
}

#[test]
fn a_role_that_was_taken_away_is_gone_at_the_next_request() {
    for lease in LEASES {
        let mut settings = with_lease(lease);
        settings["upstreams"][0]["assertion"] = json!(true);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        browser.sign_in(&world, "alice", "/");
        assert_eq!(browser.fetch(&world, &format!("{APP}/admin")).status, 200, "{lease}");
        userinfo(&world, |claims| {
            claims["roles"] = json!(["user"]);
            claims["email"] = json!("alice@new.example");
        });
        world.pass(EXPIRED);
        let answer = browser.fetch(&world, &format!("{APP}/admin"));
        assert_eq!(answer.status, 403, "{lease}: the rule sees the new roles");
        assert!(answer.forwarded.is_none() && answer.headers.contains("set-cookie"), "{lease}");
        assert_eq!(sealed(&world, &browser)["roles"], json!(["user"]), "{lease}");

        // The same for a request that passes: the headers and the assertion of that request have the new claims.
        userinfo(&world, |claims| claims["roles"] = json!(["user", "editor"]));
        world.pass(EXPIRED);
        let answer = fetch(&world, &mut browser);
        let headers = &answer.forwarded.as_ref().unwrap().request.headers;
        assert_eq!(headers.get("x-user-roles"), Some("user,editor"), "{lease}");
        let assertion = headers.get("x-vestibule-assertion").expect("an assertion");
        let payload = vestibule_core::jose::jws::decode_unverified(assertion);
        assert_eq!(payload["email"], "alice@example.com", "{lease}");
        assert_eq!(sealed(&world, &browser)["roles"], json!(["user", "editor"]), "{lease}");
    }
}

#[test]
fn a_profile_of_oauth_2_that_has_a_member_like_an_errors_is_no_error_and_an_error_is_no_profile() {
    for like_an_error in [
        json!({ "type": "User" }),
        json!({ "type": 2, "status": "active" }),
        json!({ "code": "BOB", "title": "Dr", "message": "hello" }),
        json!({}),
    ] {
        let mut settings = with_lease("none");
        settings["providers"] = json!([{
            "id": "acme", "type": "oauth2", "authorization": "https://idp.example/authorize",
            "token": "https://idp.example/token", "userinfo": "https://idp.example/userinfo",
            "user": { "id": "profile.sub" },
        }]);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let members = like_an_error.clone();
        let profile = move |roles: &Value, claims: &mut Value| {
            claims["roles"] = roles.clone();
            claims.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        };
        let answers = |roles: Value| {
            let profile = profile.clone();
            userinfo(&world, move |claims| profile(&roles, claims));
        };
        answers(json!(["admin"]));
        browser.sign_in(&world, "bob", "/");
        assert_eq!(sealed(&world, &browser)["roles"], json!(["admin"]), "{like_an_error}");
        answers(json!(["user"]));
        world.pass(EXPIRED);
        assert_eq!(fetch(&world, &mut browser).status, 200, "{like_an_error}");
        assert_eq!(sealed(&world, &browser)["roles"], json!(["user"]), "{like_an_error}");
        assert!(world.logged(LogEvent::ClaimsNotRefreshed).is_empty(), "{}", world.log_text());
        // An error with status 200 names nobody, or its own request.
        for error in [json!({ "error": "down" }), json!({ "error": "down", "sub": "request-7" })] {
            userinfo(&world, move |claims| claims.clone_from(&error));
            world.pass(EXPIRED);
            assert_eq!(fetch(&world, &mut browser).status, 200);
            assert_eq!(sealed(&world, &browser)["roles"], json!(["user"]), "{like_an_error}");
        }
        assert_eq!(world.logged(LogEvent::ClaimsNotRefreshed).len(), 2, "{}", world.log_text());
    }
}

#[test]
fn claims_of_a_refresh_reach_every_follower() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, EXPIRED);
        userinfo(&world, |claims| claims["roles"] = json!(["editor"]));
        let cookies = browser.cookie_header();
        let roles = |answer: &Answer| {
            let headers = &answer.forwarded.as_ref().unwrap().request.headers;
            headers.get("x-user-roles").map(str::to_owned)
        };
        let answers = world.all((0..10).map(|i| sent(&world, &cookies, Duration::from_millis(i * 3))));
        for answer in &answers {
            assert_eq!(roles(answer).as_deref(), Some("editor"), "{lease}");
        }
        assert_eq!((given(&world), world.fetches(USERINFO)), (1, 2), "{lease}: one at the sign-in, one now");
        if lease == "none" {
            continue;
        }
        // Another process, and a browser that comes back with the old cookie after two days.
        let other = world.isolate(with_lease(lease), "here");
        let late = world.all([sent(&other, &cookies, Duration::from_secs(1))]);
        assert_eq!(roles(&late[0]).as_deref(), Some("editor"), "{lease}");
        world.provider.goes_down("userinfo");
        world.pass(2 * DAY);
        let other = world.isolate(with_lease(lease), "here");
        let late = world.all([sent(&other, &cookies, Duration::from_secs(1))]);
        assert_eq!(roles(&late[0]).as_deref(), Some("editor"), "{lease}");
        assert!(!format!("{:?}", world.store.contents()).contains("editor"), "{lease}: they are sealed");
    }
}

#[test]
fn a_claim_that_is_gone_is_removed_and_nothing_else_of_the_session_changes() {
    let mut settings = with_lease("none");
    settings["claims"]["department"] = json!("profile.department");
    settings["session"]["updatable"] = json!(["theme", "nickname"]);
    settings["claims"]["nickname"] = json!("profile.nickname");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    userinfo(&world, |claims| {
        claims["picture"] = json!("https://idp.example/bob.png");
        claims["department"] = json!("sales");
        claims["nickname"] = json!("bobby");
        claims["email_verified"] = json!(true);
    });
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let update = json!({ "csrfToken": csrf, "data": { "theme": "dark", "nickname": "rob" } }).to_string();
    let json = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &json, update.as_bytes());
    let before = sealed(&world, &browser);
    assert_eq!((&before["department"], &before["email_verified"]), (&json!("sales"), &json!(true)));

    userinfo(&world, |claims| {
        claims["email"] = json!("bob@new.example");
        claims["nickname"] = json!("bobby");
    });
    world.pass(EXPIRED);
    fetch(&world, &mut browser);
    let after = sealed(&world, &browser);
    for lost in ["picture", "department", "email_verified"] {
        assert_eq!(after.get(lost), None, "{lost}");
    }
    assert_eq!(after["email"], "bob@new.example");
    for stays in ["sub", "sid", "provider", "auth_time", "name", "roles"] {
        assert_eq!(after[stays], before[stays], "{stays}");
    }
    assert_eq!((&after["theme"], &after["nickname"]), (&json!("dark"), &json!("rob")), "a page changed them");
    assert_eq!(after["revalidated_at"], world.now().seconds());
}

#[test]
fn a_new_id_token_is_enough_where_nothing_is_missing_in_it() {
    let mut settings = with_lease("none");
    settings["providers"][0]["userinfo"] = json!({ "fetch": "never" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| {
        claims["roles"] = json!(["admin"]);
        claims["name"] = json!("Bob");
    });
    browser.sign_in(&world, "bob", "/");
    world.provider.alters_answer_at("refreshed_id_token", |claims| claims["roles"] = json!(["user"]));
    world.pass(EXPIRED);
    fetch(&world, &mut browser);
    let claims = sealed(&world, &browser);
    assert_eq!((&claims["roles"], claims.get("name")), (&json!(["user"]), None));
    assert_eq!(world.fetches(USERINFO), 0);
}

#[test]
fn without_a_new_id_token_userinfo_is_asked_and_nothing_is_removed_that_the_token_may_have_had() {
    let mut settings = with_lease("none");
    settings["claims"]["level"] = json!("id_token.level");
    settings["claims"]["department"] = json!("profile.department");
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| {
        claims["level"] = json!(7);
        claims["department"] = json!("sales");
    });
    browser.sign_in(&world, "alice", "/");
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("id_token");
    });
    userinfo(&world, |claims| claims["roles"] = json!(["user"]));
    world.pass(EXPIRED);
    assert_eq!(bearer(&fetch(&world, &mut browser)), Some("access-alice~1"));
    let claims = sealed(&world, &browser);
    assert_eq!(claims["roles"], json!(["user"]));
    assert_eq!((&claims["level"], &claims["department"]), (&json!(7), &json!("sales")));

    // Nor by the claims of an ID token that the provider sends again although it has expired.
    world.provider.answers_correctly();
    world.provider.alters_answer_at("refreshed_id_token", |claims| claims["exp"] = json!(1_700_000_000));
    world.pass(EXPIRED);
    assert_eq!(bearer(&fetch(&world, &mut browser)), Some("access-alice~2"));
    assert_eq!(sealed(&world, &browser)["level"], 7);
}

#[test]
fn how_the_user_authenticated_stays_where_a_new_id_token_does_not_say_it() {
    let mut settings = with_lease("none");
    settings["claims"] =
        json!({ "methods": "id_token.amr", "class": "profile.acr", "level": "id_token.level" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| {
        claims["amr"] = json!(["mfa"]);
        claims["acr"] = json!("2");
        claims["level"] = json!(7);
    });
    browser.sign_in(&world, "bob", "/");
    world.pass(EXPIRED);
    fetch(&world, &mut browser);
    let claims = sealed(&world, &browser);
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["mfa"]), &json!("2")));
    assert_eq!((&claims["methods"], &claims["class"]), (&json!(["mfa"]), &json!("2")));
    assert_eq!(claims.get("level"), None);
}

#[test]
fn userinfo_that_fails_changes_no_claim_and_fails_no_refresh() {
    type Trouble = fn(&TestEnv);
    let troubles: [(&str, Trouble); 6] = [
        ("no connection", |world| world.provider.goes_down("userinfo")),
        ("500", |world| world.provider.answers_raw("userinfo", 500, "text/html", b"<h1>busy</h1>")),
        ("401", |world| world.provider.answers_raw("userinfo", 401, "application/json", b"{}")),
        ("not JSON", |world| world.provider.answers_raw("userinfo", 200, "text/html", b"hello")),
        ("another sub", |world| userinfo(world, |claims| claims["sub"] = json!("mallory-1"))),
        ("no answer", |world| world.http.hanging.borrow_mut().push(USERINFO)),
    ];
    for lease in LEASES {
        for (what, trouble) in troubles {
            let (world, mut browser) = signed_in(lease, EXPIRED);
            let before = sealed(&world, &browser);
            userinfo(&world, |claims| claims["roles"] = json!([]));
            trouble(&world);
            let begun = world.clock.now();
            let answer = fetch(&world, &mut browser);
            assert_eq!((answer.status, bearer(&answer)), (200, Some("access-bob~1")), "{lease}, {what}");
            assert!(world.clock.now() - begun <= 2700, "{lease}, {what}: {}", world.clock.now() - begun);
            let after = sealed(&world, &browser);
            for stays in ["name", "email", "roles", "sub"] {
                assert_eq!(after[stays], before[stays], "{lease}, {what}");
            }
            assert_eq!(world.logged(LogEvent::ClaimsNotRefreshed).len(), 1, "{lease}, {what}");
        }
    }
}

#[test]
fn a_list_of_addresses_that_fails_for_a_moment_says_nothing_of_the_address() {
    let mut settings = with_lease("none");
    settings["providers"][0]["emails"] =
        json!({ "url": "https://idp.example/emails", "where": { "verified": true }, "verified": "verified" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    // At a sign-in, the person tries again.
    world.provider.answers_once("emails", 503, ("retry-after", "1"), &json!({}));
    browser.sign_in(&world, "bob", "/");
    assert_eq!(browser.session(&world), Value::Null);
    browser.sign_in(&world, "bob", "/");
    let of = |browser: &Browser| {
        let claims = sealed(&world, browser);
        ["name", "email", "email_verified"].map(|claim| claims[claim].clone())
    };
    let before = [json!("bob"), json!("bob@list.example"), json!(true)];
    assert_eq!(of(&browser), before);
    // At a refresh, the claims stay as they are.
    for status in [500, 503] {
        userinfo(&world, |claims| claims["name"] = json!("Robert"));
        world.provider.answers_once("emails", status, ("retry-after", "1"), &json!({}));
        world.pass(EXPIRED);
        assert_eq!(fetch(&world, &mut browser).status, 200, "{status}");
        assert_eq!(of(&browser), before, "{status}");
    }
    assert_eq!(world.logged(LogEvent::ClaimsNotRefreshed).len(), 2);
    assert!(world.logged(LogEvent::EmailsRequestFailed).is_empty());
    // A list that is refused says nothing of the address, either, but the rest counts.
    world.provider.answers_once("emails", 403, ("x-reason", "scope"), &json!({}));
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!(of(&browser), [json!("Robert"), before[1].clone(), before[2].clone()]);
    assert_eq!(world.logged(LogEvent::EmailsRequestFailed).len(), 1);
}

#[test]
fn a_person_whom_allow_no_longer_lets_in_loses_the_session() {
    for lease in LEASES {
        let mut settings = with_lease(lease);
        settings["providers"][0]["allow"] = json!({ "user.roles": ["admin"] });
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        browser.sign_in(&world, "alice", "/");
        let cookies = browser.cookie_header();
        userinfo(&world, |claims| claims["roles"] = json!(["user"]));
        world.pass(EXPIRED);
        let answer = browser.open(&world, &format!("{APP}/page"));
        assert!(answer.location().contains("/auth/signin?"), "{lease}");
        assert_eq!(fetch(&world, &mut browser).status, 401, "{lease}");
        assert_eq!(browser.session(&world), Value::Null, "{lease}");
        assert_eq!(browser.cookie("__Secure-authjs.session-token"), None, "{lease}");
        assert_eq!(world.logged(LogEvent::SessionNoLongerAllowed).len(), 1, "{lease}");
        assert!(world.logged(LogEvent::RefreshTokenInvalid).is_empty(), "{lease}");

        // A copy of the old cookie, at another process.
        let other = world.isolate(settings, "here");
        let answers = world.all([sent(&other, &cookies, Duration::from_secs(1))]);
        assert_eq!(answers[0].status, 401, "{lease}");
    }
}

#[test]
fn a_session_of_another_user_by_user_id_ends() {
    let mut settings = with_lease("none");
    settings["providers"][0]["user"] = json!({ "id": "profile.employee" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    userinfo(&world, |claims| claims["employee"] = json!("e-1"));
    browser.sign_in(&world, "bob", "/");
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    userinfo(&world, |claims| claims["employee"] = json!("e-2"));
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 401);
    assert_eq!(world.logged(LogEvent::SessionNoLongerAllowed).len(), 1);
}

#[test]
fn an_id_token_whose_keys_are_unavailable_counts_because_it_came_over_tls() {
    let mut settings = with_lease("kv");
    settings["providers"][0]["userinfo"] = json!({ "fetch": "never" });
    settings["claims"] = json!({ "roles": "id_token.roles" });
    let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
    world.provider.alters_answer_at("id_token", |claims| claims["roles"] = json!(["admin"]));
    browser.sign_in(&world, "bob", "/");
    world.provider.alters_answer_at("refreshed_id_token", |claims| claims["roles"] = json!(["user"]));
    world.provider.goes_down("jwks");
    world.pass(EXPIRED);
    let other = world.isolate(settings, "here");
    fetch(&other, &mut browser);
    assert_eq!(other.logged(LogEvent::IdTokenNotVerified).len(), 1);
    assert_eq!(sealed(&world, &browser)["roles"], json!(["user"]));
}

/// An app whose hooks are asked at a refresh, too.
struct Strict;

#[derive(serde::Deserialize)]
struct Profile {
    roles: Vec<String>,
}

impl Hooks for Strict {
    type Profile = Profile;
    type Session = DefaultSession;

    async fn sign_in(&self, attempt: &SignIn<'_, Profile>) -> SignInAnswer {
        match attempt.profile.roles.first().map(String::as_str) {
            Some("banned") => SignInAnswer::Denied,
            Some("welcome") => SignInAnswer::Redirect("/welcome".to_owned()),
            _ => SignInAnswer::Granted,
        }
    }

    async fn token(&self, claims: &mut Map<String, Value>, occasion: TokenOccasion<'_, Profile>) {
        match occasion {
            TokenOccasion::SignIn(attempt) => {
                claims.insert("level".to_owned(), json!(attempt.profile.roles.len()));
                claims.insert("first".to_owned(), json!(true));
            }
            TokenOccasion::Refresh(attempt) => {
                assert_eq!(claims["roles"], json!(attempt.profile.roles));
                claims.insert("level".to_owned(), json!(attempt.profile.roles.len()));
                claims.remove("first");
                claims.insert("sub".to_owned(), json!("mallory"));
                claims.insert("access_token".to_owned(), json!("mine"));
            }
            TokenOccasion::Update(_) => {}
        }
    }
}

#[test]
fn the_hooks_are_asked_at_a_refresh() {
    let after = |roles: Value| {
        let (world, mut browser) = (TestEnv::with_hooks(with_lease("none"), Strict), Browser::new());
        browser.sign_in(&world, "bob", "/");
        userinfo(&world, move |claims| claims["roles"] = roles.clone());
        world.pass(EXPIRED);
        let answer = fetch(&world, &mut browser);
        (world, browser, answer)
    };
    let (world, browser, answer) = after(json!(["user", "editor"]));
    assert_eq!(bearer(&answer), Some("access-bob~1"));
    let claims = sealed(&world, &browser);
    assert_eq!((&claims["level"], claims.get("first"), &claims["sub"]), (&json!(2), None, &json!("bob-1")));

    let (world, _, answer) = after(json!(["banned"]));
    assert_eq!((answer.status, world.logged(LogEvent::SessionNoLongerAllowed).len()), (401, 1));

    // Neither a redirect nor a profile of another type is a reason to end a session.
    let (world, browser, answer) = after(json!(["welcome"]));
    assert_eq!((answer.status, &sealed(&world, &browser)["roles"]), (200, &json!(["user"])));
    let (world, browser, answer) = after(json!("a text"));
    assert_eq!((answer.status, &sealed(&world, &browser)["roles"]), (200, &json!(["user"])));
    assert_eq!(world.logged(LogEvent::ClaimsNotRefreshed).len(), 1);
}

#[test]
fn the_profile_of_an_api_is_asked_again() {
    let mut settings = json_api();
    settings["refresh"] = json!({ "lease": "none" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    let before = sealed(&world, &browser);
    assert_eq!((&before["roles"], &before["city"]), (&json!(["admin", "user"]), &json!("London")));

    // A profile that fails, also with status 200, changes nothing.
    let errors = json!({ "errors": [{ "message": "the database is down" }], "data": null });
    for (status, body) in [(500, json!({})), (401, json!({})), (200, errors), (200, json!([1]))] {
        world.api.answers_json("/me", status, &body);
        world.pass(EXPIRED);
        assert_eq!(fetch(&world, &mut browser).status, 200, "{body}");
        let after = sealed(&world, &browser);
        assert_eq!((&after["roles"], &after["name"]), (&before["roles"], &before["name"]), "{body}");
    }
    world.api.fails("/me", FetchError::Timeout(Duration::from_secs(10)));
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!(world.logged(LogEvent::ClaimsNotRefreshed).len(), 5);

    let profile = json!({ "id": 17, "firstName": "Ada", "lastName": "King", "roles": ["user"] });
    world.api.answers_json("/me", 200, &profile);
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    let after = sealed(&world, &browser);
    assert_eq!((&after["name"], &after["roles"]), (&json!("Ada King"), &json!(["user"])));
    assert_eq!((after.get("city"), after.get("email")), (None, None));
    // The response to the login said it, and nobody signed in again.
    assert_eq!(
        (&after["plan"], &after["sub"], &after["sid"]),
        (&json!("pro"), &before["sub"], &before["sid"])
    );

    let other = json!({ "id": 18, "firstName": "Eve", "lastName": "X", "roles": ["admin"] });
    world.api.answers_json("/me", 200, &other);
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 401, "another user");
}

#[test]
fn claims_in_an_apis_token_follow_the_token() {
    let mut settings = token_api();
    settings["refresh"] = json!({ "lease": "none" });
    settings["upstreams"] = json!([{ "to": "https://upstream.example", "authorization": "access_token" }]);
    settings["claims"]["groups"] = json!("access_token.user.groups");
    settings["providers"][0]["refresh"] = json!({
        "url": "https://api.example/v2/refresh",
        "body": { "variables": { "token": "{refresh_token}" } },
        "access_token": "body.data.renewed.token",
        "refresh_token": "body.data.renewed.next",
    });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    assert_eq!(sealed(&world, &browser)["groups"], json!(["a"]));
    world.pass(Duration::from_mins(16));
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!(sealed(&world, &browser).get("groups"), None, "the new token has none");
}

#[test]
fn an_api_that_does_not_repeat_the_user_at_a_refresh_changes_no_name_and_no_address() {
    let mut settings = json_api();
    settings["refresh"] = json!({ "lease": "none" });
    let provider = settings["providers"][0].as_object_mut().unwrap();
    provider.remove("profile");
    provider["user"] =
        json!({ "id": "login.id", "name": "login.name", "email": "login.email", "image": "login.avatar" });
    provider.insert("email_verified".to_owned(), json!("login.verified"));
    settings["claims"] = json!({ "plan": "login.plan", "shown": "user.name", "mail": "user.email" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let login = json!({
        "accessToken": "access-ada", "refreshToken": "refresh-ada", "expiresIn": 3600, "id": 17, "name": "Ada",
        "email": "ada@example.com", "avatar": "https://api.example/ada.png", "verified": true, "plan": "pro",
    });
    world.api.answers_json("/sign-in", 200, &login);
    sign_in_as_ada(&world, &mut browser);
    let before = sealed(&world, &browser);
    world.pass(EXPIRED);
    assert_eq!(bearer(&fetch(&world, &mut browser)), Some("access-ada~1"));
    let after = sealed(&world, &browser);
    let names = ["sub", "name", "email", "email_verified", "picture", "plan", "shown", "mail"];
    for claim in names {
        assert!(before.get(claim).is_some_and(|value| !value.is_null()), "{claim}");
        assert_eq!(after.get(claim), before.get(claim), "{claim}");
    }
}

#[test]
fn a_claim_of_what_nobody_said_is_left_out_at_a_sign_in_and_at_a_refresh() {
    let mut settings = json_api();
    settings["refresh"] = json!({ "lease": "none" });
    let provider = settings["providers"][0].as_object_mut().unwrap();
    provider.remove("profile");
    provider["user"] = json!({ "id": "login.id", "name": "login.name", "email": "login.email" });
    settings["claims"] = json!({
        "shown": "user.name", "mail": "user.email", "face": "user.image", "plan": "login.plan", "other": "login.none",
    });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let login = json!({
        "accessToken": "access-ada", "refreshToken": "refresh-ada", "expiresIn": 3600, "id": 17,
        "email": "ada@example.com", "plan": null,
    });
    world.api.answers_json("/sign-in", 200, &login);
    sign_in_as_ada(&world, &mut browser);
    let check = |claims: Value| {
        assert_eq!(claims["mail"], "ada@example.com");
        for claim in ["shown", "face", "plan", "other", "name", "picture"] {
            assert_eq!(claims.get(claim), None, "{claim}");
        }
    };
    check(sealed(&world, &browser));
    assert_eq!(world.logged(LogEvent::ClaimMissing).len(), 4);
    world.pass(EXPIRED);
    assert_eq!(bearer(&fetch(&world, &mut browser)), Some("access-ada~1"));
    check(sealed(&world, &browser));
}

#[test]
fn allow_does_not_end_a_session_for_a_claim_that_a_refresh_does_not_say() {
    let mut settings = json_api();
    settings["refresh"] = json!({ "lease": "none" });
    settings["providers"][0]["allow"] = json!({ "login.plan": ["pro"] });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    world.pass(EXPIRED);
    assert_eq!(bearer(&fetch(&world, &mut browser)), Some("access-ada~1"));
    assert!(world.logged(LogEvent::SessionNoLongerAllowed).is_empty());
}

#[test]
fn allow_ends_a_session_where_a_refresh_says_that_the_claim_is_gone() {
    let mut settings = json_api();
    settings["refresh"] = json!({ "lease": "none" });
    settings["providers"][0]["allow"] = json!({ "profile.roles": ["admin"] });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    world.api.answers_json("/me", 200, &json!({ "id": 17, "firstName": "Ada", "lastName": "King" }));
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 401);
    assert_eq!(world.logged(LogEvent::SessionNoLongerAllowed).len(), 1);
}

/// An API that says at the login who the user is, and at a refresh only what its profile has, if there is one.
fn saying_at_the_login(profile: bool, user: &Value, claims: &Value, allow: &Value) -> Value {
    let mut settings = json_api();
    settings["refresh"] = json!({ "lease": "none" });
    settings["claims"] = claims.clone();
    let provider = settings["providers"][0].as_object_mut().unwrap();
    if !profile {
        provider.remove("profile");
    }
    provider.insert("user".to_owned(), user.clone());
    provider.insert("email_verified".to_owned(), json!("login.verified"));
    if !allow.is_null() {
        provider.insert("allow".to_owned(), allow.clone());
    }
    settings
}

/// The answer to a login that has these members, too.
fn login(world: &TestEnv, more: &Value) {
    let mut login =
        json!({ "accessToken": "access-ada", "refreshToken": "refresh-ada", "expiresIn": 3600, "id": 17 });
    login.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.api.answers_json("/sign-in", 200, &login);
}

#[test]
fn allow_applies_at_a_refresh_to_what_stays_of_the_user() {
    let user = json!({ "id": "login.id", "name": "login.name", "email": "login.email" });
    let claims = json!({ "plan": "login.plan" });
    let settings = |allow: &Value| saying_at_the_login(false, &user, &claims, allow);
    for (allow, verified, is_allowed) in [
        (json!({ "user.email": ["ada@example.com"] }), true, true),
        (json!({ "user.email": ["eve@example.com"] }), true, false),
        (json!({ "user.email": ["ada@example.com"] }), false, false),
        (json!({ "user.plan": ["pro"] }), true, true),
        (json!({ "user.plan": ["free"] }), true, false),
    ] {
        let (world, mut browser) = (TestEnv::with(settings(&Value::Null)), Browser::new());
        login(&world, &json!({ "email": "ada@example.com", "verified": verified, "plan": "pro" }));
        sign_in_as_ada(&world, &mut browser);
        world.pass(EXPIRED);
        let changed = world.isolate(settings(&allow), "elsewhere");
        let status = fetch(&changed, &mut browser).status;
        assert_eq!(status, if is_allowed { 200 } else { 401 }, "{allow} {verified}");
    }
}

#[test]
fn what_was_verified_of_an_address_is_not_said_of_another_one() {
    // The profile has an address without a statement, and the login one with it.
    let user =
        json!({ "id": "profile.id", "name": "profile.firstName", "email": ["login.email", "profile.email"] });
    for (email, verified) in [("ada@example.com", json!(true)), ("eve@example.com", Value::Null)] {
        let settings = saying_at_the_login(true, &user, &json!({}), &Value::Null);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        login(&world, &json!({ "email": "ada@example.com", "verified": true }));
        sign_in_as_ada(&world, &mut browser);
        assert_eq!(sealed(&world, &browser)["email_verified"], true);
        world.api.answers_json("/me", 200, &json!({ "id": 17, "firstName": "Ada", "email": email }));
        world.pass(EXPIRED);
        assert_eq!(fetch(&world, &mut browser).status, 200);
        let after = sealed(&world, &browser);
        assert_eq!((&after["email"], &after["email_verified"]), (&json!(email), &verified));
    }
}

#[test]
fn what_is_said_of_an_address_goes_with_it() {
    let user = json!({ "id": "profile.id", "name": "profile.firstName", "email": "profile.email" });
    let claims = json!({ "mail": "user.email" });
    let (world, mut browser) =
        (TestEnv::with(saying_at_the_login(true, &user, &claims, &Value::Null)), Browser::new());
    login(&world, &json!({ "verified": true }));
    sign_in_as_ada(&world, &mut browser);
    let before = sealed(&world, &browser);
    assert_eq!((&before["mail"], &before["email_verified"]), (&before["email"], &json!(true)));
    world.api.answers_json("/me", 200, &json!({ "id": 17, "firstName": "Ada" }));
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    let after = sealed(&world, &browser);
    for lost in ["email", "mail", "email_verified"] {
        assert_eq!(after.get(lost), None, "{lost}");
    }
    assert_eq!(after["name"], "Ada");
}

#[test]
fn a_name_that_the_configuration_reads_elsewhere_stays_where_a_refresh_does_not_say_it() {
    let user = json!({ "id": "profile.id", "name": "profile.firstName", "email": "profile.email" });
    let settings = saying_at_the_login(true, &user, &json!({ "name": "login.nick" }), &Value::Null);
    for profile in [json!({ "id": 17 }), json!({ "id": 17, "firstName": "Augusta" })] {
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        login(&world, &json!({ "nick": "countess" }));
        sign_in_as_ada(&world, &mut browser);
        assert_eq!(sealed(&world, &browser)["name"], "countess");
        world.api.answers_json("/me", 200, &profile);
        world.pass(EXPIRED);
        assert_eq!(fetch(&world, &mut browser).status, 200);
        assert_eq!(sealed(&world, &browser)["name"], "countess", "{profile}");
    }
}

#[test]
fn what_a_page_wrote_stays_where_the_provider_has_nothing_of_that_name() {
    let mut settings = with_lease("none");
    settings["claims"]["nickname"] = json!("profile.nickname");
    settings["session"]["updatable"] = json!(["nickname"]);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let update = json!({ "csrfToken": csrf, "data": { "nickname": "rob" } }).to_string();
    let headers = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &headers, update.as_bytes());
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!(sealed(&world, &browser)["nickname"], "rob");
}

#[test]
fn userinfo_of_a_user_whom_another_claim_names_is_read_at_a_refresh_without_an_id_token() {
    let mut settings = with_lease("none");
    settings["providers"][0]["user"] = json!({ "id": "profile.employee" });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    userinfo(&world, |claims| claims["employee"] = json!("e-1"));
    browser.sign_in(&world, "bob", "/");
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("id_token");
    });
    userinfo(&world, |claims| {
        claims["employee"] = json!("e-1");
        claims["roles"] = json!(["editor"]);
    });
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!(sealed(&world, &browser)["roles"], json!(["editor"]), "{}", world.log_text());
}

#[test]
fn an_address_that_the_provider_no_longer_says_is_gone_where_it_has_no_list_of_them() {
    let (world, mut browser) = (TestEnv::with(with_lease("none")), Browser::new());
    browser.sign_in(&world, "bob", "/");
    assert_eq!(sealed(&world, &browser)["email"], "bob@example.com");
    userinfo(&world, |claims| {
        claims.as_object_mut().unwrap().remove("email");
    });
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert!(sealed(&world, &browser).get("email").is_none_or(Value::is_null));
}

#[test]
fn unproven_identity_a_refresh_verifies_no_address_that_a_page_entered_and_the_rest_follows_the_user() {
    let mut settings = with_lease("none");
    settings["session"]["updatable"] = json!(["email"]);
    settings["upstreams"] = json!([{ "to": "https://upstream.example", "authorization": "access_token" }]);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    userinfo(&world, |claims| claims["email_verified"] = json!(true));
    browser.sign_in(&world, "alice", "/");
    let csrf = browser.csrf(&world);
    let update = json!({ "csrfToken": csrf, "data": { "email": "root@example.com" } }).to_string();
    let headers = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &headers, update.as_bytes());
    userinfo(&world, |claims| {
        claims["email_verified"] = json!(true);
        claims["roles"] = json!(["editor"]);
    });
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    let after = sealed(&world, &browser);
    assert_eq!(
        (&after["email"], &after["email_verified"], &after["roles"]),
        (&json!("root@example.com"), &json!(false), &json!(["editor"]))
    );
}

/// Notes what the hook sees of the nickname at each refresh.
struct SeesNickname(Rc<RefCell<Vec<Value>>>);

impl Hooks for SeesNickname {
    type Profile = Value;
    type Session = DefaultSession;

    async fn token(&self, claims: &mut Map<String, Value>, occasion: TokenOccasion<'_, Value>) {
        if let TokenOccasion::Refresh(_) = occasion {
            self.0.borrow_mut().push(claims.get("nickname").cloned().unwrap_or_default());
        }
    }
}

#[test]
fn a_hook_sees_at_a_refresh_what_a_page_wrote() {
    let mut settings = with_lease("none");
    settings["claims"]["nickname"] = json!("profile.nickname");
    settings["session"]["updatable"] = json!(["nickname"]);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (world, mut browser) =
        (TestEnv::with_hooks(settings, SeesNickname(Rc::clone(&seen))), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let update = json!({ "csrfToken": csrf, "data": { "nickname": "rob" } }).to_string();
    let headers = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &headers, update.as_bytes());
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!(*seen.borrow(), [json!("rob")]);
}

#[test]
fn what_is_known_of_an_address_stays_with_it_where_the_configuration_reads_it_elsewhere() {
    let user = json!({ "id": "profile.id", "name": "profile.firstName", "email": "profile.email" });
    let claims = json!({ "email": "login.mail", "email_verified": "login.checked" });
    let settings = saying_at_the_login(true, &user, &claims, &Value::Null);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    login(&world, &json!({ "mail": "countess@example.org", "checked": true }));
    sign_in_as_ada(&world, &mut browser);
    let known = |browser: &Browser| {
        let session = sealed(&world, browser);
        (session["email"].clone(), session["email_verified"].clone())
    };
    let before = known(&browser);
    assert_eq!(before, (json!("countess@example.org"), json!(true)));
    world.api.answers_json("/me", 200, &json!({ "id": 17, "firstName": "Augusta" }));
    world.pass(EXPIRED);
    assert_eq!(fetch(&world, &mut browser).status, 200);
    assert_eq!((known(&browser), sealed(&world, &browser)["name"].clone()), (before, json!("Augusta")));
}

#[test]
fn unproven_identity_what_a_refresh_no_longer_says_of_an_address_goes_where_the_configuration_reads_it_twice()
{
    let user = json!({ "id": "profile.id", "name": "profile.firstName", "email": "profile.email" });
    let mut settings = saying_at_the_login(true, &user, &json!({ "email": "login.mail" }), &Value::Null);
    settings["providers"][0]["email_verified"] = json!("profile.verified");
    for refreshed in [
        json!({ "id": 17, "firstName": "Ada", "email": "ada@example.com" }),
        json!({ "id": 17, "firstName": "Ada" }),
    ] {
        let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
        login(&world, &json!({ "mail": "ada@example.com" }));
        let profile = json!({ "id": 17, "firstName": "Ada", "email": "ada@example.com", "verified": true });
        world.api.answers_json("/me", 200, &profile);
        sign_in_as_ada(&world, &mut browser);
        let before = sealed(&world, &browser);
        assert_eq!((&before["email"], &before["email_verified"]), (&json!("ada@example.com"), &json!(true)));
        world.api.answers_json("/me", 200, &refreshed);
        world.pass(EXPIRED);
        assert_eq!(fetch(&world, &mut browser).status, 200);
        let after = sealed(&world, &browser);
        // As after a sign-in with the same profile.
        assert_eq!(
            (&after["email"], after.get("email_verified")),
            (&json!("ada@example.com"), None),
            "{refreshed}"
        );
    }
}
