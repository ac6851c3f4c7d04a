//! The provider's part of the suite. It is strict about every request, and behaves until a module makes it odd.

mod endpoints;
mod logout;
mod signature;
mod strict;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};

pub use self::logout::{EVENTS_URL, LOGOUT_EVENT, TRANSMITTER};
pub use self::signature::{Signature, key, spoiled};
use self::strict::Strict;

pub const HOST: &str = "suite.example";
pub const ISSUER: &str = "https://suite.example";
pub const CLIENT_ID: &str = "the client:1";
/// With characters that are encoded in a form, and so in HTTP Basic (RFC 6749 section 2.3.1).
pub const CLIENT_SECRET: &str = "a client+secret/that:no%log may&hold=1";

/// The address to which the browser comes back after a logout.
pub const AFTER_LOGOUT: &str = "https://app.example.com/auth/signout/callback";

/// The address to which authorization responses go.
pub const CALLBACK: &str = "https://app.example.com/auth/callback/suite";

type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;
type Answer = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// The provider.
pub struct Provider(Mutex<State>);

struct State {
    /// By authorization code.
    granted: BTreeMap<String, Granted>,
    /// The user and the scope, by access token.
    access_tokens: BTreeMap<String, (String, String)>,
    /// The user and the scope, by refresh token.
    refresh_tokens: BTreeMap<String, (String, String)>,
    /// The number of issued codes, which makes each of them unique.
    codes: usize,
    /// The same of tokens.
    tokens: usize,
    /// Every ID token, which is a hint at the logout.
    id_tokens: Vec<String>,
    /// Everything that must not appear in a log.
    confidential: Vec<String>,
    signature: Signature,
    keys: Vec<Value>,
    /// The paths of the endpoints, by place.
    paths: BTreeMap<&'static str, &'static str>,
    bearer: Bearer,
    expires_in: i64,
    /// The error of every authorization response.
    refusal: Option<&'static str>,
    changes: BTreeMap<&'static str, Change>,
    answers: BTreeMap<&'static str, Answer>,
    /// What it keeps where it follows FAPI 2.0.
    strict: Option<Strict>,
}

/// An authorization request that was granted.
struct Granted {
    user: String,
    params: BTreeMap<String, String>,
}

/// Where the userinfo endpoint takes the access token from (RFC 6750 section 2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    Header,
    Body,
}

impl Provider {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            granted: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
            codes: 0,
            tokens: 0,
            id_tokens: Vec::new(),
            confidential: vec![CLIENT_SECRET.to_owned()],
            signature: Signature::honest("RSA", "RS256"),
            keys: vec![key("RSA")],
            paths: BTreeMap::from([
                ("discovery", "/.well-known/openid-configuration"),
                ("authorization", "/authorize"),
                ("token", "/token"),
                ("jwks", "/jwks"),
                ("userinfo", "/userinfo"),
                ("revocation", "/revoke"),
                ("pushed", "/par"),
                ("end_session", "/end-session"),
                ("transmitter_keys", "/transmitter-keys"),
            ]),
            bearer: Bearer::Header,
            expires_in: 3600,
            refusal: None,
            changes: BTreeMap::new(),
            answers: BTreeMap::new(),
            strict: None,
        })))
    }

    /// From now on ID tokens are signed so.
    pub fn signs(&self, signature: Signature) {
        self.state().signature = signature;
    }

    /// From now on these are the keys of its key set.
    pub fn publishes(&self, keys: Vec<Value>) {
        self.state().keys = keys;
    }

    /// From now on the endpoint is at another path, as the metadata say.
    pub fn moves(&self, place: &'static str, path: &'static str) {
        self.state().paths.insert(place, path);
    }

    /// From now on the userinfo endpoint takes the token from there only.
    pub fn takes_the_token_from(&self, bearer: Bearer) {
        self.state().bearer = bearer;
    }

    /// From now on every authorization request gets this error.
    pub fn refuses(&self, error: &'static str) {
        self.state().refusal = Some(error);
    }

    /// Changes every response of `discovery`, `jwks`, `token` or `userinfo`, the claims of every `id_token` or
    /// `refreshed_id_token`, the text of every signed ID token (`id_token_text`), every `authorization_response`, or the
    /// claims (`jarm`) or text (`jarm_text`) of signed ones, or every `logout_response`.
    pub fn changes(&self, place: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.state().changes.insert(place, Arc::new(change));
    }

    /// Removes this member, or claim, there.
    pub fn omits(&self, place: &'static str, member: &'static str) {
        self.changes(place, move |value| drop(value.as_object_mut().expect("an object").remove(member)));
    }

    /// Gives this member, or claim, another value there.
    pub fn puts(&self, place: &'static str, member: &'static str, value: Value) {
        self.changes(place, move |object| object[member] = value.clone());
    }

    /// Replaces the response of an endpoint.
    pub fn answers(
        &self,
        place: &'static str,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) {
        self.state().answers.insert(place, Arc::new(answer));
    }

    /// The path of an endpoint.
    pub fn path(&self, place: &str) -> &'static str {
        self.state().paths[place]
    }

    /// Every text so far that must not appear in a log.
    pub fn confidential(&self) -> Vec<String> {
        self.state().confidential.clone()
    }

    /// A token with these claims, signed as its ID tokens are.
    pub fn signed(&self, claims: &Value) -> String {
        let signature = self.state().signature.clone();
        let token = signature.sign(claims);
        self.state().confidential.push(token.clone());
        token
    }

    fn change(&self, place: &str, value: &mut Value) {
        let change = self.state().changes.get(place).cloned();
        if let Some(change) = change {
            change(value);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the provider knows about a user, by the scope that gives it (OpenID Connect Core 1.0 section 5.4).
pub fn claims_of(user: &str, scope: &str) -> Value {
    let mut claims = json!({ "sub": subject(user) });
    let mut add = |name: &str, all: Value| {
        if scope.split(' ').any(|one| one == name) {
            claims.as_object_mut().expect("an object").extend(all.as_object().expect("an object").clone());
        }
    };
    add("profile", json!({ "name": user, "nickname": format!("{user}y") }));
    add("email", json!({ "email": email(user), "email_verified": true }));
    add("address", json!({ "address": { "country": "PT", "locality": "Lisboa" } }));
    add("phone", json!({ "phone_number": "+351 21 000 0000", "phone_number_verified": true }));
    claims
}

pub fn subject(user: &str) -> String {
    format!("subject-of-{user}")
}

/// The user's session at the provider.
pub fn sid(user: &str) -> String {
    format!("session-of-{user}")
}

pub fn email(user: &str) -> String {
    format!("{user}@example.com")
}

/// The time in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}
