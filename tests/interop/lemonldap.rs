//! Debian's LemonLDAP::NG: a refresh token works any number of times, and ends with the person's session there, or with
//! `offline_access` when it no longer knows them. It logs out by frames.

use std::process::Command;
use std::time::Duration;

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::{expect_signed_out, signed_in, signed_in_as};
use crate::env::{Env, FAR, NEAR, early, stores, text_in_session, ttl, wait_for_the_end_of_the_token, with};
use crate::program::Run::{Checks, Counts};
use crate::program::{Program, Walk, client_options, start};
use crate::{refusals, renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "lemonldap-ng",
    version: || installed(PACKAGES[0]).unwrap_or_else(|| VERSION.to_owned()),
    walks: &[
        Walk { name: "an ended access token is renewed, and again", run: Checks(expiry) },
        Walk { name: "twenty requests renew once, Durable Object", run: Checks(burst_with_a_durable_object) },
        Walk { name: "twenty requests renew once, KV in one location", run: Checks(burst_with_kv) },
        Walk {
            name: "twenty requests renew once in each isolate, no lease",
            run: Checks(burst_without_a_lease),
        },
        Walk { name: "no request in flight gets a dead token", run: Counts(in_flight) },
        Walk { name: "a changed address is in the session after a renewal", run: Checks(changed) },
        Walk { name: "a removed refresh token ends the session", run: Checks(removed) },
        Walk { name: "a disabled person's session ends", run: Checks(disabled) },
        Walk { name: "who refuses consent is not signed in", run: Checks(refused_consent) },
        Walk { name: "a client that is refused ends no session", run: Checks(refused_client) },
        Walk { name: "a sign-out reaches every copy, Durable Object", run: Checks(signed_out) },
        Walk { name: "a sign-out reaches every copy, KV", run: Checks(signed_out_with_kv) },
        Walk { name: "a sign-out everywhere reaches the other browser", run: Checks(signed_out_everywhere) },
        Walk {
            name: "a sign-out ends the provider's own session, unasked, and comes back",
            run: Checks(signed_out_at_the_provider),
        },
        Walk {
            name: "a sign-out at the provider ends the session with its access token",
            run: Checks(signed_out_there),
        },
        Walk {
            name: "a frame of the provider's logout ends every copy, Durable Object",
            run: Checks(frame_with_a_durable_object),
        },
        Walk { name: "a frame of the provider's logout ends every copy, KV", run: Checks(frame_with_kv) },
    ],
};

/// Its version in Debian 12.
const VERSION: &str = "2.16.1";

/// What the walks need of Debian. The portal only recommends the last two, and its OpenID provider needs them.
const PACKAGES: [&str; 3] = ["liblemonldap-ng-portal-perl", "libio-string-perl", "libstring-random-perl"];

/// What this machine lacks for the walks; nothing on most machines with Debian 12.
pub fn lacks() -> Option<String> {
    if let Some(missing) = PACKAGES.into_iter().find(|package| installed(package).is_none()) {
        return Some(format!("Debian's package {missing} is not installed"));
    }
    let version = installed(PACKAGES[0])?;
    (!version.starts_with(VERSION)).then(|| format!("{} is version {version}, not {VERSION}", PACKAGES[0]))
}

/// The version of a package of Debian, if it is installed.
fn installed(package: &str) -> Option<String> {
    let format = "--showformat=${db:Status-Status} ${Version}";
    let output = Command::new("dpkg-query").args(["--show", format, package]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.strip_prefix("installed ").filter(|_| output.status.success()).map(str::to_owned)
}

/// With a refresh token for as long as the person exists.
fn start_offline(settings: &Value, isolates: &[&str]) -> (Env, Client) {
    start_with("openid profile email offline_access", ttl(), settings, isolates)
}

/// With a refresh token that ends with the person's session there, and tokens that live as long as the walk.
fn start_to_sign_out(store: &str) -> (Env, Client) {
    start_with("openid profile email", Duration::from_hours(1), &stores(store), &FAR)
}

fn start_with(scope: &str, ttl: Duration, settings: &Value, isolates: &[&str]) -> (Env, Client) {
    let env = start_asking(false, scope, ttl, settings, isolates);
    let browser = signed_in(&env);
    (env, browser)
}

fn start_asking(consent: bool, scope: &str, ttl: Duration, settings: &Value, isolates: &[&str]) -> Env {
    let options = with(&client_options(ttl), &json!({ "asks_for_consent": consent }));
    let server = start("/usr/bin/perl", "lemonldap.pl", &options);
    let provider = json!({
        "id": "real", "type": "oidc", "issuer": format!("http://localhost:{}/", server.address.port()),
        "scope": scope, "strict_rotation": false, "logout": true, "frontchannel_logout": true,
        // Of a Basic header it reads no secret whose Base64 has other characters than letters and digits.
        "token_endpoint_auth_method": "client_secret_post",
        // So it calls a refresh token that it does not know.
        "token": { "invalid_grant_errors": ["invalid_request"] },
    });
    Env::start(server, &provider, settings, isolates)
}

fn expiry() {
    let (env, browser) = start_offline(&stores("kv"), &["FRA"]);
    renewals::an_ended_token_is_renewed_without_rotation(&env, &browser);
}

fn burst_with_a_durable_object() {
    let (env, browser) = start_offline(&stores("durable-object"), &FAR);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn burst_with_kv() {
    let (env, browser) = start_offline(&stores("kv"), &NEAR);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn burst_without_a_lease() {
    let no_lease = json!({ "refresh": { "lease": "none", "leeway": "0s" } });
    let (env, browser) = start_offline(&with(&stores("kv"), &no_lease), &FAR);
    renewals::a_burst_renews_once_in_each_isolate(&env, &browser, ttl());
}

fn in_flight() -> String {
    let (env, browser) = start_offline(&early(), &FAR);
    renewals::no_request_in_flight_is_refused(&env, &browser)
}

fn changed() {
    let (env, browser) = start_offline(&stores("kv"), &["FRA"]);
    renewals::a_changed_address_follows(&env, &browser);
}

fn removed() {
    let (env, browser) = start_offline(&stores("durable-object"), &["FRA"]);
    env.control(&format!("revoke?token={}", text_in_session(&browser, "refresh_token")));
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn disabled() {
    let (env, browser) = start_offline(&stores("durable-object"), &["FRA"]);
    env.control("disable?user=ada");
    renewals::the_next_refresh_ends_the_session(&env, &browser);
}

fn refused_consent() {
    let env = start_asking(true, "openid profile email", ttl(), &stores("durable-object"), &["FRA"]);
    refusals::who_refuses_consent_is_not_signed_in(&env, ("confirm", "-1"));
}

fn refused_client() {
    let (env, browser) = start_offline(&stores("durable-object"), &["FRA"]);
    env.control("secret");
    refusals::a_client_that_is_refused_ends_no_session(&env, &browser);
}

fn signed_out() {
    let (env, browser) = start_to_sign_out("durable-object");
    sign_out::it_reaches_every_copy(&env, &browser);
}

fn signed_out_with_kv() {
    let (env, browser) = start_to_sign_out("kv");
    sign_out::it_reaches_every_copy(&env, &browser);
}

fn signed_out_everywhere() {
    let (env, browser) = start_to_sign_out("durable-object");
    sign_out::it_reaches_the_other_browser(&env, &browser, &signed_in(&env));
}

fn signed_out_at_the_provider() {
    let (_env, browser) = start_to_sign_out("durable-object");
    sign_out::it_ends_the_providers_session(&browser);
}

/// Without `offline_access`, and where the frame does not get through.
fn signed_out_there() {
    let (env, browser) = start_with("openid profile email", ttl(), &stores("durable-object"), &["FRA"]);
    browser.get(&env.at_the_provider("/?logout=1")).navigation().send().expect_status(200);
    wait_for_the_end_of_the_token(&browser);
    let refused = env.counts().refused;
    expect_signed_out(&browser);
    assert_eq!(env.counts().refused, refused + 1, "asked once");
}

fn frame_with_a_durable_object() {
    frame("durable-object");
}

fn frame_with_kv() {
    frame("kv");
}

/// Somebody signs out at the provider, whose page has a frame. It names the user: it ends their sessions in every browser.
fn frame(store: &str) {
    let (env, browser) = start_to_sign_out(store);
    let (same, other) = (signed_in(&env), signed_in_as(&env, "bob"));
    sign_out::a_frame_ends_every_session(&env, &browser, &[same], &other, "/?logout=1");
}
