//! django-oauth-toolkit: it ends the old access token when it renews. Without a grace period a used refresh token ends all
//! tokens of the sign-in (`REFRESH_TOKEN_REUSE_PROTECTION`); within one it gets the same new tokens again.

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::signed_in;
use crate::env::{Env, FAR, NEAR, stores, text_in_session, ttl, with};
use crate::program::Run::{Checks, Counts};
use crate::program::{Program, Walk, client_options, python_version, start_python};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "django-oauth-toolkit",
    version: || python_version("django-oauth-toolkit"),
    walks: &[
        // The longest one begins first.
        Walk { name: "a disabled person's session ends where no token is needed", run: Checks(revalidation) },
        Walk { name: "an ended access token is renewed, and again", run: Checks(expiry) },
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk { name: "twenty requests pass, KV in three locations", run: Checks(burst_with_kv_far_away) },
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
    ],
};

fn start(grace: u32, settings: &Value, isolates: &[&str]) -> (Env, Client) {
    let options = with(&client_options(ttl()), &json!({ "grace": grace }));
    let server = start_python("django_oauth.py", &options);
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": server.direct("/o"), "scope": "openid profile email",
        "strict_rotation": grace == 0, "renew": "at-end", "logout": true,
        // Its metadata do not have it.
        "token_revocation": server.direct("/o/revoke_token/"),
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

fn burst_with_kv_far_away() {
    let (env, browser) = start(20, &stores("kv"), &FAR);
    env.kv().partition_locations();
    renewals::a_burst_renews_once_in_each_location(&env, &browser, ttl());
}

fn in_flight() -> String {
    let (env, browser) = start(0, &stores("durable-object"), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &browser)
}

fn changed() {
    let (env, browser) = start(0, &stores("kv"), &["FRA"]);
    renewals::a_changed_address_follows(&env, &browser);
}

fn revocation() {
    let (env, browser) = start(0, &stores("durable-object"), &["FRA"]);
    let refresh_token = text_in_session(&browser, "refresh_token");
    env.post_as_client("/o/revoke_token/", &[("token", &refresh_token)]).expect_status(200);
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn revocation_by_the_administrator() {
    let (env, browser) = start(10, &stores("durable-object"), &["FRA"]);
    env.control("revoke?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn disabled() {
    let (env, browser) = start(0, &stores("durable-object"), &["FRA"]);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn revalidation() {
    let needs_no_token = json!({ "session": { "revalidate": "1m" }, "upstreams": [{ "to": "service:APP" }] });
    let (env, browser) = start(0, &with(&stores("durable-object"), &needs_no_token), &["FRA"]);
    renewals::who_is_disabled_is_noticed_without_a_token(&env, &browser);
}

fn signed_out() {
    let (env, browser) = start(0, &stores("durable-object"), &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/o/token/");
}

fn signed_out_with_kv() {
    let (env, browser) = start(10, &stores("kv"), &FAR);
    sign_out::it_reaches_the_provider_and_every_copy(&env, &browser, "/o/token/");
}

fn signed_out_everywhere() {
    let (env, browser) = start(0, &stores("durable-object"), &FAR);
    sign_out::it_reaches_the_other_browser(&env, &browser, &signed_in(&env));
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start(0, &stores("durable-object"), &FAR);
    sign_out::it_ends_the_providers_session(&browser);
}
