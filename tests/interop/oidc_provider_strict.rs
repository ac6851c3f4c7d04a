//! npm's oidc-provider with what strict profiles ask for: requests that are pushed and signed, signed responses, tokens that
//! are bound to a key, encrypted ID tokens, keys in place of a secret. Behind the Worker a resource verifies each DPoP proof
//! with npm's jose.

use miniflare_test_harness::Client;
use serde_json::{Value, json};

use crate::browser::{begin_sign_in, expect_signed_out, sign_in};
use crate::env::{
    CLIENT_ID, Env, FAR, session, stores, text_in_session, ttl, wait_for_the_end_of_the_token, with,
};
use crate::program::Run::Checks;
use crate::program::{APP, Program, Walk, npm_version, start_node};
use crate::{renewals, sign_out};

pub const PROGRAM: Program = Program {
    name: "oidc-provider",
    version: || npm_version("oidc-provider"),
    walks: &[
        Walk { name: "pushed requests, because the metadata demand them", run: Checks(pushed) },
        Walk {
            name: "signed requests in the address, because the metadata demand them",
            run: Checks(signed),
        },
        Walk {
            name: "requests that are signed and pushed, and signed responses",
            run: Checks(signed_both_ways),
        },
        Walk { name: "a signed response that the browser posts", run: Checks(posted) },
        Walk { name: "who cancels is told so by a signed response", run: Checks(cancelled) },
        Walk { name: "private_key_jwt, with the newest of two published keys", run: Checks(private_key_jwt) },
        Walk { name: "DPoP with nonces, and a resource that verifies each proof", run: Checks(dpop) },
        Walk { name: "twenty requests renew a bound token once, Durable Object", run: Checks(dpop_burst) },
        Walk { name: "a public client's refresh token is bound, too", run: Checks(dpop_public) },
        Walk {
            name: "encrypted ID and logout tokens, RSA-OAEP-256 with A256GCM",
            run: Checks(encrypted_rsa),
        },
        Walk {
            name: "encrypted ID tokens and userinfo, ECDH-ES with A128CBC-HS256",
            run: Checks(encrypted_ec),
        },
        Walk { name: "encrypted ID tokens, ECDH-ES+A256KW with A256GCM", run: Checks(encrypted_wrapped) },
        Walk { name: "authorization details: what was granted, and after a renewal", run: Checks(details) },
        Walk { name: "FAPI 2.0, Security Profile", run: Checks(fapi2) },
        Walk { name: "FAPI 2.0 with Message Signing, details and encryption", run: Checks(message_signing) },
    ],
};

/// The client's keys by their kind.
const KEYS: &str = include_str!("../../crates/oidc/tests/vectors/private-keys.json");

/// How the provider and the Worker are set up, besides what they always are.
#[derive(Default)]
struct Setup {
    /// What the provider demands of every request.
    requires: &'static [&'static str],
    /// The client's metadata at the provider.
    client: Value,
    /// The provider's keys in the Worker's configuration.
    provider: Value,
    /// Other tables of it.
    settings: Value,
    /// The kinds of the client's keys for its signatures, the oldest first.
    signs_with: &'static [&'static str],
    /// The kind of the key for which the provider encrypts.
    decrypts_with: Option<&'static str>,
    /// Whether the Worker reaches the resource at its address, and not by a service binding.
    by_address: bool,
    /// Whether the Worker runs in several isolates and locations.
    in_many: bool,
}

impl Setup {
    fn start(self) -> Env {
        let keys: Value = serde_json::from_str(KEYS).expect("JSON");
        let pem = |kind: &str| keys[kind]["pem"].as_str().expect("a key").to_owned();
        let usual = json!({
            "redirect_uris": [format!("{APP}/auth/callback/real")],
            "post_logout_redirect_uris": [format!("{APP}/auth/signout/callback")],
        });
        let server = start_node(
            "oidc-provider-strict.mjs",
            &json!({
                "access_token_ttl": ttl().as_secs(),
                "client": with(&usual, &or_empty(self.client)),
                "requires": self.requires,
            }),
        );
        let issuer = format!("http://localhost:{}", server.address.port());
        let provider = json!({
            "id": "real", "type": "oidc", "issuer": issuer, "strict_rotation": true,
            // It gives a refresh token only to whom it has asked for consent.
            "scope": "openid profile email offline_access", "authorization_params": { "prompt": "consent" },
        });
        // A bound token is of no use to a page.
        let mut settings = with(&stores("durable-object"), &json!({ "session": {} }));
        settings = with(&settings, &or_empty(self.settings));
        if self.by_address {
            settings["upstreams"] = json!([{ "to": issuer, "authorization": "access_token" }]);
        }
        let mut secrets = Vec::new();
        for (index, kind) in self.signs_with.iter().enumerate() {
            let number = if index == 0 { String::new() } else { format!("_{index}") };
            secrets.push((format!("AUTH_REAL_PRIVATE_KEY{number}"), pem(kind)));
        }
        secrets.extend(self.decrypts_with.map(|kind| ("AUTH_REAL_DECRYPTION_KEY".to_owned(), pem(kind))));
        let secrets: Vec<_> = secrets.iter().map(|(name, secret)| (&**name, &**secret)).collect();
        let provider = with(&provider, &or_empty(self.provider));
        let isolates = if self.in_many { &FAR[..] } else { &["FRA"] };
        let env = Env::start_with(server, &provider, &settings, isolates, &secrets);
        if !secrets.is_empty() {
            env.publish_client_keys();
        }
        env
    }
}

fn or_empty(value: Value) -> Value {
    if value.is_null() { json!({}) } else { value }
}

/// Somebody signs in. Everything that is known of them but the identifier comes from userinfo.
fn signed_in(env: &Env) -> Client {
    let browser = env.client();
    let page = sign_in(&browser, "ada").expect_status(200).json();
    assert_eq!(page["sub"], "ada");
    assert_eq!(env.shown(&browser)["user"]["email"], "ada@example.com");
    browser
}

/// The names of the parameters of the only pushed request, authorization request, or response in an address.
fn parameters(env: &Env, what: &str) -> Vec<String> {
    let seen = env.reported("seen");
    let of_it: Vec<_> = seen.as_array().expect("a list").iter().filter(|seen| seen["what"] == what).collect();
    assert_eq!(of_it.len(), 1, "{what}: {seen}");
    serde_json::from_value(of_it[0]["parameters"].clone()).expect("names")
}

fn pushed() {
    let env = Setup { requires: &["pushed"], ..Setup::default() }.start();
    let browser = signed_in(&env);
    assert_eq!(parameters(&env, "authorization"), ["client_id", "request_uri"]);
    assert!(parameters(&env, "pushed").contains(&"code_challenge".to_owned()));
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn signed() {
    let client = json!({ "request_object_signing_alg": "ES256" });
    let env = Setup { requires: &["signed"], client, signs_with: &["P-256"], ..Setup::default() }.start();
    signed_in(&env);
    assert_eq!(parameters(&env, "authorization"), ["client_id", "request", "response_type", "scope"]);
}

/// A client that signs its requests, and gets signed responses.
fn signs_both_ways(response_mode: &str) -> Setup {
    Setup {
        requires: &["pushed", "signed"],
        client: json!({
            "request_object_signing_alg": "PS256", "authorization_signed_response_alg": "ES256",
            "id_token_signed_response_alg": "PS256",
        }),
        provider: json!({ "response_mode": response_mode, "token_endpoint_auth_signing_alg": "PS256" }),
        signs_with: &["RSA"],
        ..Setup::default()
    }
}

fn signed_both_ways() {
    let env = signs_both_ways("jwt").start();
    let browser = signed_in(&env);
    assert_eq!(parameters(&env, "authorization"), ["client_id", "request_uri"]);
    assert!(!parameters(&env, "pushed").contains(&"code_challenge".to_owned()));
    assert_eq!(parameters(&env, "response"), ["response"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn posted() {
    let env = signs_both_ways("form_post.jwt").start();
    signed_in(&env);
    let seen = env.reported("seen").to_string();
    assert!(!seen.contains("\"response\""), "{seen}");
}

fn cancelled() {
    let env = signs_both_ways("query.jwt").start();
    let browser = env.client();
    let login = begin_sign_in(&browser);
    let page = browser.get(&format!("{}/abort", login.url)).navigation().follow().send();
    assert_eq!(parameters(&env, "response"), ["response"]);
    assert_eq!(page.url, format!("{APP}/auth/signin?error=OAuthCallbackError"));
    assert!(page.text().contains("cancelled"), "{}", page.text());
    expect_signed_out(&browser);
}

fn private_key_jwt() {
    let method = json!({ "token_endpoint_auth_method": "private_key_jwt" });
    let (client, provider) = (method.clone(), method);
    let env = Setup { client, provider, signs_with: &["P-256", "RSA"], ..Setup::default() }.start();
    let browser = signed_in(&env);
    renewals::an_ended_token_is_renewed(&env, &browser);
    // The secret, with which the walk would authenticate, is none of this client.
    let token = text_in_session(&browser, "refresh_token");
    let reply = env.post_as_client("/token", &[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    assert_eq!(reply.expect_status(401).json()["error"], "invalid_client");
}

/// A client whose tokens are bound, at a provider and a resource that demand nonces.
fn binds() -> Setup {
    Setup {
        requires: &["nonce"],
        client: json!({ "dpop_bound_access_tokens": true }),
        provider: json!({ "dpop": true }),
        ..Setup::default()
    }
}

fn dpop() {
    let env = binds().start();
    let browser = env.client();
    let key = sign_in(&browser, "ada").expect_status(200).json()["jkt"].clone();
    renewals::an_ended_token_is_renewed(&env, &browser);
    assert_eq!(env.whoami(&browser).json()["jkt"], key, "the session keeps its key");
    each_request_is_proven(&env, &browser);
    let other = signed_in(&env);
    assert_ne!(env.whoami(&other).json()["jkt"], key, "another session has another key");
}

/// The resource gets the method, the query and the body of each request with a proof, and a copied token is of no use.
fn each_request_is_proven(env: &Env, browser: &Client) {
    let page = env.whoami(browser).json();
    assert_eq!((&page["scheme"], page["jkt"].is_string()), (&json!("DPoP"), true));
    let read = browser.get(&format!("{APP}/whoami?page=2&x=%C3%A9")).send().expect_status(200).json();
    assert_eq!(read["query"], "?page=2&x=%C3%A9");
    for method in ["POST", "PUT", "DELETE"] {
        let request = browser.request(method, &format!("{APP}/whoami?n=1")).header("origin", APP);
        let sent = request.json(&json!({ "n": 1 })).send().expect_status(200).json();
        assert_eq!((&sent["method"], &sent["body"]), (&json!(method), &json!("{\"n\":1}")));
    }
    let copied = text_in_session(browser, "access_token");
    assert_eq!(env.whoami_directly(&copied), 401);
    let bound = env.client().get(&env.at_the_provider("/whoami"));
    bound.header("authorization", &format!("DPoP {copied}")).send().expect_status(401);
}

fn dpop_burst() {
    let env = Setup { in_many: true, ..binds() }.start();
    let browser = signed_in(&env);
    renewals::a_burst_renews_once(&env, &browser, ttl());
}

fn dpop_public() {
    let method = json!({ "token_endpoint_auth_method": "none" });
    let of_binds = binds();
    let client = with(&of_binds.client, &method);
    let provider = with(&of_binds.provider, &method);
    let env = Setup { client, provider, ..of_binds }.start();
    let browser = signed_in(&env);
    renewals::an_ended_token_is_renewed(&env, &browser);
    // A copy of the refresh token, without the key.
    let token = text_in_session(&browser, "refresh_token");
    let form = [("client_id", CLIENT_ID), ("grant_type", "refresh_token"), ("refresh_token", &token)];
    let refused = env.client().post(&env.at_the_provider("/token")).form(&form).send().expect_status(400);
    assert_eq!(refused.json()["error"], "invalid_grant");
    wait_for_the_end_of_the_token(&browser);
    env.whoami(&browser).expect_status(200);
}

/// A client that gets its ID tokens encrypted.
fn decrypts(kind: &'static str, alg: &str, enc: &str) -> Setup {
    let keys = json!({ "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc });
    Setup { client: keys.clone(), provider: keys, decrypts_with: Some(kind), ..Setup::default() }
}

fn encrypted_rsa() {
    let setup = decrypts("RSA", "RSA-OAEP-256", "A256GCM");
    let provider = with(&setup.provider, &json!({ "backchannel_logout": true }));
    let env = Setup { provider, in_many: true, ..setup }.start();
    let browser = signed_in(&env);
    renewals::an_ended_token_is_renewed(&env, &browser);
    let other = signed_in(&env);
    sign_out::a_logout_token_ends_every_copy(&env, &browser, &other, "/session/end", ("logout", "yes"));
    for token in env.logout_tokens() {
        assert_eq!(token.split('.').count(), 5, "it is encrypted");
    }
}

fn encrypted_ec() {
    let setup = decrypts("P-256", "ECDH-ES", "A128CBC-HS256");
    let userinfo = json!({
        "userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A128CBC-HS256",
    });
    let client = with(&with(&setup.client, &userinfo), &json!({ "userinfo_signed_response_alg": "ES256" }));
    let provider =
        with(&with(&setup.provider, &userinfo), &json!({ "userinfo": { "signed_response": true } }));
    let env = Setup { client, provider, ..setup }.start();
    let browser = signed_in(&env);
    renewals::an_ended_token_is_renewed(&env, &browser);
}

fn encrypted_wrapped() {
    let env = decrypts("P-256", "ECDH-ES+A256KW", "A256GCM").start();
    signed_in(&env);
}

/// What is asked for, of which the provider grants a part.
fn asked_details() -> Value {
    json!([{ "type": "account_information", "actions": ["list_accounts", "read_balances"] }])
}

fn granted_details() -> Value {
    json!([{ "type": "account_information", "actions": ["list_accounts"] }])
}

/// That the session and the access token have what was granted.
fn has_granted_details(env: &Env, browser: &Client) {
    assert_eq!(session(browser)["details"], granted_details());
    assert_eq!(env.whoami(browser).json()["details"], granted_details());
}

fn details() {
    let env = Setup {
        provider: json!({ "authorization_details": asked_details() }),
        settings: json!({ "claims": { "details": "account.authorization_details" } }),
        ..Setup::default()
    }
    .start();
    let browser = signed_in(&env);
    assert_eq!(session(&browser)["details"], granted_details());
    renewals::an_ended_token_is_renewed(&env, &browser);
    has_granted_details(&env, &browser);
}

/// A client that follows FAPI 2.0, at a provider that demands it.
fn follows_fapi2() -> Setup {
    Setup {
        requires: &["pushed", "nonce", "fapi2"],
        client: json!({
            "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
            "dpop_bound_access_tokens": true, "id_token_signed_response_alg": "ES256",
        }),
        provider: json!({ "profile": "fapi2" }),
        signs_with: &["P-256"],
        ..Setup::default()
    }
}

fn fapi2() {
    let env = Setup { by_address: true, ..follows_fapi2() }.start();
    let browser = signed_in(&env);
    assert_eq!(parameters(&env, "authorization"), ["client_id", "request_uri"]);
    assert_eq!(parameters(&env, "response"), ["code", "iss", "state"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
    each_request_is_proven(&env, &browser);
}

fn message_signing() {
    let setup = follows_fapi2();
    let encrypted = json!({
        "id_token_encrypted_response_alg": "RSA-OAEP-256", "id_token_encrypted_response_enc": "A256GCM",
    });
    let signed =
        json!({ "request_object_signing_alg": "ES256", "authorization_signed_response_alg": "ES256" });
    let more = json!({
        "request_object": true, "response_mode": "jwt", "authorization_details": asked_details(),
    });
    let env = Setup {
        requires: &["pushed", "signed", "nonce", "fapi2"],
        client: with(&with(&setup.client, &encrypted), &signed),
        provider: with(&with(&setup.provider, &encrypted), &more),
        settings: json!({ "claims": { "details": "account.authorization_details" } }),
        decrypts_with: Some("RSA"),
        ..setup
    }
    .start();
    let browser = signed_in(&env);
    assert_eq!(parameters(&env, "authorization"), ["client_id", "request_uri"]);
    assert_eq!(parameters(&env, "response"), ["response"]);
    renewals::an_ended_token_is_renewed(&env, &browser);
    has_granted_details(&env, &browser);
    each_request_is_proven(&env, &browser);
}
