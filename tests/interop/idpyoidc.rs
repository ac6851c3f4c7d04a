//! idpyoidc: a refresh token works once, its reuse ends nothing else, and the old access token goes on until its end.

use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::signed_in;
use crate::env::{Env, FAR, NEAR, early, stores, text_in_session, ttl, with};
use crate::program::Run::{Checks, Counts};
use crate::program::{Program, Walk, client_options, python_version, start_python};
use crate::{refusals, renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "idpyoidc",
    version: || python_version("idpyoidc"),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: Checks(expiry) },
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "a revoked refresh token ends the session", run: Checks(revocation) },
        Walk {
            name: "the administrator's revocation ends the session",
            run: Checks(revocation_by_the_administrator),
        },
        Walk { name: "a disabled person's session ends", run: Checks(disabled) },
        Walk {
            name: "a sign-out reaches the provider and every copy, Durable Object",
            run: Checks(signed_out),
        },
        Walk { name: "a sign-out reaches the provider and every copy, KV", run: Checks(signed_out_with_kv) },
        Walk { name: "a sign-out everywhere reaches the other browser", run: Checks(signed_out_everywhere) },
        Walk {
            name: "a sign-out ends the provider's own session, unasked, and comes back",
            run: Checks(signed_out_at_the_provider),
        },
        Walk {
            name: "a sign-out at the provider ends every copy, Durable Object",
            run: Checks(logout_token_with_a_durable_object),
        },
        Walk { name: "a sign-out at the provider ends every copy, KV", run: Checks(logout_token_with_kv) },
        Walk {
            name: "a frame of the provider's page ends every copy, Durable Object",
            run: Checks(frame_with_a_durable_object),
        },
        Walk { name: "a frame of the provider's page ends every copy, KV", run: Checks(frame_with_kv) },
        Walk { name: "a disabled person cannot sign in", run: Checks(disabled_before) },
        Walk { name: "a client that is refused ends no session", run: Checks(refused_client) },
    ],
};

/// How long its access tokens live where nothing is to be renewed during the walk.
const LONG_TTL: Duration = Duration::from_mins(10);

/// The button of its page for a sign-out.
const SIGN_OUT: (&str, &str) = ("logout", "yes");

fn start(settings: &Value, isolates: &[&str]) -> (Env, Client) {
    start_with(&client_options(ttl()), &json!({}), settings, isolates)
}

fn start_with(options: &Value, more: &Value, settings: &Value, isolates: &[&str]) -> (Env, Client) {
    let server = start_python("idpyoidc_op.py", options);
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}", server.address.port()),
        // It gives a refresh token only to whom asks for consent.
        "scope": "openid profile email offline_access", "authorization_params": { "prompt": "consent" },
        "strict_rotation": true, "logout": true,
        // What it says of a refresh token that was used, has ended or was revoked.
        "token": { "invalid_grant_errors": ["Refresh token inactive"] },
    });
    let env = Env::start(server, &with(&provider, more), settings, isolates);
    let browser = signed_in(&env);
    (env, browser)
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
    // They are renewed while requests go on, which have half of their time.
    let (env, browser) = start_with(&client_options(ttl() * 2), &json!({}), &early(), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &browser)
}

fn changed() {
    let (env, browser) = start(&stores("kv"), &["FRA"]);
    renewals::a_changed_address_follows(&env, &browser);
}

fn revocation() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    let refresh_token = text_in_session(&browser, "refresh_token");
    env.post_as_client("/revocation", &[("token", &refresh_token)]).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn revocation_by_the_administrator() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    env.control("revoke?user=ada");
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

fn signed_out_at_the_provider() {
    let (_env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::it_ends_the_providers_session(&browser);
}

fn logout_token_with_a_durable_object() {
    logout_token("durable-object");
}

fn logout_token_with_kv() {
    logout_token("kv");
}

fn logout_token(store: &str) {
    let (env, browser) = start_with_channel("back", store);
    sign_out::a_logout_token_ends_every_copy(&env, &browser, &signed_in(&env), "/session", SIGN_OUT);
}

fn frame_with_a_durable_object() {
    frame("durable-object");
}

fn frame_with_kv() {
    frame("kv");
}

fn frame(store: &str) {
    let (env, browser) = start_with_channel("front", store);
    sign_out::a_frame_ends_every_copy(&env, &browser, &signed_in(&env), "/session", SIGN_OUT);
}

/// Its sign-out ends the grants of the person's other browsers, too: nothing is renewed meanwhile.
fn start_with_channel(channel: &str, store: &str) -> (Env, Client) {
    let options = with(&client_options(LONG_TTL), &json!({ "channel": channel }));
    let more = json!({ format!("{channel}channel_logout"): true });
    start_with(&options, &more, &stores(store), &FAR)
}

fn disabled_before() {
    refusals::who_is_disabled_cannot_sign_in(&start(&stores("durable-object"), &["FRA"]).0);
}

fn refused_client() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    env.control("secret");
    refusals::a_client_that_is_refused_ends_no_session(&env, &browser);
}
