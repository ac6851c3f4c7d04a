//! An API of graphene-django with the tokens of django-graphql-jwt: every error comes with status 200.

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::sign_in_with_password;
use crate::env::{Env, FAR, NEAR, early, stores, ttl, wait_for_the_end_of_the_token, wait_until};
use crate::program::Run::{Checks, Counts};
use crate::program::{APP, Program, Walk, python_version, start_python};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "django-graphql-jwt",
    version: || python_version("django-graphql-jwt"),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: Checks(expiry) },
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "a revoked refresh token ends the session", run: Checks(revocation) },
        Walk { name: "a disabled person's session ends", run: Checks(disabled) },
        Walk { name: "a wrong password is CredentialsSignin", run: Checks(wrong_password) },
        Walk {
            name: "a database that is down at the login is no wrong password",
            run: Checks(down_at_login),
        },
        Walk { name: "a database that is down at a renewal ends no session", run: Checks(down_at_renewal) },
        Walk { name: "a sign-out reaches every copy, Durable Object", run: Checks(signed_out) },
        Walk { name: "a sign-out reaches every copy, KV", run: Checks(signed_out_with_kv) },
    ],
};

const LOGIN: &str = "mutation ($username: String!, $password: String!) { tokenAuth(username: $username, \
    password: $password) { token refreshToken refreshExpiresIn } }";
const REFRESH: &str = "mutation ($token: String!) { refreshToken(refreshToken: $token) { token refreshToken refreshExpiresIn } }";

/// A person signs in with an address that the token does not have.
const PROFILE: &str = "{ viewer { username email } }";

fn start(settings: &Value, isolates: &[&str]) -> Env {
    let server = start_python("graphql_api.py", &json!({ "access_token_ttl": ttl().as_secs() }));
    let url = server.direct("/graphql");
    let provider = json!({
        "id": "real",
        "type": "credentials",
        "strict_rotation": true,
        "fields": [{ "name": "username" }, { "name": "password", "type": "password" }],
        "login": {
            "url": url,
            "body": { "query": LOGIN, "variables": { "username": "{username}", "password": "{password}" } },
            "access_token": "body.data.tokenAuth.token",
            "refresh_token": "body.data.tokenAuth.refreshToken",
            "refresh_expires_at": "body.data.tokenAuth.refreshExpiresIn",
            "error": "body.errors.0.message",
            // Its errors have no codes.
            "refused_errors": [
                "Please enter valid credentials", "Invalid refresh token", "Refresh token is expired",
            ],
        },
        "profile": { "url": url, "method": "POST", "body": { "query": PROFILE } },
        "user": {
            "id": "profile.data.viewer.username",
            "name": "profile.data.viewer.username",
            "email": "profile.data.viewer.email",
        },
        "refresh": {
            "url": url,
            "body": { "query": REFRESH, "variables": { "token": "{refresh_token}" } },
            "access_token": "body.data.refreshToken.token",
            "refresh_token": "body.data.refreshToken.refreshToken",
            "refresh_expires_at": "body.data.refreshToken.refreshExpiresIn",
        },
    });
    Env::start(server, &provider, settings, isolates)
}

fn signed_in(env: &Env) -> Client {
    let browser = env.client();
    let reply = sign_in_with_password(&browser, "ada", "ada").expect_status(302);
    assert_eq!(reply.location(), format!("{APP}/whoami"));
    let page = env.whoami(&browser).expect_status(200).json();
    assert_eq!(page["data"]["viewer"], json!({ "username": "ada", "email": "ada@example.com" }));
    browser
}

fn expiry() {
    let env = start(&stores("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed(&env, &signed_in(&env));
}

fn burst_with_a_durable_object() {
    let env = start(&stores("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &signed_in(&env), ttl());
}

fn burst_with_kv() {
    let env = start(&stores("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &signed_in(&env), ttl());
}

fn revocation() {
    let env = start(&stores("durable-object"), &["FRA"]);
    let browser = signed_in(&env);
    env.control("revoke?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn wrong_password() {
    let env = start(&stores("kv"), &["FRA"]);
    let reply = sign_in_with_password(&env.client(), "ada", "bob").expect_status(302);
    assert!(reply.location().contains("error=CredentialsSignin"), "{}", reply.location());
    signed_in(&env);
}

fn disabled() {
    let env = start(&stores("durable-object"), &["FRA"]);
    let browser = signed_in(&env);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn in_flight() -> String {
    let env = start(&early(), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &signed_in(&env))
}

fn changed() {
    let env = start(&stores("kv"), &["FRA"]);
    renewals::a_changed_address_follows(&env, &signed_in(&env));
}

fn down_at_login() {
    let env = start(&stores("kv"), &["FRA"]);
    env.control("database?state=down");
    for password in ["ada", "bob"] {
        let reply = sign_in_with_password(&env.client(), "ada", password).expect_status(302);
        assert!(reply.location().ends_with("/auth/error?error=Configuration"), "{}", reply.location());
    }
    env.control("database?state=up");
    signed_in(&env);
}

fn down_at_renewal() {
    let env = start(&stores("durable-object"), &["FRA"]);
    let browser = signed_in(&env);
    env.control("database?state=down");
    wait_for_the_end_of_the_token(&browser);
    let reply = env.whoami(&browser).expect_status(503);
    assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
    let shown = env.shown(&browser);
    assert_eq!((&shown["user"]["name"], &shown["access_token"]), (&json!("ada"), &Value::Null), "{shown}");
    env.control("database?state=up");
    wait_until("the token is renewed", || env.whoami(&browser).status == 200);
    let shown = env.shown(&browser);
    assert!(shown["access_token"].is_string() && shown["error"].is_null(), "{shown}");
}

fn signed_out() {
    let env = start(&stores("durable-object"), &FAR);
    sign_out::it_reaches_every_copy(&env, &signed_in(&env));
}

fn signed_out_with_kv() {
    let env = start(&stores("kv"), &FAR);
    sign_out::it_reaches_every_copy(&env, &signed_in(&env));
}
