//! `X-Vestibule-Assertion`: who a forwarded request is from, signed, so that an upstream need not trust the network
//! between; and `GET /jwks.json`, the keys to check it with.
//!
//! ES256, because every JWT library checks it: EdDSA, whose keys would be a little easier to make, is not in those
//! of .NET and of many a Java application.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::flow::RequestContext;
use crate::flow::guard::assertion_keys::AssertionKey;
use crate::guard::route::Route;
use crate::platform::{Level, Platform, random_id};
use crate::session::claims::{Session, is_access_token_claim};
use crate::session::proven::ProvenClaims;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::crypto::KeyError;
use vestibule_oidc::jose::jws::Algorithm;
use vestibule_oidc::jose::sign;

/// The header field.
pub(crate) const HEADER: &str = "x-vestibule-assertion";

/// How long an assertion holds: long enough for a slow network and clocks that differ by some seconds.
const LIFETIME: Duration = Duration::from_mins(1);

impl<P: Platform> RequestContext<'_, P> {
    /// The header fields that tell the upstream of the person: what the route has of the session's claims, and the
    /// assertion where it has one. An error is the answer where that could not be made.
    pub(crate) async fn identity(
        &self,
        route: &Route<'_>,
        session: Option<&Session>,
    ) -> Result<Vec<(String, String)>, Response> {
        let proven = self.proven(session);
        let mut identity = route.identity(proven.as_ref());
        let assertion = self.assertion(route, proven.as_ref());
        let assertion = assertion.await.map_err(|error| self.assertion_failed(&error))?;
        if let Some(token) = assertion {
            identity.push((HEADER.to_owned(), token));
        }
        Ok(identity)
    }

    /// The assertion for a request on this route; `None` where the route has none, or nobody is signed in.
    ///
    /// Each is for one audience and has an identifier of its own (`jti`), so an upstream that gets one cannot use it at
    /// another, and one that keeps them can refuse the second use.
    async fn assertion(
        &self,
        route: &Route<'_>,
        proven: Option<&ProvenClaims<'_>>,
    ) -> Result<Option<String>, KeyError> {
        let audience = route.audience(self.request);
        let (Some(audience), Some(proven)) = (audience, proven) else { return Ok(None) };
        let mut claims = self.said_of(route, proven);
        let now = self.platform.now();
        // Behind all others: nothing in a session stands in their place.
        let registered = [
            ("iss", self.assertion_issuer().into()),
            ("aud", audience.into()),
            ("sub", proven.subject().into()),
            ("provider", proven.get("provider").cloned().unwrap_or_default()),
            ("iat", now.seconds().into()),
            ("exp", now.plus(LIFETIME).seconds().into()),
            ("jti", random_id(self.platform).into()),
            ("nbf", Value::Null),
        ];
        for (name, value) in registered {
            claims.insert(name.to_owned(), value);
        }

        let key = self.vestibule.assertion_keys.of(self.platform, 0, self.config().keys.newest_secret());
        let key = key.await?;
        claims.retain(|_, value| !value.is_null());
        let claims = Value::Object(claims);
        sign::sign(self.platform, &key.private, Algorithm::Es256, "JWT", Some(&key.kid), &claims)
            .await
            .map(Some)
    }

    /// The name and the e-mail address, and the claims of the route's header fields. Never what a page can change,
    /// which everybody says of themselves, never an e-mail address that is not proven, and never a token.
    fn said_of(&self, route: &Route<'_>, proven: &ProvenClaims<'_>) -> Map<String, Value> {
        let mut said = Map::new();
        for name in ["name", "email"] {
            let is_own_word = self.config().session.updatable.iter().any(|claim| claim == name);
            if let Some(value) = proven.get(name).filter(|value| value.is_string() && !is_own_word) {
                said.insert(name.to_owned(), value.clone());
            }
        }
        for (_, from) in route.headers.iter().filter(|(_, from)| !is_access_token_claim(from)) {
            if let Some(value) = proven.lookup(from) {
                from.place(&mut said, value.clone());
            }
        }
        said
    }

    /// `iss`: where the auth routes are, on the host that signs people in for all others, or else on the host that was
    /// asked. Its `/jwks.json` has the keys.
    fn assertion_issuer(&self) -> String {
        let origin = self.config().login_url.as_ref().unwrap_or(&self.origin);
        format!("{}{}", origin.as_str(), self.config().base_path)
    }

    /// `GET /jwks.json`: the public keys (RFC 7517 section 5) of all secrets. The newest signs; who still has an
    /// assertion of the one before can check it, and whoever fetched the set before a change asks again for a `kid`
    /// that is not in it.
    pub(crate) async fn jwks(&self) -> Response {
        if !self.config().makes_assertions() {
            return Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "no-store");
        }
        match self.key_set().await {
            Ok(keys) => {
                let mut response = Response::json(200, &keys);
                // RFC 7517 section 8.5.1.
                response.headers.set("content-type", "application/jwk-set+json");
                response.with("cache-control", "public, max-age=300")
            }
            Err(error) => self.assertion_failed(&error),
        }
    }

    /// The answer where the platform does not sign. An upstream that asks for assertions could do nothing without one,
    /// and another must not take somebody who is signed in for nobody.
    fn assertion_failed(&self, error: &KeyError) -> Response {
        self.log(Level::Error, "assertion_failed", &error.to_string());
        Response::json(500, &json!({ "error": "server_error" })).with("cache-control", "private, no-store")
    }

    async fn key_set(&self) -> Result<Value, KeyError> {
        let mut keys: Vec<Rc<AssertionKey>> = Vec::new();
        for (index, secret) in self.config().keys.secrets().enumerate() {
            let key = self.vestibule.assertion_keys.of(self.platform, index, secret).await?;
            // One secret under two names: libraries refuse to choose among keys of one name.
            if !keys.iter().any(|known| known.kid == key.kid) {
                keys.push(key);
            }
        }
        let keys: Vec<&Value> = keys.iter().map(|key| &key.public).collect();
        Ok(json!({ "keys": keys }))
    }
}
