//! npm's oidc-provider: a used refresh token is refused, and its reuse ends the whole grant.

use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::sign_in;
use crate::env::{Env, FAR, NEAR, text_in_session};
use crate::program::{APP, Program, Walk, npm_version, start_node};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "oidc-provider",
    version: || npm_version("oidc-provider"),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: expiry },
        Walk { name: "twenty requests renew once, Durable Object", run: burst_with_a_durable_object },
        Walk { name: "twenty requests renew once, KV in one location", run: burst_with_kv },
        Walk { name: "a revoked refresh token ends the session", run: revocation },
        Walk { name: "a disabled person's session ends", run: disabled },
        Walk { name: "a sign-out reaches the provider and every copy", run: signed_out },
        Walk { name: "a sign-out ends the provider's own session", run: signed_out_at_the_provider },
    ],
};

/// How long its access tokens live.
const TTL: Duration = Duration::from_secs(5);

fn start(refresh: &Value, isolates: &[&str]) -> (Env, Client) {
    let server = start_node(
        "oidc-provider.mjs",
        &json!({
            "redirect_uri": format!("{APP}/auth/callback/real"),
            "post_logout_redirect_uri": format!("{APP}/"),
            "access_token_ttl": TTL.as_secs(),
        }),
    );
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}", server.address.port()),
        // It gives a refresh token only to whom it has asked for consent.
        "scope": "openid profile email offline_access", "authorization_params": { "prompt": "consent" },
        "strict_rotation": true, "logout": true,
    });
    let env = Env::start(server, &provider, refresh, isolates);
    let browser = env.client();
    let page = sign_in(&browser, "ada").expect_status(200).json();
    assert_eq!((&page["sub"], &page["email"]), (&json!("ada"), &json!("ada@example.com")));
    (env, browser)
}

fn refresh(lease: &str) -> Value {
    json!({ "lease": lease, "leeway": "0s" })
}

fn expiry() {
    let (env, browser) = start(&refresh("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn burst_with_a_durable_object() {
    let (env, browser) = start(&refresh("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &browser, TTL);
}

fn burst_with_kv() {
    let (env, browser) = start(&refresh("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &browser, TTL);
}

fn revocation() {
    let (env, browser) = start(&refresh("durable-object"), &["FRA"]);
    let refresh_token = text_in_session(&browser, "refresh_token");
    env.post_as_client("/token/revocation", &[("token", &refresh_token)]).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn disabled() {
    let (env, browser) = start(&refresh("durable-object"), &["FRA"]);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn signed_out() {
    let (env, browser) = start(&refresh("durable-object"), &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/token");
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start(&refresh("durable-object"), &FAR);
    sign_out::it_ends_the_providers_session(&browser, ("logout", "yes"));
}
