//! `session.tokens = "none"`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testing::{APP, Browser, TestEnv};

use super::{api, claims, entries, kept_in, sign_out, signed_in};
use crate::refresh::given;

const ENDPOINT: &str = "https://idp.example/revoke";

/// A site that uses no access token.
fn without_tokens() -> Value {
    let mut settings = kept_in("none");
    settings["session"]["expose"] = json!({ "user.roles": "roles" });
    settings["upstreams"][0].as_object_mut().unwrap().remove("authorization");
    settings
}

fn has_refresh_token(world: &TestEnv, browser: &Browser) -> bool {
    let claims = claims(world, browser);
    for token in ["access_token", "expires_at", "token_entry"] {
        assert!(!claims.contains_key(token), "{token}");
    }
    claims.contains_key("refresh_token")
}

#[test]
fn the_session_has_no_token_and_nothing_is_stored() {
    let (world, mut browser) = signed_in(without_tokens());
    assert!(!has_refresh_token(&world, &browser));
    assert_eq!((entries(&world).len(), world.store.writes.get()), (0, 0));
    let answer = api(&world, &mut browser);
    assert_eq!((answer.status, &browser.session(&world)["user"]["roles"]), (200, &json!(["user"])));
    // After the end of the access token, and after a renewal.
    for time in [Duration::from_secs(4000), Duration::from_hours(25)] {
        world.pass(time);
        assert_eq!(api(&world, &mut browser).status, 200);
        assert!(!has_refresh_token(&world, &browser));
    }
    assert_eq!(given(&world), 0);
}

#[test]
fn a_refresh_token_stays_only_where_something_needs_it() {
    type Change = fn(&mut Value);
    let cases: [(Change, bool, bool); 5] = [
        (|_| (), false, false),
        // The provider publishes an endpoint that revokes it.
        (|_| (), true, true),
        (|settings| settings["providers"][0]["token_revocation"] = json!(false), true, false),
        (|settings| settings["providers"][0]["token_revocation"] = json!(ENDPOINT), false, true),
        (|settings| settings["session"]["revalidate"] = json!("15m"), false, true),
    ];
    for (number, (change, is_published, is_kept)) in cases.into_iter().enumerate() {
        let mut settings = without_tokens();
        change(&mut settings);
        let (world, mut browser) = (TestEnv::with(settings), Browser::new());
        if is_published {
            world.provider.alters_answer_at("discovery", |d| d["revocation_endpoint"] = json!(ENDPOINT));
        }
        browser.sign_in(&world, "bob", "/");
        assert_eq!(has_refresh_token(&world, &browser), is_kept, "{number}");
    }
}

#[test]
fn the_provider_confirms_the_user_and_still_no_access_token_is_sealed() {
    let mut settings = without_tokens();
    settings["session"]["revalidate"] = json!("15m");
    settings["refresh"] = json!({ "lease": "kv" });
    let (world, mut browser) = signed_in(settings.clone());
    for n in 1..=3 {
        world.pass(Duration::from_mins(16));
        assert_eq!((api(&world, &mut browser).status, given(&world)), (200, n));
        assert!(has_refresh_token(&world, &browser));
    }
    // Nor by a process that finds what another one got.
    let old = {
        world.pass(Duration::from_mins(16));
        let old = browser.clone();
        api(&world, &mut browser);
        old
    };
    let (other, mut browser) = (world.isolate(settings, "here"), old);
    assert_eq!((api(&other, &mut browser).status, given(&world)), (200, 4));
    assert!(has_refresh_token(&world, &browser));
}

#[test]
fn the_sign_out_revokes_the_refresh_token_that_was_kept_for_it() {
    let mut settings = without_tokens();
    settings["providers"][0]["token_revocation"] = json!(ENDPOINT);
    let (world, mut browser) = signed_in(settings);
    assert_eq!(sign_out(&world, &mut browser).status, 302);
    assert_eq!(*world.provider.revocations.borrow(), ["token=refresh-bob&token_type_hint=refresh_token"]);
}

#[test]
fn switching_between_the_ways_signs_no_one_out() {
    let (world, mut browser) = signed_in(kept_in("cookie"));
    let steps = ["store", "cookie", "store", "store", "cookie"];
    let mut copy = browser.clone();
    for (n, storage) in steps.into_iter().enumerate() {
        world.pass(Duration::from_secs(3605));
        let mut settings = kept_in(storage);
        settings["refresh"] = json!({ "lease": "durable-object" });
        let isolate = world.isolate(settings, "here");
        let token = format!("access-bob~{}", n + 1);
        assert_eq!(crate::refresh::bearer(&api(&isolate, &mut browser)), Some(token.as_str()), "{n}");
        assert_eq!(claims(&world, &browser).contains_key("access_token"), storage == "cookie", "{n}");
        if n == 2 {
            // Three generations behind, and from before there were entries.
            assert_eq!(crate::refresh::bearer(&api(&isolate, &mut copy)), Some(token.as_str()));
        }
    }
    assert_eq!(world.provider.grants.refused.get(), 0);
    // The site no longer uses tokens.
    let last = world.isolate(without_tokens(), "here");
    world.pass(Duration::from_hours(25));
    assert_eq!(
        last.send("GET", &format!("{APP}/api"), &[("cookie", &browser.cookie_header())], b"").status,
        200
    );
}
