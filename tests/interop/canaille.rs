//! canaille: a refresh ends the old access token at once, and a refresh token ends together with its access token. So tokens
//! are renewed in the second half of their lives, for an API that checks them itself, or in their last second.

use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{expect_signed_out, sign_in, signed_in};
use crate::env::{Env, FAR, NEAR, stores, text_in_session, wait_for_the_end_of_the_token, wait_until, with};
use crate::program::Run::{Checks, Counts};
use crate::program::{Program, Walk, client_options, python_version, start_python};
use crate::{refusals, renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "canaille",
    version: || python_version("canaille"),
    walks: &[
        // The longest ones begin first.
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "a revoked refresh token ends the session", run: Checks(revocation) },
        Walk { name: "a withdrawn consent ends the session", run: Checks(withdrawal) },
        Walk { name: "a disabled person's session ends", run: Checks(disabled) },
        Walk { name: "who comes back after the token's end signs in again", run: Checks(late) },
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
        Walk { name: "a sign-out at the provider", run: Counts(no_logout_token) },
        Walk { name: "a refused consent signs nobody in", run: Checks(refused_consent) },
        Walk { name: "a disabled person cannot sign in", run: Checks(disabled_before) },
        Walk { name: "a client that is refused ends no session", run: Checks(refused_client) },
    ],
};

/// How long its access tokens live: half of it is the time for a renewal.
const TTL: Duration = Duration::from_secs(20);

/// The same where they are renewed in their last second.
const SHORT_TTL: Duration = Duration::from_secs(12);

/// How often to begin again where the machine is too slow for a renewal in a token's last second.
const MAX_TRIES: usize = 5;

/// With an API that checks its access tokens itself.
fn start(store: &str, isolates: &[&str]) -> Env {
    start_with("itself", TTL, &json!({}), &early(store), isolates)
}

fn early(store: &str) -> Value {
    with(&stores(store), &json!({ "refresh": { "lease": store, "leeway": "60s" } }))
}

fn start_with(checks: &str, ttl: Duration, more: &Value, settings: &Value, isolates: &[&str]) -> Env {
    let options = with(&client_options(ttl), &json!({ "checks": checks }));
    let server = start_python("canaille_sso.py", &options);
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}", server.address.port()),
        "scope": "openid profile email", "strict_rotation": true, "logout": true,
        // It accepts no other where tokens are revoked.
        "token_endpoint_auth_method": "client_secret_basic",
        // What it says of a user who was locked.
        "token": { "invalid_grant_errors": ["There is no 'user' for this token."] },
    });
    Env::start(server, &with(&provider, more), settings, isolates)
}

fn burst_with_a_durable_object() {
    let env = start("durable-object", &FAR);
    renewals::a_burst_renews_once(&env, &signed_in(&env), TTL);
}

fn burst_with_kv() {
    let env = start("kv", &NEAR);
    renewals::a_burst_renews_once(&env, &signed_in(&env), TTL);
}

fn in_flight() -> String {
    let tries = (0..MAX_TRIES).find_map(|_| {
        let at_end = json!({ "renew": "at-end" });
        let env = start_with("there", SHORT_TTL, &at_end, &stores("durable-object"), &FAR);
        renewals::in_flight(&env, &signed_in(&env))
    });
    tries.expect("a try in which the machine was fast enough")
}

fn changed() {
    let env = start("durable-object", &["FRA"]);
    renewals::a_changed_address_follows(&env, &signed_in(&env));
}

fn revocation() {
    let env = start("durable-object", &["FRA"]);
    let browser = signed_in(&env);
    let refresh_token = text_in_session(&browser, "refresh_token");
    env.post_as_client("/oauth/revoke", &[("token", &refresh_token)]).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn withdrawal() {
    let env = start("durable-object", &["FRA"]);
    let browser = signed_in(&env);
    env.control("revoke?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn disabled() {
    let env = start("durable-object", &["FRA"]);
    let browser = signed_in(&env);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn late() {
    let env = start_with("there", SHORT_TTL, &json!({}), &early("durable-object"), &["FRA"]);
    let browser = signed_in(&env);
    let ended = text_in_session(&browser, "access_token");
    wait_for_the_end_of_the_token(&browser);
    wait_until("the token has ended", || env.whoami_directly(&ended) == 401);
    let before = env.counts();
    expect_signed_out(&browser);
    let after = env.counts();
    assert_eq!((after.refreshed, after.late), (before.refreshed, before.late + 1));
    sign_in(&browser, "ada");
    env.whoami(&browser).expect_status(200);
}

fn signed_out() {
    let env = start("durable-object", &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &signed_in(&env), "/oauth/token");
}

fn signed_out_with_kv() {
    let env = start("kv", &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &signed_in(&env), "/oauth/token");
}

fn signed_out_everywhere() {
    let env = start("durable-object", &FAR);
    sign_out::it_reaches_the_other_browser(&env, &signed_in(&env), &signed_in(&env));
}

fn signed_out_at_the_provider() {
    let env = start("durable-object", &FAR);
    sign_out::it_ends_the_providers_session(&signed_in(&env));
}

fn no_logout_token() -> String {
    let env = start("durable-object", &FAR);
    sign_out::the_provider_tells_nobody(&env, &signed_in(&env), "/logout")
}

fn refused_consent() {
    refusals::a_refused_consent_signs_nobody_in(&start("durable-object", &["FRA"]), ("answer", "deny"));
}

fn disabled_before() {
    refusals::who_is_disabled_cannot_sign_in(&start("durable-object", &["FRA"]));
}

fn refused_client() {
    let env = start("durable-object", &["FRA"]);
    let browser = signed_in(&env);
    env.control("secret");
    refusals::a_client_that_is_refused_ends_no_session(&env, &browser);
}
