//! Measures the parts of a request on the native target: `cargo bench`. `cargo xtask bench` measures whole requests
//! in the runtime.

#![allow(missing_docs, reason = "criterion's macros generate public functions without docs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use vestibule_core::config::Config;
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::guard::readings::PathReadings;
use vestibule_core::http::changes::Changes;
use vestibule_core::http::cookie::Cookies;
use vestibule_core::http::header_wire;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::jose::base64url;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::cache::SessionCache;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_hours(24);
const COOKIE: &str = "__Secure-authjs.session-token";

criterion_group! {
    name = parts;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    targets = session, request, rules
}
criterion_main!(parts);

fn session(criterion: &mut Criterion) {
    let keys = Keyring::new(vec![Secret::new("a-secret-for-measuring-that-guards-nothing")]).unwrap();
    let claims = claims();
    let sealed =
        || seal::seal(&keys, Dialect::AuthJsV5, COOKIE, &claims, DAY, NOW, &mut |bytes| bytes.fill(7));
    let token = sealed();
    criterion.bench_function("seal a session of 2.9 kB", |b| b.iter(sealed));
    criterion.bench_function("open a session of 2.9 kB", |b| {
        b.iter(|| seal::open(&keys, Dialect::AuthJsV5, COOKIE, black_box(&token), NOW).unwrap());
    });
    let cache = SessionCache::default();
    criterion.bench_function("open a cached session of 2.9 kB", |b| {
        b.iter(|| cache.open(&keys, Dialect::AuthJsV5, COOKIE, black_box(&token), NOW).unwrap());
    });
    let bytes = base64url::decode(&base64url::encode(token.as_bytes())).unwrap();
    let text = base64url::encode(&bytes);
    criterion
        .bench_function("encode 2.9 kB as base64url", |b| b.iter(|| base64url::encode(black_box(&bytes))));
    criterion.bench_function("decode 3.9 kB of base64url", |b| {
        b.iter(|| base64url::decode(black_box(&text)).unwrap());
    });
}

fn request(criterion: &mut Criterion) {
    let field = format!("theme=dark; {COOKIE}={}; _ga=GA1.1.1; consent=1", "a".repeat(2900));
    criterion.bench_function("parse cookies", |b| {
        b.iter(|| Cookies::parse(std::iter::once(black_box(field.as_str()))));
    });
    for path in ["/account/settings", "/a%20b/%E2%82%AC;v=1/c%2523"] {
        criterion.bench_function(&format!("parse the path {path}"), |b| {
            b.iter(|| CanonicalPath::new(black_box(path)));
        });
    }
    let mut changes = Changes::default();
    changes.set("authorization", format!("Bearer {}", "t".repeat(1100)));
    changes.remove("cookie");
    criterion.bench_function("encode the changes to a request's headers", |b| {
        b.iter(|| header_wire::changes(black_box(&changes)).unwrap());
    });
}

fn rules(criterion: &mut Criterion) {
    let request = Request {
        method: Method::Get,
        url: RequestUrl::parse("https://app.example.com/account/settings").unwrap(),
        headers: Headers::new(),
    };
    let path = CanonicalPath::new(&request.url.path).unwrap();
    for count in [10, 100, 1000, 10_000] {
        let config = config(count);
        criterion.bench_function(&format!("decide with {count} rules"), |b| {
            b.iter(|| {
                let decided = config.rules.decide(black_box(&request), &path, &PathReadings::default());
                decided.is_ok_and(|decided| decided.is_public())
            });
        });
    }
}

fn claims() -> Map<String, Value> {
    let claims = json!({
        "sub": "00u1a2b3c4d5e6f7g8",
        "name": "Alice Example",
        "email": "alice@example.com",
        "roles": ["admin", "editor"],
        "access_token": "t".repeat(1100),
        "refresh_token": "r".repeat(550),
        "expires_at": NOW.seconds() + 3600,
    });
    claims.as_object().cloned().unwrap()
}

/// A configuration with this many rules, none of which matches the request.
fn config(rules: u32) -> Config {
    let rule = |n| json!({ "match": format!("/section-{n}/:path*"), "require": { "roles": ["admin"] } });
    let auth = json!({
        "providers": [{ "id": "acme", "type": "oidc", "issuer": "https://idp.example" }],
        "claims": { "roles": "profile.roles" },
        "rules": (0..rules).map(rule).collect::<Vec<_>>(),
    });
    let env = |name: &str| Some(format!("a value for measuring, of {name}"));
    Config::load(auth, &env, &vestibule_testing::RUNTIME).unwrap_or_else(|errors| panic!("{errors:?}"))
}
