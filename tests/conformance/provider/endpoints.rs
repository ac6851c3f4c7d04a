//! The provider's endpoints. Each refuses, or fails the test, where a request is not exactly right.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::{byte_serialize, parse};

use super::{
    Bearer, CALLBACK, CLIENT_ID, CLIENT_SECRET, Granted, ISSUER, Provider, claims_of, now, sid, subject,
};

impl Provider {
    pub fn answer(&self, request: &Request) -> Response {
        let path = request.path();
        let place = self.state().paths.iter().find(|(_, at)| **at == path).map(|(place, _)| *place);
        let Some(place) = place else { return Response::status(404) };
        let replaced = self.state().answers.get(place).cloned();
        if let Some(answer) = replaced {
            return answer(request);
        }
        let (status, mut answer) = match place {
            "authorization" => return self.authorize(request),
            "pushed" => return self.push(request),
            "end_session" => return self.end_session(request),
            "token" => return self.token(request),
            "userinfo" => return self.userinfo(request),
            "discovery" => (200, self.metadata()),
            "jwks" => (200, json!({ "keys": self.state().keys })),
            "transmitter_keys" => (200, json!({ "keys": [super::key("stranger")] })),
            _ => self.revoke(request),
        };
        self.change(place, &mut answer);
        Response::json(&answer).with_status(status)
    }

    fn metadata(&self) -> Value {
        let paths = self.state().paths.clone();
        let at = |place: &str| format!("{ISSUER}{}", paths[place]);
        let mut metadata = json!({
            "issuer": ISSUER,
            "authorization_endpoint": at("authorization"),
            "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"),
            "jwks_uri": at("jwks"),
            "revocation_endpoint": at("revocation"),
            "end_session_endpoint": at("end_session"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile", "email", "address", "phone", "offline_access"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        if self.is_strict() {
            Self::strict_metadata(&mut metadata);
        }
        metadata
    }

    /// Grants every authorization request immediately, for the user in `login_hint`.
    fn authorize(&self, request: &Request) -> Response {
        let params = if self.is_strict() {
            self.pulled(request)
        } else {
            let url = Url::parse(&request.url()).expect("a URL");
            once(url.query().unwrap_or_default().as_bytes())
        };
        assert_eq!(params["response_type"], "code");
        assert_eq!(params["client_id"], CLIENT_ID);
        assert_eq!(params["redirect_uri"], CALLBACK);
        assert!(params["scope"].split(' ').any(|one| one == "openid"), "{}", params["scope"]);
        assert_eq!(params["code_challenge_method"], "S256");
        for (name, length) in [("code_challenge", 43), ("state", 22), ("nonce", 22)] {
            assert!(params[name].len() >= length, "{name} is too short");
        }
        let mut response = json!({ "state": params["state"], "iss": ISSUER });
        let refusal = self.state().refusal;
        if let Some(error) = refusal {
            response["error"] = json!(error);
        } else {
            let mut state = self.state();
            state.codes += 1;
            let code = format!("code-number-{}", state.codes);
            response["code"] = json!(code);
            let confidential = [code.clone(), params["state"].clone(), params["nonce"].clone()];
            state.confidential.extend(confidential);
            let user = params.get("login_hint").cloned().unwrap_or_else(|| "alice".to_owned());
            state.granted.insert(code.clone(), Granted { user, params: params.clone() });
            drop(state);
            if let Some(key) = params.get("dpop_jkt") {
                self.binds(&code, key);
            }
        }
        self.change("authorization_response", &mut response);
        let fields: Vec<(String, String)> = response
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect();
        match params.get("response_mode").map(String::as_str) {
            Some("jwt" | "query.jwt") => {
                let mut back = Url::parse(CALLBACK).expect("a URL");
                back.query_pairs_mut().append_pair("response", &self.signed_response(&response));
                Response::redirect(back)
            }
            None | Some("query") => {
                let mut back = Url::parse(CALLBACK).expect("a URL");
                back.query_pairs_mut().extend_pairs(fields);
                Response::redirect(back)
            }
            Some("form_post") => Response::html(form(&fields)),
            Some(other) => panic!("response_mode {other}"),
        }
    }

    fn token(&self, request: &Request) -> Response {
        assert_eq!((request.method.as_str(), request.target.contains('?')), ("POST", false));
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        let form = once(&request.body);
        assert!(!form.contains_key("client_secret"), "one way of authentication only");
        let key = if self.is_strict() {
            if !self.is_client(&form) {
                return refusal(401, "invalid_client");
            }
            match self.proof(request, "token", None) {
                Ok(key) => Some(key),
                Err(answer) => return answer,
            }
        } else {
            if !is_authenticated(request) {
                return refusal(401, "invalid_client");
            }
            None
        };
        let (user, scope, nonce, place) = match form["grant_type"].as_str() {
            "authorization_code" => {
                let Some(Granted { user, params }) = self.state().granted.remove(&form["code"]) else {
                    return refusal(400, "invalid_grant");
                };
                if let Some(key) = &key {
                    self.binds(&form["code"], key);
                }
                assert_eq!(form["redirect_uri"], params["redirect_uri"]);
                let verifier = &form["code_verifier"];
                self.state().confidential.push(verifier.clone());
                let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
                assert_eq!(challenge, params["code_challenge"]);
                (user, params["scope"].clone(), Some(params["nonce"].clone()), "id_token")
            }
            "refresh_token" => {
                let Some((user, scope)) = self.state().refresh_tokens.remove(&form["refresh_token"]) else {
                    return refusal(400, "invalid_grant");
                };
                if let Some(key) = &key {
                    self.binds(&form["refresh_token"], key);
                }
                (user, scope, None, "refreshed_id_token")
            }
            other => panic!("grant_type {other}"),
        };
        let mut state = self.state();
        state.tokens += 1;
        let (count, expires_in) = (state.tokens, state.expires_in);
        let (access_token, refresh_token) =
            (format!("access-token-{count}"), format!("refresh-token-{count}"));
        state.access_tokens.insert(access_token.clone(), (user.clone(), scope.clone()));
        state.refresh_tokens.insert(refresh_token.clone(), (user.clone(), scope));
        state.confidential.extend([access_token.clone(), refresh_token.clone()]);
        drop(state);
        if let Some(key) = &key {
            self.binds(&access_token, key);
            self.binds(&refresh_token, key);
        }

        let half = &Sha256::digest(&access_token)[..16];
        let mut claims = json!({
            "iss": ISSUER,
            "sub": subject(&user),
            "aud": CLIENT_ID,
            "iat": now(),
            "exp": now() + 300,
            "auth_time": now(),
            "at_hash": BASE64_URL_SAFE_NO_PAD.encode(half),
            "sid": sid(&user),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.change(place, &mut claims);
        let mut id_token = json!(self.signed(&claims));
        self.change("id_token_text", &mut id_token);
        self.state().id_tokens.extend(id_token.as_str().map(str::to_owned));
        let mut answer = json!({
            "access_token": access_token,
            "refresh_token": refresh_token,
            "id_token": id_token,
            "token_type": if key.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": expires_in,
        });
        self.change("token", &mut answer);
        let answer = Response::json(&answer);
        if key.is_some() { self.with_nonce("token", answer) } else { answer }
    }

    fn userinfo(&self, request: &Request) -> Response {
        assert!(!request.target.contains("access_token"), "RFC 6750 section 2.3");
        if self.is_strict()
            && let Some(answer) = self.refuses_at_resource(request)
        {
            return answer;
        }
        let scheme = if self.is_strict() { "DPoP " } else { "Bearer " };
        let bearer = self.state().bearer;
        let token = match bearer {
            Bearer::Header => request
                .header("authorization")
                .and_then(|field| field.strip_prefix(scheme))
                .map(str::to_owned),
            Bearer::Body => {
                assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
                assert_eq!((request.method.as_str(), request.header("authorization")), ("POST", None));
                request.form("access_token")
            }
        };
        let known = token.and_then(|token| self.state().access_tokens.get(&token).cloned());
        let Some((user, scope)) = known else {
            return Response::json(&json!({ "error": "invalid_token" })).with_status(401);
        };
        let mut answer = claims_of(&user, &scope);
        self.change("userinfo", &mut answer);
        let answer = Response::json(&answer);
        if self.is_strict() { self.with_nonce("resource", answer) } else { answer }
    }

    /// RFC 7009.
    fn revoke(&self, request: &Request) -> (u16, Value) {
        let form = once(&request.body);
        if !(if self.is_strict() { self.is_client(&form) } else { is_authenticated(request) }) {
            return (401, json!({ "error": "invalid_client" }));
        }
        self.state().refresh_tokens.remove(&form["token"]);
        (200, json!({}))
    }
}

/// An error response (RFC 6749 section 5.2).
fn refusal(status: u16, error: &str) -> Response {
    Response::json(&json!({ "error": error })).with_status(status)
}

/// Whether the client authenticates by HTTP Basic, with its id and secret as forms encode them (RFC 6749 section 2.3.1).
fn is_authenticated(request: &Request) -> bool {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET));
    request.header("authorization") == Some(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

/// The parameters of a query or a form.
///
/// # Panics
/// If one comes twice (RFC 6749 section 3.1).
pub(super) fn once(encoded: &[u8]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, value) in parse(encoded).into_owned() {
        assert!(all.insert(name.clone(), value).is_none(), "{name} comes twice");
    }
    all
}

/// The page of OAuth 2.0 Form Post Response Mode, which a browser sends at once.
fn form(fields: &[(String, String)]) -> String {
    let mut page =
        format!("<body onload=\"document.forms[0].submit()\"><form method=\"post\" action=\"{CALLBACK}\">");
    for (name, value) in fields {
        write!(page, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">").expect("a text");
    }
    page + "</form>"
}
