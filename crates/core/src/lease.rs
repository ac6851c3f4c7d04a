//! Refresh leases: they decide which request uses a refresh token, and give the refreshed tokens to the others.
//!
//! A provider that rotates refresh tokens accepts each one once (RFC 9700 section 4.14.2), but a browser sends ten
//! requests at once. Within a process, `in_flight` lets one request refresh. Across processes, a `Lease` does. Its
//! guarantee depends on where it is kept:
//!
//! - Nowhere: two processes can use one refresh token.
//! - `store`: the lease is advisory. The shared store has no compare-and-swap, and a write may take up to a minute to
//!   reach other locations, so two processes can use one refresh token. This is harmless where the provider accepts a
//!   used token for some more seconds.
//! - [`lock`]: each session has a lock, and one process refreshes at a time.
//!
//! The request that refreshed publishes the refreshed tokens, sealed. Requests that hold the old tokens find them:
//! those that did not get the lease, and those of a browser that missed the response and comes back days later.

mod any;
pub(crate) mod in_flight;
pub mod kind;
pub mod lock;
mod slots;
pub(crate) mod store;

use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub(crate) use self::any::AnyLease;
use crate::platform::{Platform, StoreError, answered_within};
use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::{ClaimChanges, RefreshedTokens};
use crate::session::seal;
use crate::session::tokens::entry;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How long a lease is valid: ten seconds for the token endpoint, and five to prepare the request and publish the
/// tokens. A holder that takes longer counts as crashed.
pub(crate) const LEASE_DURATION: Duration = Duration::from_secs(15);

/// How long refreshed tokens are kept for a browser that missed the response: a weekend and some days. Less where
/// sessions are shorter.
const TOKENS_RETENTION: Duration = Duration::from_hours(7 * 24);

/// How long a sign-out is remembered: longer than any refresh, and any request, that began before it.
const SIGN_OUT_RETENTION: Duration = Duration::from_hours(1);

/// How long a call to the store or to a lock may take. It usually takes milliseconds, and a request must not hang when
/// it takes longer.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);

/// The salt that refreshed tokens are sealed with. No cookie has this name, so refreshed tokens do not open as a
/// cookie, nor a cookie as refreshed tokens.
const SALT: &str = "vestibule.tokens";

/// The member of sealed tokens with the changes of the session's claims.
const CLAIM_CHANGES: &str = "claims";

/// The member of sealed tokens with all that is sealed once more, by the session's own key, where the session has one.
const BY_SESSION_KEY: &str = "sealed";

/// Identifies one refresh: by its session, its generation and its refresh token. The session is part of it, so that
/// two sessions never share tokens, even if the hashes of their refresh tokens collide.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefreshId {
    pub(crate) sid: String,
    pub(crate) generation: u64,
    /// The SHA-256 hash of the refresh token, or of the API's cookies that contain it. Where they are in an entry of the
    /// store, the hash of what names the entry.
    token: [u8; 32],
    /// The session's own key, hashed, where the session has one: refreshed tokens are sealed by it.
    key: Option<[u8; 32]>,
}

impl fmt::Debug for RefreshId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sid, generation, .. } = self;
        f.debug_struct("RefreshId").field("sid", sid).field("generation", generation).finish_non_exhaustive()
    }
}

impl RefreshId {
    /// The next refresh of `session`. `None` where the session has neither a refresh token nor API cookies, or has no
    /// `sid`, as one that Auth.js made.
    pub(crate) fn of(session: &Session) -> Option<Self> {
        if session.has_grant()
            && let Some(id) = Self::of_entry(session)
        {
            return Some(id);
        }
        let cookies = session.api_cookies();
        let token = match session.refresh_token() {
            Some(token) => Sha256::digest(token.expose().as_bytes()).into(),
            None if cookies.is_empty() => return None,
            None => {
                let parts = cookies.iter().flat_map(|(name, value)| [name.as_str(), value.expose()]);
                digest(parts.map(str::as_bytes))
            }
        };
        let sid = session.sid().filter(|sid| !sid.is_empty())?.to_owned();
        Some(Self { sid, generation: session.generation(), token, key: None })
    }

    /// The same for a session whose tokens are in the store, whether they were read or not.
    fn of_entry(session: &Session) -> Option<Self> {
        let entry = session.token_entry()?;
        let (sid, generation) =
            (session.sid().filter(|sid| !sid.is_empty())?.to_owned(), session.generation());
        let (key, name) = (entry.key().expose().as_bytes(), entry.name(&sid, generation));
        let token = digest([b"vestibule token entry".as_slice(), key, name.as_bytes()].into_iter());
        Some(Self { sid, generation, token, key: Some(published_key(entry.key())) })
    }

    /// The same for a session that only its upstream can refresh: it may have no refresh token.
    pub(crate) fn of_tokens(session: &Session) -> Option<Self> {
        Self::of(session).or_else(|| Self::of_entry(session)).or_else(|| {
            let sid = session.sid().filter(|sid| !sid.is_empty())?.to_owned();
            let token = Sha256::digest(session.access_token()?.as_bytes()).into();
            Some(Self { sid, generation: session.generation(), token, key: None })
        })
    }

    /// The key of this refresh in the store. Only a holder of this generation's tokens can compute it, and it reveals
    /// nothing about them.
    fn key(&self) -> String {
        let generation = self.generation.to_be_bytes();
        hash(&[b"vestibule refresh", self.sid.as_bytes(), &generation, &self.token])
    }

    /// The key of a slot for this refresh's tokens in the store, of which the same holds.
    fn slot_key(&self, slot: usize) -> String {
        let (generation, slot) = (self.generation.to_be_bytes(), (slot as u64).to_be_bytes());
        hash(&[b"vestibule refresh", self.sid.as_bytes(), &generation, &self.token, &slot])
    }
}

/// The key of a session, across its generations.
fn session_key(sid: &str) -> String {
    hash(&[b"vestibule session", sid.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> String {
    base64url::encode(&digest(parts.iter().copied()))
}

/// SHA-256 over the parts, each preceded by its length, so that two different lists are never the same bytes.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl RefreshedTokens {
    /// Seals the tokens with the sessions' secret, so that a reader of the store cannot use them.
    pub(crate) fn seal(
        &self,
        id: &RefreshId,
        sealing: Sealing<'_>,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let mut claims = self.token_claims();
        claims.insert("sid".to_owned(), id.sid.clone().into());
        let changes = self.claims.as_ref().and_then(|changes| serde_json::to_value(changes).ok());
        claims.extend(changes.map(|changes| (CLAIM_CHANGES.to_owned(), changes)));
        if let Some(entry) = &self.entry {
            let (key, name) = (key_text(&published_key(entry.key())), published_name(self.generation));
            let sealed = entry::seal(&key, &name, &claims.into(), random);
            claims = Map::from_iter([
                ("generation".to_owned(), self.generation.into()),
                ("sid".to_owned(), id.sid.clone().into()),
                (BY_SESSION_KEY.to_owned(), sealed.into()),
            ]);
        }
        seal::seal(sealing.keys, Dialect::AuthJsV5, SALT, &claims, retention(sealing), now, random)
    }

    /// Opens tokens that [`seal`](Self::seal) sealed for this session. `None` if they do not open, belong to another
    /// session, or are not of a newer generation.
    fn open(sealed: &str, id: &RefreshId, keys: &Keyring, now: Timestamp) -> Option<Rc<Self>> {
        let mut claims = seal::open(keys, Dialect::AuthJsV5, SALT, sealed, now).ok()?;
        if let Some(sealed) = claims.get(BY_SESSION_KEY).and_then(Value::as_str) {
            let name = published_name(claims.get("generation")?.as_u64()?);
            // A session that had no key of its own when it was sealed has got the derived one since.
            let derived = keys.secrets().map(|secret| published_key(&entry::derived_key(secret, &id.sid)));
            let mut known = id.key.into_iter().chain(derived);
            claims = known.find_map(|key| entry::open(&key_text(&key), &name, sealed))?;
        }
        let session = Session::new(claims);
        let tokens = Self {
            generation: session.generation(),
            access_token: Secret::new(session.access_token()?),
            refresh_token: session.refresh_token(),
            expires_at: session.token_expires_at()?,
            refresh_expires_at: session.refresh_expires_at(),
            api_cookies: session.api_cookies(),
            issued_at: session.revalidated_at().unwrap_or(now),
            // Without those of another version the tokens are good, too.
            claims: session.claims().get(CLAIM_CHANGES).and_then(|it| ClaimChanges::deserialize(it).ok()),
            ends_at: session.ends_at(),
            dpop_key: session.dpop_key(),
            id_token: None,
            entry: session.token_entry(),
        };
        (session.sid() == Some(id.sid.as_str()) && tokens.generation > id.generation).then(|| Rc::new(tokens))
    }
}

/// What refreshed tokens are sealed by, besides the secret, for the sessions with this key.
fn published_key(key: &Secret) -> [u8; 32] {
    digest([b"vestibule published tokens".as_slice(), key.expose().as_bytes()].into_iter())
}

fn key_text(key: &[u8; 32]) -> Secret {
    Secret::new(base64url::encode(key))
}

/// What published tokens are sealed as.
fn published_name(generation: u64) -> String {
    format!("published/{generation}")
}

/// How long refreshed tokens are kept.
fn retention(sealing: Sealing<'_>) -> Duration {
    TOKENS_RETENTION.min(sealing.session.max_age)
}

/// The result of [`Lease::acquire`].
#[derive(Debug)]
pub(crate) enum Acquisition {
    /// This request may use the refresh token.
    Acquired,
    /// There is no lease, for this reason. This request may use the refresh token: the provider accepts a second use.
    Unprotected(StoreError),
    /// Another process may use the refresh token until this time, if it does not release the lease before.
    HeldByOther { until: Timestamp },
    /// The refresh token was used, and these are the refreshed tokens.
    AlreadyRefreshed(Rc<RefreshedTokens>),
    /// The session was signed out.
    SignedOut,
}

/// The result of [`Lease::find_after_invalid_grant`].
#[derive(Debug)]
pub(crate) enum Found {
    /// Another process used the refresh token, and these are the refreshed tokens.
    Tokens(Rc<RefreshedTokens>),
    /// No process has published refreshed tokens, as far as this one can see.
    Nothing,
    /// The session was signed out.
    SignedOut,
}

/// The result of [`Lease::publish`].
#[derive(Debug)]
pub(crate) enum Publication {
    /// The other requests find the tokens.
    Published,
    /// The other requests find the tokens, but the store did not say whether the session was signed out.
    Unchecked(StoreError),
    /// The session was signed out while it was refreshed: the tokens must not be used.
    SignedOut,
}

/// Keeps two processes from using one refresh token.
pub(crate) trait Lease {
    /// Requests the right to use the refresh token. `owner` is an unguessable identifier of this process. Within a
    /// process, one request at a time calls this for one refresh. So a lease that this owner holds already belongs to a
    /// request that failed, and is granted again.
    ///
    /// If another process holds the lease, waits for its tokens or for the lease, at most `max_wait`, and then answers
    /// `HeldByOther`. It answers `HeldByOther` much sooner if waiting does not help.
    async fn acquire(
        &self,
        id: &RefreshId,
        owner: &str,
        max_wait: Duration,
    ) -> Result<Acquisition, StoreError>;

    /// Looks for the refreshed tokens after the provider answered `invalid_grant`: another process used the refresh
    /// token, or it was revoked. Waits where the refreshed tokens may still be on their way.
    async fn find_after_invalid_grant(&self, id: &RefreshId) -> Result<Found, StoreError>;

    /// The refreshed tokens, if they are published by now. It does not wait for any.
    async fn published(&self, id: &RefreshId) -> Result<Option<Rc<RefreshedTokens>>, StoreError>;

    /// Publishes the refreshed tokens for requests that hold the old ones, unless the session was signed out meanwhile.
    /// Tokens of a lower generation never replace those of a higher one.
    async fn publish(
        &self,
        id: &RefreshId,
        owner: &str,
        tokens: &RefreshedTokens,
    ) -> Result<Publication, StoreError>;

    /// Releases the lease after a refresh that failed.
    async fn release(&self, id: &RefreshId, owner: &str) -> Result<(), StoreError>;

    /// Remembers that a session was signed out.
    async fn sign_out(&self, sid: &str) -> Result<(), StoreError>;

    /// Whether a session was signed out.
    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError>;

    /// Whether [`find_after_invalid_grant`](Self::find_after_invalid_grant) sees what every process has published. If
    /// so, tokens that it does not find do not exist.
    fn sees_all_writes(&self) -> bool;
}

/// The JSON text of a record or a call.
fn to_json(value: &impl Serialize) -> String {
    // These types hold strings and integers only, so this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// The result of `operation`, or an error if it takes longer than [`STORE_TIMEOUT`].
async fn with_timeout<P: Platform, T>(
    platform: &P,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    answered_within(platform, STORE_TIMEOUT, pin!(operation)).await
}

#[cfg(test)]
mod tests;
