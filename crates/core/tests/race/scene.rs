//! Where a race is run: isolates, a network that takes its time, a provider, an upstream.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::Vestibule;
use vestibule_core::config::Config;
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::form::Params;
use vestibule_core::jose::crypto::{Crypto, KeyError};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::platform::{
    self, Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Level, Lock, Log,
    Random, StoreError,
};
use vestibule_core::time::Timestamp;

use crate::clockwork::Clockwork;
use crate::rotation::Grants;
use crate::store::Store;
use crate::{Setting, Spread};

pub const SECRET: &str = "a secret that seals the sessions of a race";
/// How many isolates a location has.
pub const ISOLATES: u64 = 3;

pub struct Scene {
    pub clock: Rc<Clockwork>,
    pub store: Rc<Store>,
    pub grants: Grants,
    dice: Cell<u64>,
}

impl Scene {
    pub fn new(setting: Setting, seed: u64) -> Rc<Self> {
        let clock = Clockwork::starting_at(1_795_290_000_000);
        let store = Store::new(Rc::clone(&clock), seed ^ 0x5eed);
        store.limits_writes.set(setting.limits_writes);
        Rc::new(Self { clock, store, grants: Grants::new(setting.rotation), dice: Cell::new(seed) })
    }

    /// A number from `least` to below `end`.
    pub fn roll(&self, least: u64, end: u64) -> u64 {
        let next = self.dice.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.dice.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        least + (mixed ^ (mixed >> 31)) % (end - least)
    }

    /// Some time from `least` to below `end` milliseconds.
    pub fn some_time(&self, least: u64, end: u64) -> Duration {
        Duration::from_millis(self.roll(least, end))
    }
}

/// The isolates of every location.
pub fn isolates(scene: &Rc<Scene>, setting: Setting) -> Vec<(Vestibule, Stage)> {
    let auth = json!({
        "providers": [{ "id": "acme", "type": "oidc", "issuer": "https://idp.example" }],
        "upstreams": [{ "to": "https://upstream.example", "authorization": "access_token" }],
        "refresh": { "lease": setting.lease },
    });
    let environment = |name: &str| match name {
        "AUTH_SECRET" => Some(SECRET.to_owned()),
        "AUTH_ACME_ID" | "AUTH_ACME_SECRET" => Some("acme".to_owned()),
        _ => None,
    };
    let locations = match setting.spread {
        Spread::One => 1,
        Spread::Stray => 2,
        Spread::Even => 3,
    };
    (0..locations * ISOLATES)
        .map(|number| {
            let config = Config::load(auth.clone(), &environment, &vestibule::runtime::RUNTIME).unwrap();
            let location = format!("location {}", number / ISOLATES);
            (Vestibule::new(config), Stage { scene: Rc::clone(scene), location })
        })
        .collect()
}

/// The platform in one location.
#[derive(Clone)]
pub struct Stage {
    pub scene: Rc<Scene>,
    pub location: String,
}

impl Stage {
    async fn token(&self, body: &[u8]) -> FetchResponse {
        let scene = &self.scene;
        scene.clock.sleep(scene.some_time(40, 250)).await;
        let params = Params::from_urlencoded(body);
        let token = params.one("refresh_token").unwrap().unwrap_or_default();
        let answer = match scene.grants.refresh(token, scene.clock.now()) {
            None => (400, json!({ "error": "invalid_grant" })),
            Some((grant, serial, next)) => {
                let mut tokens = json!({
                    "access_token": format!("access-{grant}~{serial}"),
                    "token_type": "Bearer",
                    "expires_in": 3600,
                });
                if let Some(next) = next {
                    tokens["refresh_token"] = json!(next);
                }
                (200, tokens)
            }
        };
        scene.clock.sleep(scene.some_time(40, 150)).await;
        json_response(answer)
    }
}

impl Crypto for Stage {
    async fn verify(&self, _: Algorithm, _: &Jwk, _: &[u8], _: &[u8]) -> Result<bool, KeyError> {
        unreachable!("there is no ID token here")
    }

    async fn sign(&self, _: &PrivateKey, _: Algorithm, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        unreachable!("nothing is signed here")
    }

    async fn public_key(&self, _: &PrivateKey, _: Algorithm) -> Result<Jwk, KeyError> {
        unreachable!("nothing is signed here")
    }
}

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.scene.clock.now())
    }

    async fn sleep(&self, time: Duration) {
        self.scene.clock.sleep(time).await;
    }
}

impl Random for Stage {
    fn fill_random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = u8::try_from(self.scene.roll(0, 256)).unwrap();
        }
    }
}

impl Log for Stage {
    fn log(&self, _: Level, _: &Value) {}
}

impl HttpClient for Stage {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        match request.url.strip_prefix("https://idp.example") {
            Some("/token") => Ok(self.token(&request.body).await),
            Some("/.well-known/openid-configuration") => {
                self.scene.clock.sleep(self.scene.some_time(20, 80)).await;
                Ok(json_response((200, discovery())))
            }
            other => panic!("asked {other:?}"),
        }
    }
}

impl platform::Store for Stage {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.scene.store.read(&self.location, key).await
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        self.scene.store.write(&self.location, key, value, lifetime).await
    }
}

impl Lock for Stage {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.scene.store.call_object(name, call).await
    }
}

impl Forwarder for Stage {
    type Body = ();
    type Upstreamed = ();

    async fn read_body(&self, (): (), _: usize) -> Result<Vec<u8>, BodyError> {
        Ok(Vec::new())
    }

    async fn forward(&self, _: Forward<'_>, (): ()) -> Result<(), ForwardError> {
        Ok(())
    }
}

impl Background for Stage {
    async fn to_the_end<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        self.scene.clock.spawn(job).await
    }
}

fn json_response((status, body): (u16, Value)) -> FetchResponse {
    let headers = [("content-type", "application/json")].into_iter().collect();
    FetchResponse { status, headers, body: serde_json::to_vec(&body).unwrap() }
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
