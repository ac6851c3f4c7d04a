//! The end of sessions: at the provider's own endpoint, and the tokens with which it tells the Worker.

use std::sync::atomic::{AtomicUsize, Ordering};

use miniflare_test_harness::{Request, Response};
use serde_json::{Value, json};
use url::Url;

use super::endpoints::once;
use super::{AFTER_LOGOUT, CLIENT_ID, ISSUER, Provider, Signature, now, sid, subject};

/// The event of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
pub const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The number of logout tokens, which makes each of them unique.
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

    /// A logout token about alice's session, with claims that `change` has changed.
    pub fn logout_token(&self, change: impl FnOnce(&mut Value)) -> String {
        let signature = self.state().signature.clone();
        self.logout_token_signed(signature.with_type("logout+jwt"), change)
    }

    /// The same, signed so.
    pub fn logout_token_signed(&self, signature: Signature, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "iat": now(),
            "exp": now() + 120,
            "jti": format!("logout-{}", TOKENS.fetch_add(1, Ordering::Relaxed)),
            "sub": subject("alice"),
            "sid": sid("alice"),
            "events": { LOGOUT_EVENT: {} },
        });
        change(&mut claims);
        let token = signature.sign(&claims);
        self.state().confidential.push(token.clone());
        token
    }
}
