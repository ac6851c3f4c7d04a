//! `flow/session/provider_logout`: signing out at the provider, and the way back.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;
use vestibule_core::config::Config;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::log::LogEvent;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, SECRET, TestEnv, environment, settings};

const SESSION: &str = "__Secure-authjs.session-token";
const HINT: &str = "__Secure-authjs.logout-hint";
const STATE: &str = "__Secure-authjs.logout-state";
/// The one address that is registered at the provider.
const CALLBACK: &str = "https://app.example.com/auth/signout/callback";
const END: &str = "https://idp.example/bye";

/// Settings with which the provider's session ends, too.
fn with_logout(logout: &Value) -> Value {
    let mut settings = settings();
    settings["providers"][0]["logout"] = logout.clone();
    settings
}

fn with_end() -> TestEnv {
    TestEnv::with(with_logout(&json!(END)))
}

fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser
}

/// Signs out, to go to `return_to` then.
fn sign_out(world: &TestEnv, browser: &mut Browser, return_to: &str) -> Answer {
    let csrf = browser.csrf(world);
    let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", return_to)];
    browser.post(world, &format!("{APP}/auth/signout"), &fields)
}

fn query(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Where the browser comes back to from the provider, which returns `state`.
fn back(logout: &str) -> String {
    let state = query(logout, "state").expect("a state");
    format!("{}?state={state}", query(logout, "post_logout_redirect_uri").expect("an address"))
}

/// The claims of the ID token in a logout request.
fn hinted(logout: &str) -> Option<Value> {
    let token = query(logout, "id_token_hint")?;
    Some(vestibule_core::jose::jws::decode_unverified(&token))
}

fn session_of(world: &TestEnv, browser: &Browser) -> Value {
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let token = browser.cookie(SESSION).expect("a session");
    Value::Object(seal::open(&keys, Dialect::AuthJsV5, SESSION, token, world.now()).unwrap())
}

fn logout_cookies(browser: &Browser) -> Vec<&str> {
    browser.cookie_names().into_iter().filter(|name| name.contains("logout")).collect()
}

fn cookies_in<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.get_all("set-cookie").filter(|cookie| cookie.starts_with(name)).collect()
}

#[test]
fn oidcc_client_rp_init_logout_ends_the_session_here_and_at_the_provider_and_comes_back_to_the_page() {
    let world = TestEnv::with(with_logout(&json!(true)));
    world.provider.alters_answer_at("discovery", |d| d["end_session_endpoint"] = json!(END));
    let mut browser = signed_in(&world, "bob");
    let (copy, page) = (browser.clone(), "/orders?page=2#last");
    let answer = sign_out(&world, &mut browser, page);
    assert_eq!(answer.status, 302);
    let logout = answer.location();
    assert!(logout.starts_with("https://idp.example/bye?client_id=vestibule&"), "{logout}");
    assert_eq!(query(logout, "post_logout_redirect_uri").as_deref(), Some(CALLBACK));
    assert_eq!(hinted(logout).unwrap()["sub"], "bob-1");
    assert!(query(logout, "state").is_some_and(|state| state.len() == 43));
    assert_eq!(query(logout, "logout_hint"), None);

    // Our session has ended before the browser leaves, in every copy, and nothing of it is left.
    assert_eq!(copy.clone().session(&world), Value::Null);
    assert_eq!(browser.cookie(SESSION), None);
    assert_eq!(browser.cookie(HINT), None);

    let back = browser.open(&world, &back(logout));
    assert_eq!((back.status, back.location()), (302, "https://app.example.com/orders?page=2#last"));
    assert_eq!(back.headers.get("cache-control"), Some("private, no-cache, no-store"));
    assert_eq!(browser.cookie(STATE), None);
    assert_eq!(world.logged(LogEvent::LogoutReturnRejected).len(), 0);
}

#[test]
fn oidcc_client_rp_init_logout_other_state_leads_home_and_is_noticed() {
    let world = with_end();
    let mut browser = signed_in(&world, "bob");
    let first = sign_out(&world, &mut browser, "/orders").location().to_owned();
    let mut elsewhere = signed_in(&world, "bob");
    let of_another_browser = query(sign_out(&world, &mut elsewhere, "/x").location(), "state").unwrap();
    let states = ["other", "", of_another_browser.as_str(), "a&state=a"];
    for (n, state) in states.into_iter().enumerate() {
        let answer = browser.open(&world, &format!("{CALLBACK}?state={state}"));
        assert_eq!((answer.status, answer.location()), (302, APP), "{state}");
        assert_eq!(world.logged(LogEvent::LogoutReturnRejected).len(), n + 1, "{state}");
    }
    // The right one leads to the page all the same.
    assert_eq!(browser.open(&world, &back(&first)).location(), "https://app.example.com/orders");
    // But once only.
    assert_eq!(browser.open(&world, &back(&first)).location(), APP);
}

#[test]
fn oidcc_client_rp_init_logout_no_state_leads_home_and_is_noticed() {
    let world = with_end();
    let mut browser = signed_in(&world, "bob");
    sign_out(&world, &mut browser, "/orders");
    let answer = browser.open(&world, CALLBACK);
    assert_eq!((answer.status, answer.location()), (302, APP));
    let logged = world.log_text();
    assert!(logged.contains("logout_return_rejected") && logged.contains("returned no state"), "{logged}");
    // So it is where nobody signed out.
    assert_eq!(Browser::new().open(&world, CALLBACK).location(), APP);
}

#[test]
fn the_way_back_is_open_for_fifteen_minutes() {
    for (minutes, page) in [(14, "https://app.example.com/orders"), (16, APP)] {
        let world = with_end();
        let mut browser = signed_in(&world, "bob");
        let back = back(sign_out(&world, &mut browser, "/orders").location());
        world.pass(Duration::from_mins(minutes));
        assert_eq!(browser.open(&world, &back).location(), page);
    }
}

#[test]
fn open_redirect_the_way_by_the_provider_leads_to_trusted_addresses_only() {
    let world = with_end();
    for address in ["https://evil.example/", "//evil.example", "javascript:alert(1)"] {
        let mut browser = signed_in(&world, "bob");
        let logout = sign_out(&world, &mut browser, address);
        assert_eq!(query(logout.location(), "post_logout_redirect_uri").as_deref(), Some(CALLBACK));
        assert_eq!(browser.open(&world, &back(logout.location())).location(), APP, "{address}");
    }
    // Nor does an address that is too long for a cookie prevent the sign-out: it leads home.
    let mut browser = signed_in(&world, "bob");
    let logout = sign_out(&world, &mut browser, &format!("/{}", "a".repeat(3900)));
    assert_eq!(browser.open(&world, &back(logout.location())).location(), APP);
}

#[test]
fn a_prefetch_of_the_way_back_uses_nothing_up() {
    let world = with_end();
    let mut browser = signed_in(&world, "bob");
    let back = back(sign_out(&world, &mut browser, "/orders").location());
    let prefetch = [("sec-purpose", "prefetch"), ("sec-fetch-mode", "navigate")];
    assert_eq!(browser.send(&world, "GET", &back, &prefetch, b"").status, 503);
    assert_eq!(browser.open(&world, &back).location(), "https://app.example.com/orders");
}

#[test]
fn with_logout_as_a_url_its_query_is_kept_and_without_logout_the_browser_stays() {
    let world = TestEnv::with(with_logout(&json!("https://idp.example/bye?tenant=a")));
    let answer = sign_out(&world, &mut signed_in(&world, "bob"), "/");
    assert!(answer.location().starts_with("https://idp.example/bye?tenant=a&client_id=vestibule&"));
    let world = TestEnv::with(with_logout(&json!(false)));
    let mut browser = signed_in(&world, "bob");
    assert_eq!(logout_cookies(&browser), [""; 0]);
    assert_eq!(session_of(&world, &browser).get("hint_chunks"), None);
    assert_eq!(sign_out(&world, &mut browser, "/about").location(), format!("{APP}/about"));
    assert_eq!(logout_cookies(&browser), [""; 0]);
}

#[test]
fn the_page_that_asks_leads_home_or_to_the_page_that_the_link_names() {
    let fields_of = |logout: &Value, page: &str| {
        let (world, mut browser) = (TestEnv::with(with_logout(logout)), Browser::new());
        browser.sign_in(&world, "bob", "/orders?page=2");
        browser.open(&world, &format!("{APP}{page}")).body
    };
    let back = |address: &str| format!("name=\"callbackUrl\" value=\"{address}\"");
    // The page that they signed in for would begin to sign them in again.
    let page = fields_of(&json!(END), "/auth/signout");
    assert!(page.contains(&back(APP)), "{page}");
    let page = fields_of(&json!(END), "/auth/signout?callbackUrl=/bye");
    assert!(page.contains(&back(&format!("{APP}/bye"))), "{page}");
    let page = fields_of(&json!(false), "/auth/signout");
    assert!(page.contains(&back(&format!("{APP}/orders?page=2"))), "{page}");
}

#[test]
fn a_script_gets_the_address_of_the_logout_as_json() {
    let world = with_end();
    for header in [true, false] {
        let mut browser = signed_in(&world, "bob");
        let csrf = browser.csrf(&world);
        let mut fields = vec![("csrfToken", csrf.as_str()), ("callbackUrl", "/about")];
        let headers: &[(&str, &str)] = if header { &[("x-auth-return-redirect", "1")] } else { &[] };
        if !header {
            fields.push(("json", "true"));
        }
        let answer = browser.post_with(&world, &format!("{APP}/auth/signout"), &fields, headers);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let url = body["url"].as_str().unwrap();
        assert_eq!((answer.status, hinted(url).unwrap()["sub"].as_str()), (200, Some("bob-1")));
        assert_eq!(browser.open(&world, &back(url)).location(), format!("{APP}/about"));
    }
}

#[test]
fn an_endpoint_that_calls_the_address_otherwise_gets_no_hint_and_its_return_needs_no_state() {
    for name in ["returnTo", "logout_uri", "redirect"] {
        let mut settings = with_logout(&json!(END));
        settings["providers"][0]["logout_redirect_param"] = json!(name);
        let world = TestEnv::with(settings);
        let mut browser = signed_in(&world, "bob");
        assert_eq!(logout_cookies(&browser), [""; 0]);
        let logout = sign_out(&world, &mut browser, "/orders");
        let encoded = "https%3A%2F%2Fapp.example.com%2Fauth%2Fsignout%2Fcallback";
        assert_eq!(logout.location(), format!("{END}?client_id=vestibule&{name}={encoded}"));
        // A state that was not sent is a stranger's.
        assert_eq!(browser.open(&world, &format!("{CALLBACK}?state=x")).location(), APP);
        assert_eq!(browser.open(&world, CALLBACK).location(), "https://app.example.com/orders");
        assert_eq!(browser.open(&world, CALLBACK).location(), APP);
    }
}

#[test]
fn the_hint_is_sealed_for_the_sign_out_route_only_and_reaches_no_upstream() {
    let mut settings = with_logout(&json!(END));
    settings["upstreams"][0]["forward_session"] = json!(true);
    let world = TestEnv::with(settings);
    let mut browser = Browser::new();
    let signed_in = browser.sign_in(&world, "bob", "/");
    let [cookie] = cookies_in(&signed_in, HINT)[..] else { panic!("{signed_in:?}") };
    assert!(
        cookie.contains("; Path=/auth/signout; Expires=") && cookie.contains("; HttpOnly; Secure;"),
        "{cookie}"
    );
    assert!(!cookie.contains("Domain="), "{cookie}");
    assert_eq!(session_of(&world, &browser)["hint_chunks"], 1);
    assert!(!browser.cookies_for(&format!("{APP}/auth/session")).contains("logout-hint"));
    assert!(browser.cookies_for(&format!("{APP}/auth/signout")).contains("logout-hint"));
    // Not even from a browser that sends it with every request, nor with refreshed tokens.
    let all = browser.cookies_for(&format!("{APP}/auth/signout"));
    for wait in [Duration::ZERO, Duration::from_hours(1)] {
        world.pass(wait);
        let answer = world.send("GET", &format!("{APP}/api"), &[("cookie", &all)], b"");
        let forwarded = answer.forwarded.expect("it passes").request.headers;
        let cookies = forwarded.get("cookie").expect("the session");
        assert!(cookies.starts_with("__Secure-authjs.session-token="), "{cookies}");
        assert!(!cookies.contains("logout") && !cookies.contains("last-user"), "{cookies}");
    }
}

#[test]
fn the_hint_follows_the_sessions_domain_and_ends_with_the_browser_where_the_session_does() {
    let mut settings = with_logout(&json!(END));
    settings["cookies"] = json!({ "domain": "example.com" });
    settings["session"]["persistent"] = json!(false);
    let world = TestEnv::with(settings);
    let answer = Browser::new().sign_in(&world, "bob", "/");
    let [cookie] = cookies_in(&answer, HINT)[..] else { panic!("{answer:?}") };
    assert!(cookie.contains("; Domain=example.com; Path=/auth/signout; HttpOnly"), "{cookie}");
}

#[test]
fn the_hint_of_another_session_is_not_used() {
    let world = with_end();
    let alice = signed_in(&world, "alice");
    let mut bob = signed_in(&world, "bob");
    bob.plant(HINT, alice.cookie(HINT).unwrap());
    let logout = sign_out(&world, &mut bob, "/").location().to_owned();
    assert_eq!((hinted(&logout), query(&logout, "logout_hint").as_deref()), (None, Some("bob-1")));
    // Behind a planted one, that of the session is found.
    let mut bob = signed_in(&world, "bob");
    let csrf = bob.csrf(&world);
    let cookies = format!("{HINT}={}; {}", alice.cookie(HINT).unwrap(), bob.cookies_for(CALLBACK));
    let form = format!("csrfToken={csrf}");
    let headers = [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = world.send("POST", &format!("{APP}/auth/signout"), &headers, form.as_bytes());
    assert_eq!(hinted(answer.location()).unwrap()["sub"], "bob-1");
}

#[test]
fn an_id_token_beyond_4_kb_is_named_by_logout_hint() {
    for (claim, said) in [(None, "bob-1"), (Some("email"), "bob@example.com"), (Some("login_hint"), "opaque")]
    {
        let mut settings = with_logout(&json!(END));
        settings["claims"]["login_hint"] = json!("id_token.login_hint");
        if let Some(claim) = claim {
            settings["providers"][0]["logout_hint"] = json!(claim);
        }
        let world = TestEnv::with(settings);
        world.provider.alters_answer_at("id_token", |claims| {
            claims["groups"] = json!(vec!["a".repeat(36); 120]);
            claims["login_hint"] = json!("opaque");
        });
        let mut browser = signed_in(&world, "bob");
        assert_eq!(logout_cookies(&browser), [""; 0]);
        assert_eq!(session_of(&world, &browser).get("hint_chunks"), None);
        let logout = sign_out(&world, &mut browser, "/").location().to_owned();
        assert_eq!((hinted(&logout), query(&logout, "logout_hint").as_deref()), (None, Some(said)));
    }
}

#[test]
fn a_hint_in_two_cookies_is_sent_and_erased_wherever_the_session_ends() {
    let world = with_end();
    let groups =
        |count: usize| move |claims: &mut Value| claims["groups"] = json!(vec!["a".repeat(36); count]);
    world.provider.alters_answer_at("id_token", groups(60));
    let mut browser = signed_in(&world, "bob");
    let names = [format!("{HINT}.0"), format!("{HINT}.1")];
    assert!(names.iter().all(|name| browser.cookie(name).is_some()));
    assert_eq!((browser.cookie(HINT), &session_of(&world, &browser)["hint_chunks"]), (None, &json!(2)));
    let logout = sign_out(&world, &mut browser.clone(), "/").location().to_owned();
    assert_eq!(hinted(&logout).unwrap()["groups"].as_array().unwrap().len(), 60);

    // Another sign-in with a smaller token leaves nothing of the larger one.
    world.provider.alters_answer_at("id_token", groups(1));
    browser.sign_in(&world, "bob", "/");
    assert!(browser.cookie(HINT).is_some() && names.iter().all(|name| browser.cookie(name).is_none()));

    // A route that does not see the hint erases it with the session, which was ended elsewhere.
    world.provider.alters_answer_at("id_token", groups(60));
    browser.sign_in(&world, "bob", "/");
    sign_out(&world, &mut browser.clone(), "/");
    assert!(!browser.cookies_for(&format!("{APP}/auth/session")).contains("logout-hint"));
    assert_eq!(browser.session(&world), Value::Null);
    assert_eq!(logout_cookies(&browser), [""; 0]);
}

#[test]
fn a_form_post_leaves_nothing_of_an_earlier_hint() {
    let mut settings = with_logout(&json!(END));
    settings["providers"][0]["response_mode"] = json!("form_post");
    let world = TestEnv::with(settings);
    let mut browser = Browser::new();
    let request = browser.begin(&world, "/");
    let answer = browser.post_response(&world, &request, "bob", false);
    assert_eq!(answer.status, 302, "{answer:?}");
    let of = |name: &str| cookies_in(&answer, &format!("{name}=")).concat();
    assert!(of(HINT).contains("Expires="));
    for name in [format!("{HINT}.0"), format!("{HINT}.1")] {
        assert!(of(&name).contains("Max-Age=0; Path=/auth/signout;"), "{answer:?}");
    }
}

#[test]
fn a_refresh_that_brings_an_id_token_replaces_the_hint() {
    let world = with_end();
    world.provider.alters_answer_at("refreshed_id_token", |claims| claims["jti"] = json!("the new one"));
    let mut browser = signed_in(&world, "bob");
    world.pass(Duration::from_hours(1));
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
    assert_eq!(session_of(&world, &browser)["generation"], 1);
    let logout = sign_out(&world, &mut browser.clone(), "/").location().to_owned();
    assert_eq!(hinted(&logout).unwrap()["jti"], "the new one");
    // One that is too large takes the place of the old one, too.
    let world = with_end();
    let mut browser = signed_in(&world, "bob");
    world.provider.alters_answer_at("refreshed_id_token", |claims| claims["x"] = json!("a".repeat(5000)));
    world.pass(Duration::from_hours(1));
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
    assert_eq!(logout_cookies(&browser), [""; 0]);
    assert_eq!(session_of(&world, &browser).get("hint_chunks"), None);
}

#[test]
fn a_refresh_without_an_id_token_keeps_the_hint() {
    let world = with_end();
    let mut browser = signed_in(&world, "bob");
    world.provider.alters_answer_at("token", |answer| {
        answer.as_object_mut().unwrap().remove("id_token");
    });
    world.pass(Duration::from_hours(1));
    assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
    let session = session_of(&world, &browser);
    assert_eq!((&session["generation"], &session["hint_chunks"]), (&json!(1), &json!(1)));
    let logout = sign_out(&world, &mut browser, "/").location().to_owned();
    assert_eq!(hinted(&logout).unwrap()["sub"], "bob-1");
}

#[test]
fn a_sign_out_that_is_not_stored_shows_no_id_token_in_an_address_of_ours() {
    let mut settings = with_logout(&json!(END));
    settings["revocation"] = json!({ "store": "kv" });
    let world = TestEnv::with(settings);
    let mut browser = signed_in(&world, "bob");
    let csrf = browser.csrf(&world);
    world.store.refuses_writes.set(("revoked/", 2));
    let fields = [("csrfToken", csrf.as_str()), ("json", "true"), ("callbackUrl", "/about")];
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &fields);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let expected = format!(
        "{APP}/auth/signout?error=SignOutIncomplete&callbackUrl=https%3A%2F%2Fapp.example.com%2Fabout"
    );
    assert_eq!(body["url"], expected);
}

#[test]
fn without_a_session_a_sign_out_does_not_redirect_to_the_provider() {
    let (world, mut browser) =
        (TestEnv::with(with_logout(&json!("https://idp.example/bye"))), Browser::new());
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), APP);
}

#[test]
fn a_provider_without_a_logout_endpoint_does_not_prevent_the_sign_out() {
    let world = TestEnv::with(with_logout(&json!(true)));
    let answer = sign_out(&world, &mut signed_in(&world, "bob"), "/about");
    assert_eq!(answer.location(), format!("{APP}/about"));
    assert!(world.log_text().contains("provider acme publishes no end_session_endpoint"));
    let (world, mut browser) = (TestEnv::with(with_logout(&json!(true))), Browser::new());
    browser.sign_in(&world, "bob", "/");
    world.provider.goes_down("discovery");
    // No cookie of the session is left.
    let world = world.isolate(with_logout(&json!(true)), "elsewhere");
    let csrf = browser.csrf(&world);
    let answer = browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(answer.location(), format!("{APP}/"));
    assert_eq!(browser.session(&world), Value::Null);
    assert_eq!(world.logged(LogEvent::ProviderLogoutFailed).len(), 1);
}

#[test]
fn an_invalid_logout_endpoint_is_rejected() {
    let oauth2 = json!({
        "id": "acme", "type": "oauth2", "authorization": "https://idp.example/authorize",
        "token": "https://idp.example/token", "userinfo": "https://idp.example/me", "logout": true,
    });
    let api = json!({ "id": "acme", "type": "credentials", "logout": true });
    let of_issuer = |key: &str, value: Value| {
        let mut provider = settings()["providers"][0].clone();
        provider[key] = value;
        provider
    };
    for (provider, said) in [
        (oauth2, "logout: an OAuth 2 provider publishes no logout endpoint; write its URL instead"),
        (api, "logout: only a provider of type"),
        (of_issuer("logout", json!("ftp://idp.example/bye")), "logout: "),
        (of_issuer("logout", json!("/bye")), "logout: "),
        (of_issuer("logout", json!(1)), "logout: expected true, false or a URL, got a number"),
        (of_issuer("logout_redirect_param", json!("client_id")), "cannot be the name of this parameter"),
        (of_issuer("logout_redirect_param", json!("id_token_hint")), "cannot be the name of this parameter"),
        (of_issuer("logout_hint", json!("")), "is not a claim about the user"),
        (of_issuer("logout_hint", json!("access_token")), "is not a claim about the user"),
        (of_issuer("logout_redirect_param", json!("a b")), "cannot be the name of this parameter"),
    ] {
        let errors =
            Config::load(json!({ "providers": [provider] }), &environment, &vestibule_testing::RUNTIME)
                .unwrap_err()
                .to_string();
        assert!(errors.contains(said), "{provider}: {errors}");
    }
}

#[test]
fn the_hint_stays_when_the_browser_closes_where_the_person_chose_that_the_session_does() {
    for (persistent, chosen, stays) in [("ask", "true", true), ("ask", "false", false)] {
        let mut settings = with_logout(&json!(END));
        settings["session"]["persistent"] = json!(persistent);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        let csrf = browser.csrf(&world);
        let fields = [("csrfToken", csrf.as_str()), ("persistent", chosen)];
        let answer = browser.post(&world, &format!("{APP}/auth/signin/acme"), &fields);
        let request = AuthorizationRequest::read(answer.location());
        let answer = browser.open(&world, &world.provider.authorize(&request, "bob"));
        for name in [HINT, SESSION] {
            let [cookie] = cookies_in(&answer, &format!("{name}="))[..] else { panic!("{answer:?}") };
            assert_eq!(cookie.contains("; Expires="), stays, "{cookie}");
        }
    }
}
