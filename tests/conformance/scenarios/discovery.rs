//! The provider's metadata and keys.

use serde_json::json;

use crate::env::{APP, Env, session, sign_in};
use crate::provider::{Signature, key};

pub fn openid_config() {
    let env = Env::new(&json!({}));
    for (place, path) in [
        ("authorization", "/a/place/to/sign-in"),
        ("token", "/a/place/for.tokens"),
        ("jwks", "/a/place/of~keys.json"),
        ("userinfo", "/a/place/about-users"),
    ] {
        env.provider.moves(place, path);
    }
    env.signs_in();
    for place in ["discovery", "authorization", "token", "jwks", "userinfo"] {
        assert_eq!(env.count(place), 1, "{place}");
    }
}

pub fn jwks_uri_keys() {
    let env = Env::new(&json!({}));
    env.provider.moves("jwks", "/keys-at-4f1b7c");
    env.signs_in();
    assert_eq!(env.count("jwks"), 1);
}

pub fn issuer_mismatch() {
    let control = Env::new(&json!({}));
    control.signs_in();
    for issuer in [
        "https://suite.example/",
        "https://suite.example/another",
        "https://SUITE.example",
        "https://evil.example",
    ] {
        let env = Env::new(&json!({}));
        env.provider.puts("discovery", "issuer", json!(issuer));
        let browser = env.client();
        let page = sign_in(&browser, "");
        assert_eq!(page.url, format!("{APP}/auth/error?error=Configuration"), "{issuer}");
        assert_eq!((session(&browser), env.count("authorization")), (json!(null), 0), "{issuer}");
        env.logged("auth_error", "calls itself");
    }
}

pub fn rotation_just_before_signing() {
    let env = Env::new(&json!({}));
    // When the token is asked for, the key that was published until then is replaced.
    let provider = std::sync::Arc::downgrade(&env.provider);
    env.provider.changes("id_token", move |_| {
        let provider = provider.upgrade().expect("the test holds it");
        provider.publishes(vec![key("stranger")]);
        provider.signs(Signature::honest("stranger", "RS256"));
    });
    env.signs_in();
    assert_eq!(env.count("jwks"), 1);
}

pub fn rotation() {
    let env = Env::new(&json!({}));
    env.signs_in();
    for (round, name) in ["stranger", "RSA", "stranger"].into_iter().enumerate() {
        env.provider.publishes(vec![key(name)]);
        env.provider.signs(Signature::honest(name, "RS256"));
        env.signs_in();
        assert_eq!(env.count("jwks"), round + 2);
    }
    // A key that is not published any more is asked for, and refused.
    env.provider.publishes(vec![key("P-256")]);
    env.provider.signs(Signature::honest("RSA", "RS256"));
    env.refuses("id_token");
}
