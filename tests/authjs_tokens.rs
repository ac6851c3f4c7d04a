//! Exchanges session tokens between Vestibule and Auth.js's own code, run by Node.js: a token that one side encrypts is
//! decrypted by the other.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics at the first failure"
)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::chunk;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::names::{CookieNames, CookieNaming};
use vestibule_core::session::seal::{open, seal};
use vestibule_core::time::Timestamp;
use vestibule_testing::FakeRandom;

use self::repository::{node, root};

#[path = "support/repository.rs"]
mod repository;

const SECRET: &str = "my-32-char-or-longer-shared-secret!!";
const MAX_AGE: u64 = 3600;

/// Each dialect with the salts of its cookies.
const SALTS: [(Dialect, &str, &[&str]); 2] = [
    (
        Dialect::AuthJsV5,
        "v5",
        &[
            "authjs.session-token",
            "__Secure-authjs.session-token",
            "__Host-authjs.transaction.okta",
            "encodedState",
        ],
    ),
    (Dialect::NextAuthV4, "v4", &["", "next-auth.state", "__Secure-next-auth.pkce.code_verifier"]),
];

/// Runs all jobs with Auth.js in one process.
fn authjs(jobs: &[Value]) -> Vec<Value> {
    let mut process = Command::new(node())
        .arg(root().join("tests/support/authjs_tokens.mjs"))
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js starts");
    process.stdin.take().unwrap().write_all(Value::from(jobs).to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the script of Auth.js failed; run `npm ci` if the npm packages are not installed"
    );
    let results: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results.len(), jobs.len());
    results
}

/// The real time, because Auth.js only uses the real clock.
#[allow(clippy::disallowed_methods, reason = "this never runs on wasm32")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis().try_into().unwrap())
}

/// A random source that starts from the same seed in each call.
fn random() -> impl FnMut(&mut [u8]) {
    let random = FakeRandom::new(1);
    move |bytes| random.fill(bytes)
}

fn keyring(secrets: &[&str]) -> Keyring {
    Keyring::new(secrets.iter().copied().map(Secret::new).collect()).unwrap()
}

/// Claims of many sizes, including those around the cipher's block size and the cookie's chunk size, and with every type of
/// value.
fn payloads() -> Vec<Map<String, Value>> {
    let mut payloads = vec![
        json!({}),
        json!({ "name": "Ada Lovelace", "email": "ada@example.com", "picture": null, "sub": "u1" }),
        json!({ "name": "Jürgen Žižka 山田 🦀\u{200f}\u{0}\n\"\\</script>", "ключ": "é✓" }),
        json!({ "n": 1.5, "negative": -0.25, "large": 9_007_199_254_740_991_u64, "small": 1e-7, "zero": 0 }),
        json!({ "list": [1, [2, [3, {}]], null, true], "profile": { "realm_access": { "roles": ["a", "b"] } } }),
        json!({ "iat": 1, "exp": 2, "jti": "replaced" }),
    ];
    payloads.extend((0..34).map(|size| json!({ "x": "a".repeat(size) })));
    payloads.extend(
        [2_600, 2_700, 2_800, 5_000, 12_000, 30_000].map(|size| json!({ "access_token": "t".repeat(size) })),
    );
    payloads.extend([1_000, 4_000].map(|size| json!({ "name": "é🦀".repeat(size) })));
    payloads.into_iter().map(|payload| payload.as_object().unwrap().clone()).collect()
}

/// The claims without those that encryption sets. Asserts that these are present.
fn without_set_claims(claims: &Value) -> Map<String, Value> {
    let mut claims = claims.as_object().unwrap_or_else(|| panic!("not an object: {claims}")).clone();
    let (iat, exp) = (claims.remove("iat").unwrap(), claims.remove("exp").unwrap());
    assert_eq!(exp.as_u64().unwrap() - iat.as_u64().unwrap(), MAX_AGE);
    let jti = claims.remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 36);
    claims
}

/// The claims without those that encryption replaces.
fn without_replaced_claims(claims: &Map<String, Value>) -> Map<String, Value> {
    claims.clone().into_iter().filter(|(name, _)| !["iat", "exp", "jti"].contains(&name.as_str())).collect()
}

/// Every combination of dialect, salt and payload.
fn cases() -> impl Iterator<Item = (Dialect, &'static str, &'static str, Map<String, Value>)> {
    SALTS.into_iter().flat_map(|(dialect, version, salts)| {
        salts.iter().flat_map(move |salt| {
            payloads().into_iter().map(move |payload| (dialect, version, *salt, payload))
        })
    })
}

#[test]
fn authjs_decrypts_tokens_of_vestibule() {
    let keys = keyring(&[SECRET, "an older secret"]);
    let mut random = random();
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for (dialect, version, salt, claims) in cases() {
        let lifetime = Duration::from_secs(MAX_AGE);
        let token = seal(&keys, dialect, salt, &claims, lifetime, now(), &mut random);
        let secret = if dialect == Dialect::AuthJsV5 { json!(["newer", SECRET]) } else { json!(SECRET) };
        jobs.push(
            json!({ "job": format!("{version} decode"), "token": token, "secret": secret, "salt": salt }),
        );
        expected.push(without_replaced_claims(&claims));
    }
    for (n, (result, expected)) in authjs(&jobs).iter().zip(&expected).enumerate() {
        assert!(result["error"].is_null(), "{n}: {result}");
        assert_eq!(&without_set_claims(&result["ok"]), expected, "{n}");
    }
}

#[test]
fn vestibule_decrypts_tokens_of_authjs() {
    let cases: Vec<_> = cases().collect();
    let jobs: Vec<_> = cases
        .iter()
        .map(|(_, version, salt, claims)| {
            json!({ "job": format!("{version} encode"), "claims": claims, "secret": SECRET, "salt": salt, "maxAge": MAX_AGE })
        })
        .collect();
    let keys = keyring(&["a newer secret", SECRET]);
    for (result, (dialect, _, salt, claims)) in authjs(&jobs).iter().zip(&cases) {
        let token = result["ok"].as_str().unwrap_or_else(|| panic!("{result}"));
        let opened = open(&keys, *dialect, salt, token, now()).unwrap();
        assert_eq!(without_set_claims(&Value::Object(opened)), without_replaced_claims(claims));
    }
}

#[test]
fn authjs_and_vestibule_write_the_same_jwe_header() {
    let jobs = SALTS.map(|(_, version, salts)| {
        json!({ "job": format!("{version} encode"), "claims": {}, "secret": SECRET, "salt": salts[0], "maxAge": 1 })
    });
    for (result, (dialect, _, salts)) in authjs(&jobs).iter().zip(SALTS) {
        let from_authjs = result["ok"].as_str().unwrap();
        let from_vestibule =
            seal(&keyring(&[SECRET]), dialect, salts[0], &Map::new(), Duration::ZERO, now(), &mut random());
        assert_eq!(from_vestibule.split('.').next(), from_authjs.split('.').next());
    }
}

#[test]
fn session_confusion_a_token_with_another_salt_or_secret_is_rejected_by_both() {
    let keys = keyring(&[SECRET]);
    let mut jobs = Vec::new();
    for (dialect, version, salts) in SALTS {
        for (salt, other) in salts.iter().zip(salts.iter().cycle().skip(1)) {
            let token = seal(&keys, dialect, salt, &Map::new(), Duration::from_mins(1), now(), &mut random());
            assert!(open(&keys, dialect, other, &token, now()).is_err());
            let job = format!("{version} decode");
            jobs.push(json!({ "job": job, "token": token, "secret": SECRET, "salt": other }));
            jobs.push(json!({ "job": job, "token": token, "secret": "another secret", "salt": salt }));
        }
    }
    for result in authjs(&jobs) {
        assert!(result["error"].is_string(), "{result}");
    }
}

/// The session's cookies under that name, as a `Cookie` field and as the object that next-auth 4 reads.
fn cookies(name: &str, token: &str, dialect: Dialect) -> (String, Value) {
    let cookies = chunk::split(name, token, dialect);
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let object: Map<String, Value> = cookies.into_iter().map(|(name, value)| (name, value.into())).collect();
    (pairs.join("; "), Value::Object(object))
}

/// Auth.js's `getToken` of the dialect's version, told that the cookie has this name.
fn get_token(dialect: Dialect, cookies: &(String, Value), name: &str) -> Value {
    match dialect {
        Dialect::AuthJsV5 => {
            json!({ "job": "v5 getToken", "cookie": cookies.0, "secret": SECRET, "cookieName": name, "salt": name })
        }
        Dialect::NextAuthV4 => {
            json!({ "job": "v4 getToken", "cookies": cookies.1, "secret": SECRET, "cookieName": name })
        }
    }
}

#[test]
fn session_confusion_get_token_of_authjs_reads_the_cookie_whose_name_it_is_told_and_no_other() {
    let keys = keyring(&[SECRET]);
    let mut random = random();
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        for prefix in [None, Some("acme".to_owned())] {
            for (host_prefix, secure) in [(false, false), (false, true), (true, true)] {
                let naming = CookieNaming { prefix: prefix.clone(), host_prefix };
                let name = CookieNames::new(&naming, dialect, secure).session().to_owned();
                for size in [10, 6_000] {
                    let claims = json!({ "sub": "ada", "large": "x".repeat(size) });
                    let claims = claims.as_object().unwrap().clone();
                    let salt = if dialect == Dialect::AuthJsV5 { name.as_str() } else { "" };
                    let lifetime = Duration::from_secs(MAX_AGE);
                    let token = seal(&keys, dialect, salt, &claims, lifetime, now(), &mut random);
                    jobs.push(get_token(dialect, &cookies(&name, &token, dialect), &name));
                    expected.push(Some(claims));
                    // In another cookie it is not found; moved there, it does not open where the name is the salt.
                    let other = "__Secure-other.session-token";
                    jobs.push(get_token(dialect, &cookies(&name, &token, dialect), other));
                    expected.push(None);
                    if dialect == Dialect::AuthJsV5 {
                        jobs.push(get_token(dialect, &cookies(other, &token, dialect), other));
                        expected.push(None);
                    }
                }
            }
        }
    }
    for (n, (result, expected)) in authjs(&jobs).iter().zip(&expected).enumerate() {
        assert!(result["error"].is_null(), "{n}: {result}");
        match expected {
            Some(claims) => assert_eq!(&without_set_claims(&result["ok"]), claims, "{}", jobs[n]),
            None => assert!(result["ok"].is_null(), "{}", jobs[n]),
        }
    }
}
