//! The provider as the FAPI 2.0 Security Profile wants it, with Message Signing: it takes pushed requests only (RFC 9126),
//! signed ones where that is agreed (RFC 9101), authenticates the client by its key, and binds tokens to one (RFC 9449).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::endpoints::once;
use super::{CLIENT_ID, ISSUER, Provider, now};
use crate::signer;

/// The prefix of a reference to a pushed request.
const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:";

/// What a strict provider keeps.
#[derive(Default)]
pub struct Strict {
    /// The client's public keys.
    client_keys: Vec<Value>,
    /// Whether requests are signed.
    signed_requests: bool,
    /// By reference.
    pushed: BTreeMap<String, BTreeMap<String, String>>,
    /// Every `jti` so far.
    ids: BTreeSet<String>,
    /// The thumbprint of the key to which a code or a token is bound.
    bound: BTreeMap<String, String>,
    /// The nonce that the next proof for `token` or `resource` needs, where one is demanded.
    nonces: BTreeMap<&'static str, String>,
    /// The number of nonces so far.
    count: usize,
    /// How the resource writes the scheme in its challenge.
    scheme: &'static str,
}

impl Provider {
    /// From now on it follows the profile. The client has these keys.
    pub fn becomes_strict(&self, client_keys: Vec<Value>, signed_requests: bool) {
        let strict = Strict { client_keys, signed_requests, scheme: "DPoP", ..Strict::default() };
        self.state().strict = Some(strict);
    }

    /// From now on `token` or `resource` demands a nonce in each proof, another one after each answer.
    pub fn demands_nonces_at(&self, place: &'static str) {
        self.strict(|strict| {
            strict.nonces.insert(place, format!("a-nonce-of-{place}-0"));
        });
    }

    /// From now on the resource writes the scheme so.
    pub fn writes_the_scheme(&self, scheme: &'static str) {
        self.strict(|strict| strict.scheme = scheme);
    }

    pub(super) fn is_strict(&self) -> bool {
        self.state().strict.is_some()
    }

    /// What the metadata have besides.
    pub(super) fn strict_metadata(metadata: &mut Value) {
        let more = json!({
            "pushed_authorization_request_endpoint": format!("{ISSUER}/par"),
            "require_pushed_authorization_requests": true,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "id_token_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "authorization_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "request_object_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "dpop_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "response_modes_supported": ["query", "jwt", "query.jwt"],
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }

    /// RFC 9126 section 2.
    pub(super) fn push(&self, request: &Request) -> Response {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/par"));
        let mut form = once(&request.body);
        assert_eq!(form.get("client_id").map(String::as_str), Some(CLIENT_ID));
        assert!(self.is_client(&form), "the client authenticates at the endpoint");
        form.retain(|name, _| !name.starts_with("client_assertion"));
        assert!(!form.contains_key("request_uri"), "RFC 9126 section 2.1");
        let is_signed = self.strict(|strict| strict.signed_requests);
        assert_eq!(form.contains_key("request"), is_signed);
        if is_signed {
            let object = form.remove("request").unwrap();
            assert_eq!(form.len(), 1, "nothing is beside the request object: {form:?}");
            form = self.parameters_of(&object);
        }
        let reference = self.strict(|strict| {
            let reference = format!("{REFERENCE}{}", strict.pushed.len());
            strict.pushed.insert(reference.clone(), form);
            reference
        });
        let mut answer = json!({ "request_uri": reference, "expires_in": 60 });
        self.change("pushed", &mut answer);
        Response::json(&answer).with_status(201)
    }

    /// The parameters of a request that was pushed, once.
    pub(super) fn pulled(&self, request: &Request) -> BTreeMap<String, String> {
        let url = Url::parse(&request.url()).expect("a URL");
        let query = once(url.query().unwrap_or_default().as_bytes());
        let names: Vec<&str> = query.keys().map(String::as_str).collect();
        assert_eq!(names, ["client_id", "request_uri"], "nothing else is in the browser's address");
        assert_eq!(query["client_id"], CLIENT_ID);
        self.strict(|strict| strict.pushed.remove(&query["request_uri"])).expect("a request that was pushed")
    }

    /// Whether the form has an assertion of the client for this issuer alone (RFC 7523, FAPI 2.0 section 5.3.3.1).
    pub(super) fn is_client(&self, form: &BTreeMap<String, String>) -> bool {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(form.get("client_assertion_type").map(String::as_str), Some(kind));
        let (_, claims) = self.of_client(&form["client_assertion"]);
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(CLIENT_ID), Some(CLIENT_ID)));
        claims["aud"] == ISSUER
    }

    /// The parameters in a request object (RFC 9101).
    fn parameters_of(&self, object: &str) -> BTreeMap<String, String> {
        let (header, claims) = self.of_client(object);
        assert_eq!(header["typ"], "oauth-authz-req+jwt");
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(CLIENT_ID), &json!(ISSUER)));
        assert!(claims["nbf"].as_u64().expect("nbf") <= now() + 5 && claims.get("sub").is_none());
        let texts = claims.as_object().unwrap().iter();
        texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// The header and the claims of a JWT that the client has signed, once and for the next minutes.
    fn of_client(&self, token: &str) -> (Value, Value) {
        let (header, claims) = decoded(token);
        self.state().confidential.push(token.to_owned());
        let keys = self.strict(|strict| strict.client_keys.clone());
        let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("a key of the client");
        assert!(matches!(header["alg"].as_str(), Some("PS256" | "ES256" | "EdDSA")), "{header}");
        assert!(is_signed(token, &header, key), "the client's signature");
        assert!((now()..=now() + 600).contains(&claims["exp"].as_u64().expect("exp")), "{claims}");
        self.uses(&claims);
        (header, claims)
    }

    /// The thumbprint of the key with which the client proves that it sent this request, or the answer to a request whose
    /// proof lacks the nonce (RFC 9449 sections 4.3, 8 and 9).
    pub(super) fn proof(
        &self,
        request: &Request,
        place: &'static str,
        token: Option<&str>,
    ) -> Result<String, Response> {
        let all = request.header_all("dpop");
        assert_eq!(all.len(), 1, "one proof: {all:?}");
        let (header, claims) = decoded(all[0]);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        let key = &header["jwk"];
        assert!(key.get("d").is_none() && key["kty"] == "EC", "a public key");
        assert!(is_signed(all[0], &header, key), "the proof's signature");
        let address = request.url();
        let target = address.split(['?', '#']).next().unwrap();
        assert_eq!((claims["htm"].as_str(), claims["htu"].as_str()), (Some(&*request.method), Some(target)));
        assert!(claims["iat"].as_u64().expect("iat").abs_diff(now()) < 60, "{claims}");
        self.uses(&claims);
        let hash = token.map(|token| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
        assert_eq!(claims["ath"].as_str(), hash.as_deref());
        let (wanted, scheme) = self.strict(|strict| (strict.nonces.get(place).cloned(), strict.scheme));
        if wanted.is_some() && claims["nonce"].as_str() != wanted.as_deref() {
            let answer = Response::json(&json!({ "error": "use_dpop_nonce" }));
            return Err(self.with_nonce(
                place,
                match place {
                    "token" => answer.with_status(400),
                    _ => answer.with_status(401).header(
                        "www-authenticate",
                        format!("{scheme} realm=\"r\", error=\"use_dpop_nonce\""),
                    ),
                },
            ));
        }
        if let Some(token) = token {
            let bound = self.strict(|strict| strict.bound.get(token).cloned());
            assert_eq!(bound, Some(thumbprint(key)), "the key to which the token is bound");
        }
        Ok(thumbprint(key))
    }

    /// The answer, with a new nonce where one is demanded.
    pub(super) fn with_nonce(&self, place: &'static str, answer: Response) -> Response {
        let nonce = self.strict(|strict| {
            strict.count += 1;
            let count = strict.count;
            let nonce = strict.nonces.get_mut(place)?;
            *nonce = format!("a-nonce-of-{place}-{count}");
            Some(nonce.clone())
        });
        match nonce {
            Some(nonce) => answer.header("dpop-nonce", nonce),
            None => answer,
        }
    }

    /// Binds a code or a token to a key, or checks that it is bound to this one.
    pub(super) fn binds(&self, grant: &str, key: &str) {
        let bound = self
            .strict(|strict| strict.bound.entry(grant.to_owned()).or_insert_with(|| key.to_owned()).clone());
        assert_eq!(bound, key, "the key to which the grant is bound");
    }

    /// Answers for a resource that the access token opens, in place of it if the request may not pass.
    pub fn refuses_at_resource(&self, request: &Request) -> Option<Response> {
        let field = request.header("authorization").unwrap_or_default();
        let token = field.strip_prefix("DPoP ").expect("a token that is bound to a key");
        assert!(self.state().access_tokens.contains_key(token), "an access token");
        self.proof(request, "resource", Some(token)).err()
    }

    /// A JWT with the parameters of an authorization response (JARM).
    pub(super) fn signed_response(&self, response: &Value) -> String {
        let mut claims = response.clone();
        (claims["aud"], claims["exp"]) = (json!(CLIENT_ID), json!(now() + 600));
        self.change("jarm", &mut claims);
        let mut token = json!(self.signed(&claims));
        self.change("jarm_text", &mut token);
        token.as_str().unwrap().to_owned()
    }

    fn uses(&self, claims: &Value) {
        let id = claims["jti"].as_str().expect("jti").to_owned();
        assert!(self.strict(|strict| strict.ids.insert(id)), "a `jti` is used once");
    }

    fn strict<T>(&self, act: impl FnOnce(&mut Strict) -> T) -> T {
        act(self.state().strict.as_mut().expect("it follows the profile"))
    }
}

/// The header and the claims of a JWT, which are not verified.
fn decoded(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    });
    (parts.next().expect("a header"), parts.next().expect("claims"))
}

fn is_signed(token: &str, header: &Value, key: &Value) -> bool {
    signer::ask(&json!({ "jwk": key, "alg": header["alg"], "token": token })) == "true"
}

/// RFC 7638, of a key on a curve.
fn thumbprint(key: &Value) -> String {
    let member = |name: &str| key[name].as_str().expect("text").to_owned();
    let text =
        format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, member("crv"), member("x"), member("y"));
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
