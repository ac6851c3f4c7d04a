//! npm's oidc-provider: a used refresh token is refused, and its reuse ends the whole grant.

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::sign_in;
use crate::env::{
    Env, FAR, NEAR, copy_session, early, stores, text_in_session, ttl, wait_for_the_end_of_the_token, with,
};
use crate::program::Run::{Checks, Counts};
use crate::program::{APP, Program, Walk, client_options, npm_version, start_node};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "oidc-provider",
    version: || npm_version("oidc-provider"),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: Checks(expiry) },
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "without a refresh token a page signs in silently", run: Checks(silent) },
        Walk { name: "a revoked refresh token ends the session", run: Checks(revocation) },
        Walk { name: "a disabled person's session ends", run: Checks(disabled) },
        Walk {
            name: "a sign-out reaches the provider and every copy, Durable Object",
            run: Checks(signed_out),
        },
        Walk { name: "a sign-out reaches the provider and every copy, KV", run: Checks(signed_out_with_kv) },
        Walk { name: "a sign-out everywhere reaches the other browser", run: Checks(signed_out_everywhere) },
        Walk { name: "an operator ends the sessions of a person", run: Checks(ended_by_an_operator) },
        Walk {
            name: "a sign-out ends the provider's own session, unasked, and comes back",
            run: Checks(signed_out_at_the_provider),
        },
        Walk {
            name: "a sign-out at the provider ends every copy, Durable Object",
            run: Checks(logout_token_with_a_durable_object),
        },
        Walk { name: "a sign-out at the provider ends every copy, KV", run: Checks(logout_token_with_kv) },
        Walk { name: "an upstream gets a token of its own", run: Checks(exchange) },
    ],
};

fn start(settings: &Value, isolates: &[&str]) -> (Env, Client) {
    // It gives a refresh token only to whom it has asked for consent.
    let asks = json!({
        "scope": "openid profile email offline_access", "authorization_params": { "prompt": "consent" },
    });
    start_with(&asks, settings, isolates)
}

fn start_with(more: &Value, settings: &Value, isolates: &[&str]) -> (Env, Client) {
    let server = start_node("oidc-provider.mjs", &client_options(ttl()));
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}", server.address.port()),
        "strict_rotation": true, "logout": true,
    });
    let env = Env::start(server, &with(&provider, more), settings, isolates);
    let browser = signed_in(&env);
    (env, browser)
}

fn signed_in(env: &Env) -> Client {
    let browser = env.client();
    let page = sign_in(&browser, "ada").expect_status(200).json();
    assert_eq!((&page["sub"], &page["email"]), (&json!("ada"), &json!("ada@example.com")));
    browser
}

fn expiry() {
    let (env, browser) = start(&stores("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn burst_with_a_durable_object() {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn burst_with_kv() {
    let (env, browser) = start(&stores("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn in_flight() -> String {
    let (env, browser) = start(&early(), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &browser)
}

fn changed() {
    let (env, browser) = start(&stores("kv"), &["FRA"]);
    renewals::a_changed_address_follows(&env, &browser);
}

fn silent() {
    let (env, browser) = start_with(&json!({ "scope": "openid profile email" }), &stores("kv"), &["FRA"]);
    let ended = text_in_session(&browser, "access_token");
    assert_eq!(text_in_session(&browser, "refresh_token"), "");
    wait_for_the_end_of_the_token(&browser);
    env.whoami(&browser).expect_status(401);
    let page = browser.get(&format!("{APP}/whoami")).navigation().follow().send().expect_status(200);
    assert_eq!((&*page.url, &page.json()["sub"]), (&*format!("{APP}/whoami"), &json!("ada")));
    assert_ne!(text_in_session(&browser, "access_token"), ended);
    // Whose browser has no session at the provider is asked to sign in.
    let elsewhere = env.client();
    copy_session(&browser, &elsewhere);
    wait_for_the_end_of_the_token(&elsewhere);
    let page = elsewhere.get(&format!("{APP}/whoami")).navigation().follow().send();
    assert!(page.url.starts_with(&format!("{APP}/auth/signin?")), "{}", page.url);
}

fn revocation() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    let refresh_token = text_in_session(&browser, "refresh_token");
    env.post_as_client("/token/revocation", &[("token", &refresh_token)]).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn disabled() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn signed_out() {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/token");
}

fn signed_out_with_kv() {
    let (env, browser) = start(&stores("kv"), &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/token");
}

fn signed_out_everywhere() {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::it_reaches_the_other_browser(&env, &browser, &signed_in(&env));
}

fn ended_by_an_operator() {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::an_operator_ends_them(&env, &browser, &signed_in(&env));
}

fn logout_token_with_a_durable_object() {
    logout_token("durable-object");
}

fn logout_token_with_kv() {
    logout_token("kv");
}

/// Somebody signs out at the provider, which sends a logout token. Another browser has another session there.
fn logout_token(store: &str) {
    let asks = json!({
        "scope": "openid profile email offline_access", "authorization_params": { "prompt": "consent" },
        "backchannel_logout": true,
    });
    let (env, browser) = start_with(&asks, &stores(store), &FAR);
    let other = signed_in(&env);
    sign_out::a_logout_token_ends_every_copy(&env, &browser, &other, "/session/end", ("logout", "yes"));
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::it_ends_the_providers_session(&browser);
}

/// The token that the upstream gets has fewer scopes than the session's, and by that the program shows which one it got.
fn exchange() {
    let server = start_node("oidc-provider.mjs", &client_options(ttl()));
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}", server.address.port()),
        "scope": "openid profile email offline_access", "authorization_params": { "prompt": "consent" },
        "strict_rotation": true,
    });
    let token_for = |audience: &str| json!({ "exchange": { "audience": audience, "scope": "openid" } });
    let tables = json!({
        "upstreams": [{ "to": "service:APP", "authorization": token_for("orders") }],
        "rules": [{ "match": "/elsewhere", "access": "signed-in", "authorization": token_for("nobody") }],
    });
    let env = Env::start(server, &provider, &with(&stores("kv"), &tables), &["FRA"]);
    let browser = env.client();
    let of_exchanged = json!({ "sub": "ada" });
    assert_eq!(sign_in(&browser, "ada").expect_status(200).json(), of_exchanged);
    assert_eq!(env.whoami(&browser).expect_status(200).json(), of_exchanged);
    wait_for_the_end_of_the_token(&browser);
    assert_eq!(env.whoami(&browser).expect_status(200).json(), of_exchanged);
    assert!(env.counts().refreshed > 0);
    // A service that the provider does not know: that path alone is unavailable.
    env.ask(&browser, "/elsewhere").expect_status(503);
    assert_eq!(env.shown(&browser)["user"]["email"], "ada@example.com");
    assert_eq!(env.whoami(&browser).expect_status(200).json(), of_exchanged);
}
