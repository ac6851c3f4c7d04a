//! The provider's side of what goes beyond a plain authorization request: clients that authenticate with a key, pushed
//! requests (RFC 9126), request objects (RFC 9101) and signed responses (JARM).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::form::Params;
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::jose::software;
use vestibule_core::secret::Secret;

use crate::browser::AuthorizationRequest;
use crate::provider::ISSUER;

/// The claims of a request object that are no parameters.
const REGISTERED: [&str; 6] = ["iss", "aud", "iat", "nbf", "exp", "jti"];

/// A private key on P-256 that is the same in every run, as a PEM file.
pub fn client_pem(seed: u8) -> String {
    let key = PrivateKey::p256(&[seed; 32]).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", STANDARD.encode(key.expose()))
}

/// The public half of such a key.
pub fn client_jwk(pem: &str) -> Jwk {
    let key = PrivateKey::from_pem(&Secret::new(pem)).unwrap();
    software::public_key(&key, key.algorithms()[0]).unwrap()
}

/// A JWT of the client whose signature is right.
#[derive(Clone, Debug)]
pub struct ClientJwt {
    /// Its header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

/// What the provider knows of the client's keys and requests.
#[derive(Default)]
pub struct RequestServer {
    keys: RefCell<Vec<Jwk>>,
    used: RefCell<BTreeSet<String>>,
    assertions: RefCell<Vec<ClientJwt>>,
    objects: RefCell<Vec<ClientJwt>>,
    pushed: RefCell<BTreeMap<String, BTreeMap<String, String>>>,
    bodies: RefCell<Vec<Params>>,
    count: Cell<u32>,
}

impl RequestServer {
    /// From now on the client authenticates with this key, too, and with no secret.
    pub fn knows_client_key(&self, pem: &str) {
        self.keys.borrow_mut().push(client_jwk(pem));
    }

    /// The assertions with which the client authenticated so far.
    pub fn assertions(&self) -> Vec<ClientJwt> {
        self.assertions.borrow().clone()
    }

    /// The request objects so far.
    pub fn objects(&self) -> Vec<ClientJwt> {
        self.objects.borrow().clone()
    }

    /// The bodies of the requests that pushed an authorization request.
    pub fn bodies(&self) -> Vec<Params> {
        self.bodies.borrow().clone()
    }

    /// Whether a request authenticates the client with a key; `None` if the client has none.
    pub(crate) fn authenticates(&self, request: &FetchRequest) -> Option<bool> {
        if self.keys.borrow().is_empty() {
            return None;
        }
        let params = Params::from_urlencoded(&request.body);
        let field = |name: &str| params.one(name).unwrap().unwrap_or_default().to_owned();
        let Some(jwt) = self.read(&field("client_assertion")) else { return Some(false) };
        let claims = &jwt.claims;
        let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        let is_good = jwt.header["typ"] == "JWT"
            && field("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            && field("client_id") == "vestibule"
            && claims["iss"] == "vestibule"
            && claims["sub"] == "vestibule"
            && (claims["aud"] == ISSUER || claims["aud"] == format!("{ISSUER}/token"))
            && lifetime <= 60
            && self.used.borrow_mut().insert(claims["jti"].to_string())
            && request.headers.get("authorization").is_none();
        self.assertions.borrow_mut().push(jwt);
        Some(is_good)
    }

    /// Takes a pushed request, plain or as a request object.
    pub(crate) fn push(&self, request: &FetchRequest) -> (u16, Value) {
        let params = Params::from_urlencoded(&request.body);
        self.bodies.borrow_mut().push(params.clone());
        if params.one("request_uri").unwrap().is_some()
            || params.one("client_id").unwrap() != Some("vestibule")
        {
            return (400, json!({ "error": "invalid_request" }));
        }
        let pushed = match params.one("request").unwrap() {
            Some(object) => {
                let beside = |(name, _): &(&str, &str)| !name.starts_with("client_") && *name != "request";
                assert_eq!(params.iter().find(beside), None, "a parameter is beside the object");
                match self.object(object) {
                    Some(pushed) => pushed,
                    None => return (400, json!({ "error": "invalid_request_object" })),
                }
            }
            None => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        };
        self.count.set(self.count.get() + 1);
        let uri = format!("urn:ietf:params:oauth:request_uri:{}", self.count.get());
        self.pushed.borrow_mut().insert(uri.clone(), pushed);
        (201, json!({ "request_uri": uri, "expires_in": 60 }))
    }

    /// The request that the browser brings, or that it refers to. A reference works once.
    pub(crate) fn resolve(&self, request: &AuthorizationRequest) -> AuthorizationRequest {
        let params = if let Some(reference) = request.params.get("request_uri") {
            let names: Vec<&str> = request.params.keys().map(String::as_str).collect();
            assert_eq!(names, ["client_id", "request_uri"], "only the reference is in the browser");
            self.pushed.borrow_mut().remove(reference).expect("a reference that was not used")
        } else if let Some(object) = request.params.get("request") {
            let inside = self.object(object).expect("a good request object");
            for (name, value) in request.params.iter().filter(|(name, _)| *name != "request") {
                assert_eq!(inside.get(name), Some(value), "{name} contradicts the object");
            }
            inside
        } else {
            request.params.clone()
        };
        AuthorizationRequest { endpoint: request.endpoint.clone(), params }
    }

    /// The parameters in a request object.
    fn object(&self, object: &str) -> Option<BTreeMap<String, String>> {
        let jwt = self.read(object)?;
        let claims = jwt.claims.as_object()?.clone();
        self.objects.borrow_mut().push(jwt.clone());
        let lifetime = claims["exp"].as_u64()? - claims["nbf"].as_u64()?;
        let is_good = jwt.header["typ"] == "oauth-authz-req+jwt"
            && claims["iss"] == "vestibule"
            && claims["client_id"] == "vestibule"
            && claims["aud"] == ISSUER
            && lifetime <= 300
            && !claims.contains_key("sub")
            && !claims.contains_key("request")
            && !claims.contains_key("request_uri")
            && self.used.borrow_mut().insert(claims["jti"].to_string());
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let params = claims.iter().filter(|(name, _)| !REGISTERED.contains(&name.as_str()));
        is_good.then(|| params.map(|(name, value)| (name.clone(), text(value))).collect())
    }

    /// A JWT that one of the client's keys signed.
    fn read(&self, token: &str) -> Option<ClientJwt> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let json = |part: &str| -> Option<Value> { serde_json::from_slice(&decode(part)?).ok() };
        let (header, claims) = (json(header)?, json(claims)?);
        let algorithm = Algorithm::from_name(header["alg"].as_str()?)?;
        let bytes = decode(signature)?;
        let is_signer = |key: &Jwk| software::verify(algorithm, key, signed.as_bytes(), &bytes) == Ok(true);
        let keys = self.keys.borrow();
        let found = keys.iter().find(|key| is_signer(key))?;
        // A `kid` names the key under which it is published.
        let is_named = header.get("kid").is_none_or(|kid| *kid == found.thumbprint() || *kid == "key-a");
        is_named.then_some(ClientJwt { header, claims })
    }
}
