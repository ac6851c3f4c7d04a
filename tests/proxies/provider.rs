//! An OpenID provider on loopback, for a server that reaches no fake host. Everyone in `login_hint` may sign in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use vestibule_testing::FakeProvider;

use crate::http::{self, Message};
use crate::idp::{CLIENT_ID, CLIENT_SECRET, user};

/// A running provider.
pub struct Provider {
    pub issuer: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    issuer: String,
    /// The parameters of the authorization request of each code.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    issued: usize,
    padding: usize,
}

impl Provider {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let address: SocketAddr =
            http::serve(move |request| shared.lock().expect("no panic").answer(&request));
        let issuer = format!("http://{address}");
        state.lock().expect("no panic").issuer.clone_from(&issuer);
        Self { issuer, state }
    }

    /// Grants an authorization request: the address of the callback.
    pub fn authorize(&self, location: &str) -> String {
        let url = Url::parse(location).expect("a URL");
        assert!(location.starts_with(&format!("{}/authorize?", self.issuer)), "{location}");
        let params: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((params["response_type"].as_str(), params["client_id"].as_str()), ("code", CLIENT_ID));
        let mut state = self.state.lock().expect("no panic");
        state.issued += 1;
        let code = format!("code-{}", state.issued);
        let mut back = Url::parse(&params["redirect_uri"]).expect("a URL");
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &params["state"])
            .append_pair("iss", &self.issuer);
        state.codes.insert(code, params);
        back.into()
    }

    pub fn pad(&self, padding: usize) {
        self.state.lock().expect("no panic").padding = padding;
    }
}

impl State {
    fn answer(&mut self, request: &Message) -> Message {
        let issuer = &self.issuer;
        match request.path() {
            "/.well-known/openid-configuration" => Message::json(&json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/userinfo"),
                "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": true,
            })),
            "/jwks" => Message::json(&json!({ "keys": [FakeProvider::new().public_key()] })),
            "/token" => {
                self.token(request).map_or_else(|| Message::response(400), |answer| Message::json(&answer))
            }
            "/userinfo" => {
                self.userinfo(request).map_or_else(|| Message::response(401), |answer| Message::json(&answer))
            }
            _ => Message::response(404),
        }
    }

    fn token(&mut self, request: &Message) -> Option<Value> {
        let basic = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
        (request.field("authorization")? == format!("Basic {basic}")).then_some(())?;
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(&request.body).into_owned().collect();
        let params = self.codes.remove(form.get("code")?)?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")?));
        (challenge == params["code_challenge"] && form.get("redirect_uri") == params.get("redirect_uri"))
            .then_some(())?;
        let login = params.get("login_hint")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = json!({
            "iss": self.issuer, "sub": format!("{login}-1"), "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": params["nonce"],
        });
        self.issued += 1;
        let count = self.issued;
        Some(json!({
            "access_token": format!("access-token-of-{login}-{count}"),
            "refresh_token": format!("refresh-token-of-{login}-{count}"),
            "id_token": FakeProvider::new().signed(&json!({ "alg": "ES256", "kid": "key-1" }), &claims),
            "token_type": "Bearer",
            "expires_in": 3600,
        }))
    }

    fn userinfo(&self, request: &Message) -> Option<Value> {
        let token = request.field("authorization")?.strip_prefix("Bearer access-token-of-")?;
        let (login, _) = token.rsplit_once('-')?;
        let mut answer = user(login);
        answer["sub"] = json!(format!("{login}-1"));
        answer["padding"] = json!("p".repeat(self.padding));
        Some(answer)
    }
}
