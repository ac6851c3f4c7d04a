//! `X-Vestibule-Assertion`: a signed JWT that says which user a forwarded request is from, so that the upstream need not
//! trust the network in between; and `GET /jwks.json`, the keys that verify it.
//!
//! The algorithm is ES256, because every JWT library supports it. .NET's and many Java libraries lack EdDSA, whose keys
//! would be a little easier to derive.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::flow::RequestContext;
use crate::flow::guard::assertion_keys::AssertionKey;
use crate::guard::route::{IdentityHeaders, Route};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, random_id};
use crate::session::claims::{Session, is_access_token_claim};
use crate::session::own_claims::CLIENT;
use crate::session::proven::ProvenClaims;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::crypto::KeyError;
use vestibule_oidc::jose::jws::Algorithm;
use vestibule_oidc::jose::sign;

/// The header field that carries the assertion.
pub(crate) const HEADER: &str = "x-vestibule-assertion";

/// How long an assertion is valid: enough for a slow network and for clocks that differ by some seconds.
const LIFETIME: Duration = Duration::from_mins(1);

impl<P: Platform> RequestContext<'_, P> {
    /// The header fields and cookies that identify the user to the upstream: the session's claims that the route forwards, and
    /// the assertion if the route wants one. An error is the response for the case that the assertion cannot be signed.
    pub(crate) async fn identity(
        &self,
        route: &Route<'_>,
        session: Option<&Session>,
    ) -> Result<IdentityHeaders, Response> {
        let proven = self.proven(session);
        let mut identity = route.identity(proven.as_ref());
        for left_out in std::mem::take(&mut identity.left_out) {
            self.log(Record::new(LogEvent::HeaderNotSent, left_out));
        }
        let assertion = self.assertion(route, proven.as_ref());
        let assertion = assertion.await.map_err(|error| self.assertion_not_signed(&error))?;
        if let Some(token) = assertion {
            identity.fields.push((HEADER.to_owned(), token));
        }
        Ok(identity)
    }

    /// The assertion for this request; `None` if the route wants none, if no one is signed in, or if the session has no
    /// subject.
    ///
    /// Each assertion has one audience, so an upstream that gets it cannot use it at another one. Each has its own
    /// identifier (`jti`), so an upstream that remembers them can reject a replay.
    async fn assertion(
        &self,
        route: &Route<'_>,
        proven: Option<&ProvenClaims<'_>>,
    ) -> Result<Option<String>, KeyError> {
        let audience = route.audience(self.request);
        let (Some(audience), Some(proven)) = (audience, proven) else { return Ok(None) };
        let mut claims = self.assertion_profile(route, proven);
        let now = self.platform.now();
        // Inserted last, so that no claim of the session can replace them.
        let registered = [
            ("iss", self.assertion_issuer().into()),
            ("aud", audience.into()),
            ("sub", assertion_subject(proven).into()),
            (CLIENT, proven.client().into()),
            ("provider", proven.get("provider").cloned().unwrap_or_default()),
            ("iat", now.seconds().into()),
            ("exp", now.plus(LIFETIME).seconds().into()),
            ("jti", random_id(self.platform).into()),
            ("nbf", Value::Null),
        ];
        for (name, value) in registered {
            claims.insert(name.to_owned(), value);
        }

        let key =
            self.vestibule.assertion_keys.get_or_derive(self.platform, 0, self.config().keys.newest_secret());
        let key = key.await?;
        claims.retain(|_, value| !value.is_null());
        let claims = Value::Object(claims);
        sign::sign(self.platform, &key.private, Algorithm::Es256, "JWT", Some(&key.kid), &claims)
            .await
            .map(Some)
    }

    /// What an assertion says about the user: the name, the e-mail address, and the claims in the route's header fields.
    /// It never has a name or an address that a page can update, because no one verified it, no address that the provider
    /// calls unverified, and never a token.
    fn assertion_profile(&self, route: &Route<'_>, proven: &ProvenClaims<'_>) -> Map<String, Value> {
        let mut profile = Map::new();
        for name in ["name", "email"] {
            let is_updatable = self.config().session.updatable.iter().any(|claim| claim == name);
            if let Some(value) = proven.get(name).filter(|value| value.is_string() && !is_updatable) {
                profile.insert(name.to_owned(), value.clone());
            }
        }
        let claims = route.headers.iter().filter_map(|(_, value)| value.as_claim());
        for from in claims.filter(|from| !is_access_token_claim(from)) {
            if let Some(value) = proven.lookup(from) {
                from.place(&mut profile, value.clone());
            }
        }
        profile
    }

    /// `iss`: the base URL of the auth routes, on the login host if one is configured, otherwise on the request's host.
    /// Its `/jwks.json` has the keys.
    fn assertion_issuer(&self) -> String {
        let origin = self.config().login_url.as_ref().unwrap_or(&self.origin);
        format!("{}{}", origin.as_str(), self.config().base_path)
    }

    /// `GET /jwks.json`: the public keys (RFC 7517 section 5) derived from all secrets.
    ///
    /// The newest secret's key signs. The older keys verify assertions that were signed before a rotation. An upstream
    /// that cached the set before the rotation fetches it again when it meets an unknown `kid`.
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
            Err(error) => self.assertion_not_signed(&error),
        }
    }

    /// The response when the platform cannot sign. The request is not forwarded without the assertion: an upstream must
    /// not treat a signed-in user as anonymous.
    fn assertion_not_signed(&self, error: &KeyError) -> Response {
        let message = format_args!("the runtime could not sign the assertion: {error}");
        self.log(Record::new(LogEvent::AssertionNotSigned, message));
        Response::json(500, &json!({ "error": "server_error" })).with("cache-control", "private, no-store")
    }

    async fn key_set(&self) -> Result<Value, KeyError> {
        let mut keys: Vec<Rc<AssertionKey>> = Vec::new();
        for (index, secret) in self.config().keys.secrets().enumerate() {
            let key = self.vestibule.assertion_keys.get_or_derive(self.platform, index, secret).await?;
            // The same secret may be configured twice, and libraries refuse a set in which two keys share a `kid`.
            if !keys.iter().any(|other| other.kid == key.kid) {
                keys.push(key);
            }
        }
        let keys: Vec<&Value> = keys.iter().map(|key| &key.public).collect();
        Ok(json!({ "keys": keys }))
    }
}

/// `sub`: the user's, or of a client without a user `client:ID`. An upstream that does not look for clients must not take it
/// for the user with the same identifier.
fn assertion_subject(proven: &ProvenClaims<'_>) -> String {
    match proven.client() {
        Some(client) => format!("client:{client}"),
        None => proven.subject().to_owned(),
    }
}
