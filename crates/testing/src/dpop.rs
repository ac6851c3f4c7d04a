//! The servers' side of DPoP (RFC 9449): checks proofs, and demands nonces.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule_core::http::client::{FetchRequest, FetchResponse};
use vestibule_core::http::headers::Headers;
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::software;

/// A proof whose signature is right.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The thumbprint of its key.
    pub thumbprint: String,
    /// Its claims.
    pub claims: Value,
}

impl Proof {
    /// Reads the only proof of a request, and checks it for this method and URL, and for the access token if there is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(headers: &Headers, method: &str, url: &str, token: Option<&str>) -> Result<Self, String> {
        let mut proofs = headers.get_all("dpop");
        let proof = proofs.next().ok_or("no proof")?;
        if proofs.next().is_some() {
            return Err("several proofs".to_owned());
        }
        let parts: Vec<&str> = proof.split('.').collect();
        let [header, payload, signature] = parts[..] else { return Err(format!("not a JWS: {proof}")) };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
        let json = |part: &str| -> Result<Value, String> {
            serde_json::from_slice(&decode(part)?).map_err(|error| error.to_string())
        };
        let (header, claims) = (json(header)?, json(payload)?);
        if header["typ"] != "dpop+jwt" || header["alg"] != "ES256" || !header["jwk"]["d"].is_null() {
            return Err(format!("the header is {header}"));
        }
        let key = Jwk::parse(&header["jwk"]).map_err(|error| error.to_string())?;
        let signed = proof.rsplit_once('.').map_or("", |(signed, _)| signed);
        if software::verify(Algorithm::Es256, &key, signed.as_bytes(), &decode(signature)?) != Ok(true) {
            return Err("the signature is wrong".to_owned());
        }
        let url = url.split(['?', '#']).next().unwrap_or_default();
        if claims["htm"] != method || claims["htu"] != url {
            return Err(format!("it is for {} {}, not for {method} {url}", claims["htm"], claims["htu"]));
        }
        let hash = token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
        if claims.get("ath").and_then(Value::as_str) != hash.as_deref() {
            return Err(format!("ath is {}", claims["ath"]));
        }
        if !claims["iat"].is_u64() || claims["jti"].as_str().is_none_or(|id| id.len() < 16) {
            return Err(format!("the claims are {claims}"));
        }
        Ok(Self { thumbprint: key.thumbprint(), claims })
    }
}

/// Which nonces a server demands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonces {
    /// None.
    #[default]
    None,
    /// Always the same one.
    One,
    /// A new one with every answer, and only the last one is good.
    NewEachTime,
    /// A new one with every answer, and none is good.
    NeverGood,
    /// It demands one and gives none.
    DemandedNotGiven,
}

/// What the provider knows of keys, proofs and nonces. Until a test turns it on, it knows nothing.
#[derive(Default)]
pub struct DpopServer {
    is_on: Cell<bool>,
    nonces: RefCell<BTreeMap<&'static str, Nonces>>,
    given: RefCell<BTreeMap<&'static str, u32>>,
    ids: RefCell<BTreeSet<String>>,
    keys: RefCell<BTreeMap<String, BTreeSet<String>>>,
    last: RefCell<Option<Proof>>,
    proofs: RefCell<Vec<(&'static str, Proof)>>,
}

impl DpopServer {
    /// From now on, tokens are bound to keys.
    pub fn binds_tokens(&self) {
        self.is_on.set(true);
    }

    /// Whether tokens are bound.
    pub fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// From now on, proofs at this endpoint need these nonces: `token` or `userinfo`.
    pub fn demands(&self, place: &'static str, nonces: Nonces) {
        self.nonces.borrow_mut().insert(place, nonces);
    }

    /// The proofs so far, with their endpoints.
    pub fn proofs(&self) -> Vec<(&'static str, Proof)> {
        self.proofs.borrow().clone()
    }

    /// Refuses a request to an endpoint where proofs are needed, if its proof is not good.
    pub(crate) fn refusal(&self, place: &'static str, request: &FetchRequest) -> Option<FetchResponse> {
        if !self.is_on() || !matches!(place, "token" | "userinfo" | "groups") {
            return None;
        }
        let authorization = request.headers.get("authorization").unwrap_or_default();
        let token =
            if place == "token" { None } else { Some(authorization.strip_prefix("DPoP ").unwrap_or("")) };
        let proof = match Proof::read(&request.headers, request.method.as_str(), &request.url, token) {
            Ok(proof) => proof,
            Err(why) => return Some(self.error(place, "invalid_dpop_proof", &why)),
        };
        self.proofs.borrow_mut().push((place, proof.clone()));
        let is_new = self.ids.borrow_mut().insert(proof.claims["jti"].to_string());
        if !is_new {
            return Some(self.error(place, "invalid_dpop_proof", "the proof was used before"));
        }
        let nonces = self.nonces.borrow().get(place).copied().unwrap_or_default();
        let is_good = match nonces {
            Nonces::None => true,
            Nonces::NeverGood | Nonces::DemandedNotGiven => false,
            Nonces::One | Nonces::NewEachTime => {
                let expected = self.nonce(place);
                expected.is_some_and(|nonce| proof.claims["nonce"] == nonce)
            }
        };
        if !is_good {
            return Some(self.error(place, "use_dpop_nonce", "a nonce is needed"));
        }
        let user = token.and_then(|token| token.strip_prefix("access-")?.split('~').next());
        if user.is_some_and(|user| !self.is_key_of(user, &proof.thumbprint)) {
            return Some(self.error(place, "invalid_token", "the token is bound to another key"));
        }
        self.last.replace(Some(proof));
        None
    }

    /// Binds the tokens of a user to the key of the last proof. False if the code was bound to another one.
    pub(crate) fn bind(&self, user: &str, thumbprint_of_code: Option<&String>) -> bool {
        let Some(proof) = self.last.borrow().clone().filter(|_| self.is_on()) else { return true };
        self.keys.borrow_mut().entry(user.to_owned()).or_default().insert(proof.thumbprint.clone());
        thumbprint_of_code.is_none_or(|thumbprint| *thumbprint == proof.thumbprint)
    }

    /// Whether the last proof is by a key to which tokens of this user are bound. The first key of a user binds them.
    pub(crate) fn is_bound_to(&self, user: &str) -> bool {
        if !self.keys.borrow().contains_key(user) {
            return self.bind(user, None);
        }
        !self.is_on()
            || self.last.borrow().as_ref().is_some_and(|proof| self.is_key_of(user, &proof.thumbprint))
    }

    fn is_key_of(&self, user: &str, thumbprint: &str) -> bool {
        self.keys.borrow().get(user).is_some_and(|keys| keys.contains(thumbprint))
    }

    /// Adds the nonce to an answer of this endpoint.
    pub(crate) fn give_nonce(&self, place: &'static str, headers: &mut Headers) {
        match self.nonces.borrow().get(place).copied().unwrap_or_default() {
            Nonces::None | Nonces::DemandedNotGiven => return,
            Nonces::One => self.given.borrow_mut().insert(place, 1),
            Nonces::NewEachTime | Nonces::NeverGood => {
                let next = self.given.borrow().get(place).copied().unwrap_or_default() + 1;
                self.given.borrow_mut().insert(place, next)
            }
        };
        headers.set("dpop-nonce", self.nonce(place).unwrap_or_default());
    }

    fn nonce(&self, place: &'static str) -> Option<String> {
        self.given.borrow().get(place).map(|number| format!("nonce-{place}-{number}"))
    }

    fn error(&self, place: &'static str, error: &str, description: &str) -> FetchResponse {
        let mut headers: Headers = [("content-type", "application/json")].into_iter().collect();
        let status = if place == "token" { 400 } else { 401 };
        if status == 401 {
            headers.set("www-authenticate", format!("DPoP error=\"{error}\", algs=\"ES256\""));
        }
        self.give_nonce(place, &mut headers);
        let body = json!({ "error": error, "error_description": description });
        FetchResponse { status, headers, body: body.to_string().into_bytes() }
    }
}
