//! Access tokens that the provider is asked about, and tokens that are bound to a key, in the real runtime: the example of
//! docs/apis.md, word for word, and DPoP with the platform's cryptography and a Durable Object.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use miniflare_test_harness::{ClientResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::idp;
use crate::repository::root;
use crate::signer::{self, Signing};
use crate::test_env::{APP, TestEnv, echo, settings};

const AUDIENCE: &str = "https://api.example.com";

fn page() -> String {
    fs::read_to_string(root().join("docs/apis.md")).expect("the document")
}

/// The configuration of the page's example.
fn example(page: &str) -> Value {
    let (_, rest) = page.split_once("```toml\n").expect("a block");
    let written: Value = toml::from_str(rest.split_once("```").expect("its end").0).expect("a configuration");
    written["vars"]["AUTH"].clone()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn known(sub: &str, client: &str) -> Value {
    json!({
        "iss": idp::ISSUER, "sub": sub, "client_id": client, "aud": AUDIENCE, "iat": now(), "exp": now() + 300,
        "token_type": "Bearer", "scope": "openid read:orders",
    })
}

fn send(env: &TestEnv, path: &str, fields: &[(&str, &str)]) -> ClientResponse {
    let request = env.client().get(&format!("{APP}{path}"));
    fields.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

#[test]
fn the_example_of_the_page_is_followed_word_for_word() {
    let page = page();
    let env = TestEnv::with(example(&page), |builder| builder.service("APP", echo));
    env.idp.know("opaque-token-of-alice", &known("alice-1", "mobile"));
    env.idp.know("opaque-token-of-billing", &known("billing", "billing"));
    let (_, rest) =
        page.split_once("| request | of Alice | of `billing` | without a token |").expect("the table");
    let rows: Vec<&str> = rest.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let cells: Vec<String> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let path = cells[0].strip_prefix("GET ").expect("a request");
        let tokens = [Some("opaque-token-of-alice"), Some("opaque-token-of-billing"), None];
        for (token, status) in tokens.into_iter().zip(&cells[1..]) {
            let authorization = token.map(|token| format!("Bearer {token}"));
            let fields: Vec<(&str, &str)> =
                authorization.iter().map(|value| ("authorization", value.as_str())).collect();
            let reply = send(&env, path, &fields);
            assert_eq!(reply.status.to_string(), *status, "{row} {token:?}");
            if reply.status == 200 {
                let got = env.requests_to_service("APP").pop().unwrap();
                let is_client = token == Some("opaque-token-of-billing");
                assert_eq!(got.header("x-user-id"), (!is_client).then_some("alice-1"), "{row}");
                assert_eq!(got.header("x-client-id"), is_client.then_some("billing"), "{row}");
            }
        }
    }
    assert_eq!(env.count_requests("/introspect"), 2, "each token is asked about once");
    assert_eq!(send(&env, "/api/orders/7", &[("authorization", "Bearer unknown")]).status, 401);
}

#[test]
fn a_provider_that_cannot_be_asked_gives_503() {
    let env = TestEnv::with(example(&page()), |builder| builder.service("APP", echo));
    env.idp.replace("introspection", |_| Response::status(500));
    for _ in 0..3 {
        let reply = send(&env, "/api/orders/7", &[("authorization", "Bearer unknown")]).expect_status(503);
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    assert_eq!(env.count_requests("/introspect"), 1);
}

/// The thumbprint of a key on a curve (RFC 7638).
fn thumbprint(key: &Value) -> String {
    let text = |name: &str| key[name].as_str().expect("a member");
    let members = format!(
        r#"{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}"#,
        text("crv"),
        text("kty"),
        text("x"),
        text("y")
    );
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

fn proof(key: &'static str, token: &str, id: &str) -> String {
    let mut public = signer::public_key(key);
    public.as_object_mut().unwrap().remove("kid");
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": public });
    let claims = json!({
        "jti": id, "htm": "GET", "htu": format!("{APP}/dashboard"), "iat": now(),
        "ath": BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token)),
    });
    Signing { key, alg: "ES256", header }.sign(&claims)
}

#[test]
fn a_bound_token_needs_a_proof_which_a_durable_object_lets_pass_once() {
    let mut settings = settings();
    settings["providers"][0]["accept_bearer"] = json!({ "audience": AUDIENCE });
    settings["refresh"] = json!({ "lease": "durable-object" });
    let env = TestEnv::with(settings, |builder| {
        builder.service("APP", echo).durable_object("AUTH_LEASE", "RefreshLease")
    });
    env.idp.sign_with(Signing::honest("RSA", "RS256"), &["RSA"]);
    let mut claims = known("alice-1", "mobile");
    claims.as_object_mut().unwrap().remove("token_type");
    claims["cnf"] = json!({ "jkt": thumbprint(&signer::public_key("P-256")) });
    let token = Signing::honest("RSA", "RS256").sign(&claims);
    let bring = |scheme: &str, proof: &str| {
        let authorization = format!("{scheme} {token}");
        send(&env, "/dashboard?x=1", &[("authorization", &authorization), ("dpop", proof)])
    };
    let first = proof("P-256", &token, "proof-1");
    let reply = bring("Bearer", &first).expect_status(401);
    assert!(reply.header("www-authenticate").unwrap().contains("DPoP algs=\""));
    bring("DPoP", &first).expect_status(200);
    let got = env.requests_to_service("APP").pop().unwrap();
    assert_eq!((got.header("authorization"), got.header("dpop")), (None, None));
    let reply = bring("DPoP", &first).expect_status(401);
    assert!(reply.header("www-authenticate").unwrap().starts_with("DPoP error=\"invalid_dpop_proof\""));
    bring("DPoP", &proof("P-256", &token, "proof-2")).expect_status(200);
    bring("DPoP", &proof("P-256", "another token", "proof-3")).expect_status(401);
    assert_eq!(env.requests_to_service("APP").len(), 2);
}
