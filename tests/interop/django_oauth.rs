//! django-oauth-toolkit: it ends the old access token when it renews. Without a grace period a used refresh token ends all
//! tokens of the sign-in (`REFRESH_TOKEN_REUSE_PROTECTION`); within one it gets the same new tokens again.

use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::sign_in;
use crate::env::{Env, FAR, NEAR, text_in_session};
use crate::program::{APP, Program, Walk, python_version, start_python};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "django-oauth-toolkit",
    version: || python_version("django-oauth-toolkit"),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: expiry },
        Walk { name: "twenty requests renew once, Durable Object", run: burst_with_a_durable_object },
        Walk { name: "twenty requests renew once, KV in one location", run: burst_with_kv },
        Walk { name: "twenty requests pass, KV in three locations", run: burst_with_kv_far_away },
        Walk { name: "no request in flight gets a dead token", run: in_flight },
        Walk { name: "a revoked refresh token ends the session", run: revocation },
        Walk {
            name: "the administrator's revocation ends the session",
            run: revocation_by_the_administrator,
        },
        Walk { name: "a disabled person's session ends", run: disabled },
        Walk { name: "a sign-out reaches the provider and every copy", run: signed_out },
        Walk { name: "a sign-out ends the provider's own session", run: signed_out_at_the_provider },
    ],
};

/// How long its access tokens live.
const TTL: Duration = Duration::from_secs(5);

fn start(grace: u32, refresh: &Value, isolates: &[&str]) -> (Env, Client) {
    let server = start_python(
        "django_oauth.py",
        &json!({
            "redirect_uri": format!("{APP}/auth/callback/real"),
            "post_logout_redirect_uri": format!("{APP}/"),
            "access_token_ttl": TTL.as_secs(),
            "grace": grace,
        }),
    );
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": server.direct("/o"), "scope": "openid profile email",
        "strict_rotation": grace == 0, "renew": "at-end", "logout": true,
    });
    let env = Env::start(server, &provider, refresh, isolates);
    let browser = env.client();
    let page = sign_in(&browser, "ada").expect_status(200).json();
    let expected = (&json!("ada"), &json!("ada@example.com"));
    assert_eq!((&page["preferred_username"], &page["email"]), expected, "{page}");
    (env, browser)
}

fn refresh(lease: &str) -> Value {
    json!({ "lease": lease, "leeway": "0s" })
}

fn expiry() {
    let (env, browser) = start(0, &refresh("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn burst_with_a_durable_object() {
    let (env, browser) = start(0, &refresh("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &browser, TTL);
}

fn burst_with_kv() {
    let (env, browser) = start(10, &refresh("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &browser, TTL);
}

fn burst_with_kv_far_away() {
    let (env, browser) = start(20, &refresh("kv"), &FAR);
    env.kv().partition_locations();
    renewals::a_burst_renews_once_in_each_location(&env, &browser, TTL);
}

fn revocation() {
    let (env, browser) = start(0, &refresh("durable-object"), &["FRA"]);
    let refresh_token = text_in_session(&browser, "refresh_token");
    env.post_as_client("/o/revoke_token/", &[("token", &refresh_token)]).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn revocation_by_the_administrator() {
    let (env, browser) = start(10, &refresh("durable-object"), &["FRA"]);
    env.control("revoke?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn in_flight() {
    let (env, browser) = start(0, &refresh("durable-object"), &FAR);
    // As far away as an upstream in another country.
    let (requests, refused) = renewals::requests_during_renewals(&env, &browser, Duration::from_millis(150));
    assert_eq!(refused, 0, "of {requests} requests");
}

fn signed_out() {
    let (env, browser) = start(0, &refresh("durable-object"), &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/o/token/");
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start(0, &refresh("durable-object"), &FAR);
    sign_out::it_ends_the_providers_session(&browser, ("allow", "Logout"));
}

fn disabled() {
    let (env, browser) = start(0, &refresh("durable-object"), &["FRA"]);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}
