//! canaille, made of Authlib: a refresh ends the old access token, and a refresh token ends together with its access token.

use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::{expect_signed_out, sign_in};
use crate::env::{Env, FAR, session, stores, tabs, wait_for_the_end_of_the_token, wait_for_the_last_second};
use crate::program::Run::{Checks, Counts};
use crate::program::{APP, Program, Walk, python_version, start_python};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "canaille",
    version: || python_version("canaille"),
    walks: &[
        Walk { name: "twenty requests in a token's last second renew it once", run: Checks(burst) },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "a disabled person's session ends", run: Checks(disabled) },
        Walk { name: "who comes back after the token's end signs in again", run: Checks(late) },
        Walk { name: "a sign-out reaches every copy", run: Checks(signed_out) },
        Walk { name: "a sign-out ends the provider's own session, unasked, and comes back", run: Checks(signed_out_at_the_provider) },
    ],
};

/// How long its access tokens live.
const TTL: Duration = Duration::from_secs(8);

fn start(settings: &Value, isolates: &[&str]) -> (Env, Client) {
    let server = start_python(
        "canaille_sso.py",
        &json!({
            "redirect_uri": format!("{APP}/auth/callback/real"),
            "post_logout_redirect_uri": format!("{APP}/auth/signout/callback"),
            "access_token_ttl": TTL.as_secs(),
        }),
    );
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}", server.address.port()),
        "scope": "openid profile email", "strict_rotation": true, "renew": "at-end", "logout": true,
        // What it says of a user who was locked.
        "token": { "invalid_grant_errors": ["There is no 'user' for this token."] },
    });
    let env = Env::start(server, &provider, settings, isolates);
    let browser = env.client();
    sign_in(&browser, "ada");
    assert_eq!(env.shown(&browser)["user"]["email"], "ada@example.com");
    (env, browser)
}

fn burst() {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    for round in 1..=2 {
        wait_for_the_last_second(&browser);
        for answer in env.whoami_in_parallel(&tabs(&browser, 20)) {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        env.whoami(&browser).expect_status(200);
        assert_eq!((env.counts().refreshed, env.counts().refused), (round, 0));
    }
}

fn in_flight() -> String {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &browser)
}

fn changed() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    env.control("address?user=ada&email=ada@example.org");
    wait_for_the_last_second(&browser);
    env.whoami(&browser).expect_status(200);
    assert_eq!(session(&browser)["email"], "ada@example.org");
}

fn disabled() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    env.control("disable?user=ada");
    wait_for_the_last_second(&browser);
    expect_signed_out(&browser);
}

fn late() {
    let (env, browser) = start(&stores("durable-object"), &["FRA"]);
    wait_for_the_end_of_the_token(&browser);
    std::thread::sleep(Duration::from_secs(1));
    expect_signed_out(&browser);
    let page = sign_in(&browser, "ada").expect_status(200).json();
    assert_eq!(page["sub"], "ada");
    env.whoami(&browser).expect_status(200);
}

fn signed_out() {
    let (env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::it_reaches_every_copy(&env, &browser);
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start(&stores("durable-object"), &FAR);
    sign_out::it_ends_the_providers_session(&browser);
}
