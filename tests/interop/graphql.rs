//! An API of graphene-django with the tokens of django-graphql-jwt: every error comes with status 200.

use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::sign_in_with_password;
use crate::env::{Env, FAR, NEAR};
use crate::program::{APP, Program, Walk, python_version, start_python};
use crate::renewals;

pub const PROGRAM: Program = Program {
    name: "django-graphql-jwt",
    version: || python_version("django-graphql-jwt"),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: expiry },
        Walk { name: "twenty requests renew once, Durable Object", run: burst_with_a_durable_object },
        Walk { name: "twenty requests renew once, KV in one location", run: burst_with_kv },
        Walk { name: "a revoked refresh token ends the session", run: revocation },
        Walk { name: "a disabled person's session ends", run: disabled },
        Walk { name: "a wrong password is CredentialsSignin", run: wrong_password },
    ],
};

/// How long its access tokens live.
const TTL: Duration = Duration::from_secs(5);

const LOGIN: &str = "mutation ($username: String!, $password: String!) { tokenAuth(username: $username, \
    password: $password) { token refreshToken refreshExpiresIn } }";
const REFRESH: &str = "mutation ($token: String!) { refreshToken(refreshToken: $token) { token refreshToken refreshExpiresIn } }";

fn start(refresh: &Value, isolates: &[&str]) -> Env {
    let server = start_python("graphql_api.py", &json!({ "access_token_ttl": TTL.as_secs() }));
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
        },
        "user": { "id": "access_token.username", "name": "access_token.username" },
        "refresh": {
            "url": url,
            "body": { "query": REFRESH, "variables": { "token": "{refresh_token}" } },
            "access_token": "body.data.refreshToken.token",
            "refresh_token": "body.data.refreshToken.refreshToken",
            "refresh_expires_at": "body.data.refreshToken.refreshExpiresIn",
        },
    });
    Env::start(server, &provider, refresh, isolates)
}

fn signed_in(env: &Env) -> Client {
    let browser = env.client();
    let reply = sign_in_with_password(&browser, "ada", "ada").expect_status(302);
    assert_eq!(reply.location(), format!("{APP}/whoami"));
    let page = env.whoami(&browser).expect_status(200).json();
    assert_eq!(page["data"]["viewer"], json!({ "username": "ada", "email": "ada@example.com" }));
    browser
}

fn refresh(lease: &str) -> Value {
    json!({ "lease": lease, "leeway": "0s" })
}

fn expiry() {
    let env = start(&refresh("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed(&env, &signed_in(&env));
}

fn burst_with_a_durable_object() {
    let env = start(&refresh("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &signed_in(&env), TTL);
}

fn burst_with_kv() {
    let env = start(&refresh("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &signed_in(&env), TTL);
}

fn revocation() {
    let env = start(&refresh("durable-object"), &["FRA"]);
    let browser = signed_in(&env);
    env.control("revoke?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn wrong_password() {
    let env = start(&refresh("kv"), &["FRA"]);
    let reply = sign_in_with_password(&env.client(), "ada", "bob").expect_status(302);
    assert!(reply.location().contains("error=CredentialsSignin"), "{}", reply.location());
    signed_in(&env);
}

fn disabled() {
    let env = start(&refresh("durable-object"), &["FRA"]);
    let browser = signed_in(&env);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}
