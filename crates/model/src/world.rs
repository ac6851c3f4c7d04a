//! Three isolates in two locations that run the real code, their store, and a provider.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::Vestibule;
use vestibule_core::config::Config;
use vestibule_core::http::client::{FetchRequest, FetchResponse};
use vestibule_core::http::form::Params;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::outcome::Outcome;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_testing::rotation::{Grants, Rotation};
use vestibule_testing::store::{KvReading, WriteLimit};
use vestibule_testing::{FakeClock, FakePlatform};

use crate::isolate::{IsolatePlatform, Script};

const SECRET: &str = "a secret that seals the sessions of a model";
const APP: &str = "https://app.example.com";
const COOKIE: &str = "__Secure-authjs.session-token";
const CSRF: &str = "__Host-authjs.csrf-token";
/// Where the isolates are.
const LOCATIONS: [&str; 3] = ["near", "near", "far"];

/// Where leases or facts are kept, and how Workers KV's documentation is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kept {
    /// In a Durable Object.
    Object,
    /// In Workers KV, whose writes are visible elsewhere after a minute.
    KvDelayed,
    /// In Workers KV, where a first read sees what was written, and what it found is remembered for a minute.
    KvFresh,
}

impl Kept {
    /// What tables call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Object => "durable-object",
            Self::KvDelayed => "kv (delayed writes)",
            Self::KvFresh => "kv (fresh first reads)",
        }
    }

    /// Its value in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "durable-object",
            Self::KvDelayed | Self::KvFresh => "kv",
        }
    }
}

/// The isolates and everything around them.
pub(crate) struct Deployment {
    pub(crate) base: FakePlatform,
    pub(crate) script: Rc<Script>,
    pub(crate) grants: Rc<Grants>,
    settings: Value,
    isolates: RefCell<Vec<(Vestibule, IsolatePlatform)>>,
}

/// What a request got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// The upstream's answer, and the session's cookie if it was set.
    Passed(Option<String>),
    /// 503.
    TurnedAway,
    /// Anything else of ours, with its status.
    Rejected(u16),
    /// Nothing: the isolate crashed.
    Nothing,
}

impl Deployment {
    /// A world with these settings, in which the script's faults happen.
    pub(crate) fn new(settings: Value, kept: Kept, rotation: Rotation, script: Script) -> Rc<Self> {
        let base = FakePlatform::new(7);
        let (reading, delay) = match kept {
            Kept::KvFresh => (KvReading::FreshFirstReads, 300),
            Kept::Object | Kept::KvDelayed => (KvReading::Delayed, 60_000),
        };
        base.store.reading.set(reading);
        base.store.visible_after.set(Some(delay));
        base.store.write_limit.set(WriteLimit::Off);
        let grants = Rc::new(Grants::new(rotation));
        let provider = Rc::new(Provider {
            clock: Rc::clone(&base.clock),
            grants: Rc::clone(&grants),
            lifetime: settings["model_token_lifetime"].as_u64().unwrap_or(3600),
        });
        base.http.answer_with(move |request| {
            let provider = Rc::clone(&provider);
            async move { Ok(provider.answer(&request).await) }
        });
        let mut settings = settings;
        settings.as_object_mut().unwrap().remove("model_token_lifetime");
        let world = Self { base, script: Rc::new(script), grants, settings, isolates: RefCell::default() };
        for number in 0..LOCATIONS.len() {
            let isolate = world.new_isolate(number);
            world.isolates.borrow_mut().push(isolate);
        }
        Rc::new(world)
    }

    fn new_isolate(&self, number: usize) -> (Vestibule, IsolatePlatform) {
        let environment = |name: &str| match name {
            "AUTH_SECRET" => Some(SECRET.to_owned()),
            "AUTH_ACME_ID" | "AUTH_ACME_SECRET" => Some("acme".to_owned()),
            _ => None,
        };
        let config = Config::load(self.settings.clone(), &environment, &vestibule_testing::RUNTIME);
        let platform = IsolatePlatform {
            inner: self.base.at(LOCATIONS[number]),
            number: u8::try_from(number).unwrap(),
            script: Rc::clone(&self.script),
            has_crashed: Rc::new(Cell::new(false)),
        };
        (Vestibule::new(config.unwrap_or_else(|errors| panic!("{errors}"))), platform)
    }

    /// Replaces an isolate by a new one, which remembers nothing.
    pub(crate) fn restart(&self, number: usize) {
        let isolate = self.new_isolate(number);
        self.isolates.borrow_mut()[number] = isolate;
    }

    pub(crate) fn has_crashed(&self, number: usize) -> bool {
        self.isolates.borrow()[number].1.has_crashed.get()
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.base.clock.now()
    }

    /// The cookie of a user who has just signed in. The access token is valid for `valid_for` more seconds.
    pub(crate) fn session(&self, valid_for: i64, max_age: Duration) -> String {
        let now = Timestamp::from_millis(self.now());
        let claims = json!({
            "sub": "user-1",
            "provider": "acme",
            "sid": "the session",
            "signed_in_at": now.seconds(),
            "revalidated_at": now.seconds(),
            "access_token": "access-first",
            "refresh_token": self.grants.begin("grant"),
            "expires_at": now.seconds().saturating_add_signed(valid_for),
        });
        let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
        let mut random = |bytes: &mut [u8]| self.base.random.fill(bytes);
        seal::seal(&keys, Dialect::AuthJsV5, COOKIE, claims.as_object().unwrap(), max_age, now, &mut random)
    }

    /// A script's request to the upstream with this session.
    pub(crate) async fn get(&self, isolate: usize, session: &str) -> CallOutcome {
        self.ask(isolate, Method::Get, "/api", &[(COOKIE, session)], Vec::new()).await.0
    }

    /// The same, of a request that may change something.
    pub(crate) async fn post(&self, isolate: usize, session: &str) -> CallOutcome {
        self.ask(isolate, Method::Post, "/api", &[(COOKIE, session)], Vec::new()).await.0
    }

    /// Signs out. Returns whether the answer says that every copy of the session has ended.
    pub(crate) async fn sign_out(&self, isolate: usize, session: &str) -> bool {
        let (_, answer) = self.ask(isolate, Method::Get, "/auth/csrf", &[], Vec::new()).await;
        let Some((body, headers)) = answer else { return false };
        let body: Value = serde_json::from_str(&body).unwrap();
        let token = body["csrfToken"].as_str().unwrap();
        let set = headers.get("set-cookie").unwrap();
        let csrf = set.split(';').next().unwrap().split_once('=').unwrap().1;
        let cookies = [(COOKIE, session), (CSRF, csrf)];
        let form = format!("csrfToken={token}");
        let (outcome, _) =
            self.ask(isolate, Method::Post, "/auth/signout", &cookies, form.into_bytes()).await;
        outcome == CallOutcome::Rejected(302)
    }

    async fn ask(
        &self,
        isolate: usize,
        method: Method,
        path: &str,
        cookies: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (CallOutcome, Option<(String, Headers)>) {
        let (vestibule, platform) = self.isolates.borrow()[isolate].clone();
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers = [
            ("cookie", cookies.as_str()),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-site", "same-origin"),
            ("origin", APP),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let request = Request {
            method,
            url: RequestUrl::parse(&format!("{APP}{path}")).unwrap(),
            headers: headers.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        };
        match platform.until_crash(Box::pin(vestibule.handle(platform.clone(), request, body))).await {
            None => (CallOutcome::Nothing, None),
            Some(Outcome::Forwarded { cookies, .. }) => {
                let value = |pair: &str| Some(pair.strip_prefix(COOKIE)?.strip_prefix('=')?.to_owned());
                let set = cookies.iter().find_map(|cookie| value(&cookie.pair()?));
                (CallOutcome::Passed(set), None)
            }
            Some(Outcome::Response(response)) => {
                let outcome = if response.status == 503 {
                    CallOutcome::TurnedAway
                } else {
                    CallOutcome::Rejected(response.status)
                };
                (outcome, Some((response.body, response.headers)))
            }
        }
    }
}

/// A provider that answers after a while.
struct Provider {
    clock: Rc<FakeClock>,
    grants: Rc<Grants>,
    /// How long access tokens are valid, in seconds.
    lifetime: u64,
}

impl Provider {
    async fn answer(&self, request: &FetchRequest) -> FetchResponse {
        let (status, body) = match request.url.strip_prefix("https://idp.example") {
            Some("/token") => self.token(&request.body).await,
            _ => (200, discovery()),
        };
        let headers = [("content-type", "application/json")].into_iter().collect();
        FetchResponse { status, headers, body: serde_json::to_vec(&body).unwrap() }
    }

    async fn token(&self, body: &[u8]) -> (u16, Value) {
        self.clock.sleep(Duration::from_millis(200)).await;
        let params = Params::from_urlencoded(body);
        let token = params.one("refresh_token").unwrap().unwrap_or_default();
        let granted = self.grants.refresh(token, self.clock.now());
        self.clock.sleep(Duration::from_millis(100)).await;
        let Some((grant, serial, next)) = granted else { return (400, json!({ "error": "invalid_grant" })) };
        let mut tokens = json!({
            "access_token": format!("access-{grant}~{serial}"),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
        });
        if let Some(next) = next {
            tokens["refresh_token"] = json!(next);
        }
        (200, tokens)
    }
}

fn discovery() -> Value {
    json!({
        "issuer": "https://idp.example",
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "jwks_uri": "https://idp.example/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}
