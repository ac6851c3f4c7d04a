//! `flow/provider` during an outage of the provider: cached documents are used for a day, and few users wait. The tests
//! count fetches, and how many milliseconds of the fake clock a request takes.

use std::time::Duration;

use serde_json::json;
use vestibule_core::log::{ErrorSource, LogEvent};
use vestibule_testing::provider::ISSUER;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, settings};

use crate::refresh::{EXPIRED, LEASES, SECOND, bearer, given, sent, signed_in, with_lease};

const DISCOVERY: &str = "https://idp.example/.well-known/openid-configuration";
const JWKS: &str = "https://idp.example/jwks";
const AUDIENCE: &str = "https://api.example.com";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// How long a request with a usable copy waits at most, in milliseconds.
const MAX_WAIT: u64 = 1500;

type Trouble = (&'static str, fn(&TestEnv, &'static str));

/// How an endpoint of the provider may fail.
const TROUBLES: [Trouble; 10] = [
    ("hangs", |world, place| hang(world, place)),
    ("refuses", |world, place| world.provider.goes_down(place)),
    ("500", |world, place| world.provider.answers_raw(place, 500, "application/json", b"{}")),
    ("404", |world, place| world.provider.answers_raw(place, 404, "text/html", b"<h1>Not found</h1>")),
    ("redirect", |world, place| {
        world.provider.answers_with(place, 302, ("location", "https://elsewhere.example/"), &json!({}));
    }),
    ("a page", |world, place| world.provider.answers_raw(place, 200, "text/html", b"<h1>Back soon</h1>")),
    ("half of it", |world, place| {
        world.provider.answers_raw(place, 200, "application/json", b"{\"issuer\":");
    }),
    ("no object", |world, place| world.provider.answers_raw(place, 200, "application/json", b"[1]")),
    ("too much", |world, place| {
        world.provider.answers_raw(place, 200, "application/json", &vec![b' '; 300 * 1024]);
    }),
    ("another's", |world, place| {
        world.provider.alters_answer_at(place, |answer| {
            *answer = json!({ "issuer": "https://evil.example", "keys": {} });
        });
    }),
];

fn hang(world: &TestEnv, place: &str) {
    world.http.hanging.borrow_mut().push(if place == "jwks" { JWKS } else { DISCOVERY });
}

fn come_back(world: &TestEnv) {
    world.http.hanging.borrow_mut().clear();
    world.provider.comes_back();
    world.provider.answers_correctly();
}

fn world() -> TestEnv {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    // The answers of a store take time.
    settings["revocation"] = json!({ "store": "none" });
    TestEnv::with(settings)
}

/// A process that fetched all documents an hour ago, and the browser that signed in then.
fn an_hour_later() -> (TestEnv, Browser) {
    let (world, mut browser) = (world(), Browser::new());
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (1, 1));
    world.pass(HOUR + SECOND);
    (world, browser)
}

/// The answer to `request`, and how many milliseconds it took.
fn timed(world: &TestEnv, request: impl Future<Output = Answer>) -> (Answer, u64) {
    let begun = world.clock.now();
    world.clock.run(async {
        let answer = request.await;
        (answer, world.clock.now() - begun)
    })
}

/// Begins a sign-in: the redirect's address, and how many milliseconds it took.
fn begin(world: &TestEnv, browser: &mut Browser) -> (String, u64) {
    let csrf = browser.csrf(world);
    let (cookies, form) = (browser.cookie_header(), format!("csrfToken={csrf}"));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies.as_str())];
    let url = format!("{APP}/auth/signin/acme");
    let (answer, took) = timed(world, world.sent("POST", &url, &headers, form.as_bytes()));
    browser.take(&answer);
    (answer.location().to_owned(), took)
}

fn is_at_provider(location: &str) -> bool {
    location.starts_with("https://idp.example/authorize?")
}

/// Finishes a sign-in successfully: how many milliseconds it took.
fn finish(world: &TestEnv, browser: &mut Browser, location: &str) -> u64 {
    let callback = world.provider.authorize(&AuthorizationRequest::read(location), "bob");
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
    let (answer, took) = timed(world, world.sent("GET", &callback, &headers, b""));
    browser.take(&answer);
    assert_eq!(answer.location(), format!("{APP}/"), "{}", world.log_text());
    took
}

/// An access token with this `kid`, valid for five minutes.
fn token(world: &TestEnv, kid: &str) -> String {
    let now = world.now().seconds();
    let claims = json!({ "iss": ISSUER, "sub": "bob-1", "aud": AUDIENCE, "iat": now, "exp": now + 300 });
    world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }), &claims)
}

/// The answer to a request with this token, and how many milliseconds it took.
fn bring(world: &TestEnv, token: &str) -> (u16, u64) {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let (answer, took) = timed(world, world.sent("GET", &format!("{APP}/api"), &headers, b""));
    (answer.status, took)
}

#[test]
fn with_cached_documents_users_sign_in_during_any_outage_and_few_of_them_wait() {
    for (what, trouble) in TROUBLES {
        for (place, document) in [("discovery", DISCOVERY), ("jwks", JWKS)] {
            let (world, mut browser) = an_hour_later();
            trouble(&world, place);
            let begun = world.clock.now();
            // After one, two, four minutes, then every eight.
            let pauses =
                if matches!(what, "hangs" | "refuses") { &[0, 1, 3, 7, 15, 23][..] } else { &[0, 1, 3] };
            let mut questions = Vec::new();
            while questions.len() < pauses.len() {
                let before = (world.fetches(document), world.clock.now());
                let (location, first) = begin(&world, &mut browser);
                assert!(is_at_provider(&location), "{what} at {place}: {location}");
                let second = if place == "jwks" { finish(&world, &mut browser, &location) } else { 0 };
                assert!(first + second <= MAX_WAIT, "{what} at {place}: {first} and {second} ms");
                match world.fetches(document) - before.0 {
                    0 => assert_eq!((first, second), (0, 0), "{what} at {place}: a wait for nothing"),
                    1 => questions.push((before.1 - begun) / 60_000),
                    more => panic!("{what} at {place}: {more} questions for one sign-in"),
                }
                world.pass(SECOND * 30);
            }
            assert_eq!(questions, pauses, "{what} at {place}");
            assert!(!world.logged(LogEvent::ProviderMetadataStale).is_empty(), "{what} at {place}");

            // The provider recovers: the next fetch notices it, and a later failure starts with a short pause again.
            come_back(&world);
            let fetched = world.fetches(document);
            world.pass(MINUTE * 8);
            for _ in 0..20 {
                assert_eq!(
                    browser.sign_in(&world, "bob", "/").location(),
                    format!("{APP}/"),
                    "{what} at {place}"
                );
            }
            assert_eq!(world.fetches(document), fetched + 1, "{what} at {place}");
            world.pass(HOUR + SECOND);
            trouble(&world, place);
            for expected in [2, 2, 3, 3] {
                let location = begin(&world, &mut browser).0;
                assert!(is_at_provider(&location), "{what} at {place}: {location}");
                if place == "jwks" {
                    finish(&world, &mut browser, &location);
                }
                assert_eq!(world.fetches(document), fetched + expected, "{what} at {place}");
                world.pass(SECOND * 31);
            }
        }
    }
}

#[test]
fn of_many_requests_at_once_one_fetches_and_the_others_do_not_wait() {
    let (world, mut browser) = an_hour_later();
    hang(&world, "discovery");
    let csrf = browser.csrf(&world);
    let (cookies, form) = (browser.cookie_header(), format!("csrfToken={csrf}"));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies.as_str())];
    let url = format!("{APP}/auth/signin/acme");
    let begun = world.clock.now();
    let waited = std::cell::RefCell::new(Vec::new());
    let answers = world.all((0..50_u64).map(|n| {
        let (world, waited, url, headers, form) = (&world, &waited, &url, &headers, &form);
        let sent: std::pin::Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
            world.clock.sleep(Duration::from_millis(n * 20)).await;
            let answer = world.sent("POST", url, headers, form.as_bytes()).await;
            waited.borrow_mut().push(world.clock.now() - begun - n * 20);
            answer
        });
        sent
    }));
    assert!(answers.iter().all(|answer| is_at_provider(answer.location())));
    assert_eq!(world.fetches(DISCOVERY), 2);
    let waited = waited.into_inner();
    assert_eq!(waited.iter().filter(|waited| **waited > 0).collect::<Vec<_>>(), [&MAX_WAIT]);
}

#[test]
fn a_late_answer_is_cached_for_later_requests() {
    let (world, mut browser) = an_hour_later();
    world.http.document_time.set(SECOND * 9);
    let old = token(&world, "key-1");
    world.provider.rotates_its_key_to("key-2");
    // The first request goes on with the copies, and its fetch is stored in the background.
    let (status, took) = bring(&world, &old);
    assert_eq!((status, took), (200, 2 * MAX_WAIT));
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2));
    // The withdrawn key is no longer in the set.
    assert_eq!(bring(&world, &token(&world, "key-2")), (200, 0));
    assert!(is_at_provider(&begin(&world, &mut browser).0));
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2));
    world.http.document_time.set(Duration::ZERO);
    assert_eq!((bring(&world, &old), world.fetches(JWKS)), ((401, 0), 3));
    assert!(world.logged(LogEvent::ProviderMetadataStale).is_empty());
}

#[test]
fn a_withdrawn_key_is_accepted_for_a_day_at_most() {
    for (what, trouble) in TROUBLES {
        for place in ["discovery", "jwks"] {
            let (world, mut browser) = an_hour_later();
            trouble(&world, place);
            // With constant requests, so that the pause between fetches is in effect.
            for _ in 0..46 {
                assert_eq!(bring(&world, &token(&world, "key-1")).0, 200, "{what} at {place}");
                world.pass(MINUTE * 29 + SECOND * 45);
            }
            assert_eq!(bring(&world, &token(&world, "key-1")).0, 200, "{what} at {place}");
            let url = if place == "jwks" { JWKS } else { DISCOVERY };
            world.pass(MINUTE * 30);
            let before = world.fetches(url);
            assert_eq!(bring(&world, &token(&world, "key-1")).0, 503, "{what} at {place}");
            assert_eq!(world.fetches(url), before + 1, "{what} at {place}");
            if place == "discovery" {
                assert!(!is_at_provider(&begin(&world, &mut browser).0), "{what}");
            } else {
                let answer = browser.sign_in(&world, "bob", "/");
                assert!(answer.location().starts_with(&format!("{APP}/auth/error?")), "{what}");
            }
        }
    }
}

#[test]
fn an_unknown_key_is_fetched_even_during_the_pause_after_a_failure() {
    let (world, mut browser) = an_hour_later();
    world.provider.goes_down("jwks");
    assert_eq!(bring(&world, &token(&world, "key-1")), (200, 0));
    assert_eq!(world.fetches(JWKS), 2);
    // The provider recovers with a new key, during the pause for the known documents.
    come_back(&world);
    world.provider.rotates_its_key_to("key-2");
    world.pass(SECOND * 6);
    assert_eq!(bring(&world, &token(&world, "key-1")), (200, 0));
    assert_eq!(world.fetches(JWKS), 2);
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    assert_eq!(world.fetches(JWKS), 3);
    assert_eq!(bring(&world, &token(&world, "key-2")), (200, 0));
    for _ in 0..20 {
        assert_eq!(bring(&world, &token(&world, "key-1")), (401, 0), "it was withdrawn");
    }
    assert_eq!(world.fetches(JWKS), 4, "the keys are fetched once to see that");
}

#[test]
fn oidcc_client_test_signing_key_rotation_just_before_signing() {
    let (world, mut browser) = (world(), Browser::new());
    let fetched = (token(&world, "key-1"), bring(&world, &token(&world, "key-1")).0);
    assert_eq!((fetched.1, world.fetches(JWKS)), (200, 1));
    // In the same moment: no clock tells the two apart.
    world.provider.rotates_its_key_to("key-2");
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    assert_eq!(world.fetches(JWKS), 2, "one fetch for the response");
    for _ in 0..20 {
        assert_eq!(bring(&world, &fetched.0).0, 401, "the old key was withdrawn");
    }
    assert_eq!(world.fetches(JWKS), 3, "tokens that clients send ask at most once a minute");
}

#[test]
fn oidcc_client_test_signing_key_rotation() {
    let (world, mut browser) = (world(), Browser::new());
    for n in 1..=5 {
        world.provider.rotates_its_key_to(&format!("key-{n}"));
        assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"), "sign-in {n}");
        assert_eq!(world.fetches(JWKS), n);
    }
    // A refresh is the provider's own answer, too.
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, Duration::ZERO);
        for n in 1..=3 {
            let mut bob = Browser::new();
            bob.sign_in(&world, "bob", "/");
            world.pass(EXPIRED);
            assert_eq!(browser.sign_in(&world, "alice", "/").location(), format!("{APP}/"), "a young copy");
            world.provider.rotates_its_key_to(&format!("renewed-{n}"));
            let before = world.fetches(JWKS);
            let cookies = bob.cookie_header();
            let (answer, _) = timed(&world, sent(&world, &cookies, Duration::ZERO));
            assert!(bearer(&answer).is_some_and(|token| token.starts_with("access-bob~")), "{answer:?}");
            assert_eq!(world.fetches(JWKS), before + 1, "{lease}: {}", world.log_text());
        }
        assert!(world.logged(LogEvent::ClaimsNotRefreshed).is_empty(), "{}", world.log_text());
    }
}

#[test]
fn work_bombs_unknown_keys_while_the_provider_hangs_cause_few_fetches() {
    let (world, mut browser) = an_hour_later();
    hang(&world, "jwks");
    world.provider.alters_answer_at("id_token_header", |header| header["kid"] = json!("key-2"));
    // The first request fetches the current set, and waits for that once more when the key is unknown.
    let callback = {
        let request = browser.begin(&world, "/");
        world.provider.authorize(&request, "bob")
    };
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
    let (answer, took) = timed(&world, world.sent("GET", &callback, &headers, b""));
    assert!(answer.location().starts_with(&format!("{APP}/auth/error?")), "{answer:?}");
    assert!(took <= 12_000, "{took} ms");
    assert_eq!(world.fetches(JWKS), 2, "one for the response");
    let fetched = 2;
    // Later requests with tokens that anyone may have invented are answered at once.
    for n in 0..50 {
        let (status, took) = bring(&world, &token(&world, &format!("invented-{n}")));
        assert_eq!((status, took), (503, 0));
    }
    // The provider's own answer asks again, however short a time ago a fetch failed: once.
    let answer = browser.sign_in(&world, "bob", "/");
    assert!(answer.location().starts_with(&format!("{APP}/auth/error?")), "{answer:?}");
    assert_eq!(world.fetches(JWKS), fetched + 1);
    let fetched = world.fetches(JWKS);
    // One request a second for a minute: each fetch makes one of them wait, and then none for five seconds.
    let (begun, mut most) = (world.clock.now(), 0);
    while world.clock.now() < begun + 60_000 {
        let (status, took) = bring(&world, &token(&world, "invented"));
        assert_eq!(status, 503);
        most = most.max(took);
        assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
        world.pass(SECOND);
    }
    assert!(most <= 10_000, "{most} ms");
    assert!(world.fetches(JWKS) <= fetched + 5, "{} fetches", world.fetches(JWKS) - fetched);
}

#[test]
fn a_new_key_is_fetched_once_for_many_sign_ins_at_the_same_time() {
    for time in [200, 7_000] {
        let (world, _) = an_hour_later();
        world.provider.rotates_its_key_to("key-2");
        let begun: Vec<(String, String)> = (0..20)
            .map(|_| {
                let mut browser = Browser::new();
                let request = browser.begin(&world, "/");
                (world.provider.authorize(&request, "bob"), browser.cookie_header())
            })
            .collect();
        // The keys are young enough to be used, and old enough to be fetched again for an unknown key.
        assert_eq!(bring(&world, &token(&world, "key-2")).0, 200);
        world.pass(MINUTE + SECOND);
        world.provider.rotates_its_key_to("key-3");
        world.provider.alters_answer_at("id_token_header", |header| header["kid"] = json!("key-3"));
        let fetched = world.fetches(JWKS);
        world.http.document_time.set(Duration::from_millis(time));
        let answers = world.all(begun.iter().map(|(callback, cookies)| {
            let world = &world;
            let sent: std::pin::Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
                let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
                world.sent("GET", callback, &headers, b"").await
            });
            sent
        }));
        for answer in answers {
            assert_eq!(answer.location(), format!("{APP}/"), "{time} ms: {}", world.log_text());
        }
        // A fetch counts as killed after five seconds.
        assert_eq!(world.fetches(JWKS), fetched + if time < 5_000 { 1 } else { 2 }, "{time} ms");
    }
}

#[test]
fn unavailable_keys_lose_no_refresh() {
    for (what, trouble) in TROUBLES {
        for lease in LEASES {
            let (world, mut browser) = signed_in(lease, Duration::ZERO);
            world.provider.grants.rotation.set(Rotation::Strict);
            world.pass(EXPIRED);
            trouble(&world, "jwks");
            // The refreshed ID token has a key that cannot be fetched: the TLS connection takes the signature's place.
            world.provider.rotates_its_key_to("key-2");
            for n in 1..=5 {
                let cookies = browser.cookie_header();
                let (answer, took) = timed(&world, sent(&world, &cookies, Duration::ZERO));
                let expected = format!("access-bob~{n}");
                assert_eq!(bearer(&answer), Some(expected.as_str()), "{what}, {lease}: {}", world.log_text());
                assert!(took <= 10_000, "{what}, {lease}: {took} ms");
                browser.take(&answer);
                world.pass(EXPIRED);
            }
            assert_eq!((given(&world), world.provider.grants.refused.get()), (5, 0), "{what}, {lease}");
        }
    }
}

#[test]
fn a_refresh_does_not_wait_for_metadata_that_is_cached() {
    for lease in LEASES {
        let (world, browser) = signed_in(lease, Duration::ZERO);
        let others: Vec<String> = (0..5)
            .map(|_| {
                let mut other = Browser::new();
                other.sign_in(&world, "bob", "/");
                other.cookie_header()
            })
            .collect();
        world.provider.grants.rotation.set(Rotation::None);
        world.pass(EXPIRED);
        hang(&world, "discovery");
        hang(&world, "jwks");
        let cookies = browser.cookie_header();
        let (first, took) = timed(&world, sent(&world, &cookies, Duration::ZERO));
        assert!(bearer(&first).is_some_and(|token| token.starts_with("access-bob~")), "{lease}: {first:?}");
        assert!(took <= 2 * MAX_WAIT + 1000, "{lease}: {took} ms");
        for cookies in &others {
            let (answer, took) = timed(&world, sent(&world, cookies, Duration::ZERO));
            assert!(bearer(&answer).is_some_and(|token| token.starts_with("access-bob~")), "{lease}");
            assert!(took < 1000, "{lease}: {took} ms");
        }
        assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2), "{lease}");
        assert!(world.logged(LogEvent::IdTokenNotVerified).is_empty(), "the copies of the keys were there");
    }
}

#[test]
fn keys_that_arrive_too_late_for_a_refresh_are_cached_for_the_next_one() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, EXPIRED);
        let fresh = world.isolate(with_lease(lease), "here");
        world.http.document_time.set(SECOND * 3);
        for n in 1..=2 {
            let cookies = browser.cookie_header();
            let answer = timed(&fresh, sent(&fresh, &cookies, Duration::ZERO)).0;
            assert_eq!(bearer(&answer), Some(format!("access-bob~{n}").as_str()), "{lease}");
            browser.take(&answer);
            world.pass(EXPIRED);
        }
        assert_eq!(world.logged(LogEvent::IdTokenNotVerified).len(), 1, "{lease}: {}", world.log_text());
    }
}

#[test]
fn a_killed_fetch_delays_no_other_request_for_long() {
    let (world, mut browser) = an_hour_later();
    hang(&world, "discovery");
    world.jobs.dies_after.set(Some(SECOND / 2));
    assert_eq!(begin(&world, &mut browser).1, MAX_WAIT);
    for _ in 0..5 {
        let (location, took) = begin(&world, &mut browser);
        assert!(is_at_provider(&location) && took == 0, "{took} ms");
    }
    assert_eq!(world.fetches(DISCOVERY), 2);
    come_back(&world);
    world.pass(MINUTE);
    assert_eq!(begin(&world, &mut browser).1, 0);
    assert_eq!(world.fetches(DISCOVERY), 3);
}

#[test]
fn a_clock_that_is_set_back_makes_no_copy_younger() {
    let day = Duration::from_hours(24);
    let (world, _) = an_hour_later();
    let back = HOUR + SECOND + day * 2;
    world.clock.set_back(back);
    // The copy is from the future, so it is fetched again.
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2));
    hang(&world, "jwks");
    world.pass(HOUR + SECOND);
    assert_eq!(bring(&world, &token(&world, "key-1")), (200, MAX_WAIT));
    // A copy of unknown age is not used, and a pause in the future does not prevent a fetch.
    world.clock.set_back(day);
    let fetched = world.fetches(JWKS);
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 503);
    assert_eq!(world.fetches(JWKS), fetched + 1);
    come_back(&world);
    world.pass(SECOND * 6);
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
}

#[test]
fn without_a_copy_every_request_fetches_for_itself_and_recovers_at_once() {
    let (world, mut browser) = (world(), Browser::new());
    world.provider.goes_down("discovery");
    assert!(!is_at_provider(&begin(&world, &mut browser).0));
    come_back(&world);
    assert!(is_at_provider(&begin(&world, &mut browser).0));
    assert_eq!(world.fetches(DISCOVERY), 2);
}

#[test]
fn an_id_token_of_a_known_key_with_a_wrong_signature_fetches_no_keys() {
    let (world, mut browser) = (world(), Browser::new());
    browser.sign_in(&world, "bob", "/");
    assert_eq!(world.fetches(JWKS), 1);
    world.provider.alters_answer_at("token", |answer| {
        let token = answer["id_token"].as_str().unwrap().to_owned();
        let (input, _) = token.rsplit_once('.').unwrap();
        answer["id_token"] = json!(format!("{input}.{}", "A".repeat(86)));
    });
    let mut other = Browser::new();
    assert!(other.sign_in(&world, "bob", "/").location().contains("error="), "{}", world.log_text());
    assert_eq!(world.fetches(JWKS), 1);
}

#[test]
fn clients_whose_tokens_a_new_key_signed_share_one_fetch() {
    let (world, _) = an_hour_later();
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
    world.pass(SECOND * 61);
    world.provider.rotates_its_key_to("key-2");
    world.http.document_time.set(SECOND);
    let fetched = world.fetches(JWKS);
    let authorization = format!("Bearer {}", token(&world, "key-2"));
    let headers = [("authorization", authorization.as_str())];
    let url = format!("{APP}/api");
    let answers = world.all((0..5_u32).map(|number| {
        let (world, headers, url) = (&world, &headers, &url);
        let sent: std::pin::Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
            world.clock.sleep(SECOND / 8 * number).await;
            world.sent("GET", url, headers, b"").await
        });
        sent
    }));
    assert!(answers.iter().all(|answer| answer.status == 200), "{}", world.log_text());
    assert_eq!(world.fetches(JWKS), fetched + 1);
}

#[test]
fn a_key_that_a_client_names_is_no_failure_of_the_provider_while_its_keys_cannot_be_fetched() {
    let (world, _) = an_hour_later();
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
    world.pass(SECOND * 61);
    world.provider.goes_down("jwks");
    for _ in 0..2 {
        assert_eq!(bring(&world, &token(&world, "invented")).0, 503);
    }
    let logged = world.logged(LogEvent::BearerTokenRejected);
    assert!(logged.iter().all(|line| line.error_source() == ErrorSource::Client), "{}", world.log_text());
    assert_eq!(logged.len(), 2);
}

#[test]
fn a_client_waits_five_seconds_for_the_fetches_of_others_however_many_begin() {
    let world = world();
    let mut browser = Browser::new();
    let csrf = browser.csrf(&world);
    let (cookies, form) = (browser.cookie_header(), format!("csrfToken={csrf}"));
    hang(&world, "discovery");
    let user = |after: u32| -> std::pin::Pin<Box<dyn Future<Output = Answer> + '_>> {
        let (world, cookies, form) = (&world, &cookies, &form);
        Box::pin(async move {
            world.clock.sleep(SECOND * after).await;
            let headers =
                [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies.as_str())];
            world.sent("POST", &format!("{APP}/auth/signin/acme"), &headers, form.as_bytes()).await
        })
    };
    let (sent, took) = (token(&world, "key-1"), std::cell::Cell::new(0));
    let client = Box::pin(async {
        world.clock.sleep(SECOND).await;
        let (authorization, begun) = (format!("Bearer {sent}"), world.clock.now());
        let headers = [("authorization", authorization.as_str())];
        let answer = world.sent("GET", &format!("{APP}/api"), &headers, b"").await;
        took.set(world.clock.now() - begun);
        answer
    });
    let answers = world.all([user(0), client, user(4)]);
    assert_eq!((answers[1].status, took.get()), (503, 5000));
}

#[test]
fn a_client_whose_key_is_unknown_waits_five_seconds_for_the_fetches_of_others_however_many_begin() {
    let (world, _) = an_hour_later();
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
    world.pass(HOUR + SECOND);
    hang(&world, "jwks");
    let authorization = format!("Bearer {}", token(&world, "invented"));
    let headers = [("authorization", authorization.as_str())];
    // The first one fetches the keys because they are old, and goes on with the old ones. When its fetch counts as cut off,
    // one of all begins the next.
    let client = |after: u32| -> std::pin::Pin<Box<dyn Future<Output = Answer> + '_>> {
        let (world, headers) = (&world, &headers);
        Box::pin(async move {
            world.clock.sleep(SECOND * after).await;
            let begun = world.clock.now();
            let mut answer = world.sent("GET", &format!("{APP}/api"), headers, b"").await;
            answer.body = (world.clock.now() - begun).to_string();
            answer
        })
    };
    let answers = world.all([client(0), client(3), client(4), client(4)]);
    assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
    let mut took: Vec<u64> = answers[1..].iter().map(|answer| answer.body.parse().unwrap()).collect();
    took.sort_unstable();
    assert_eq!(took[..2], [5000, 5000], "{took:?}");
}

#[test]
fn a_new_key_signs_in_also_if_its_document_takes_almost_as_long_as_it_may() {
    let (world, mut browser) = an_hour_later();
    world.provider.rotates_its_key_to("key-2");
    let (location, _) = begin(&world, &mut browser);
    // The request goes on with its copy, finds the key unknown, and waits for the fetch that it has begun.
    world.http.document_time.set(Duration::from_millis(9500));
    finish(&world, &mut browser, &location);
}
