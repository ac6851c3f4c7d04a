//! `flow/provider/stored`: processes as short as one request share the documents of providers through the store.

use std::time::Duration;

use serde_json::json;
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Browser, TestEnv, settings};

const DISCOVERY: &str = "https://idp.example/.well-known/openid-configuration";
const JWKS: &str = "https://idp.example/jwks";
const AUDIENCE: &str = "https://api.example.com";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn own_settings() -> serde_json::Value {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    settings["revocation"] = json!({ "store": "none" });
    settings
}

/// A runtime that stores documents, in a store that answers at once and whose reads are never old.
fn world() -> TestEnv {
    let world = TestEnv::with(own_settings());
    world.store.has_documents.set(true);
    world.store.cache_time.set(0);
    world.store.latency.set([0; 4]);
    world
}

/// A new process.
fn process(world: &TestEnv) -> TestEnv {
    world.isolate(own_settings(), "here")
}

/// Signs in, with each request in a process of its own.
fn sign_in(world: &TestEnv) {
    let mut browser = Browser::new();
    let request = browser.begin(&process(world), "/");
    let callback = world.provider.authorize(&request, "bob");
    let answer = browser.open(&process(world), &callback);
    assert_eq!(answer.location(), format!("{APP}/"), "{}", world.log_text());
}

/// How often each of the documents was fetched.
fn fetches(world: &TestEnv) -> [usize; 2] {
    [DISCOVERY, JWKS].map(|url| world.fetches(url))
}

/// The status for a request with an access token of this `kid`, in a process of its own.
fn bring(world: &TestEnv, kid: &str) -> u16 {
    let now = world.now().seconds();
    let claims = json!({ "iss": ISSUER, "sub": "bob-1", "aud": AUDIENCE, "iat": now, "exp": now + 300 });
    let token = world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }), &claims);
    let authorization = format!("Bearer {token}");
    process(world).send("GET", &format!("{APP}/api"), &[("authorization", &authorization)], b"").status
}

#[test]
fn processes_of_one_request_fetch_each_document_once_an_hour() {
    let world = world();
    sign_in(&world);
    assert_eq!(fetches(&world), [1, 1]);
    sign_in(&world);
    assert_eq!((fetches(&world), bring(&world, "key-1")), ([1, 1], 200));
    world.pass(HOUR);
    sign_in(&world);
    assert_eq!(fetches(&world), [2, 2]);
    sign_in(&world);
    assert_eq!(fetches(&world), [2, 2]);
}

#[test]
fn a_runtime_whose_processes_remember_documents_stores_none() {
    let world = world();
    world.store.has_documents.set(false);
    sign_in(&world);
    assert!(world.store.writes.get() == 0 && world.store.reads.get() == 0);
    assert!(fetches(&world) > [1, 1]);
}

#[test]
fn a_rotated_key_is_fetched_in_spite_of_the_stored_keys() {
    let world = world();
    sign_in(&world);
    // The store takes one write of a key in a second.
    world.pass(SECOND);
    world.provider.rotates_its_key_to("key-2");
    sign_in(&world);
    assert_eq!(fetches(&world), [1, 2]);
    // The new keys are those of the other processes.
    sign_in(&world);
    assert_eq!((fetches(&world), bring(&world, "key-2")), ([1, 2], 200));
}

#[test]
fn an_invented_key_id_costs_one_fetch_a_minute_in_all_processes_together() {
    let world = world();
    assert_eq!(bring(&world, "key-1"), 200);
    world.pass(SECOND * 61);
    for n in 0..5 {
        assert_eq!(bring(&world, &format!("invented-{n}")), if n == 0 { 401 } else { 503 });
    }
    assert_eq!(fetches(&world), [1, 2]);
    world.pass(SECOND * 61);
    assert_eq!((bring(&world, "invented"), fetches(&world)), (401, [1, 3]));
}

#[test]
fn an_invented_key_id_costs_one_fetch_a_minute_in_all_processes_together_while_the_provider_fails_too() {
    let world = world();
    assert_eq!(bring(&world, "key-1"), 200);
    world.provider.goes_down("jwks");
    for _ in 0..20 {
        assert_eq!(bring(&world, "invented"), 503);
        world.pass(SECOND);
    }
    assert_eq!(fetches(&world), [1, 2]);
    world.provider.comes_back();
    world.provider.rotates_its_key_to("key-2");
    world.pass(SECOND * 40);
    assert_eq!((bring(&world, "key-2"), fetches(&world)), (200, [1, 3]));
}

#[test]
fn a_key_of_a_moment_ago_is_fetched_although_another_process_has_just_stored_the_keys() {
    let world = world();
    sign_in(&world);
    world.pass(SECOND);
    world.provider.rotates_its_key_to("key-2");
    assert_eq!((bring(&world, "key-2"), fetches(&world)), (200, [1, 2]));
    // An unknown key has caused that fetch. A sign-in that fetches the keys again does not make the processes forget it.
    world.pass(SECOND);
    world.provider.rotates_its_key_to("key-3");
    sign_in(&world);
    assert_eq!((bring(&world, "key-3"), fetches(&world)), (200, [1, 3]));
    for n in 0..5 {
        assert_eq!(bring(&world, &format!("invented-{n}")), 503);
    }
    assert_eq!(fetches(&world), [1, 3]);
}

#[test]
fn key_confusion_what_someone_else_wrote_into_the_store_is_no_document() {
    let good = world();
    sign_in(&good);
    let of_another_site = {
        let mut environment = own_settings();
        environment["providers"][0]["id"] = json!("acme");
        let other = TestEnv::in_environment(environment, &|name| match name {
            "AUTH_SECRET" => Some("another secret, of somebody who can write to the store".to_owned()),
            name => vestibule_testing::environment(name),
        });
        other.store.has_documents.set(true);
        Browser::new().begin(&other, "/");
        other.store.contents().pop().unwrap()
    };
    let keys = good.provider.public_key().to_string();
    for lie in ["", "{}", "[1]", "\u{0}", &keys, &"x".repeat(300_000), &of_another_site] {
        good.store.garbles("document/", lie);
        let before = fetches(&good);
        sign_in(&good);
        let [discovery, jwks] = fetches(&good);
        assert!(discovery > before[0] && jwks > before[1], "{lie:.20}");
    }
}

#[test]
fn a_document_in_another_ones_place_is_none() {
    let world = world();
    sign_in(&world);
    let [metadata, keys] = [0, 1].map(|at| world.store.contents()[at].clone());
    for lie in [metadata, keys] {
        world.store.garbles("document/", &lie);
        let before: usize = fetches(&world).iter().sum();
        sign_in(&world);
        assert!(fetches(&world).iter().sum::<usize>() > before);
    }
}

#[test]
fn a_store_that_fails_or_hangs_leaves_sign_ins_as_they_are_without_it() {
    for trouble in ["down", "hangs", "missing"] {
        let world = world();
        match trouble {
            "down" => world.store.is_down.set(true),
            "hangs" => world.store.hangs.set(true),
            _ => world.store.is_missing.set(true),
        }
        let mut browser = Browser::new();
        assert_eq!(browser.sign_in(&world, "bob", "/").location(), format!("{APP}/"), "{trouble}");
        assert_eq!(fetches(&world), [1, 1], "{trouble}");
        // One question shows that it does not answer, and no other follows.
        assert_eq!(world.store.reads.get(), 1, "{trouble}");
    }
}

#[test]
fn stored_documents_serve_while_the_provider_does_not_publish_them() {
    let world = world();
    sign_in(&world);
    world.pass(HOUR * 2);
    world.provider.goes_down("discovery");
    world.provider.goes_down("jwks");
    sign_in(&world);
    world.pass(HOUR * 22);
    // A day after they were fetched they have ended.
    assert_eq!(bring(&world, "key-1"), 503);
}

#[test]
fn an_invented_key_of_one_provider_does_not_end_the_pause_of_another() {
    let mut settings = own_settings();
    let mut other = settings["providers"][0].clone();
    other["id"] = json!("other");
    other["client_id"] = json!("x");
    other["token_endpoint_auth_method"] = json!("none");
    other["accept_bearer"] = json!({ "audience": "urn:other" });
    settings["providers"].as_array_mut().unwrap().push(other);
    let world = world();
    let bring = |audience: &str, kid: &str| {
        let now = world.now().seconds();
        let claims = json!({ "iss": ISSUER, "sub": "bob-1", "aud": audience, "iat": now, "exp": now + 300 });
        let token = world.provider.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }), &claims);
        let authorization = format!("Bearer {token}");
        let process = world.isolate(settings.clone(), "here");
        process.send("GET", &format!("{APP}/api"), &[("authorization", &authorization)], b"").status
    };
    assert_eq!((bring(AUDIENCE, "key-1"), bring("urn:other", "key-1")), (200, 200));
    world.pass(SECOND * 61);
    assert_eq!(bring(AUDIENCE, "invented-1"), 401);
    world.pass(SECOND * 2);
    assert_eq!(bring("urn:other", "invented-2"), 401);
    let fetched = fetches(&world);
    world.pass(SECOND * 2);
    assert_eq!((bring(AUDIENCE, "invented-3"), bring("urn:other", "invented-4")), (503, 503));
    assert_eq!(fetches(&world), fetched);
}
