//! Which refresh a session needs, and whose published tokens are whose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::session::policy::{Persistence, SessionConfig};
use crate::session::tokens::TokenStorage;
use crate::session::tokens::entry::TokenEntry;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn session(claims: &Value) -> Session {
    Session::new(claims.as_object().unwrap().clone())
}

fn id(claims: &Value) -> RefreshId {
    RefreshId::of(&session(claims)).unwrap()
}

fn keyring(secret: &str) -> Keyring {
    Keyring::new(vec![Secret::new(secret)]).unwrap()
}

fn lasting(max_age: Duration) -> SessionConfig {
    SessionConfig {
        max_age,
        update_age: HOUR,
        absolute_max_age: None,
        revalidate: None,
        persistence: Persistence::Persistent,
        expose: Vec::new(),
        updatable: Vec::new(),
        tokens: TokenStorage::Cookie,
    }
}

fn tokens(generation: u64) -> RefreshedTokens {
    RefreshedTokens {
        generation,
        access_token: Secret::new("new access token"),
        refresh_token: Some(Secret::new("new refresh token")),
        expires_at: NOW.plus(HOUR),
        refresh_expires_at: Some(NOW.plus(HOUR * 2)),
        api_cookies: BTreeMap::from([("a".to_owned(), Secret::new("b"))]),
        issued_at: NOW,
        claims: Some(ClaimChanges::default()),
        ends_at: Some(NOW.plus(HOUR * 3)),
        dpop_key: None,
        id_token: None,
        entry: None,
    }
}

fn sealed(tokens: &RefreshedTokens, id: &RefreshId, max_age: Duration) -> String {
    let (keys, config) = (keyring("secret"), lasting(max_age));
    let sealing = Sealing { keys: &keys, dialect: Dialect::AuthJsV5, session: &config };
    tokens.seal(id, sealing, NOW, &mut |bytes| bytes.fill(7))
}

#[test]
fn a_refresh_is_of_one_session_one_generation_and_one_token() {
    let claims = json!({ "sid": "s", "generation": 1, "refresh_token": "r" });
    let others = [
        json!({ "sid": "t", "generation": 1, "refresh_token": "r" }),
        json!({ "sid": "s", "generation": 2, "refresh_token": "r" }),
        json!({ "sid": "s", "generation": 1, "refresh_token": "q" }),
        json!({ "sid": "s", "generation": 1, "api_cookies": { "r": "" } }),
        json!({ "sid": "s", "generation": 1, "api_cookies": { "": "r" } }),
    ];
    let ids: Vec<RefreshId> = std::iter::once(&claims).chain(&others).map(id).collect();
    let keys: BTreeSet<String> =
        ids.iter().flat_map(|id| [id.key(), id.slot_key(0), id.slot_key(1)]).collect();
    assert_eq!(keys.len(), 3 * ids.len());
    assert!(id(&claims) == ids[0] && ids[1..].iter().all(|other| *other != ids[0]));
}

#[test]
fn a_session_without_a_name_or_without_anything_to_refresh_with_has_no_refresh() {
    for claims in [
        json!({ "sid": "s" }),
        json!({ "sid": "s", "access_token": "a", "refresh_token": "", "api_cookies": {} }),
        json!({ "refresh_token": "r" }),
        json!({ "sid": "", "refresh_token": "r" }),
    ] {
        assert!(RefreshId::of(&session(&claims)).is_none(), "{claims}");
    }
    // What an upstream refreshes needs no more than an access token.
    let of_tokens = |claims: Value| RefreshId::of_tokens(&session(&claims));
    assert!(of_tokens(json!({ "sid": "s", "access_token": "a" })).is_some());
    assert!(of_tokens(json!({ "sid": "", "access_token": "a" })).is_none());
    assert!(of_tokens(json!({ "sid": "s" })).is_none());
}

#[test]
fn published_tokens_open_to_what_was_published() {
    let id = id(&json!({ "sid": "s", "generation": 1, "refresh_token": "r" }));
    let text = sealed(&tokens(2), &id, HOUR * 24);
    let opened = RefreshedTokens::open(&text, &id, &keyring("secret"), NOW).unwrap();
    assert_eq!(opened.token_claims(), tokens(2).token_claims());
    assert_eq!(opened.claims, Some(ClaimChanges::default()));
}

#[test]
fn session_confusion_published_tokens_open_only_for_their_session_and_for_older_tokens() {
    let claims =
        |sid: &str, generation| json!({ "sid": sid, "generation": generation, "refresh_token": "r" });
    let own = id(&claims("s", 1));
    let text = sealed(&tokens(2), &own, HOUR * 24);
    let opens =
        |id: &RefreshId, secret: &str, now| RefreshedTokens::open(&text, id, &keyring(secret), now).is_some();
    assert!(opens(&own, "secret", NOW) && opens(&id(&claims("s", 0)), "secret", NOW));
    assert!(!opens(&id(&claims("s", 2)), "secret", NOW), "they are the same generation");
    assert!(!opens(&id(&claims("s", 3)), "secret", NOW));
    assert!(!opens(&id(&claims("t", 1)), "secret", NOW));
    assert!(!opens(&own, "another secret", NOW));
    assert!(RefreshedTokens::open("garbage", &own, &keyring("secret"), NOW).is_none());
}

#[test]
fn published_tokens_are_kept_for_a_week_or_as_long_as_a_session_lasts() {
    let id = id(&json!({ "sid": "s", "generation": 1, "refresh_token": "r" }));
    for (max_age, kept) in [(HOUR * 24 * 30, HOUR * 24 * 7), (HOUR, HOUR)] {
        let text = sealed(&tokens(2), &id, max_age);
        let opens = |at| RefreshedTokens::open(&text, &id, &keyring("secret"), NOW.plus(at)).is_some();
        assert!(opens(kept) && !opens(kept + Duration::from_mins(1)), "{max_age:?}");
    }
}

#[test]
fn session_confusion_tokens_of_a_session_with_a_key_open_by_this_key_only() {
    let mut random = |bytes: &mut [u8]| bytes.fill(3);
    let entry_of = |key: &str, random: &mut dyn FnMut(&mut [u8])| {
        TokenEntry::new(Secret::new(key), vec!["refresh_token".to_owned()], NOW, random)
    };
    let id_with = |claim: Value| id(&json!({ "sid": "s", "generation": 1, "token_entry": claim }));
    let (own, other) = (entry_of("own", &mut random), entry_of("other", &mut random));
    let id_of_own = id_with(own.to_claim());
    let mut published = tokens(2);
    published.entry = Some(own);
    let text = sealed(&published, &id_of_own, HOUR);
    let open = |id: &RefreshId| RefreshedTokens::open(&text, id, &keyring("secret"), NOW);
    assert_eq!(open(&id_of_own).unwrap().access_token.expose(), "new access token");
    assert!(open(&id_with(other.to_claim())).is_none());
    // They are of one generation, whatever the text around them says.
    let keys = keyring("secret");
    let mut around = seal::open(&keys, Dialect::AuthJsV5, SALT, &text, NOW).unwrap();
    around.insert("generation".to_owned(), json!(3));
    let of_another = seal::seal(&keys, Dialect::AuthJsV5, SALT, &around, HOUR, NOW, &mut random);
    assert!(RefreshedTokens::open(&of_another, &id_of_own, &keys, NOW).is_none());
    assert!(open(&id(&json!({ "sid": "s", "generation": 1, "refresh_token": "r" }))).is_none());
    // A session that had no key of its own gets the one that is derived from the secret.
    let derived = entry::derived_key(&Secret::new("secret"), "s");
    let mut published = tokens(2);
    published.entry = Some(entry_of(derived.expose(), &mut random));
    let without_key = id(&json!({ "sid": "s", "generation": 1, "refresh_token": "r" }));
    let text = sealed(&published, &without_key, HOUR);
    assert!(RefreshedTokens::open(&text, &without_key, &keyring("secret"), NOW).is_some());
}

#[test]
fn debug_output_of_a_refresh_has_no_token() {
    let printed = format!("{:?}", id(&json!({ "sid": "s", "generation": 4, "refresh_token": "r-1" })));
    assert_eq!(printed, "RefreshId { sid: \"s\", generation: 4, .. }");
}
