//! An OpenID provider on loopback with one client. A refresh token works once, and its reuse ends the sign-in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use vestibule_core::http::form::Params;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::{PrivateKey, sign};
use vestibule_core::jose::software::{self, SoftwareCrypto};

use crate::http::{self, Message};

/// What the client is called, and its secret.
pub(crate) const CLIENT: (&str, &str) = ("vestibule", "client-secret-of-the-tests");

/// A running provider.
#[derive(Clone)]
pub(crate) struct Provider {
    state: Arc<Mutex<State>>,
    pub(crate) address: SocketAddr,
}

#[derive(Default)]
struct State {
    issuer: String,
    /// The nonce of each code.
    codes: BTreeMap<String, String>,
    /// The refresh token of each sign-in that works; none once it has ended.
    grants: BTreeMap<String, Option<String>>,
    /// How many refreshes were accepted.
    refreshes: usize,
    /// How many used refresh tokens came again.
    reuses: usize,
    /// How often a document was asked for: the metadata, or the keys.
    documents: usize,
    issued: usize,
    lifetime: u64,
    /// How long the token endpoint takes.
    pause: Duration,
}

impl Provider {
    /// The access token of a sign-in is valid for so many seconds, those of refreshes for an hour.
    pub(crate) fn start(lifetime: u64) -> Self {
        // So that requests that refresh at the same time meet.
        let pause = Duration::from_millis(50);
        let state = Arc::new(Mutex::new(State { lifetime, pause, ..State::default() }));
        let answering = Arc::clone(&state);
        let address = http::serve(move |request| {
            if request.path() == "/token" {
                let pause = answering.lock().unwrap().pause;
                thread::sleep(pause);
            }
            answering.lock().unwrap().answer(&request)
        });
        state.lock().unwrap().issuer = format!("http://{address}");
        Self { state, address }
    }

    /// The access tokens of sign-ins from now on are valid for so many seconds.
    pub(crate) fn set_lifetime(&self, lifetime: u64) {
        self.state.lock().unwrap().lifetime = lifetime;
    }

    /// The token endpoint takes so long from now on.
    pub(crate) fn set_pause(&self, pause: Duration) {
        self.state.lock().unwrap().pause = pause;
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The user logs in: the address of the callback for this authorization request.
    pub(crate) fn authorize(&self, location: &str) -> String {
        let query = location.strip_prefix(&format!("{}/authorize?", self.issuer())).unwrap();
        let params = Params::from_urlencoded(query.as_bytes());
        let param = |name: &str| params.one(name).unwrap().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        state.issued += 1;
        let code = format!("code-{}", state.issued);
        state.codes.insert(code.clone(), param("nonce"));
        format!("{}?code={code}&state={}", param("redirect_uri"), param("state"))
    }

    /// How often a document was asked for: the metadata, or the keys.
    pub(crate) fn documents(&self) -> usize {
        self.state.lock().unwrap().documents
    }

    /// How many refreshes were accepted, and how many used refresh tokens came again.
    pub(crate) fn refreshes(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.refreshes, state.reuses)
    }
}

impl State {
    fn answer(&mut self, request: &Message) -> Message {
        if request.path() == "/jwks" || request.path().starts_with("/.well-known/") {
            self.documents += 1;
        }
        let issuer = &self.issuer;
        match request.path() {
            "/.well-known/openid-configuration" => Message::json(&json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
            })),
            "/jwks" => Message::json(&json!({ "keys": [public()] })),
            "/token" => self.token(request),
            _ => Message::response(404),
        }
    }

    fn token(&mut self, request: &Message) -> Message {
        let params = Params::from_urlencoded(&request.body);
        let param = |name: &str| params.one(name).unwrap().unwrap_or_default().to_owned();
        let refused = || Message {
            first_line: "HTTP/1.1 400 X".to_owned(),
            ..Message::json(&json!({ "error": "invalid_grant" }))
        };
        let (grant, nonce) = if param("grant_type") == "refresh_token" {
            let token = param("refresh_token");
            let grant = token.rsplit_once('~').map(|(grant, _)| grant.to_owned()).unwrap_or_default();
            match self.grants.get(&grant).cloned().flatten() {
                Some(current) if current == token => {
                    self.refreshes += 1;
                    (grant, None)
                }
                _ => {
                    self.reuses += 1;
                    self.grants.insert(grant, None);
                    return refused();
                }
            }
        } else {
            let Some(nonce) = self.codes.remove(&param("code")) else { return refused() };
            (format!("grant-{}", self.issued), Some(nonce))
        };
        self.issued += 1;
        let refresh_token = format!("{grant}~{}", self.issued);
        self.grants.insert(grant, Some(refresh_token.clone()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": self.issuer, "sub": "alice-1", "aud": CLIENT.0, "iat": now, "exp": now + 300,
            "name": "Alice", "email": "alice@example.com", "roles": ["admin"],
        });
        let is_refresh = nonce.is_none();
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        Message::json(&json!({
            "access_token": format!("access-{}", self.issued),
            "token_type": "Bearer",
            "expires_in": if is_refresh { 3600 } else { self.lifetime },
            "refresh_token": refresh_token,
            "id_token": signed(&claims),
        }))
    }
}

fn key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::p256(&[7; 32]).unwrap())
}

fn public() -> Value {
    software::public_key(key(), Algorithm::Es256).unwrap().to_public_json()
}

fn signed(claims: &Value) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(sign(&SoftwareCrypto, key(), Algorithm::Es256, "JWT", None, claims)).unwrap()
}
