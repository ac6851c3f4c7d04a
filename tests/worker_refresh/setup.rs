//! Starts the built Worker with a provider and an application, and reads and changes the sessions of browsers.

use std::time::Duration;

use miniflare_test_harness::{Client, ClientResponse, Harness, HarnessBuilder, Request, Response};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_test_runtimes::{Kind, vestibule};
use vestibule_testing::FakeRandom;

use crate::repository::root;

pub const APP: &str = "https://app.example.com";
pub const API: &str = "https://app.example.com/api";
pub const COOKIE: &str = "__Secure-authjs.session-token";
pub const MAX_WAIT: Duration = Duration::from_secs(20);
pub const STRICT: [&str; 2] = ["kv", "durable-object"];

const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";

/// The Worker's configuration with this provider and lease.
pub fn auth_of(provider: &Value, lease: &str) -> Value {
    json!({
        "providers": [provider],
        "session": { "expose": { "access_token": "access_token" } },
        "upstreams": [{ "to": "service:APP", "authorization": "access_token" }],
        "refresh": { "lease": lease },
    })
}

/// Vestibule with an application that returns the token it received.
pub fn worker_of(provider: &Value, lease: &str) -> HarnessBuilder {
    let worker = vestibule()
        .var("AUTH", auth_of(provider, lease))
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_DEMO_ID", "vestibule")
        .secret("AUTH_DEMO_SECRET", "development-only-client-secret")
        .service("APP", |request: &Request| {
            Response::text(request.header("authorization").unwrap_or("nothing"))
        });
    if lease == "durable-object" { worker.durable_object("AUTH_LEASE", "RefreshLease") } else { worker }
}

/// What the log says for each call to the object of a lease, with [`counting_calls`].
const CALL: &str = "a call to the object of a lease";

/// The Worker with a log line for each call to the objects of its leases that a refresh makes. Responses whose upstream
/// takes longer than a second also ask whether the session was signed out meanwhile; on a busy machine many do, and they are
/// not counted. The folder must exist until the Worker has started. Only Workers have such objects.
pub fn counting_calls(builder: HarnessBuilder) -> (HarnessBuilder, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    if Kind::chosen() != Kind::Workers {
        return (builder, folder);
    }
    for name in ["index.js", "index_bg.wasm"] {
        std::fs::copy(root().join("build").join(name), folder.path().join(name)).unwrap();
    }
    let main = folder.path().join("counting.js");
    let source = format!(
        "import worker, {{ RefreshLease as Lease }} from './index.js';\n\
         export default worker;\n\
         export class RefreshLease {{\n\
         constructor(state, env) {{ this.lease = new Lease(state, env); }}\n\
         async fetch(request) {{\n\
         const call = await request.clone().text();\n\
         if (!call.includes('is_signed_out')) console.log('{CALL}');\n\
         return this.lease.fetch(request);\n\
         }}\n\
         alarm() {{ return this.lease.alarm(); }}\n\
         }}\n"
    );
    std::fs::write(&main, source).unwrap();
    (builder.main(main), folder)
}

/// How many calls the objects of leases got so far.
pub fn calls(harness: &Harness) -> usize {
    harness.logs().text().matches(CALL).count()
}

/// The Worker with an OpenID provider.
pub fn worker(issuer: &str, lease: &str) -> HarnessBuilder {
    let provider = json!({
        "id": "demo", "type": "oidc", "issuer": issuer, "scope": "openid offline_access",
    });
    worker_of(&provider, lease)
}

/// Adds a provider at `idp.example`. `token` answers at its token endpoint.
pub fn provider(
    builder: HarnessBuilder,
    token: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> HarnessBuilder {
    builder.host("idp.example", move |request: &Request| match request.path() {
        "/.well-known/openid-configuration" => Response::json(&json!({
            "issuer": "https://idp.example",
            "authorization_endpoint": "https://idp.example/authorize",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://idp.example/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })),
        "/token" => token(request),
        _ => Response::status(404),
    })
}

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_seconds(since.as_secs())
}

fn keys() -> Keyring {
    Keyring::new(vec![Secret::new(SECRET)]).unwrap()
}

/// The claims in a browser's session cookie.
pub fn session(browser: &Client) -> Map<String, Value> {
    let sealed = browser.cookie(APP, COOKIE).expect("a user is signed in");
    seal::open(&keys(), Dialect::AuthJsV5, COOKIE, &sealed, now()).unwrap()
}

/// Stores a session with these claims in a browser, as if it had been created an hour ago.
pub fn plant(browser: &Client, claims: &Map<String, Value>) {
    let random = FakeRandom::new(1);
    let (day, hour) = (Duration::from_hours(24), Duration::from_hours(1));
    let then = now().minus(hour);
    let sealed =
        seal::seal(&keys(), Dialect::AuthJsV5, COOKIE, claims, day, then, &mut |bytes| random.fill(bytes));
    browser.set_cookie(APP, &format!("{COOKIE}={sealed}; Path=/; Secure; HttpOnly"));
}

/// The claims of a session. Its access token expires in `expires_in` seconds, or has expired if that is negative.
pub fn a_session(sid: &str, refresh_token: &str, expires_in: i64) -> Map<String, Value> {
    let claims = json!({
        "sub": "somebody", "name": "Somebody", "provider": "demo", "sid": sid,
        "access_token": "old-token", "refresh_token": refresh_token,
        "expires_at": now().seconds().saturating_add_signed(expires_in),
    });
    claims.as_object().unwrap().clone()
}

/// Replaces a browser's session by one whose access token has just expired.
pub fn expire(browser: &Client) {
    let mut claims = session(browser);
    claims.insert("expires_at".to_owned(), (now().seconds() - 1).into());
    plant(browser, &claims);
}

/// The application's response to a browser. On a busy machine a request to the store may exceed its timeout of three seconds;
/// the browser then gets 503 and tries again.
pub fn fetch(harness: &Harness, browser: &Client) -> ClientResponse {
    for _ in 0..40 {
        let reply = browser.get(API).send();
        if reply.status != 503 || !harness.logs().contains("no answer within 3s") {
            return reply;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    browser.get(API).send()
}

/// Sends a request from each browser at the same time. Gives the responses in the order of the browsers.
pub fn fetch_in_parallel(harness: &Harness, browsers: Vec<Client>) -> Vec<ClientResponse> {
    std::thread::scope(|scope| {
        let requests: Vec<_> =
            browsers.into_iter().map(|browser| scope.spawn(move || fetch(harness, &browser))).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    })
}

/// `count` tabs with copies of the browser's current cookies, distributed over `isolates` isolates.
pub fn tabs(browser: &Client, count: usize, isolates: usize) -> Vec<Client> {
    (0..count).map(|tab| browser.fork().at(tab % isolates)).collect()
}
