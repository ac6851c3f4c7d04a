//! The built Worker in front of a program, and what walks do with the two.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use miniflare_test_harness::{Client, ClientResponse, Harness, Kv};
use serde_json::{Map, Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;

use crate::program::APP;
use crate::repository::root;
use crate::server::Server;

/// The client that every provider knows.
pub const CLIENT_ID: &str = "vestibule";
pub const CLIENT_SECRET: &str = "of-a-test-and-of-nothing-else";

/// Isolates in one location, and in several.
pub const NEAR: [&str; 4] = ["FRA"; 4];
pub const FAR: [&str; 4] = ["FRA", "FRA", "IAD", "SIN"];

/// What an operator revokes sessions with.
pub const OPERATOR_SECRET: &str = "of-an-operator-and-of-no-one-else-at-all";

const COOKIE: &str = "__Secure-authjs.session-token";
const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";

/// How long a walk waits for what happens in the background.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// How long access tokens live: long enough that some requests at once arrive before their end. Five seconds on a machine with
/// nothing else to do, and up to twenty on a busy one.
pub fn ttl() -> Duration {
    static TTL: OnceLock<Duration> = OnceLock::new();
    *TTL.get_or_init(|| {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let waiting: u64 = load.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        Duration::from_secs(5 * (waiting / cores).clamp(1, 4))
    })
}

/// Tables of the configuration: tokens are renewed in the second half of their time, so that the old one goes on until its
/// end, and requests that have it arrive before.
pub fn early() -> Value {
    json!({ "refresh": { "lease": "durable-object", "leeway": format!("{}s", ttl().as_secs()) } })
}

/// Tables of the configuration: leases and revocations are in `store`, which is `kv` or `durable-object`.
pub fn stores(store: &str) -> Value {
    // With KV a sign-out would reach another isolate after five minutes, without this.
    let interval = if store == "kv" { "2s" } else { "10s" };
    json!({
        "refresh": { "lease": store, "leeway": "0s" },
        "revocation": { "store": store, "interval": interval },
    })
}

/// The object with the members of `other`.
pub fn with(object: &Value, other: &Value) -> Value {
    let mut members = object.as_object().expect("an object").clone();
    members.extend(other.as_object().expect("an object").clone());
    members.into()
}

/// The Worker with the program as its provider and as its upstream: who asks for `/whoami` gets what the program says
/// about the access token.
pub struct Env {
    harness: Harness,
    server: Server,
    /// Whether tokens are renewed before their end.
    renews_early: bool,
    /// Whether the client's secret is sent in the header field, and not with the form.
    sends_secret_in_header: bool,
}

impl Drop for Env {
    fn drop(&mut self) {
        let log = self.harness.logs().text();
        if std::thread::panicking() {
            let output = self.server.output.clone() + &self.server.later_output();
            eprintln!("the Worker's log:\n{log}\nthe program's output:\n{output}");
            return;
        }
        for word in [SECRET, CLIENT_SECRET, OPERATOR_SECRET, "eyJ"] {
            assert!(!log.contains(word), "the log contains {word:?}:\n{log}");
        }
    }
}

/// What the program has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Refresh tokens that it accepted.
    pub refreshed: u64,
    /// Refresh tokens that it refused.
    pub refused: u64,
    /// Those among them that nobody had used, and that had ended: the machine was too slow for the walk.
    pub late: u64,
    /// Tokens that were revoked.
    pub revoked: u64,
}

impl Env {
    /// Starts the Worker. `settings` are tables of its configuration, for example [`stores`].
    pub fn start(server: Server, provider: &Value, settings: &Value, isolates: &[&str]) -> Self {
        Self::start_with(server, provider, settings, isolates, &[])
    }

    /// The same with more secrets, each with its name.
    pub fn start_with(
        server: Server,
        provider: &Value,
        settings: &Value,
        isolates: &[&str],
        secrets: &[(&str, &str)],
    ) -> Self {
        let built = root().join("build/index.js");
        assert!(built.exists(), "{} does not exist: run `cargo xtask build` first", built.display());
        let auth = json!({
            "providers": [provider],
            "session": { "expose": { "access_token": "access_token" } },
            "upstreams": [{ "to": "service:APP", "authorization": "access_token" }],
        });
        let auth = with(&auth, settings);
        let mut builder = Harness::from_wrangler(root().join("wrangler.toml"))
            .var("AUTH", auth.clone())
            .secret("AUTH_SECRET", SECRET)
            .secret("AUTH_REAL_ID", CLIENT_ID)
            .secret("AUTH_REAL_SECRET", CLIENT_SECRET)
            .secret("AUTH_REVOKE_SECRET", OPERATOR_SECRET)
            .service_at("APP", server.address)
            .isolates(isolates);
        if auth["refresh"]["lease"] == "durable-object" {
            builder = builder.durable_object("AUTH_LEASE", "RefreshLease");
        }
        for (name, secret) in secrets {
            builder = builder.secret(name, secret);
        }
        let harness = builder.start().expect("the Worker starts");
        let renews_early = auth["refresh"]["leeway"] != "0s";
        let sends_secret_in_header = provider["token_endpoint_auth_method"] == "client_secret_basic";
        Self { harness, server, renews_early, sends_secret_in_header }
    }

    /// Whether tokens are renewed before their end, while requests go on with the old one.
    pub fn renews_early(&self) -> bool {
        self.renews_early
    }

    /// Sleeps until the next request renews the session's access token: its end, or the second half of its life where the
    /// leeway is longer than that.
    pub fn wait_until_due(&self, browser: &Client) {
        let session = session(browser);
        let time = |claim: &str| Duration::from_secs(session[claim].as_u64().expect("a time"));
        let (begin, end) = (time("iat"), time("expires_at"));
        let due = if self.renews_early { (begin + end) / 2 } else { end };
        std::thread::sleep(due.saturating_sub(since_1970()));
    }

    /// The store of refreshed tokens and revocations.
    pub fn kv(&self) -> Kv {
        self.harness.kv("AUTH_KV")
    }

    pub fn client(&self) -> Client {
        self.harness.client()
    }

    /// What the program says about the session's access token. On a busy machine a token may end on its way to the program,
    /// which refuses it; the browser then asks again.
    pub fn whoami(&self, browser: &Client) -> ClientResponse {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let reply = self.ask(browser, "/whoami");
            // The Worker's own refusal names the address to sign in at.
            let is_the_programs = reply.status == 401 && !reply.text().contains("signInUrl");
            if !(is_the_programs && has_ended_token(browser)) || Instant::now() > deadline {
                return reply;
            }
        }
    }

    /// A script's request. On a busy machine a request to the store may exceed its timeout; the browser then gets 503
    /// and tries again.
    pub fn ask(&self, browser: &Client, path: &str) -> ClientResponse {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let reply = browser.get(&format!("{APP}{path}")).send();
            let is_slow = reply.status == 503 && self.harness.logs().contains("no answer within 3s");
            if !is_slow || Instant::now() > deadline {
                return reply;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// What `/auth/session` shows: null if no one is signed in.
    pub fn shown(&self, browser: &Client) -> Value {
        self.ask(browser, "/auth/session").expect_status(200).json()
    }

    /// What the program says about a token itself, past the Worker: 200 if it is good.
    pub fn whoami_directly(&self, access_token: &str) -> u16 {
        let request = self.client().get(&self.server.direct("/whoami"));
        request.header("authorization", &format!("Bearer {access_token}")).send().status
    }

    /// One request from each browser at the same time. Gives the responses in the order of the browsers.
    pub fn whoami_in_parallel(&self, browsers: &[Client]) -> Vec<ClientResponse> {
        std::thread::scope(|scope| {
            let requests: Vec<_> =
                browsers.iter().map(|browser| scope.spawn(|| self.whoami(browser))).collect();
            requests.into_iter().map(|request| request.join().unwrap()).collect()
        })
    }

    /// What the program has counted until now.
    pub fn counts(&self) -> Counts {
        let counts = self.client().get(&self.server.direct("/control/counts")).send().json();
        let count = |name: &str| counts[name].as_u64().unwrap_or_default();
        let (refreshed, refused) = (count("refreshed"), count("refused"));
        Counts { refreshed, refused, late: count("late"), revoked: count("revoked") }
    }

    /// The logout tokens that the program has sent.
    pub fn logout_tokens(&self) -> Vec<String> {
        let tokens = self.client().get(&self.server.direct("/control/logout-tokens")).send().json();
        serde_json::from_value(tokens).expect("a list of texts")
    }

    /// The address of a page of the program, as its issuer writes it: a browser has its cookies there.
    pub fn at_the_provider(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.server.address.port())
    }

    /// Changes something at the program, as its administrator would.
    pub fn control(&self, what: &str) {
        self.client().post(&self.server.direct(&format!("/control/{what}"))).send().expect_status(204);
    }

    /// What the program answers to a question about itself.
    pub fn reported(&self, what: &str) -> Value {
        self.client().get(&self.server.direct(&format!("/control/{what}"))).send().expect_status(200).json()
    }

    /// Gives the program the keys that the Worker publishes for the client, because it cannot fetch them there.
    pub fn publish_client_keys(&self) {
        let published = self.client().get(&format!("{APP}/auth/client-keys.json")).send();
        let keys = published.expect_status(200).json();
        let to = self.server.direct("/control/client-keys");
        self.client().post(&to).json(&keys).send().expect_status(204);
    }

    /// Sends a form to the program, as Vestibule's client.
    pub fn post_as_client(&self, path: &str, fields: &[(&str, &str)]) -> ClientResponse {
        let request = self.client().post(&self.server.direct(path));
        if self.sends_secret_in_header {
            let credentials = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
            return request.header("authorization", &format!("Basic {credentials}")).form(fields).send();
        }
        let own = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        request.form(&[&own, fields].concat()).send()
    }
}

/// Waits until `is_so`, for what happens after a response.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    wait_at_most(MAX_WAIT, what, is_so);
}

/// The same with another limit.
pub fn wait_at_most(max_wait: Duration, what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + max_wait;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so after {max_wait:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The claims in a browser's session cookie.
pub fn session(browser: &Client) -> Map<String, Value> {
    let sealed: String = chunks(browser).into_iter().map(|(_, value)| value).collect();
    assert!(!sealed.is_empty(), "no one is signed in");
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let now = Timestamp::from_seconds(since_1970().as_secs());
    seal::open(&keys, Dialect::AuthJsV5, COOKIE, &sealed, now).unwrap()
}

fn has_ended_token(browser: &Client) -> bool {
    let is_signed_in = !chunks(browser).is_empty();
    is_signed_in && session(browser)["expires_at"].as_u64().is_some_and(|end| end <= since_1970().as_secs())
}

/// One of these claims that is a text; empty if it is missing.
pub fn text_in_session(browser: &Client, claim: &str) -> String {
    session(browser).get(claim).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Gives another browser a copy of this one's session cookie, and nothing else.
pub fn copy_session(from: &Client, to: &Client) {
    for (name, value) in chunks(from) {
        to.set_cookie(APP, &format!("{name}={value}; Path=/; Secure; HttpOnly"));
    }
}

/// The session's cookie, or the cookies that a large session is cut into, in order.
fn chunks(browser: &Client) -> Vec<(String, String)> {
    let named = |name: String| browser.cookie(APP, &name).map(|value| (name, value));
    let whole = named(COOKIE.to_owned()).into_iter();
    whole.chain((0..).map_while(|at| named(format!("{COOKIE}.{at}")))).collect()
}

/// Sleeps until the session's access token has ended.
pub fn wait_for_the_end_of_the_token(browser: &Client) {
    let end = Duration::from_secs(session(browser)["expires_at"].as_u64().expect("it ends"));
    std::thread::sleep(end.saturating_sub(since_1970()));
}

/// The time, by the clock that the Worker and the program use, too.
pub fn since_1970() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// `count` tabs with copies of the browser's cookies, distributed over four isolates.
pub fn tabs(browser: &Client, count: usize) -> Vec<Client> {
    (0..count).map(|tab| browser.fork().at(tab % 4)).collect()
}
