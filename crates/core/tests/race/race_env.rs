//! The environment of a race: processes, a slow network, a provider, an upstream.

use std::rc::Rc;

use serde_json::{Value, json};
use vestibule_core::Vestibule;
use vestibule_core::config::Config;
use vestibule_core::http::client::{FetchRequest, FetchResponse};
use vestibule_core::http::form::Params;
use vestibule_testing::rotation::{Grants, Rotation};
use vestibule_testing::{FakeClock, FakePlatform, FakeRandom};

use crate::{Setting, Spread};

pub const SECRET: &str = "a secret that seals the sessions of a race";
/// How many processes a location has.
pub const ISOLATES: u64 = 3;

pub struct RaceEnv {
    pub platform: FakePlatform,
    pub grants: Rc<Grants>,
}

impl RaceEnv {
    pub fn new(setting: Setting, seed: u64) -> Self {
        let platform = FakePlatform::new(seed);
        platform.store.reading.set(setting.reading);
        platform.store.write_limit.set(setting.write_limit);
        let grants = Rc::new(Grants::new(setting.rotation));
        let provider = Rc::new(Provider {
            clock: Rc::clone(&platform.clock),
            random: Rc::clone(&platform.random),
            grants: Rc::clone(&grants),
        });
        platform.http.answer_with(move |request| {
            let provider = Rc::clone(&provider);
            async move { Ok(provider.answer(&request).await) }
        });
        Self { platform, grants }
    }
}

/// The processes of every location.
pub fn isolates(scene: &RaceEnv, setting: Setting) -> Vec<(Vestibule, FakePlatform)> {
    let auth = json!({
        "providers": [{
            "id": "acme",
            "type": "oidc",
            "issuer": "https://idp.example",
            "strict_rotation": setting.rotation == Rotation::Strict,
        }],
        "upstreams": [{ "to": "https://upstream.example", "authorization": "access_token" }],
        "refresh": { "lease": setting.lease },
        // So that the store's reads are the lease's. `sign_out` has the revocations.
        "revocation": { "store": "none" },
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
        Spread::Four => 4,
    };
    (0..locations * ISOLATES)
        .map(|number| {
            let config = Config::load(auth.clone(), &environment, &vestibule_testing::RUNTIME).unwrap();
            let location = match number / ISOLATES {
                near @ 0..2 => format!("location {near}"),
                far => format!("region/location {far}"),
            };
            (Vestibule::new(config), scene.platform.at(&location))
        })
        .collect()
}

/// A provider behind a slow network.
struct Provider {
    clock: Rc<FakeClock>,
    random: Rc<FakeRandom>,
    grants: Rc<Grants>,
}

impl Provider {
    async fn answer(&self, request: &FetchRequest) -> FetchResponse {
        match request.url.strip_prefix("https://idp.example") {
            Some("/token") => self.token(&request.body).await,
            Some("/.well-known/openid-configuration") => {
                self.clock.sleep(self.random.millis(20, 80)).await;
                json_response((200, discovery()))
            }
            other => panic!("unexpected request to {other:?}"),
        }
    }

    async fn token(&self, body: &[u8]) -> FetchResponse {
        self.clock.sleep(self.random.millis(40, 250)).await;
        let params = Params::from_urlencoded(body);
        let token = params.one("refresh_token").unwrap().unwrap_or_default();
        let answer = match self.grants.refresh(token, self.clock.now()) {
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
        self.clock.sleep(self.random.millis(40, 150)).await;
        json_response(answer)
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
