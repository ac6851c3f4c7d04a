//! When a session ends: by `max_age` and `absolute_max_age`, by the time that the provider sets (`session_expiry`), and
//! with the browser (`session.persistent`).

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_testing::credentials_api::{EMAIL, PASSWORD};
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, SECRET, TestEnv, settings};

use crate::credentials::json_api;

const SESSION: &str = "__Secure-authjs.session-token";
const V4_SESSION: &str = "__Secure-next-auth.session-token";
const CALLBACK: &str = "https://app.example.com/auth/callback/credentials";
const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

/// The settings with this table `session`, in which no page sees the access token.
fn with_session(session: Value) -> Value {
    let mut settings = settings();
    settings["session"] = session;
    // The store's answers take time.
    settings["revocation"] = json!({ "store": "none" });
    settings
}

fn keys() -> Keyring {
    Keyring::new(vec![Secret::new(SECRET)]).unwrap()
}

/// The claims that are sealed in the browser's session.
fn sealed(world: &TestEnv, browser: &Browser) -> Map<String, Value> {
    let token = browser.cookie(SESSION).expect("a session");
    seal::open(&keys(), Dialect::AuthJsV5, SESSION, token, world.now()).unwrap()
}

/// A session as Auth.js itself makes it.
fn of_authjs(world: &TestEnv) -> String {
    let claims = json!({ "name": "Ada", "email": "ada@example.com", "sub": "1" });
    let claims = claims.as_object().unwrap();
    let random = &mut |bytes: &mut [u8]| world.random.fill(bytes);
    seal::seal(&keys(), Dialect::AuthJsV5, SESSION, claims, DAY * 30, world.now(), random)
}

/// The `Set-Cookie` fields of the answer that set a session's cookie.
fn written(answer: &Answer) -> Vec<&str> {
    let is_written = |cookie: &&str| cookie.contains("session-token") && !cookie.contains("Max-Age=0");
    answer.headers.get_all("set-cookie").filter(is_written).collect()
}

/// Whether the answer writes a session whose cookies stay when the browser closes. All of its cookies say the same.
fn is_persistent(answer: &Answer) -> bool {
    let cookies = written(answer);
    let lasting = cookies.iter().filter(|cookie| cookie.contains("; Expires=")).count();
    assert!(!cookies.is_empty(), "no session is written: {answer:?}");
    assert!(lasting == 0 || lasting == cookies.len(), "{cookies:?}");
    assert!(cookies.iter().all(|cookie| !cookie.contains("Max-Age")), "{cookies:?}");
    lasting > 0
}

fn is_signed_in(world: &TestEnv, browser: &mut Browser) -> bool {
    browser.session(world).get("user").is_some()
}

#[test]
fn by_default_a_session_ends_ninety_days_after_the_sign_in_however_often_it_is_used() {
    let (world, mut browser) = (TestEnv::with(with_session(json!({}))), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let end = world.now().plus(DAY * 90);
    for _ in 0..89 {
        world.pass(DAY);
        assert!(is_signed_in(&world, &mut browser));
    }
    assert_eq!(browser.session(&world)["expires"], end.to_rfc3339());
    // The requests took time, too.
    let left = end.since(world.now());
    world.pass(left.checked_sub(SECOND).unwrap());
    assert!(is_signed_in(&world, &mut browser));
    world.pass(SECOND);
    assert!(!is_signed_in(&world, &mut browser));
    assert_eq!(browser.cookie(SESSION), None);
}

#[test]
fn without_the_absolute_limit_a_session_that_is_used_does_not_end() {
    let settings = with_session(json!({ "absolute_max_age": "none" }));
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    for _ in 0..30 {
        world.pass(DAY * 20);
        assert!(is_signed_in(&world, &mut browser));
    }
}

#[test]
fn a_max_age_of_more_than_ninety_days_is_the_absolute_limit_too() {
    let settings = with_session(json!({ "max_age": "180d" }));
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let expires = world.now().plus(DAY * 180).to_rfc3339();
    world.pass(DAY * 170);
    assert_eq!(browser.session(&world)["expires"], expires);
    world.pass(DAY * 10);
    assert!(!is_signed_in(&world, &mut browser));
}

#[test]
fn the_absolute_limit_holds_for_refreshes_and_updates_too() {
    let mut settings = settings();
    settings["session"]["absolute_max_age"] = json!("31d");
    settings["session"]["updatable"] = json!(["theme"]);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let begun = world.now();
    world.pass(DAY * 20);
    browser.session(&world);
    let claims = sealed(&world, &browser);
    assert_eq!((&claims["generation"], &claims["signed_in_at"]), (&json!(1), &json!(begun.seconds())));
    let csrf = browser.csrf(&world);
    let body = json!({ "csrfToken": csrf, "data": { "theme": "dark" } }).to_string();
    let json = [("content-type", "application/json")];
    browser.send(&world, "POST", &format!("{APP}/auth/session"), &json, body.as_bytes());
    let claims = sealed(&world, &browser);
    assert_eq!(claims["theme"], "dark");
    assert_eq!(claims["signed_in_at"], begun.seconds());
    // A fraction of a second is cut off.
    let left = begun.plus(DAY * 31).seconds() - claims["exp"].as_u64().unwrap();
    assert!(left <= 1, "{left}");
}

#[test]
fn a_session_of_authjs_counts_from_its_first_iat_through_all_renewals() {
    let settings = with_session(json!({ "max_age": "10d", "absolute_max_age": "20d" }));
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    browser.plant(SESSION, &of_authjs(&world));
    let begun = world.now();
    for day in 1..20 {
        world.pass(DAY);
        assert_eq!(browser.session(&world)["user"]["name"], "Ada", "{day}");
        assert_eq!(sealed(&world, &browser)["signed_in_at"], begun.seconds(), "{day}");
    }
    world.pass(DAY);
    assert!(!is_signed_in(&world, &mut browser));
}

/// An environment whose provider ends sessions at `expiry`.
fn ending_at(settings: Value, expiry: Value) -> TestEnv {
    let world = TestEnv::with(settings);
    world.provider.alters_answer_at("id_token", move |claims| claims["session_expiry"] = expiry.clone());
    world
}

/// The time of every new environment.
fn start() -> Timestamp {
    TestEnv::new().now()
}

#[test]
fn no_renewal_passes_the_time_that_the_provider_sets() {
    let end = start().plus(DAY * 3);
    let (world, mut browser) = (ending_at(with_session(json!({})), json!(end.seconds())), Browser::new());
    let answer = browser.sign_in(&world, "bob", "/");
    let expires = format!("; Expires={}; HttpOnly", end.to_imf_fixdate());
    assert!(written(&answer).iter().all(|cookie| cookie.contains(&expires)), "{answer:?}");
    assert_eq!(sealed(&world, &browser)["ends_at"], end.seconds());
    for _ in 0..2 {
        world.pass(DAY);
        assert_eq!(browser.session(&world)["expires"], end.to_rfc3339());
        assert_eq!(sealed(&world, &browser)["exp"], end.seconds());
    }
    world.pass(DAY.checked_sub(SECOND).unwrap());
    assert!(browser.open(&world, &format!("{APP}/dashboard")).forwarded.is_some());
    world.pass(SECOND);
    let answer = browser.open(&world, &format!("{APP}/dashboard"));
    assert!(answer.forwarded.is_none() && answer.status == 302);
    assert_eq!(browser.session(&world), Value::Null);
}

#[test]
fn the_provider_can_only_end_a_session_before_the_sites_own_limits() {
    let settings = with_session(json!({ "max_age": "1d", "absolute_max_age": "2d" }));
    let (world, mut browser) =
        (ending_at(settings, json!(start().plus(DAY * 300).seconds())), Browser::new());
    browser.sign_in(&world, "bob", "/");
    assert_eq!(browser.session(&world)["expires"], start().plus(DAY).to_rfc3339());
    world.pass(DAY);
    assert_eq!(browser.session(&world)["expires"], start().plus(DAY * 2).to_rfc3339());
}

#[test]
fn a_sign_in_whose_session_would_be_over_is_refused() {
    for expiry in [start().seconds(), start().seconds() - 1, 1] {
        let (world, mut browser) = (ending_at(settings(), json!(expiry)), Browser::new());
        let answer = browser.sign_in(&world, "bob", "/");
        assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
        assert_eq!(browser.cookie(SESSION), None);
        let said = "the provider says that the session is over";
        assert!(world.log_text().contains(said), "{}", world.log_text());
        assert_eq!(world.logged(LogEvent::AuthError).len(), 1);
    }
}

#[test]
fn a_session_expiry_that_is_no_time_is_logged_and_ignored() {
    let millis = start().millis();
    for garbage in
        [json!(0), json!(-5), json!("tomorrow"), json!(millis), json!(1.5), json!({}), json!([]), json!(true)]
    {
        let (world, mut browser) = (ending_at(with_session(json!({})), garbage.clone()), Browser::new());
        browser.sign_in(&world, "bob", "/");
        assert_eq!(browser.session(&world)["expires"], start().plus(DAY * 30).to_rfc3339(), "{garbage}");
        assert!(!sealed(&world, &browser).contains_key("ends_at"));
        assert_eq!(world.logged(LogEvent::SessionExpiryIgnored).len(), 1, "{garbage}");
    }
    let (world, mut browser) = (ending_at(settings(), Value::Null), Browser::new());
    browser.sign_in(&world, "bob", "/");
    assert!(world.logged(LogEvent::SessionExpiryIgnored).is_empty());
}

/// Signs in with a session that ends after two hours. Two minutes before the access token expires, which is after an
/// hour, the session is read again. The new ID token says `refreshed`.
fn refreshed(refreshed: Value) -> (TestEnv, Browser, Value) {
    let (world, mut browser) =
        (ending_at(settings(), json!(start().plus(HOUR * 2).seconds())), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let claim = move |claims: &mut Value| claims["session_expiry"] = refreshed.clone();
    world.provider.alters_answer_at("refreshed_id_token", claim);
    world.pass(HOUR.checked_sub(SECOND * 10).unwrap());
    let session = browser.session(&world);
    (world, browser, session)
}

#[test]
fn the_newest_id_token_says_when_the_session_ends() {
    for (said, end) in [
        (json!(start().plus(HOUR * 5).seconds()), start().plus(HOUR * 5)),
        (json!(start().plus(HOUR).plus(SECOND).seconds()), start().plus(HOUR).plus(SECOND)),
        // It says nothing, or nothing that is a time.
        (Value::Null, start().plus(HOUR * 2)),
        (json!("later"), start().plus(HOUR * 2)),
    ] {
        let (world, browser, session) = refreshed(said.clone());
        assert_eq!(session["expires"], end.to_rfc3339(), "{said}");
        let claims = sealed(&world, &browser);
        assert_eq!((&claims["generation"], &claims["ends_at"]), (&json!(1), &json!(end.seconds())), "{said}");
    }
}

#[test]
fn a_refresh_that_says_that_the_session_is_over_ends_it() {
    let (world, mut browser, session) = refreshed(json!(start().plus(HOUR / 2).seconds()));
    assert_eq!(session["error"], "RefreshTokenError");
    assert_eq!(world.logged(LogEvent::RefreshTokenInvalid).len(), 1);
    assert!(world.log_text().contains("session_expiry"), "{}", world.log_text());
    assert_eq!(browser.open(&world, &format!("{APP}/dashboard")).status, 302);
}

#[test]
fn an_id_token_whose_signature_is_not_verified_does_not_extend_a_session() {
    for (said, end) in [(5, 2), (1, 1)] {
        let end = start().plus(HOUR * end).plus(SECOND * 30);
        let said = start().plus(HOUR * said).plus(SECOND * 30);
        let first = start().plus(HOUR * 2).plus(SECOND * 30);
        let (world, mut browser) = (ending_at(settings(), json!(first.seconds())), Browser::new());
        browser.sign_in(&world, "bob", "/");
        let claim = move |claims: &mut Value| claims["session_expiry"] = json!(said.seconds());
        world.provider.alters_answer_at("refreshed_id_token", claim);
        world.provider.rotates_its_key_to("key-2");
        world.provider.goes_down("jwks");
        world.pass(HOUR.checked_sub(SECOND * 10).unwrap());
        browser.session(&world);
        assert_eq!(world.logged(LogEvent::IdTokenNotVerified).len(), 1);
        assert_eq!(sealed(&world, &browser)["ends_at"], end.seconds());
    }
}

#[test]
fn a_browser_that_missed_an_earlier_end_is_signed_out_by_the_stored_tokens() {
    let (world, mut browser) = (ending_at(settings(), json!(start().plus(DAY).seconds())), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let mut away = browser.clone();
    let earlier = json!(start().plus(HOUR * 3).seconds());
    let claim = move |claims: &mut Value| claims["session_expiry"] = earlier.clone();
    world.provider.alters_answer_at("refreshed_id_token", claim);
    world.pass(HOUR * 2);
    assert!(is_signed_in(&world, &mut browser));
    world.pass(HOUR * 2);
    assert!(!is_signed_in(&world, &mut browser));
    assert_eq!(world.provider.grants.given.get(), 1);
    let answer = away.open(&world, &format!("{APP}/dashboard"));
    assert!(answer.forwarded.is_none(), "{answer:?}");
    assert_eq!(world.provider.grants.given.get(), 1, "the old refresh token is not used again");
}

#[test]
fn by_default_the_session_stays_when_the_browser_closes() {
    for settings in [settings(), with_session(json!({ "persistent": true }))] {
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        assert!(is_persistent(&browser.sign_in(&world, "bob", "/")));
        assert!(!sealed(&world, &browser).contains_key("persistent"));
    }
}

#[test]
fn with_persistent_false_every_cookie_of_the_session_ends_with_the_browser() {
    for (dialect, domain, roles) in
        [("authjs-v5", None, 1), ("next-auth-v4", None, 1), ("authjs-v5", Some("example.com"), 60)]
    {
        let mut settings = settings();
        settings["session"]["persistent"] = json!(false);
        settings["revocation"] = json!({ "store": "none" });
        settings["dialect"] = json!(dialect);
        if let Some(domain) = domain {
            settings["cookies"] = json!({ "domain": domain });
        }
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        world
            .provider
            .alters_answer_at("userinfo", move |user| user["roles"] = json!(vec!["x".repeat(100); roles]));
        let answer = browser.sign_in(&world, "bob", "/");
        assert!(!is_persistent(&answer), "{dialect}");
        assert_eq!(written(&answer).len() > 1, roles > 1);
        for cookie in written(&answer) {
            let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
            assert!(
                cookie.ends_with(&format!("{domain}; Path=/; HttpOnly; Secure; SameSite=Lax")),
                "{cookie}"
            );
        }
        // Everything else is as before: the session itself says when it ends.
        assert_eq!(browser.session(&world)["expires"], world.now().plus(DAY * 30).to_rfc3339());
        world.pass(DAY);
        let answer = browser.fetch(&world, &format!("{APP}/auth/session"));
        assert!(!is_persistent(&answer), "a renewal and a refresh keep it: {dialect}");
        world.pass(DAY * 31);
        assert!(!is_signed_in(&world, &mut browser));
    }
}

#[test]
fn with_persistent_false_a_session_from_before_and_one_of_authjs_end_with_the_browser_from_their_next_renewal()
 {
    let (before, mut browser) = (TestEnv::with(with_session(json!({}))), Browser::new());
    browser.sign_in(&before, "bob", "/");
    let world = before.isolate(with_session(json!({ "persistent": false })), "here");
    let mut of_auth_js = Browser::new();
    of_auth_js.plant(SESSION, &of_authjs(&world));
    world.pass(DAY);
    for browser in [&mut browser, &mut of_auth_js] {
        assert!(!is_persistent(&browser.fetch(&world, &format!("{APP}/auth/session"))));
    }
}

#[test]
fn another_worker_of_the_site_keeps_what_was_decided_at_the_sign_in() {
    let (world, mut browser) = (TestEnv::with(with_session(json!({ "persistent": false }))), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let member = world.isolate(with_session(json!({})), "here");
    world.pass(DAY);
    assert!(!is_persistent(&browser.fetch(&member, &format!("{APP}/auth/session"))));
}

/// The settings of an API whose form asks.
fn asking_api() -> Value {
    let mut settings = json_api();
    settings["session"]["persistent"] = json!("ask");
    settings["session"]["updatable"] = json!(["theme"]);
    settings
}

/// Signs in with the API's form and these further fields.
fn with_fields(world: &TestEnv, browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.csrf(world);
    let mut all = vec![("csrfToken", csrf.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    all.extend_from_slice(fields);
    browser.post(world, CALLBACK, &all)
}

#[test]
fn the_checkbox_of_the_form_decides_whether_the_session_stays() {
    for (fields, stays) in [
        (&[][..], false),
        (&[("persistent", "true")], true),
        (&[("persistent", "on")], true),
        (&[("persistent", "1")], true),
        (&[("persistent", "false")], false),
        (&[("persistent", "")], false),
        (&[("persistent", "perhaps")], false),
    ] {
        let (world, mut browser) = (TestEnv::with(asking_api()), Browser::new());
        let answer = with_fields(&world, &mut browser, fields);
        assert_eq!(is_persistent(&answer), stays, "{fields:?}");
        let claim = sealed(&world, &browser).get("persistent").cloned();
        assert_eq!(claim, (!stays).then_some(json!(false)), "{fields:?}");
    }
    let (world, mut browser) = (TestEnv::with(asking_api()), Browser::new());
    let answer = with_fields(&world, &mut browser, &[("persistent", "true"), ("persistent", "false")]);
    assert_eq!((answer.status, browser.cookie(SESSION)), (400, None), "one answer, not two");
}

#[test]
fn a_script_sends_the_same_field_in_a_form_or_as_json() {
    let (world, mut browser) = (TestEnv::with(asking_api()), Browser::new());
    for stays in [true, false] {
        let csrf = browser.csrf(&world);
        let body = json!({ "csrfToken": csrf, "email": EMAIL, "password": PASSWORD, "persistent": stays });
        let headers = [("content-type", "application/json"), ("x-auth-return-redirect", "1")];
        let answer = browser.send(&world, "POST", CALLBACK, &headers, body.to_string().as_bytes());
        assert_eq!(is_persistent(&answer), stays, "{answer:?}");
    }
}

#[test]
fn the_choice_stays_through_renewals_refreshes_and_updates() {
    for stays in [true, false] {
        let (world, mut browser) = (TestEnv::with(asking_api()), Browser::new());
        let fields: &[(&str, &str)] = if stays { &[("persistent", "true")] } else { &[] };
        with_fields(&world, &mut browser, fields);
        for generation in 1..3 {
            world.pass(DAY);
            let answer = browser.fetch(&world, &format!("{APP}/auth/session"));
            assert_eq!(is_persistent(&answer), stays);
            assert_eq!(sealed(&world, &browser)["generation"], generation);
        }
        let csrf = browser.csrf(&world);
        let body =
            json!({ "csrfToken": csrf, "data": { "theme": "dark", "persistent": !stays } }).to_string();
        let json = [("content-type", "application/json")];
        let answer = browser.send(&world, "POST", &format!("{APP}/auth/session"), &json, body.as_bytes());
        assert_eq!(is_persistent(&answer), stays, "a page cannot change it");
    }
}

#[test]
fn without_ask_no_one_chooses() {
    for (persistent, stays) in [(true, true), (false, false)] {
        let mut settings = json_api();
        settings["session"]["persistent"] = json!(persistent);
        for choice in ["true", "false"] {
            let (world, mut browser) = (TestEnv::with(settings.clone()), Browser::new());
            let answer = with_fields(&world, &mut browser, &[("persistent", choice)]);
            assert_eq!(is_persistent(&answer), stays);
            let page = browser.open(&world, &format!("{APP}/auth/signin"));
            assert!(!page.body.contains("Keep me signed in"));
        }
    }
}

#[test]
fn the_sign_in_page_asks_with_a_checkbox_that_is_not_checked() {
    let (world, mut browser) = (TestEnv::with(asking_api()), Browser::new());
    let page = browser.open(&world, &format!("{APP}/auth/signin")).body;
    let checkbox = r#"<input id="credentials-persistent" name="persistent" type="checkbox" value="true">"#;
    assert!(page.contains(checkbox), "{page}");
    assert!(page.contains(r#"<label for="credentials-persistent">Keep me signed in</label>"#), "{page}");
}

/// Signs in at the provider with these further fields in the form.
fn by_provider(world: &TestEnv, browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.csrf(world);
    let mut all = vec![("csrfToken", csrf.as_str())];
    all.extend_from_slice(fields);
    let answer = browser.post(world, &format!("{APP}/auth/signin/acme"), &all);
    let request = AuthorizationRequest::read(answer.location());
    assert!(!request.params.contains_key("persistent"), "it is not for the provider");
    let callback = world.provider.authorize(&request, "bob");
    browser.open(world, &callback)
}

#[test]
fn a_page_of_the_app_can_ask_before_a_sign_in_at_a_provider_too() {
    for (persistent, fields, stays) in [
        (json!("ask"), &[][..], true),
        (json!("ask"), &[("persistent", "true")], true),
        (json!("ask"), &[("persistent", "false")], false),
        (json!(true), &[("persistent", "false")], true),
        (json!(false), &[("persistent", "true")], false),
    ] {
        let settings = with_session(json!({ "persistent": persistent }));
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let answer = by_provider(&world, &mut browser, fields);
        assert_eq!(is_persistent(&answer), stays, "{persistent} {fields:?}");
    }
}

#[test]
fn a_session_that_ends_with_the_browser_signs_out_like_any_other() {
    let (world, mut browser) = (TestEnv::with(asking_api()), Browser::new());
    with_fields(&world, &mut browser, &[]);
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(browser.cookie(SESSION), None);
    assert_eq!(browser.cookie(V4_SESSION), None);
    assert_eq!(browser.session(&world), Value::Null);
}
