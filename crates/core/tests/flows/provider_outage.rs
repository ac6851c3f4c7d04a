//! `flow/provider` while a provider is out of order: what is kept serves for a day, and asking for more costs few
//! people a wait. Time is the world's: what is counted are questions and the milliseconds that somebody waited.

use std::time::Duration;

use serde_json::json;
use vestibule_core::log::LogEvent;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, TestEnv, settings};

use crate::refresh::{LEASES, OVER, SECOND, bearer, given, sent, signed_in, with_lease};

const DISCOVERY: &str = "https://idp.example/.well-known/openid-configuration";
const JWKS: &str = "https://idp.example/jwks";
const AUDIENCE: &str = "https://api.example.com";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// How long somebody waits at most for whom an older copy would do.
const PATIENCE: u64 = 1500;

type Trouble = (&'static str, fn(&TestEnv, &'static str));

/// What a place of the provider's may do in place of an answer.
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
    TestEnv::with(settings)
}

/// A world whose isolate has asked for everything an hour ago, and a browser with a csrf token.
fn an_hour_later() -> (TestEnv, Browser) {
    let (world, mut browser) = (world(), Browser::new());
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (1, 1));
    world.pass(HOUR + SECOND);
    (world, browser)
}

/// What `request` is answered, and after how many milliseconds.
fn timed(world: &TestEnv, request: impl Future<Output = Answer>) -> (Answer, u64) {
    let begun = world.clock.now();
    world.clock.run(async {
        let answer = request.await;
        (answer, world.clock.now() - begun)
    })
}

/// A sign-in is begun: where the browser is sent, and after how many milliseconds.
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

/// A sign-in that was begun is ended well: after how many milliseconds.
fn finish(world: &TestEnv, browser: &mut Browser, location: &str) -> u64 {
    let callback = world.provider.authorize(&AuthorizationRequest::read(location), "bob");
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
    let (answer, took) = timed(world, world.sent("GET", &callback, &headers, b""));
    browser.take(&answer);
    assert_eq!(answer.location(), format!("{APP}/"), "{}", world.log_text());
    took
}

/// An access token that names the key `kid`, good for five minutes.
fn token(world: &TestEnv, kid: &str) -> String {
    let now = world.now().seconds();
    let claims = json!({ "iss": ISSUER, "sub": "bob-1", "aud": AUDIENCE, "iat": now, "exp": now + 300 });
    world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }), &claims)
}

/// What somebody gets who brings it, and after how many milliseconds.
fn bring(world: &TestEnv, token: &str) -> (u16, u64) {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let (answer, took) = timed(world, world.sent("GET", &format!("{APP}/api"), &headers, b""));
    (answer.status, took)
}

#[test]
fn whatever_the_provider_does_people_sign_in_and_few_of_them_wait() {
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
                assert!(first + second <= PATIENCE, "{what} at {place}: {first} and {second} ms");
                match world.fetches(document) - before.0 {
                    0 => assert_eq!((first, second), (0, 0), "{what} at {place}: a wait for nothing"),
                    1 => questions.push((before.1 - begun) / 60_000),
                    more => panic!("{what} at {place}: {more} questions for one sign-in"),
                }
                world.pass(SECOND * 30);
            }
            assert_eq!(questions, pauses, "{what} at {place}");
            assert!(!world.logged(LogEvent::ProviderMetadataStale).is_empty(), "{what} at {place}");

            // It comes back: heard of within the pause, believed for an hour, and forgiven.
            come_back(&world);
            let asked = world.fetches(document);
            world.pass(MINUTE * 8);
            for _ in 0..20 {
                assert_eq!(
                    browser.sign_in(&world, "bob", "/").location(),
                    format!("{APP}/"),
                    "{what} at {place}"
                );
            }
            assert_eq!(world.fetches(document), asked + 1, "{what} at {place}");
            world.pass(HOUR + SECOND);
            trouble(&world, place);
            for expected in [2, 2, 3, 3] {
                let location = begin(&world, &mut browser).0;
                assert!(is_at_provider(&location), "{what} at {place}: {location}");
                if place == "jwks" {
                    finish(&world, &mut browser, &location);
                }
                assert_eq!(world.fetches(document), asked + expected, "{what} at {place}");
                world.pass(SECOND * 31);
            }
        }
    }
}

#[test]
fn of_many_at_once_one_asks_and_nobody_waits_for_it() {
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
    assert_eq!(waited.iter().filter(|waited| **waited > 0).collect::<Vec<_>>(), [&PATIENCE]);
}

#[test]
fn an_answer_that_is_late_serves_those_who_come_after_it() {
    let (world, mut browser) = an_hour_later();
    world.http.document_time.set(SECOND * 9);
    let old = token(&world, "key-1");
    world.provider.rotates_its_key_to("key-2");
    // The first one goes on with the copies, and what it asked for is kept behind its back.
    let (status, took) = bring(&world, &old);
    assert_eq!((status, took), (200, 2 * PATIENCE));
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2));
    // Of which the withdrawn key is no longer a part.
    assert_eq!(bring(&world, &old), (401, 0));
    assert_eq!(bring(&world, &token(&world, "key-2")), (200, 0));
    assert!(is_at_provider(&begin(&world, &mut browser).0));
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2));
    assert!(world.logged(LogEvent::ProviderMetadataStale).is_empty());
}

#[test]
fn a_key_that_the_provider_withdrew_is_believed_for_a_day_at_most() {
    for (what, trouble) in TROUBLES {
        for place in ["discovery", "jwks"] {
            let (world, mut browser) = an_hour_later();
            trouble(&world, place);
            // Asked all the time, so that no pause is over just then.
            for _ in 0..46 {
                assert_eq!(bring(&world, &token(&world, "key-1")).0, 200, "{what} at {place}");
                world.pass(MINUTE * 29 + SECOND * 45);
            }
            assert_eq!(bring(&world, &token(&world, "key-1")).0, 200, "{what} at {place}");
            let asked = if place == "jwks" { JWKS } else { DISCOVERY };
            world.pass(MINUTE * 30);
            let before = world.fetches(asked);
            assert_eq!(bring(&world, &token(&world, "key-1")).0, 503, "{what} at {place}");
            assert_eq!(world.fetches(asked), before + 1, "{what} at {place}");
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
fn an_unknown_key_is_asked_for_although_the_provider_is_left_alone() {
    let (world, mut browser) = an_hour_later();
    world.provider.goes_down("jwks");
    assert_eq!(bring(&world, &token(&world, "key-1")), (200, 0));
    assert_eq!(world.fetches(JWKS), 2);
    // It is back, with another key, a moment later; the pause for what is known has not ended.
    come_back(&world);
    world.provider.rotates_its_key_to("key-2");
    world.pass(SECOND * 6);
    assert_eq!(bring(&world, &token(&world, "key-1")), (200, 0));
    assert_eq!(world.fetches(JWKS), 2);
    assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"));
    assert_eq!(world.fetches(JWKS), 3);
    assert_eq!(bring(&world, &token(&world, "key-2")), (200, 0));
    assert_eq!(bring(&world, &token(&world, "key-1")), (401, 0), "it was withdrawn");
    assert_eq!(world.fetches(JWKS), 3, "asked again within a minute");
}

#[test]
fn work_bombs_unknown_keys_while_the_provider_hangs_cost_a_question_now_and_then() {
    let (world, mut browser) = an_hour_later();
    hang(&world, "jwks");
    world.provider.alters_answer_at("id_token_header", |header| header["kid"] = json!("key-2"));
    // The first one asks for what is current, then for the key.
    let callback = {
        let request = browser.begin(&world, "/");
        world.provider.authorize(&request, "bob")
    };
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
    let (answer, took) = timed(&world, world.sent("GET", &callback, &headers, b""));
    assert!(answer.location().starts_with(&format!("{APP}/auth/error?")), "{answer:?}");
    // Half of the first question's time, and the whole of the second's: the first might have been cut off.
    assert!(took <= 15_000, "{took} ms");
    let asked = world.fetches(JWKS);
    assert!((2..=3).contains(&asked), "{asked} questions");
    // Those who come now are told at once, whoever they are.
    for n in 0..50 {
        let (status, took) = bring(&world, &token(&world, &format!("invented-{n}")));
        assert_eq!((status, took), (401, 0));
    }
    let answer = browser.sign_in(&world, "bob", "/");
    assert!(answer.location().starts_with(&format!("{APP}/auth/error?")), "{answer:?}");
    assert_eq!(world.fetches(JWKS), asked);
    // A minute of them, one a second: each question keeps one of them waiting, and then nobody for five seconds.
    let (begun, mut most) = (world.clock.now(), 0);
    while world.clock.now() < begun + 60_000 {
        let (status, took) = bring(&world, &token(&world, "invented"));
        assert_eq!(status, 401);
        most = most.max(took);
        assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
        world.pass(SECOND);
    }
    assert!(most <= 10_000, "{most} ms");
    assert!(world.fetches(JWKS) <= asked + 5, "{} questions", world.fetches(JWKS) - asked);
}

#[test]
fn a_key_that_is_new_is_asked_for_once_by_many_who_sign_in_at_once() {
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
        // The keys are young enough not to be asked for by themselves, and old enough to be asked for one.
        assert_eq!(bring(&world, &token(&world, "key-2")).0, 200);
        world.pass(MINUTE + SECOND);
        world.provider.rotates_its_key_to("key-3");
        world.provider.alters_answer_at("id_token_header", |header| header["kid"] = json!("key-3"));
        let asked = world.fetches(JWKS);
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
        // Whoever asks counts as cut off after five seconds.
        assert_eq!(world.fetches(JWKS), asked + if time < 5_000 { 1 } else { 2 }, "{time} ms");
    }
}

#[test]
fn no_refresh_is_lost_to_keys_that_cannot_be_had() {
    for (what, trouble) in TROUBLES {
        for lease in LEASES {
            let (world, mut browser) = signed_in(lease, Duration::ZERO);
            world.provider.grants.rotation.set(Rotation::Strict);
            world.pass(OVER);
            trouble(&world, "jwks");
            // The ID token of the refresh names a key that nobody can look up: what it came over vouches for it.
            world.provider.rotates_its_key_to("key-2");
            for n in 1..=5 {
                let cookies = browser.cookie_header();
                let (answer, took) = timed(&world, sent(&world, &cookies, Duration::ZERO));
                let expected = format!("access-bob~{n}");
                assert_eq!(bearer(&answer), Some(expected.as_str()), "{what}, {lease}: {}", world.log_text());
                assert!(took <= 10_000, "{what}, {lease}: {took} ms");
                browser.take(&answer);
                world.pass(OVER);
            }
            assert_eq!((given(&world), world.provider.grants.refused.get()), (5, 0), "{what}, {lease}");
        }
    }
}

#[test]
fn a_refresh_does_not_wait_for_metadata_that_is_at_hand() {
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
        world.pass(OVER);
        hang(&world, "discovery");
        hang(&world, "jwks");
        let cookies = browser.cookie_header();
        let (first, took) = timed(&world, sent(&world, &cookies, Duration::ZERO));
        assert!(bearer(&first).is_some_and(|token| token.starts_with("access-bob~")), "{lease}: {first:?}");
        assert!(took <= 2 * PATIENCE + 1000, "{lease}: {took} ms");
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
fn keys_that_come_too_late_for_a_refresh_are_there_for_the_next_one() {
    for lease in LEASES {
        let (world, mut browser) = signed_in(lease, OVER);
        let fresh = world.isolate(with_lease(lease), "here");
        world.http.document_time.set(SECOND * 3);
        for n in 1..=2 {
            let cookies = browser.cookie_header();
            let answer = timed(&fresh, sent(&fresh, &cookies, Duration::ZERO)).0;
            assert_eq!(bearer(&answer), Some(format!("access-bob~{n}").as_str()), "{lease}");
            browser.take(&answer);
            world.pass(OVER);
        }
        assert_eq!(world.logged(LogEvent::IdTokenNotVerified).len(), 1, "{lease}: {}", world.log_text());
    }
}

#[test]
fn who_asks_and_is_cut_off_holds_nobody_up() {
    let (world, mut browser) = an_hour_later();
    hang(&world, "discovery");
    world.jobs.dies_after.set(Some(SECOND / 2));
    assert_eq!(begin(&world, &mut browser).1, PATIENCE);
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
fn a_clock_that_is_set_back_makes_nothing_younger() {
    let day = Duration::from_hours(24);
    let (world, _) = an_hour_later();
    let back = HOUR + SECOND + day * 2;
    world.clock.set_back(back);
    // What is kept is from the future, and is asked for again.
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
    assert_eq!((world.fetches(DISCOVERY), world.fetches(JWKS)), (2, 2));
    hang(&world, "jwks");
    world.pass(HOUR + SECOND);
    assert_eq!(bring(&world, &token(&world, "key-1")), (200, PATIENCE));
    // Of unknown age it lets nobody in; and a pause that has not begun yet keeps nobody from asking.
    world.clock.set_back(day);
    let asked = world.fetches(JWKS);
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 503);
    assert_eq!(world.fetches(JWKS), asked + 1);
    come_back(&world);
    world.pass(SECOND * 6);
    assert_eq!(bring(&world, &token(&world, "key-1")).0, 200);
}

#[test]
fn without_a_copy_everybody_asks_for_themselves_and_a_blip_is_over_at_once() {
    let (world, mut browser) = (world(), Browser::new());
    world.provider.goes_down("discovery");
    assert!(!is_at_provider(&begin(&world, &mut browser).0));
    come_back(&world);
    assert!(is_at_provider(&begin(&world, &mut browser).0));
    assert_eq!(world.fetches(DISCOVERY), 2);
}
