//! `dpop = true`: tokens that are bound to a key of the session (RFC 9449). The provider plays the nonces of the FAPI 2.0
//! conformance plan: demanded by the token endpoint, by the resource, with the scheme in other capitals, and none at all.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::http::response::Response;
use vestibule_core::log::LogEvent;
use vestibule_testing::dpop::{Nonces, Proof};
use vestibule_testing::{APP, Answer, Browser, Forwarded, RUNTIME, TestEnv, environment, settings};

const TOKEN_ENDPOINT: &str = "https://idp.example/token";
const USERINFO: &str = "https://idp.example/userinfo";
/// How old the token is when it needs a refresh.
const EXPIRING: Duration = Duration::from_secs(3600 - 30);

fn bound_settings() -> Value {
    let mut settings = settings();
    settings["providers"][0]["dpop"] = json!(true);
    settings["session"] = json!({ "expose": { "user.roles": "roles" } });
    settings["refresh"] = json!({ "lease": "kv" });
    settings
}

/// A provider that binds tokens, and no one signed in.
fn bound() -> (TestEnv, Browser) {
    let env = TestEnv::with(bound_settings());
    env.provider.dpop.binds_tokens();
    (env, Browser::new())
}

fn signed_in() -> (TestEnv, Browser) {
    let (env, mut browser) = bound();
    assert_eq!(browser.sign_in(&env, "alice", "/").location(), format!("{APP}/"));
    (env, browser)
}

/// The proof of a request that reached the upstream, for exactly that request.
fn proof_of(forwarded: &Forwarded) -> Proof {
    let request = &forwarded.request;
    let authorization = request.headers.get("authorization").unwrap();
    let token = authorization.strip_prefix("DPoP ").unwrap_or_else(|| panic!("{authorization}"));
    let url = format!("https://upstream.example{}", request.url.path);
    Proof::read(&request.headers, request.method.as_str(), &url, Some(token)).unwrap()
}

fn proofs_at(env: &TestEnv, place: &str) -> Vec<Proof> {
    env.provider.dpop.proofs().into_iter().filter(|(at, _)| *at == place).map(|(_, proof)| proof).collect()
}

fn is_signed_in(env: &TestEnv, browser: &mut Browser) -> bool {
    !browser.session(env).is_null()
}

/// An upstream that wants a nonce in each proof, and challenges with this field.
fn wants_nonce(env: &TestEnv, challenge: &'static str) {
    env.forwarder.answers_by(move |forwarded| match proof_of(forwarded).claims.get("nonce") {
        Some(nonce) if nonce == "upstream-1" => Response::empty(200),
        _ => Response::empty(401).with("www-authenticate", challenge).with("dpop-nonce", "upstream-1"),
    });
}

#[test]
fn a_sign_in_binds_code_token_and_userinfo_to_one_key_of_the_session() {
    let (env, mut browser) = bound();
    let request = browser.begin(&env, "/");
    let callback = env.provider.authorize(&request, "alice");
    assert_eq!(browser.open(&env, &callback).location(), format!("{APP}/"));
    let proofs = env.provider.dpop.proofs();
    let places: Vec<&str> = proofs.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, ["token", "userinfo"]);
    for (_, proof) in &proofs {
        assert_eq!(proof.thumbprint, request.params["dpop_jkt"]);
    }
    let mut another = Browser::new();
    another.sign_in(&env, "bob", "/");
    assert_ne!(
        proofs_at(&env, "token")[1].thumbprint,
        proofs[0].1.thumbprint,
        "each session has its own key"
    );
}

#[test]
fn an_upstream_gets_the_bound_token_and_a_proof_for_exactly_its_request() {
    let (env, mut browser) = signed_in();
    let key = proofs_at(&env, "token")[0].thumbprint.clone();
    let mut ids = Vec::new();
    for (method, path, body) in [
        ("GET", "/api/orders?page=2", &b""[..]),
        ("POST", "/api/orders", b"{}"),
        ("DELETE", "/api/orders/1", b""),
    ] {
        let headers = [("dpop", "forged"), ("authorization", "Bearer forged"), ("origin", APP)];
        let answer = browser.send(&env, method, &format!("{APP}{path}"), &headers, body);
        let forwarded = answer.forwarded.unwrap();
        let proof = proof_of(&forwarded);
        assert_eq!(forwarded.body, body);
        assert_eq!(proof.thumbprint, key);
        assert!(proof.claims.get("nonce").is_none(), "no nonce at all");
        ids.push(proof.claims["jti"].clone());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "each proof has an id of its own");
}

#[test]
fn the_proof_names_the_path_that_reaches_the_upstream() {
    let mut settings = bound_settings();
    settings["upstreams"][0]["strip_prefix"] = json!("/api");
    let env = TestEnv::with(settings);
    env.provider.dpop.binds_tokens();
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    let answer = browser.fetch(&env, &format!("{APP}/api/orders?a=b"));
    assert_eq!(proof_of(&answer.forwarded.unwrap()).claims["htu"], "https://upstream.example/orders");
}

#[test]
fn header_smuggling_no_client_sends_a_proof_of_its_own_beside_the_session_s_token() {
    let (env, mut browser) = signed_in();
    for (path, browser) in [("/about", &mut browser), ("/about", &mut Browser::new())] {
        for name in ["DPoP", "dpop", "D_PoP"] {
            let answer = browser.send(&env, "GET", &format!("{APP}{path}"), &[(name, "forged")], b"");
            let request = answer.forwarded.unwrap().request;
            assert!(!request.headers.get_all("dpop").any(|proof| proof == "forged"), "{name}");
        }
    }
}

#[test]
fn the_private_key_is_shown_nowhere() {
    let (env, mut browser) = signed_in();
    let text = browser.fetch(&env, &format!("{APP}/auth/session")).body;
    assert!(!text.contains("dpop"), "{text}");
    assert!(!env.log_text().contains("dpop_key"));
    for key in ["expose", "headers"] {
        let mut settings = bound_settings();
        match key {
            "expose" => settings["session"]["expose"]["key"] = json!("dpop_key"),
            _ => settings["upstreams"][0]["headers"]["x-key"] = json!("dpop_key"),
        }
        let refused = Config::load(settings, &environment, &RUNTIME).unwrap_err().to_string();
        assert!(refused.contains("the private key must stay in the sealed session"), "{refused}");
    }
}

#[test]
fn a_nonce_that_the_token_endpoint_demands_is_sent_with_one_more_request() {
    for nonces in [Nonces::One, Nonces::NewEachTime] {
        let (env, mut browser) = bound();
        env.provider.dpop.demands("token", nonces);
        browser.sign_in(&env, "alice", "/");
        assert!(is_signed_in(&env, &mut browser));
        assert_eq!(env.fetches(TOKEN_ENDPOINT), 2, "{nonces:?}");
        let mut another = Browser::new();
        another.sign_in(&env, "bob", "/");
        assert_eq!(env.fetches(TOKEN_ENDPOINT), 3, "{nonces:?}: the nonce of the last answer is known");
    }
}

#[test]
fn a_nonce_that_changes_with_every_answer_makes_no_loop() {
    for (nonces, requests) in [(Nonces::NeverGood, 2), (Nonces::DemandedNotGiven, 1)] {
        let (env, mut browser) = bound();
        env.provider.dpop.demands("token", nonces);
        browser.sign_in(&env, "alice", "/");
        assert!(!is_signed_in(&env, &mut browser));
        assert_eq!(env.fetches(TOKEN_ENDPOINT), requests, "{nonces:?}");
        assert!(env.log_text().contains("use_dpop_nonce"));
    }
}

#[test]
fn a_nonce_that_userinfo_demands_is_sent_with_one_more_request() {
    for (nonces, requests, signs_in) in
        [(Nonces::One, 2, true), (Nonces::NewEachTime, 2, true), (Nonces::NeverGood, 2, false)]
    {
        let (env, mut browser) = bound();
        env.provider.dpop.demands("userinfo", nonces);
        browser.sign_in(&env, "alice", "/");
        assert_eq!(is_signed_in(&env, &mut browser), signs_in, "{nonces:?}");
        assert_eq!(env.fetches(USERINFO), requests, "{nonces:?}");
    }
}

#[test]
fn a_nonce_that_the_resource_demands_is_sent_with_one_more_request_in_any_spelling_of_the_scheme() {
    for challenge in [
        r#"DPoP error="use_dpop_nonce""#,
        r#"dpop error="use_dpop_nonce", error_description="x""#,
        r#"Bearer realm="x", DPOP algs="ES256", error="use_dpop_nonce""#,
    ] {
        let (env, mut browser) = signed_in();
        wants_nonce(&env, challenge);
        let answer = browser.fetch(&env, &format!("{APP}/api"));
        assert_eq!(answer.status, 200, "{challenge}");
        assert_eq!(
            (env.forwarder.requests().len(), env.forwarder.discarded.borrow().as_slice()),
            (2, &[0][..])
        );
        assert_eq!(browser.fetch(&env, &format!("{APP}/api")).status, 200);
        assert_eq!(env.forwarder.requests().len(), 3, "the nonce is known");
    }
}

#[test]
fn a_small_body_is_sent_again_with_the_nonce_and_a_large_one_waits_for_the_next_request() {
    let post = |env: &TestEnv, browser: &mut Browser, body: &[u8], length: Option<&str>| -> Answer {
        let mut headers = vec![("origin", APP)];
        headers.extend(length.map(|length| ("content-length", length)));
        browser.send(env, "POST", &format!("{APP}/api"), &headers, body)
    };
    let (env, mut browser) = signed_in();
    wants_nonce(&env, r#"DPoP error="use_dpop_nonce""#);
    let answer = post(&env, &mut browser, b"{}", Some("2"));
    assert_eq!((answer.status, answer.forwarded.unwrap().body), (200, b"{}".to_vec()));
    assert_eq!(env.forwarder.requests().len(), 2);

    let large = vec![b'a'; 64 * 1024 + 1];
    for length in [Some("65537"), None, Some("x")] {
        let (env, mut browser) = signed_in();
        wants_nonce(&env, r#"DPoP error="use_dpop_nonce""#);
        assert_eq!(post(&env, &mut browser, &large, length).status, 401, "{length:?}");
        assert_eq!(env.forwarder.requests().len(), 1);
        assert_eq!(post(&env, &mut browser, &large, length).status, 200, "the nonce is known");
    }
}

#[test]
fn an_upstream_whose_nonce_is_never_good_is_asked_twice_and_its_answer_passes() {
    let (env, mut browser) = signed_in();
    let number = Cell::new(0);
    env.forwarder.answers_by(move |_| {
        number.set(number.get() + 1);
        Response::empty(401)
            .with("www-authenticate", r#"DPoP error="use_dpop_nonce""#)
            .with("dpop-nonce", format!("n-{}", number.get()))
    });
    assert_eq!(browser.fetch(&env, &format!("{APP}/api")).status, 401);
    assert_eq!(env.forwarder.requests().len(), 2);
}

#[test]
fn another_challenge_or_one_without_a_nonce_is_the_client_s_answer() {
    for (challenge, nonce) in [
        (r#"DPoP error="invalid_token""#, Some("n")),
        (r#"Bearer error="use_dpop_nonce""#, Some("n")),
        (r#"DPoP error="use_dpop_nonce""#, None),
        (r#"DPoP error="use_dpop_nonce""#, Some("two words")),
    ] {
        let (env, mut browser) = signed_in();
        env.forwarder.answers_by(move |_| {
            let answer = Response::empty(401).with("www-authenticate", challenge);
            nonce.into_iter().fold(answer, |answer, nonce| answer.with("dpop-nonce", nonce))
        });
        assert_eq!(browser.fetch(&env, &format!("{APP}/api")).status, 401);
        assert_eq!(env.forwarder.requests().len(), 1, "{challenge} {nonce:?}");
    }
}

#[test]
fn a_nonce_in_any_answer_of_the_upstream_is_in_the_next_proof() {
    let (env, mut browser) = signed_in();
    env.forwarder.answers_by(|_| Response::empty(200).with("dpop-nonce", "from-a-good-answer"));
    browser.fetch(&env, &format!("{APP}/api"));
    let answer = browser.fetch(&env, &format!("{APP}/api"));
    assert_eq!(proof_of(&answer.forwarded.unwrap()).claims["nonce"], "from-a-good-answer");
    env.pass(EXPIRING);
    browser.fetch(&env, &format!("{APP}/api"));
    let of_refresh = proofs_at(&env, "token").pop().unwrap();
    assert!(of_refresh.claims.get("nonce").is_none(), "the nonce of one server goes to no other");
}

#[test]
fn a_refresh_is_bound_to_the_same_key_and_so_are_its_tokens_wherever_they_are() {
    for place in ["cookie", "store"] {
        let mut settings = bound_settings();
        settings["session"]["tokens"] = json!(place);
        let env = TestEnv::with(settings);
        env.provider.dpop.binds_tokens();
        env.provider.dpop.demands("token", Nonces::NewEachTime);
        let mut browser = Browser::new();
        browser.sign_in(&env, "alice", "/");
        let key = proofs_at(&env, "token")[0].thumbprint.clone();
        for _ in 0..3 {
            env.pass(EXPIRING);
            let answer = browser.fetch(&env, &format!("{APP}/api"));
            assert_eq!(answer.status, 200, "{place}");
            assert_eq!(proof_of(&answer.forwarded.unwrap()).thumbprint, key, "{place}");
        }
        let proofs = env.provider.dpop.proofs();
        assert!(proofs.iter().all(|(_, proof)| proof.thumbprint == key), "{place}");
        assert_eq!(env.fetches(TOKEN_ENDPOINT), 5, "{place}: a sign-in, sent twice, and three refreshes");
    }
}

#[test]
fn a_late_request_with_the_old_cookie_finds_the_tokens_and_their_key() {
    let (env, mut browser) = signed_in();
    let mut late = browser.clone();
    env.pass(EXPIRING);
    browser.fetch(&env, &format!("{APP}/api"));
    env.pass(Duration::from_mins(2));
    let elsewhere = env.isolate(bound_settings(), "there");
    let answer = late.fetch(&elsewhere, &format!("{APP}/api"));
    assert_eq!(proof_of(&answer.forwarded.unwrap()).thumbprint, proofs_at(&env, "token")[0].thumbprint);
    assert_eq!(env.fetches(TOKEN_ENDPOINT), 2);
}

#[test]
fn a_session_from_before_dpop_gets_a_key_with_its_next_tokens() {
    let mut before = bound_settings();
    before["providers"][0]["dpop"] = json!(false);
    let env = TestEnv::with(before);
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    env.provider.dpop.binds_tokens();
    let env = TestEnv { vestibule: env.isolate(bound_settings(), "here").vestibule, ..env };
    let answer = browser.fetch(&env, &format!("{APP}/api")).forwarded.unwrap();
    assert_eq!(
        answer.request.headers.get("authorization"),
        Some("Bearer access-alice"),
        "it is a bearer token"
    );
    assert!(!answer.request.headers.contains("dpop"));
    env.pass(EXPIRING);
    let key = proof_of(&browser.fetch(&env, &format!("{APP}/api")).forwarded.unwrap()).thumbprint;
    env.pass(EXPIRING);
    assert_eq!(proof_of(&browser.fetch(&env, &format!("{APP}/api")).forwarded.unwrap()).thumbprint, key);
}

#[test]
fn a_token_that_is_not_bound_is_refused() {
    for (kind, signs_in) in [
        (json!("dpop"), true),
        (json!("DPOP"), true),
        (json!("Bearer"), false),
        (json!(""), false),
        (json!(null), false),
        (json!("N_A"), false),
    ] {
        let (env, mut browser) = bound();
        let answered = kind.clone();
        env.provider.alters_answer_at("token", move |answer| answer["token_type"] = answered.clone());
        browser.sign_in(&env, "alice", "/");
        assert_eq!(is_signed_in(&env, &mut browser), signs_in, "{kind}");
        assert_eq!(env.log_text().contains("is not bound to the session's key"), !signs_in, "{kind}");
    }
    let env = TestEnv::new();
    let mut browser = Browser::new();
    env.provider.alters_answer_at("token", |answer| answer["token_type"] = json!("DPoP"));
    browser.sign_in(&env, "alice", "/");
    assert!(!is_signed_in(&env, &mut browser), "a bound token without dpop = true");
}

#[test]
fn a_refresh_without_a_bound_token_logs_no_one_out() {
    let (env, mut browser) = signed_in();
    env.pass(EXPIRING);
    env.provider.alters_answer_at("token", |answer| answer["token_type"] = json!("Bearer"));
    let answer = browser.fetch(&env, &format!("{APP}/api"));
    assert_eq!(answer.status, 200, "the old token is good for a moment");
    assert!(!env.logged(LogEvent::RefreshFailed).is_empty());
    assert!(is_signed_in(&env, &mut browser));
}

#[test]
fn a_provider_without_proofs_in_es256_is_a_mistake_in_the_configuration() {
    for (algorithms, begins) in
        [(json!(["ES256", "PS256"]), true), (json!(["PS256"]), false), (json!([]), false)]
    {
        let (env, mut browser) = bound();
        env.provider.alters_answer_at("discovery", move |document| {
            document["dpop_signing_alg_values_supported"] = algorithms.clone();
        });
        let csrf = browser.csrf(&env);
        let answer = browser.post(&env, &format!("{APP}/auth/signin/acme"), &[("csrfToken", &csrf)]);
        assert_eq!(answer.location().starts_with("https://idp.example/authorize?"), begins);
    }
}

#[test]
fn pages_are_not_promised_a_token_that_they_cannot_use() {
    let mut settings = bound_settings();
    settings["session"]["expose"]["access_token"] = json!("access_token");
    let refused = Config::load(settings.clone(), &environment, &RUNTIME).unwrap_err().to_string();
    assert!(refused.contains("works only together with the session's key"), "{refused}");

    // Another provider's tokens can be used.
    let other = json!({ "id": "other", "issuer": "https://other.example", "client_id": "x",
        "token_endpoint_auth_method": "none" });
    settings["providers"].as_array_mut().unwrap().push(other);
    settings["upstreams"][0]["forward_session"] = json!(true);
    settings["upstreams"][0]["headers"]["x-token"] = json!("access_token");
    let config = Config::load(settings.clone(), &environment, &RUNTIME).unwrap();
    let advice = config.advice(&RUNTIME);
    for place in
        ["AUTH.session.expose: ", "AUTH.upstreams[0].forward_session: ", "AUTH.upstreams[0].headers: x-token"]
    {
        let of_place: Vec<_> = advice.iter().filter(|line| line.starts_with(place)).collect();
        assert_eq!(of_place.len(), 1, "{place} {advice:?}");
        assert!(of_place[0].contains("the access token of acme, which is bound"), "{of_place:?}");
    }
    let env = TestEnv::with(settings);
    env.provider.dpop.binds_tokens();
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    let headers = [("sec-fetch-site", "same-origin"), ("x-vestibule-token", "1")];
    let token = browser.send(&env, "GET", &format!("{APP}/auth/token"), &headers, b"").body;
    let token: Value = serde_json::from_str(&token).unwrap();
    assert_eq!((&token["token_type"], &token["access_token"]), (&json!("DPoP"), &json!("access-alice")));
}

#[test]
fn a_bound_token_is_sent_as_a_bearer_token_by_no_template() {
    for written in ["Bearer {access_token}", "bearer {access_token}", "DPoP {access_token}"] {
        let mut settings = bound_settings();
        settings["upstreams"][0] =
            json!({ "to": "https://upstream.example", "headers": { "authorization": written } });
        let env = TestEnv::with(settings);
        env.provider.dpop.binds_tokens();
        let mut browser = Browser::new();
        browser.sign_in(&env, "alice", "/");
        proof_of(&browser.fetch(&env, &format!("{APP}/api")).forwarded.unwrap());
    }
}

#[test]
fn a_silent_sign_in_binds_the_new_tokens_to_a_new_key() {
    let (env, mut browser) = signed_in();
    let first = proofs_at(&env, "token")[0].thumbprint.clone();
    browser.sign_in(&env, "alice", "/");
    let answer = browser.fetch(&env, &format!("{APP}/api"));
    let key = proof_of(&answer.forwarded.unwrap()).thumbprint;
    assert_eq!(key, proofs_at(&env, "token")[1].thumbprint);
    assert_ne!(key, first);
}

#[test]
fn a_host_that_shares_only_the_secret_sends_the_bound_token_with_a_proof() {
    let mut settings = bound_settings();
    settings["cookies"] = json!({ "domain": "example.com" });
    let env = TestEnv::with(settings.clone());
    env.provider.dpop.binds_tokens();
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    settings.as_object_mut().unwrap().remove("providers");
    settings["login_url"] = json!(APP);
    let member = env.isolate(settings, "here");
    let answer = browser.fetch(&member, "https://docs.example.com/api");
    let key = proof_of(&answer.forwarded.unwrap()).thumbprint;
    assert_eq!(key, proofs_at(&env, "token")[0].thumbprint);
}

#[test]
fn a_body_of_64_kib_is_sent_again_with_the_nonce() {
    for size in [2000, 64 * 1024] {
        let (env, mut browser) = signed_in();
        wants_nonce(&env, r#"DPoP error="use_dpop_nonce""#);
        let (body, length) = (vec![b'a'; size], size.to_string());
        let headers = [("origin", APP), ("content-length", length.as_str())];
        let answer = browser.send(&env, "POST", &format!("{APP}/api"), &headers, &body);
        assert_eq!((answer.status, answer.forwarded.unwrap().body), (200, body));
        assert_eq!(env.forwarder.requests().len(), 2);
    }
}

#[test]
fn a_field_that_does_not_send_the_bound_token_stays_as_it_is() {
    let mut settings = bound_settings();
    settings["upstreams"][0] = json!({
        "to": "https://upstream.example", "headers": { "Authorization": "Basic {secret.API_KEY}", "X-User": "sub" },
    });
    let env = TestEnv::in_environment(settings, &|name| match name {
        "AUTH_TEMPLATE_API_KEY" => Some("k-4711".to_owned()),
        other => environment(other),
    });
    env.provider.dpop.binds_tokens();
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    let sent = browser.fetch(&env, &format!("{APP}/api")).forwarded.unwrap().request.headers;
    assert_eq!((sent.get("authorization"), sent.get("dpop")), (Some("Basic k-4711"), None));
}

#[test]
fn the_nonce_of_one_upstream_is_in_no_proof_for_another() {
    let mut settings = bound_settings();
    settings["rules"].as_array_mut().unwrap().push(json!({
        "match": "/second", "access": "signed-in", "to": "https://second.example", "authorization": "access_token",
    }));
    let env = TestEnv::with(settings);
    env.provider.dpop.binds_tokens();
    let mut browser = Browser::new();
    browser.sign_in(&env, "alice", "/");
    env.forwarder.answers_by(|_| Response::empty(200).with("dpop-nonce", "n-1"));
    let nonce = |browser: &mut Browser, host: &str, path: &str| {
        let request = browser.fetch(&env, &format!("{APP}{path}")).forwarded.unwrap().request;
        let token = request.headers.get("authorization").unwrap().strip_prefix("DPoP ").unwrap();
        let proof = Proof::read(&request.headers, "GET", &format!("{host}{path}"), Some(token)).unwrap();
        proof.claims.get("nonce").cloned()
    };
    let first = "https://upstream.example";
    assert_eq!(nonce(&mut browser, first, "/api"), None);
    assert_eq!(nonce(&mut browser, first, "/api"), Some(json!("n-1")));
    env.forwarder.answers_by(|_| Response::empty(200));
    assert_eq!(nonce(&mut browser, "https://second.example", "/second"), None);
    assert_eq!(nonce(&mut browser, first, "/api"), Some(json!("n-1")));
}

#[test]
fn a_provider_whose_dpop_is_switched_off_gets_and_gives_no_more_proofs() {
    let (env, mut browser) = signed_in();
    let mut settings = bound_settings();
    settings["providers"][0]["dpop"] = json!(false);
    let answer = browser.fetch(&env.isolate(settings, "here"), &format!("{APP}/api"));
    let headers = answer.forwarded.unwrap().request.headers;
    assert!(headers.get("authorization").unwrap().starts_with("Bearer "), "{headers:?}");
    assert!(!headers.contains("dpop"), "{headers:?}");
}
