//! A session's claims, which are sealed into its cookie.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use vestibule_oidc::data::DataPath;

use crate::session::own_claims::{CLIENT, GRANT_CLAIMS};
use crate::session::refreshed_tokens::RefreshedTokens;
use crate::session::tokens::entry::{self, TokenEntry};
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::oauth::dpop::DpopKey;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// The value of the claim `error` after the provider answered a refresh with `invalid_grant`. It is the one that
/// Auth.js uses.
pub const REFRESH_TOKEN_ERROR: &str = "RefreshTokenError";

/// The value of `error` where a page sees a session whose access token has expired for good. It is never in the browser's
/// cookie.
pub const ACCESS_TOKEN_EXPIRED: &str = "AccessTokenExpired";

/// An opened session, or one about to be sealed.
///
/// It is a JSON object with Auth.js's claim names, so that an app's `getToken()` reads it. The claims that Vestibule
/// uses itself have accessors; the others come from the configuration.
#[derive(Clone, PartialEq)]
pub struct Session {
    /// Shared with the [cache](crate::session::cache) of opened sessions.
    claims: Rc<Claims>,
    is_in_other_dialect: bool,
}

/// The claims of a session, and what of them every request reads several times.
#[derive(Clone, PartialEq)]
struct Claims {
    all: Map<String, Value>,
    times: Times,
    texts: Texts,
}

impl From<Map<String, Value>> for Claims {
    fn from(all: Map<String, Value>) -> Self {
        Self { times: Times::of(&all), texts: Texts::of(&all), all }
    }
}

/// The short texts in the claims of a session that say whose it is, and its state.
#[derive(Clone, PartialEq)]
struct Texts {
    subject: Option<Box<str>>,
    sid: Option<Box<str>>,
    provider: Option<Box<str>>,
    provider_session: Option<Box<str>>,
    provider_user: Option<Box<str>>,
    preview_host: Option<Box<str>>,
    client: Option<Box<str>>,
    error: Option<Box<str>>,
}

impl Texts {
    fn of(claims: &Map<String, Value>) -> Self {
        let written = |name: &str| claims.get(name).and_then(Value::as_str);
        let text = |name: &str| written(name).map(Box::from);
        let filled = |name: &str| written(name).filter(|text| !text.is_empty()).map(Box::from);
        Self {
            subject: text("sub"),
            sid: text("sid"),
            provider: text("provider"),
            provider_session: filled("provider_sid"),
            provider_user: filled("provider_sub"),
            preview_host: text("preview_host"),
            client: text(CLIENT),
            error: text("error"),
        }
    }
}

/// The times in the claims of a session.
#[derive(Clone, Copy, PartialEq)]
struct Times {
    issued: Option<Timestamp>,
    signed_in: Option<Timestamp>,
    revalidated: Option<Timestamp>,
    ends: Option<Timestamp>,
    token_expires: Option<Timestamp>,
}

impl Times {
    fn of(claims: &Map<String, Value>) -> Self {
        let issued = time(claims, "iat");
        let signed_in = time(claims, "signed_in_at").or(issued);
        Self {
            issued,
            signed_in,
            revalidated: time(claims, "revalidated_at").or(signed_in),
            ends: time(claims, "ends_at"),
            token_expires: time(claims, "expires_at"),
        }
    }
}

impl Session {
    /// A session with these claims.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self { claims: Rc::new(claims.into()), is_in_other_dialect: false }
    }

    /// The same session, marked as read from a cookie of the other dialect. Its cookie
    /// [needs an update](Self::needs_update) at once.
    #[must_use]
    pub fn in_other_dialect(mut self) -> Self {
        self.is_in_other_dialect = true;
        self
    }

    /// The same session with the claim `signed_in_at`. Auth.js does not set it. Without it, every renewal would restart
    /// the time of `session.absolute_max_age`, and a renewed copy of a session would escape its revocation.
    #[must_use]
    pub fn with_sign_in_time(mut self) -> Self {
        if !self.claims().contains_key("signed_in_at")
            && let Some(signed_in) = self.signed_in_at()
        {
            self.change(|claims| claims.insert("signed_in_at".to_owned(), signed_in.seconds().into()));
        }
        self
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims.all
    }

    /// Changes the claims, and reads anew what is read of them once.
    fn change<T>(&mut self, change: impl FnOnce(&mut Map<String, Value>) -> T) {
        let mut all = match Rc::get_mut(&mut self.claims) {
            Some(only) => std::mem::take(&mut only.all),
            None => self.claims.all.clone(),
        };
        change(&mut all);
        self.claims = Rc::new(all.into());
    }

    /// The subject (`sub`): the provider's identifier of the user.
    pub fn subject(&self) -> Option<&str> {
        self.claims.texts.subject.as_deref()
    }

    /// Whether `sub` names a user. A session without it passes public paths only.
    pub fn names_user(&self) -> bool {
        self.subject().is_some_and(|subject| !subject.is_empty())
    }

    /// The user's display name.
    pub fn name(&self) -> Option<&Value> {
        self.claims().get("name")
    }

    /// The user's e-mail address.
    pub fn email(&self) -> Option<&Value> {
        self.claims().get("email")
    }

    /// The URL of the user's picture.
    pub fn picture(&self) -> Option<&Value> {
        self.claims().get("picture")
    }

    /// When the cookie was last sealed (`iat`).
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.claims.times.issued
    }

    /// When this session began (`signed_in_at`). A session that Auth.js made has no such claim; then it is the time at
    /// which the cookie was sealed.
    ///
    /// It is not the provider's `auth_time`: with single sign-on the provider may have authenticated the user hours
    /// before the session began.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        self.claims.times.signed_in
    }

    /// When the provider issued the ID token of the sign-in (`provider_iat`), by the provider's clock.
    pub fn provider_issued_at(&self) -> Option<Timestamp> {
        time(self.claims(), "provider_iat")
    }

    /// The provider's identifier of its own session (`provider_sid`, the ID token's `sid`: OpenID Connect Back-Channel
    /// Logout 1.0 section 2.1).
    pub fn provider_session(&self) -> Option<&str> {
        self.claims.texts.provider_session.as_deref()
    }

    /// The provider's identifier of the user (`provider_sub`, the ID token's `sub`), where its logout reaches this site. It
    /// is not [`subject`](Self::subject) where `user.id` or a hook says otherwise.
    pub fn provider_user(&self) -> Option<&str> {
        self.claims.texts.provider_user.as_deref()
    }

    /// When the provider last confirmed the user and the claims (`revalidated_at`): at a refresh, or else at the sign-in.
    pub fn revalidated_at(&self) -> Option<Timestamp> {
        self.claims.times.revalidated
    }

    /// The end of the session that no renewal passes (`ends_at`), if its provider set one.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.claims.times.ends
    }

    /// Whether the cookie may stay in the browser when it closes: `false` if the user, or the configuration at sign-in,
    /// said otherwise (`persistent`).
    pub fn is_persistent(&self) -> bool {
        self.claims().get("persistent") != Some(&Value::Bool(false))
    }

    /// When the session expires unless it is renewed (`exp`).
    pub fn expires_at(&self) -> Option<Timestamp> {
        time(self.claims(), "exp")
    }

    /// The identifier of the session (`sid`). Every sign-in has a new one. For a session that Auth.js made,
    /// [`seal::open_session`](super::seal::open_session) derives it.
    pub fn sid(&self) -> Option<&str> {
        self.claims.texts.sid.as_deref()
    }

    /// The origin of the preview host that the session belongs to (`preview_host`). A session of the site's own hosts has
    /// none, and opens on those only.
    pub fn preview_host(&self) -> Option<&str> {
        self.claims.texts.preview_host.as_deref()
    }

    /// The `client_id` of a client that acts for itself with an access token of its own, without a user (`oauth_client`).
    pub fn client(&self) -> Option<&str> {
        self.claims.texts.client.as_deref()
    }

    /// The id of the provider that the user signed in with.
    pub fn provider(&self) -> Option<&str> {
        self.claims.texts.provider.as_deref()
    }

    /// How many times the tokens were refreshed since sign-in.
    pub fn generation(&self) -> u64 {
        self.claims().get("generation").and_then(Value::as_u64).unwrap_or(0)
    }

    /// How many cookies have the [hint](crate::session::logout_hint) for a sign-out at the provider (`hint_chunks`). Requests
    /// elsewhere than to the sign-out route do not show them.
    pub fn hint_chunks(&self) -> Option<usize> {
        self.claims().get("hint_chunks")?.as_u64().and_then(|count| usize::try_from(count).ok())
    }

    /// The same session with another number of such cookies.
    #[must_use]
    pub fn with_hint_chunks(mut self, count: Option<usize>) -> Self {
        if self.hint_chunks() != count {
            self.change(|claims| match count {
                Some(count) => claims.insert("hint_chunks".to_owned(), count.into()),
                None => claims.remove("hint_chunks"),
            });
        }
        self
    }

    /// The refresh token.
    pub fn refresh_token(&self) -> Option<Secret> {
        self.text("refresh_token").filter(|token| !token.is_empty()).map(Secret::new)
    }

    /// What the cookie says of the entry with the session's tokens (`token_entry`). `None` where they are in the cookie.
    pub(crate) fn token_entry(&self) -> Option<TokenEntry> {
        TokenEntry::of(self.claims())
    }

    /// The names of the claims that are in the session's entry.
    pub(crate) fn entry_claims(&self) -> Vec<&str> {
        entry::held(self.claims())
    }

    /// Whether the session has a refresh token, in its cookie or in its entry.
    pub(crate) fn has_refresh_token(&self) -> bool {
        self.refresh_token().is_some() || self.entry_claims().contains(&"refresh_token")
    }

    /// Whether the session has cookies for the API of a credentials provider, in its cookie or in its entry.
    pub(crate) fn has_api_cookies(&self) -> bool {
        self.claims().get("api_cookies").and_then(Value::as_object).is_some_and(|cookies| !cookies.is_empty())
            || self.entry_claims().contains(&"api_cookies")
    }

    /// Whether the session has what could get new tokens.
    pub(crate) fn has_grant(&self) -> bool {
        self.has_refresh_token() || self.has_api_cookies()
    }

    /// The same session with other claims.
    #[must_use]
    pub(crate) fn with_claims(&self, claims: Map<String, Value>) -> Self {
        Self { is_in_other_dialect: self.is_in_other_dialect, ..Self::new(claims) }
    }

    /// When the refresh token expires, if known.
    pub fn refresh_expires_at(&self) -> Option<Timestamp> {
        time(self.claims(), "refresh_expires_at")
    }

    /// The cookies that a refresh sends to the API of a credentials provider.
    pub(crate) fn api_cookies(&self) -> BTreeMap<String, Secret> {
        let mut cookies = BTreeMap::default();
        for (name, value) in self.claims().get("api_cookies").and_then(Value::as_object).into_iter().flatten()
        {
            if let Some(value) = value.as_str() {
                cookies.insert(name.clone(), Secret::new(value));
            }
        }
        cookies
    }

    /// The access token.
    pub fn access_token(&self) -> Option<&str> {
        self.text("access_token")
    }

    /// The private key to which the tokens are bound (`dpop_key`, RFC 9449), if they are.
    pub(crate) fn dpop_key(&self) -> Option<DpopKey> {
        DpopKey::parse(self.text("dpop_key")?)
    }

    /// When the access token expires.
    pub fn token_expires_at(&self) -> Option<Timestamp> {
        self.claims.times.token_expires
    }

    /// Why the session has ended although its cookie opens: [`REFRESH_TOKEN_ERROR`]. An app that seals the session that it
    /// was forwarded may have left [`ACCESS_TOKEN_EXPIRED`] there.
    pub fn error(&self) -> Option<&str> {
        self.claims.texts.error.as_deref()
    }

    /// The same session with refreshed tokens, and with what the refresh changed of the claims about the user. The other
    /// claims stay: a page may have updated them since the refresh.
    #[must_use]
    pub fn with_refreshed_tokens(&self, tokens: &RefreshedTokens, now: Timestamp) -> Self {
        // This is the old refresh token's expiry, and the key of the old tokens; the new ones may have none.
        let mut claims = self.claims().clone();
        claims.remove("refresh_expires_at");
        claims.remove("dpop_key");
        claims.remove(entry::CLAIM);
        if let Some(changes) = &tokens.claims {
            changes.apply(&mut claims);
        }
        claims.extend(tokens.token_claims());
        claims.insert("iat".to_owned(), now.seconds().into());
        self.with_claims(claims)
    }

    /// The same session after `invalid_grant`: without tokens, and with the claim `error`.
    #[must_use]
    pub fn without_tokens(&self) -> Self {
        let mut claims = self.claims().clone();
        claims.retain(|name, _| !GRANT_CLAIMS.contains(&name.as_str()));
        claims.insert("error".to_owned(), REFRESH_TOKEN_ERROR.into());
        self.with_claims(claims)
    }

    /// The same session, which began when a bearer token was issued. Without that time it cannot show that it is newer than
    /// a revocation.
    #[must_use]
    pub fn issued(mut self, at: Option<Timestamp>) -> Self {
        self.change(|claims| match at {
            Some(at) => claims.insert("signed_in_at".to_owned(), at.seconds().into()),
            None => claims.remove("signed_in_at"),
        });
        self
    }

    /// The same session with those of its claims only for which `keep(name, value)` is true.
    #[must_use]
    pub fn retaining(&self, keep: impl Fn(&str, &Value) -> bool) -> Self {
        let mut claims = self.claims().clone();
        claims.retain(|name, value| keep(name, value));
        self.with_claims(claims)
    }

    /// The same session without its access token, which has expired, and without every claim that holds a copy of it. What
    /// was not read from the session's entry is not read any more: it may be one.
    #[must_use]
    pub fn without_access_token(&self) -> Self {
        let token = self.access_token().filter(|token| !token.is_empty());
        let mut session = self.retaining(|name, value| {
            name != "access_token" && !token.is_some_and(|token| holds_text(value, token))
        });
        if session.claims().contains_key(entry::CLAIM) {
            session.change(entry::forget);
        }
        session
    }

    /// The same session for this preview host, until then: without what could get new tokens, and without every claim that
    /// holds a copy of the refresh token.
    #[must_use]
    pub fn for_preview_host(&self, host: &Origin, until: Timestamp) -> Self {
        let token = self.refresh_token();
        // The hint for the provider is in cookies of the login host.
        let grants = ["refresh_token", "refresh_expires_at", "api_cookies", "hint_chunks", entry::CLAIM];
        let mut session = self.retaining(|name, value| {
            !grants.contains(&name) && !token.as_ref().is_some_and(|token| holds_text(value, token.expose()))
        });
        let ends_at = session.ends_at().map_or(until, |end| end.min(until));
        session.change(|claims| {
            claims.insert("preview_host".to_owned(), host.as_str().into());
            claims.insert("ends_at".to_owned(), ends_at.seconds().into());
        });
        session
    }

    /// The same session as an app sees it after its access token has expired for good: without the token, and with the
    /// claim `error`.
    #[must_use]
    pub fn with_token_expired(&self) -> Self {
        let mut session = self.without_access_token();
        session.change(|claims| claims.insert("error".to_owned(), ACCESS_TOKEN_EXPIRED.into()));
        session
    }

    /// Whether the cookie must be sealed again: `update_age` has passed since it was sealed, or it is in the other
    /// dialect.
    pub fn needs_update(&self, update_age: Duration, now: Timestamp) -> bool {
        self.is_in_other_dialect || self.issued_at().is_none_or(|issued| now >= issued.plus(update_age))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims().get(name)?.as_str()
    }
}

fn time(claims: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    claims.get(name)?.as_u64().map(Timestamp::from_seconds)
}

/// Whether a value has this text somewhere in it.
pub(crate) fn holds_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value.contains(text),
        Value::Array(values) => values.iter().any(|value| holds_text(value, text)),
        Value::Object(members) => members.values().any(|value| holds_text(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a path in the session points to the access token or its expiry.
pub(crate) fn is_access_token_claim(from: &DataPath) -> bool {
    matches!(from.root(), "access_token" | "expires_at")
}

impl std::fmt::Debug for Session {
    /// Prints the names of the claims only: the values include tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.claims().keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_printed_without_the_values_of_its_claims() {
        let claims = serde_json::json!({ "access_token": "secret", "sub": "alice" });
        let session = Session::new(claims.as_object().cloned().unwrap_or_default());
        assert_eq!(format!("{session:?}"), r#"Session(["access_token", "sub"])"#);
    }

    #[test]
    fn a_session_can_get_new_tokens_by_a_refresh_token_or_by_cookies_of_its_api() {
        let has_grant = |claims: serde_json::Value| {
            Session::new(claims.as_object().cloned().unwrap_or_default()).has_grant()
        };
        assert!(has_grant(serde_json::json!({ "refresh_token": "r" })));
        assert!(has_grant(serde_json::json!({ "api_cookies": { "device": "d" } })));
        for without in [
            serde_json::json!({}),
            serde_json::json!({ "refresh_token": "" }),
            serde_json::json!({ "api_cookies": {} }),
            serde_json::json!({ "api_cookies": "device=d" }),
        ] {
            assert!(!has_grant(without.clone()), "{without}");
        }
    }

    #[test]
    fn a_session_without_its_access_token_reads_nothing_from_its_entry_but_what_refreshes_it() {
        let claims = |holds: &[&str]| {
            serde_json::json!({
                "sub": "alice", "access_token": "secret", "copy": { "of": ["secret"] },
                "token_entry": { "key": "k", "id": "i", "at": 1, "holds": holds },
            })
        };
        let session = |holds: &[&str]| Session::new(claims(holds).as_object().cloned().unwrap_or_default());
        let held = ["access_token", "copy", "id_token", "refresh_token", "api_cookies"];
        let without = session(&held).without_access_token();
        assert!(
            ["id_token", "refresh_token", "api_cookies"].map(|claim| session(&held).lacks(claim))
                == [true; 3]
        );
        assert_eq!(held.map(|claim| without.lacks(claim)), [false, false, false, true, true]);
        assert_eq!(without.claims().keys().collect::<Vec<_>>(), ["sub", "token_entry"]);
    }
}
