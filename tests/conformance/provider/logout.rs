//! The end of sessions: at the provider's own endpoint, and the tokens with which it tells the Worker.

use std::sync::atomic::{AtomicUsize, Ordering};

use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};
use url::Url;

use super::endpoints::once;
use super::{AFTER_LOGOUT, CLIENT_ID, ISSUER, Provider, Signature, now, sid, subject};

/// The event of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
pub const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The transmitter of security events, which has keys of its own.
pub const TRANSMITTER: &str = "https://events.suite.example";

/// The address that receives them, which is their audience.
pub const EVENTS_URL: &str = "https://app.example.com/auth/security-events";

/// The number of tokens, which makes each of them unique.
static TOKENS: AtomicUsize = AtomicUsize::new(1);

impl Provider {
    /// OpenID Connect RP-Initiated Logout 1.0 section 2.
    pub(super) fn end_session(&self, request: &Request) -> Response {
        let url = Url::parse(&request.url()).expect("a URL");
        let query = once(url.query().unwrap_or_default().as_bytes());
        assert_eq!(query.get("client_id").map(String::as_str), Some(CLIENT_ID));
        assert_eq!(query.get("post_logout_redirect_uri").map(String::as_str), Some(AFTER_LOGOUT));
        let hint = query.get("id_token_hint").expect("a hint");
        assert!(self.state().id_tokens.contains(hint), "an ID token of this provider");
        assert!(query["state"].len() >= 22, "the state is too short");
        self.state().confidential.push(query["state"].clone());
        let mut response = json!({ "state": query["state"] });
        self.change("logout_response", &mut response);
        let mut back = Url::parse(AFTER_LOGOUT).expect("a URL");
        let fields = response.as_object().expect("an object").iter();
        back.query_pairs_mut()
            .extend_pairs(fields.map(|(name, value)| (name, value.as_str().expect("text"))));
        Response::redirect(back)
    }

    /// A logout token about the user's session, with claims that `change` has changed.
    pub fn logout_token(&self, user: &str, change: impl FnOnce(&mut Value)) -> String {
        let signature = self.state().signature.clone();
        self.logout_token_signed(&signature.with_type("logout+jwt"), user, change)
    }

    /// The same, signed so.
    pub fn logout_token_signed(
        &self,
        signature: &Signature,
        user: &str,
        change: impl FnOnce(&mut Value),
    ) -> String {
        let mut claims = json!({
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "iat": now(),
            "exp": now() + 120,
            "jti": unused_id(),
            "sub": subject(user),
            "sid": sid(user),
            "events": { LOGOUT_EVENT: {} },
        });
        change(&mut claims);
        let token = signature.sign(&claims);
        self.state().confidential.push(token.clone());
        token
    }

    /// A security event token of the transmitter, with claims that `change` has changed (RFC 8417).
    pub fn event_token(&self, event: &str, members: &Value, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": TRANSMITTER,
            "aud": EVENTS_URL,
            // Events are kept for a receiver that is away.
            "iat": now() - 30,
            "jti": unused_id(),
            "sub_id": { "format": "iss_sub", "iss": ISSUER, "sub": subject("alice") },
            "events": { event: members },
        });
        change(&mut claims);
        let token = Signature::honest("stranger", "RS256").with_type("secevent+jwt").sign(&claims);
        self.state().confidential.push(token.clone());
        token
    }
}

fn unused_id() -> String {
    format!("token-{}", TOKENS.fetch_add(1, Ordering::Relaxed))
}
