//! An OpenID provider in the test process. It behaves correctly until a test makes it lie, fail or not respond.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::signer::{self, Signing};

pub const HOST: &str = "idp.example";
pub const ISSUER: &str = "https://idp.example";
pub const CLIENT_ID: &str = "vestibule";
pub const CLIENT_SECRET: &str = "a-client-secret-that-no-log-may-hold";

type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;
type Answer = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// The provider.
pub struct Idp(Mutex<State>);

struct State {
    granted: BTreeMap<String, Granted>,
    /// The number of issued codes and tokens, which makes each of them unique.
    count: usize,
    /// Everything that must not appear in a log.
    confidential: Vec<String>,
    signing: Signing,
    published: Vec<&'static str>,
    /// What it says of opaque access tokens.
    known: BTreeMap<String, Value>,
    changes: BTreeMap<&'static str, Change>,
    replacements: BTreeMap<&'static str, Answer>,
}

/// An authorization request that was granted.
struct Granted {
    user: String,
    params: BTreeMap<String, String>,
}

impl Idp {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            granted: BTreeMap::new(),
            count: 0,
            confidential: vec![CLIENT_SECRET.to_owned()],
            signing: Signing::honest("P-256", "ES256"),
            published: vec!["P-256"],
            known: BTreeMap::new(),
            changes: BTreeMap::new(),
            replacements: BTreeMap::new(),
        })))
    }

    /// Sets how tokens are signed, and which keys are published.
    pub fn sign_with(&self, signing: Signing, published: &[&'static str]) {
        let mut state = self.state();
        state.signing = signing;
        state.published = published.to_vec();
    }

    /// Changes every response of `discovery`, `jwks`, `token` or `userinfo`, the claims of every `id_token`, or the text of
    /// every signed ID token (`id_token_text`).
    pub fn change(&self, place: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.state().changes.insert(place, Arc::new(change));
    }

    /// Replaces the response of `discovery`, `jwks`, `token` or `userinfo`.
    pub fn replace(
        &self,
        place: &'static str,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) {
        self.state().replacements.insert(place, Arc::new(answer));
    }

    /// Makes the provider behave correctly again.
    pub fn restore(&self) {
        let mut state = self.state();
        state.changes.clear();
        state.replacements.clear();
    }

    /// Every text so far that must not appear in a log.
    pub fn confidential(&self) -> Vec<String> {
        self.state().confidential.clone()
    }

    pub fn answer(&self, request: &Request) -> Response {
        let place = match request.path() {
            "/.well-known/openid-configuration" => "discovery",
            "/authorize" => return self.authorize(request),
            "/token" => "token",
            "/jwks" => "jwks",
            "/userinfo" => "userinfo",
            "/introspect" => "introspection",
            _ => return Response::status(404),
        };
        let replaced = self.state().replacements.get(place).cloned();
        if let Some(answer) = replaced {
            return answer(request);
        }
        let (status, mut answer) = match place {
            "discovery" => (200, discovery()),
            "jwks" => {
                let names = self.state().published.clone();
                (200, json!({ "keys": names.into_iter().map(signer::public_key).collect::<Vec<_>>() }))
            }
            "token" => self.token(request),
            "introspection" => self.introspection(request),
            _ => userinfo(request),
        };
        self.apply_change(place, &mut answer);
        Response::json(&answer).with_status(status)
    }

    /// Grants every authorization request immediately, for the user in `login_hint`.
    fn authorize(&self, request: &Request) -> Response {
        let url = Url::parse(&request.url()).expect("a URL");
        let params: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(params["response_type"], "code");
        assert_eq!(params["client_id"], CLIENT_ID);
        assert_eq!(params["code_challenge_method"], "S256");
        let mut back = Url::parse(&params["redirect_uri"]).expect("a URL");
        let mut state = self.state();
        state.count += 1;
        let code = format!("code-number-{}", state.count);
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &params["state"])
            .append_pair("iss", ISSUER);
        let user = params.get("login_hint").cloned().unwrap_or_else(|| "alice".to_owned());
        let confidential = [code.clone(), params["state"].clone(), params["nonce"].clone()];
        state.confidential.extend(confidential);
        state.granted.insert(code, Granted { user, params });
        Response::redirect(back)
    }

    fn token(&self, request: &Request) -> (u16, Value) {
        if request.header("authorization") != Some(&basic()) {
            return (401, json!({ "error": "invalid_client" }));
        }
        let field = |name| request.form(name).unwrap_or_default();
        let verifier = field("code_verifier");
        let mut state = self.state();
        state.confidential.push(verifier.clone());
        let Some(Granted { user, params }) = state.granted.remove(&field("code")) else {
            return (400, json!({ "error": "invalid_grant" }));
        };
        assert_eq!(field("redirect_uri"), params["redirect_uri"]);
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), params["code_challenge"]);
        state.count += 1;
        let (count, signing) = (state.count, state.signing.clone());
        drop(state);

        let mut claims = json!({
            "iss": ISSUER,
            "sub": format!("{user}-1"),
            "aud": CLIENT_ID,
            "iat": now(),
            "exp": now() + 300,
            "nonce": params["nonce"],
        });
        self.apply_change("id_token", &mut claims);
        let mut id_token = json!(signing.sign(&claims));
        self.apply_change("id_token_text", &mut id_token);
        let access_token = format!("access-token-of-{user}-{count}");
        let refresh_token = format!("refresh-token-of-{user}-{count}");
        let confidential =
            [&access_token, &refresh_token, id_token.as_str().expect("text")].map(str::to_owned);
        self.state().confidential.extend(confidential);
        let answer = json!({
            "access_token": access_token,
            "refresh_token": refresh_token,
            "id_token": id_token,
            "token_type": "Bearer",
            "expires_in": 3600,
        });
        (200, answer)
    }

    /// RFC 7662: what it says of the tokens that a test made known.
    fn introspection(&self, request: &Request) -> (u16, Value) {
        if request.header("authorization") != Some(&basic()) {
            return (401, json!({ "error": "invalid_client" }));
        }
        let token = request.form("token").unwrap_or_default();
        let mut answer = self.state().known.get(&token).cloned().unwrap_or_else(|| json!({}));
        let is_active = answer.get("aud").is_some();
        answer["active"] = json!(is_active);
        (200, answer)
    }

    /// From now on this token is active, and no log may hold it.
    pub fn know(&self, token: &str, claims: &Value) {
        let mut state = self.state();
        state.confidential.push(token.to_owned());
        state.known.insert(token.to_owned(), claims.clone());
    }

    fn apply_change(&self, place: &str, value: &mut Value) {
        let change = self.state().changes.get(place).cloned();
        if let Some(change) = change {
            change(value);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the client authenticates.
fn basic() -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")))
}

/// The user's name and roles. Only alice is an admin.
pub fn user(login: &str) -> Value {
    let name = match login {
        "zoe" => "Zoë 李 🦀",
        other => other,
    };
    let roles = if login == "alice" { json!(["admin", "user"]) } else { json!(["user"]) };
    json!({ "name": name, "email": format!("{login}@example.com"), "roles": roles })
}

fn userinfo(request: &Request) -> (u16, Value) {
    let token = request.header("authorization").unwrap_or_default();
    let Some((login, _)) =
        token.strip_prefix("Bearer access-token-of-").and_then(|rest| rest.rsplit_once('-'))
    else {
        return (401, json!({ "error": "invalid_token" }));
    };
    let mut answer = user(login);
    answer["sub"] = json!(format!("{login}-1"));
    (200, answer)
}

fn discovery() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/authorize"),
        "token_endpoint": format!("{ISSUER}/token"),
        "userinfo_endpoint": format!("{ISSUER}/userinfo"),
        "jwks_uri": format!("{ISSUER}/jwks"),
        "introspection_endpoint": format!("{ISSUER}/introspect"),
        "id_token_signing_alg_values_supported":
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}
