//! An OpenID provider. It behaves correctly until a test makes it fail or lie.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_compact::alg::{Es256, Hs256, Hs256Key, SigningKey};
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::form::Params;
use vestibule_core::http::headers::Headers;
use vestibule_core::time::Timestamp;

use crate::browser::AuthorizationRequest;
use crate::dpop::DpopServer;
use crate::exchange::ExchangeServer;
use crate::http::Server;
use crate::introspection::IntrospectionServer;
use crate::requests::RequestServer;
use crate::rotation::{Grants, Rotation};

/// Its issuer. The URLs of all its endpoints begin with it.
pub const ISSUER: &str = "https://idp.example";

type Alteration = Box<dyn Fn(&mut Value)>;

/// One issuer, one client, two users: `alice` is an admin, `bob` is not.
pub struct FakeProvider {
    key: <Es256 as jwt_compact::Algorithm>::SigningKey,
    signs_with_secret: Cell<bool>,
    key_id: RefCell<String>,
    codes: RefCell<BTreeMap<String, (AuthorizationRequest, String)>>,
    issued: Cell<u32>,
    down: RefCell<Vec<&'static str>>,
    raw: RefCell<BTreeMap<&'static str, FetchResponse>>,
    lies: RefCell<BTreeMap<&'static str, Alteration>>,
    once: RefCell<Vec<(&'static str, FetchResponse)>>,
    /// The bodies of the requests that revoke a token.
    pub revocations: RefCell<Vec<String>>,
    /// The grants behind its refresh tokens.
    pub grants: Grants,
    /// What it knows of the client's keys and requests.
    pub requests: RequestServer,
    /// The time of the last request to it.
    clock: Cell<Timestamp>,
    /// The keys to which its tokens are bound.
    pub dpop: DpopServer,
    /// The tokens that it has exchanged.
    pub exchanges: ExchangeServer,
    /// What it says of access tokens.
    pub introspection: IntrospectionServer,
}

impl Default for FakeProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeProvider {
    /// A provider that behaves correctly, and whose refresh tokens can be used once.
    pub fn new() -> Self {
        Self {
            key: key(7),
            signs_with_secret: Cell::new(false),
            key_id: RefCell::new("key-1".to_owned()),
            codes: RefCell::default(),
            issued: Cell::new(0),
            down: RefCell::default(),
            raw: RefCell::default(),
            lies: RefCell::default(),
            once: RefCell::default(),
            revocations: RefCell::default(),
            grants: Grants::new(Rotation::Strict),
            requests: RequestServer::default(),
            clock: Cell::new(Timestamp::from_seconds(0)),
            dpop: DpopServer::default(),
            exchanges: ExchangeServer::default(),
            introspection: IntrospectionServer::default(),
        }
    }

    /// From now on this endpoint gives no answer: `discovery`, `jwks`, `token`, `exchange` (of tokens, at the
    /// same endpoint) or `userinfo`.
    pub fn goes_down(&self, place: &'static str) {
        self.down.borrow_mut().push(place);
    }

    /// From now on all endpoints answer again.
    pub fn comes_back(&self) {
        self.down.borrow_mut().clear();
    }

    /// From now on `lie` changes the answers of this endpoint. `id_token`, `refreshed_id_token` and `id_token_header`
    /// are places, too.
    pub fn alters_answer_at(&self, place: &'static str, lie: impl Fn(&mut Value) + 'static) {
        self.lies.borrow_mut().insert(place, Box::new(lie));
    }

    /// From now on this endpoint gives exactly this answer.
    pub fn answers_raw(&self, place: &'static str, status: u16, media_type: &str, body: &[u8]) {
        let headers = [("content-type", media_type)].into_iter().collect();
        self.raw.borrow_mut().insert(place, FetchResponse { status, headers, body: body.to_vec() });
    }

    /// The same for a JSON body, with this header field.
    pub fn answers_with(&self, place: &'static str, status: u16, field: (&str, &str), body: &Value) {
        let headers = [("content-type", "application/json"), field].into_iter().collect();
        let body = serde_json::to_vec(body).unwrap();
        self.raw.borrow_mut().insert(place, FetchResponse { status, headers, body });
    }

    /// The next request to this endpoint gets this answer, with this header field. It goes before all other answers.
    pub fn answers_once(&self, place: &'static str, status: u16, field: (&str, &str), body: &Value) {
        let headers = [("content-type", "application/json"), field].into_iter().collect();
        let body = serde_json::to_vec(body).unwrap();
        self.once.borrow_mut().push((place, FetchResponse { status, headers, body }));
    }

    /// From now on all answers are correct again.
    pub fn answers_correctly(&self) {
        self.raw.borrow_mut().clear();
        self.lies.borrow_mut().clear();
    }

    /// From now on the key has another `kid`, in tokens and in the key set.
    pub fn rotates_its_key_to(&self, key_id: &str) {
        key_id.clone_into(&mut self.key_id.borrow_mut());
    }

    /// From now on ID tokens are signed with the client secret (HS256), which costs a test of many sign-ins much less time.
    pub fn signs_with_the_client_secret(&self) {
        self.signs_with_secret.set(true);
    }

    /// The user logs in and consents. Returns the address of the callback, with the authorization response.
    pub fn authorize(&self, request: &AuthorizationRequest, user: &str) -> String {
        assert_eq!(request.endpoint, format!("{ISSUER}/authorize"));
        let request = &self.requests.resolve(request);
        assert_eq!(request.params["response_type"], "code");
        assert_eq!(request.params["client_id"], "vestibule");
        assert_eq!(request.params["code_challenge_method"], "S256");
        self.issued.set(self.issued.get() + 1);
        let code = format!("code-{}", self.issued.get());
        self.codes.borrow_mut().insert(code.clone(), (request.clone(), user.to_owned()));
        if request.params.get("response_mode").is_some_and(|mode| mode.ends_with("jwt")) {
            return self.signed_response(request, json!({ "code": code }));
        }
        format!(
            "{}?code={code}&state={}&iss={}",
            request.params["redirect_uri"], request.params["state"], "https%3A%2F%2Fidp.example"
        )
    }

    /// The address of the callback with a signed response (JARM) that has these claims, and those that each response has.
    /// `response` and `response_header` are places.
    pub fn signed_response(&self, request: &AuthorizationRequest, mut claims: Value) -> String {
        let registered = json!({
            "iss": ISSUER,
            "aud": "vestibule",
            "exp": self.clock.get().seconds() + 600,
            "state": request.params["state"],
        });
        claims.as_object_mut().unwrap().extend(registered.as_object().unwrap().clone());
        let mut header = json!({ "alg": "ES256", "kid": *self.key_id.borrow() });
        self.alter("response", &mut claims);
        self.alter("response_header", &mut header);
        format!("{}?response={}", request.params["redirect_uri"], self.signed(&header, &claims))
    }

    /// The provider does not let the user in without a question, or at all. Returns the address of the callback, with the
    /// error response.
    pub fn refuse(request: &AuthorizationRequest, error: &str) -> String {
        format!(
            "{}?error={error}&state={}&iss={}",
            request.params["redirect_uri"], request.params["state"], "https%3A%2F%2Fidp.example"
        )
    }

    /// A token with exactly this header, signed with the provider's key.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        Self::signed_with(&self.key, header, claims)
    }

    /// A token with these claims, signed with the client secret (HS256).
    #[allow(clippy::unused_self, reason = "it is this provider's client")]
    pub fn signed_with_client_secret(&self, claims: &Value) -> String {
        let input = signing_input(&json!({ "alg": "HS256" }), claims);
        let signature = Hs256.sign(&Hs256Key::new(CLIENT_SECRET), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_bytes()))
    }

    /// The same, signed with another key.
    pub fn forged(header: &Value, claims: &Value) -> String {
        Self::signed_with(&key(9), header, claims)
    }

    /// The public key, as its key set publishes it.
    pub fn public_key(&self) -> Value {
        let verifying = self.key.to_verifying_key();
        let jwk = jwt_compact::jwk::JsonWebKey::from(&verifying);
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(*self.key_id.borrow());
        jwk["use"] = json!("sig");
        jwk
    }
}

impl Server for FakeProvider {
    fn answer(&self, request: &FetchRequest, now: Timestamp) -> Result<FetchResponse, FetchError> {
        let path = request
            .url
            .strip_prefix(ISSUER)
            .unwrap_or_else(|| panic!("unexpected request to {}", request.url));
        let place = match path {
            "/.well-known/openid-configuration" => "discovery",
            "/jwks" => "jwks",
            "/token" if ExchangeServer::is_asked(request) => "exchange",
            "/token" => "token",
            "/userinfo" => "userinfo",
            "/revoke" => "revocation",
            "/groups" => "groups",
            "/emails" => "emails",
            "/introspect" => "introspection",
            "/par" => "par",
            "/.well-known/ssf-configuration/events" => "transmitter",
            other => panic!("unexpected request to {other}"),
        };
        self.clock.set(now);
        if self.is_down(place) {
            return Err(FetchError::Connection("connection refused".to_owned()));
        }
        if place == "revocation" {
            self.revocations.borrow_mut().push(String::from_utf8(request.body.clone()).unwrap());
        }
        let once = self.once.borrow().iter().position(|(named, _)| *named == place);
        if let Some(at) = once {
            return Ok(self.once.borrow_mut().remove(at).1);
        }
        if let Some(raw) = self.raw.borrow().get(place) {
            return Ok(raw.clone());
        }
        let dpop_place = if place == "exchange" { "token" } else { place };
        if let Some(refused) = self.dpop.refusal(dpop_place, request) {
            return Ok(refused);
        }
        let (status, mut answer) = match place {
            "discovery" => (200, discovery()),
            "jwks" => (200, json!({ "keys": [self.public_key()] })),
            "token" => self.token(request, now),
            "exchange" | "introspection" | "par" if !self.is_from_client(request) => {
                (401, json!({ "error": "invalid_client" }))
            }
            "exchange" => self.exchanges.exchange(request, &self.dpop),
            "revocation" => self.revoke(request),
            "groups" => Self::groups(request),
            "emails" => Self::emails(request),
            "introspection" => self.introspection.answer(request),
            "par" => self.requests.push(request),
            "transmitter" => (200, transmitter()),
            _ => Self::userinfo(request),
        };
        self.alter(place, &mut answer);
        let mut headers = [("content-type", "application/json")].into_iter().collect::<Headers>();
        self.dpop.give_nonce(dpop_place, &mut headers);
        Ok(FetchResponse { status, headers, body: serde_json::to_vec(&answer).unwrap() })
    }
}

impl FakeProvider {
    fn is_down(&self, place: &str) -> bool {
        self.down.borrow().contains(&place)
    }

    fn is_from_client(&self, request: &FetchRequest) -> bool {
        let has_secret = || request.headers.get("authorization") == Some(basic().as_str());
        self.requests.authenticates(request).unwrap_or_else(has_secret)
    }

    fn token(&self, request: &FetchRequest, now: Timestamp) -> (u16, Value) {
        if !self.is_from_client(request) {
            return (401, json!({ "error": "invalid_client" }));
        }
        let params = Params::from_urlencoded(&request.body);
        let field = |name: &str| params.one(name).unwrap().unwrap_or_default().to_owned();
        if field("grant_type") == "refresh_token" {
            return self.refreshed(&field("refresh_token"), now);
        }
        let Some((begun, user)) = self.codes.borrow_mut().remove(&field("code")) else {
            return (400, json!({ "error": "invalid_grant" }));
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
        assert_eq!(field("grant_type"), "authorization_code");
        assert_eq!(field("redirect_uri"), begun.params["redirect_uri"]);
        assert_eq!(challenge, begun.params["code_challenge"], "the verifier does not match the challenge");

        let mut claims = json!({
            "iss": ISSUER,
            "sub": format!("{user}-1"),
            "aud": "vestibule",
            "iat": now.seconds(),
            "exp": now.seconds() + 300,
            "nonce": begun.params.get("nonce"),
        });
        if !self.dpop.bind(&user, begun.params.get("dpop_jkt")) {
            return (400, json!({ "error": "invalid_dpop_proof" }));
        }
        self.alter("id_token", &mut claims);
        let answer = json!({
            "access_token": format!("access-{user}"),
            "token_type": if self.dpop.is_on() { "DPoP" } else { "Bearer" },
            "expires_in": 3600,
            "refresh_token": self.grants.begin(&user),
            "id_token": self.sign(&claims),
            "scope": "openid profile email",
        });
        (200, answer)
    }

    fn refreshed(&self, token: &str, now: Timestamp) -> (u16, Value) {
        let Some((user, serial, next)) = self.grants.refresh(token, now.millis()) else {
            return (400, json!({ "error": "invalid_grant" }));
        };
        if !self.dpop.is_bound_to(&user) {
            return (400, json!({ "error": "invalid_grant", "error_description": "bound to another key" }));
        }
        let mut claims = json!({
            "iss": ISSUER,
            "sub": format!("{user}-1"),
            "aud": "vestibule",
            "iat": now.seconds(),
            "exp": now.seconds() + 300,
        });
        self.alter("refreshed_id_token", &mut claims);
        let mut answer = json!({
            "access_token": format!("access-{user}~{serial}"),
            "token_type": if self.dpop.is_on() { "DPoP" } else { "Bearer" },
            "expires_in": 3600,
            "id_token": self.sign(&claims),
        });
        if let Some(next) = next {
            answer["refresh_token"] = json!(next);
        }
        (200, answer)
    }

    /// RFC 7009: the grant of a refresh token ends.
    fn revoke(&self, request: &FetchRequest) -> (u16, Value) {
        if !self.is_from_client(request) {
            return (401, json!({ "error": "invalid_client" }));
        }
        let params = Params::from_urlencoded(&request.body);
        assert_eq!(params.one("token_type_hint").unwrap(), Some("refresh_token"));
        self.grants.revoke_token(params.one("token").unwrap().unwrap());
        (200, json!({}))
    }

    /// The groups that are too many for an ID token.
    fn groups(request: &FetchRequest) -> (u16, Value) {
        let token = request.headers.get("authorization").unwrap_or_default();
        let is_token = token.starts_with("Bearer access-") || token.starts_with("DPoP access-");
        if !is_token || request.body != br#"{"securityEnabledOnly":true}"# {
            return (401, json!({ "error": { "code": "InvalidAuthenticationToken" } }));
        }
        (200, json!({ "value": ["group-a", "group-b", "group-c"] }))
    }

    /// The user's e-mail addresses, of which the second is verified.
    fn emails(request: &FetchRequest) -> (u16, Value) {
        let Some(user) = user_of(request) else {
            return (401, json!({ "error": "invalid_token" }));
        };
        let address =
            |host: &str, verified: bool| json!({ "email": format!("{user}@{host}"), "verified": verified });
        (200, json!([address("new.example", false), address("list.example", true)]))
    }

    fn userinfo(request: &FetchRequest) -> (u16, Value) {
        let Some(user) = user_of(request) else {
            return (401, json!({ "error": "invalid_token" }));
        };
        let roles = if user == "alice" { json!(["admin", "user"]) } else { json!(["user"]) };
        let answer = json!({
            "sub": format!("{user}-1"),
            "name": user,
            "email": format!("{user}@example.com"),
            "roles": roles,
        });
        (200, answer)
    }

    fn sign(&self, claims: &Value) -> String {
        if self.signs_with_secret.get() {
            return self.signed_with_client_secret(claims);
        }
        let mut header = json!({ "alg": "ES256", "kid": *self.key_id.borrow() });
        self.alter("id_token_header", &mut header);
        self.signed(&header, claims)
    }

    fn signed_with(
        key: &<Es256 as jwt_compact::Algorithm>::SigningKey,
        header: &Value,
        claims: &Value,
    ) -> String {
        let input = signing_input(header, claims);
        let signature = Es256.sign(key, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn alter(&self, place: &str, value: &mut Value) {
        if let Some(lie) = self.lies.borrow().get(place) {
            lie(value);
        }
    }
}

/// Whose access token the request has.
fn user_of(request: &FetchRequest) -> Option<&str> {
    let token = request.headers.get("authorization")?;
    let grant = token.strip_prefix("Bearer access-").or_else(|| token.strip_prefix("DPoP access-"))?;
    grant.split('~').next()
}

const CLIENT_SECRET: &str = "acme-secret";

/// How the client authenticates.
fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("vestibule:{CLIENT_SECRET}")))
}

/// What a JWS with this header and these claims is computed over (RFC 7515, section 5.1).
fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
    format!("{}.{}", part(header), part(claims))
}

/// A key that is the same in every run.
fn key(seed: u8) -> <Es256 as jwt_compact::Algorithm>::SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// The metadata of the transmitter of security events at `ISSUER/events`, which has the same keys.
fn transmitter() -> Value {
    json!({ "spec_version": "1_0", "issuer": format!("{ISSUER}/events"), "jwks_uri": format!("{ISSUER}/jwks") })
}

fn discovery() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/authorize"),
        "token_endpoint": format!("{ISSUER}/token"),
        "userinfo_endpoint": format!("{ISSUER}/userinfo"),
        "jwks_uri": format!("{ISSUER}/jwks"),
        "introspection_endpoint": format!("{ISSUER}/introspect"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}
