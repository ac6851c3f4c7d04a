//! better-auth with its plugin `@better-auth/oauth-provider`: a used refresh token is refused, and its reuse ends all tokens
//! that the client has of the user. Within `refreshTokenReuseInterval` it gets the same new tokens again, but not at the same
//! moment: then it is refused, too. So there is no walk with KV in several locations.

use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::{begin_sign_in, expect_signed_out, signed_in, submit_login};
use crate::env::{
    Env, FAR, NEAR, early, stores, text_in_session, ttl, wait_for_the_end_of_the_token, wait_until, with,
};
use crate::form::Form;
use crate::program::Run::{Checks, Counts};
use crate::program::{Program, Walk, client_options, npm_version, start_node};
use crate::{refusals, renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "better-auth",
    version: || {
        format!("{}, its provider {}", npm_version("better-auth"), npm_version("@better-auth/oauth-provider"))
    },
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: Checks(expiry) },
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "a revoked refresh token ends the session", run: Checks(revocation) },
        Walk { name: "the reuse of a refresh token ends the user's sessions", run: Checks(reuse) },
        Walk { name: "a removed person's session ends", run: Checks(removed) },
        Walk { name: "a ban at the provider ends every copy", run: Checks(banned) },
        Walk { name: "who refuses consent is not signed in", run: Checks(refused_consent) },
        Walk { name: "a client that is refused ends no session", run: Checks(refused_client) },
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
    ],
};

fn start(reuse: u32, settings: &Value, isolates: &[&str]) -> (Env, Client) {
    start_with(ttl(), reuse, settings, isolates)
}

/// With tokens that live as long as the walk: of a copy that has renewed them, the provider revokes all of the user's.
fn start_to_sign_out(reuse: u32, store: &str) -> (Env, Client) {
    start_with(Duration::from_hours(1), reuse, &stores(store), &FAR)
}

fn start_with(ttl: Duration, reuse: u32, settings: &Value, isolates: &[&str]) -> (Env, Client) {
    let server = start_node("better-auth.mjs", &with(&client_options(ttl), &json!({ "reuse": reuse })));
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}/api/auth", server.address.port()),
        "scope": "openid profile email offline_access",
        // A client is registered for one method; the metadata name the provider's.
        "token_endpoint_auth_method": "client_secret_post",
        "strict_rotation": reuse == 0, "logout": true, "backchannel_logout": true,
    });
    let env = Env::start(server, &provider, settings, isolates);
    let browser = signed_in(&env);
    (env, browser)
}

fn expiry() {
    let (env, browser) = start(0, &stores("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn burst_with_a_durable_object() {
    let (env, browser) = start(0, &stores("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn burst_with_kv() {
    let (env, browser) = start(10, &stores("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn in_flight() -> String {
    let (env, browser) = start(0, &early(), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &browser)
}

fn changed() {
    let (env, browser) = start(0, &stores("kv"), &["FRA"]);
    renewals::a_changed_address_follows(&env, &browser);
}

fn revocation() {
    let (env, browser) = start(0, &stores("durable-object"), &["FRA"]);
    let refresh_token = text_in_session(&browser, "refresh_token");
    let fields = [("token", &*refresh_token), ("token_type_hint", "refresh_token")];
    env.post_as_client("/api/auth/oauth2/revoke", &fields).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn reuse() {
    let (env, browser) = start(0, &stores("durable-object"), &["FRA"]);
    let other = signed_in(&env);
    let used = text_in_session(&browser, "refresh_token");
    wait_for_the_end_of_the_token(&browser);
    env.whoami(&browser).expect_status(200);
    let grant = [("grant_type", "refresh_token"), ("refresh_token", &used)];
    env.post_as_client("/api/auth/oauth2/token", &grant).expect_status(400);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
    renewals::the_next_refresh_ends_the_session(&env, &other);
}

fn removed() {
    let (env, browser) = start(0, &stores("durable-object"), &["FRA"]);
    env.control("remove?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

/// It would renew the tokens of who is banned for ever; but a ban ends their sessions there, with a logout token for each.
fn banned() {
    let (env, browser) = start_to_sign_out(0, "durable-object");
    let other = signed_in(&env);
    env.control("ban?user=ada");
    wait_until("it has sent two logout tokens", || env.logout_tokens().len() == 2);
    sign_out::deliver_the_logout_tokens(&env);
    sign_out::expect_to_end(&env, &[browser.clone(), other]);
    expect_signed_out(&browser);
    // Who is banned does not get past the login.
    let again = env.client();
    let login = submit_login(&again, &begin_sign_in(&again), "ada").expect_status(403);
    assert!(Form::of(&login).is_none() && login.text().contains("banned"), "{}", login.text());
}

fn refused_consent() {
    let (env, _) = start(0, &stores("durable-object"), &["FRA"]);
    env.control("forget");
    refusals::who_refuses_consent_is_not_signed_in(&env, ("allow", "no"));
}

fn refused_client() {
    let (env, browser) = start(0, &stores("durable-object"), &["FRA"]);
    env.control("secret");
    refusals::a_client_that_is_refused_ends_no_session(&env, &browser);
}

fn signed_out() {
    let (env, browser) = start_to_sign_out(0, "durable-object");
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/api/auth/oauth2/token");
}

fn signed_out_with_kv() {
    let (env, browser) = start_to_sign_out(10, "kv");
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/api/auth/oauth2/token");
}

fn signed_out_everywhere() {
    let (env, browser) = start_to_sign_out(0, "durable-object");
    sign_out::it_reaches_the_other_browser(&env, &browser, &signed_in(&env));
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start_to_sign_out(0, "durable-object");
    sign_out::it_ends_the_providers_session(&browser);
}

fn logout_token_with_a_durable_object() {
    logout_token("durable-object");
}

fn logout_token_with_kv() {
    logout_token("kv");
}

/// Somebody signs out at the provider, which sends a logout token. Another browser has another session there.
fn logout_token(store: &str) {
    let (env, browser) = start_to_sign_out(0, store);
    let (other, page) = (signed_in(&env), "/api/auth/oauth2/end-session");
    sign_out::a_logout_token_ends_every_copy(&env, &browser, &other, page, ("action", "confirm"));
}
