//! Who of many requests may use a refresh token, and how the others get what it gave.
//!
//! A provider that rotates takes a refresh token once; a browser sends ten requests at once. Inside a process
//! `in_flight` lets one of them go. Across processes a `Lease` does, as well as what it is kept in can:
//!
//! - Without one, nothing is known beyond the process.
//! - `store` is advice: the shared store has no compare-and-swap and is a minute late elsewhere. Losing the lease
//!   is harmless where the provider takes a token for some seconds more.
//! - [`lock`] is a lock for each session.
//!
//! Whoever wins leaves the tokens that followed, sealed, where whoever held the old ones finds them: the losers,
//! and a browser that never got the answer and comes back days later.

mod any;
pub(crate) mod in_flight;
pub mod kind;
pub mod lock;
pub(crate) mod store;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub(crate) use self::any::AnyLease;
use crate::platform::{Platform, StoreError, within};
use crate::session::claims::Session;
use crate::session::dialect::Dialect;
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use crate::session::seal;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How long whoever won has, from taking the lease to leaving the successor: a token endpoint's ten seconds and
/// what is around them. Afterwards it counts as dead.
pub(crate) const HELD: Duration = Duration::from_secs(15);

/// How long a successor is kept for a browser that never got it, or less where sessions are shorter: over a
/// weekend and some days.
const RETAINED: Duration = Duration::from_hours(7 * 24);

/// How long a sign-out is remembered: longer than any refresh that was under way, and than any answer to a
/// request that began before it.
const SIGNED_OUT: Duration = Duration::from_hours(1);

/// How long the store may take. It answers in milliseconds; a request should not hang because it does not.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);

/// What a successor is sealed for: no cookie has that name, so none opens as the other.
const SALT: &str = "vestibule.tokens";

/// Which refresh: one session, one generation, one refresh token. All three: whatever two tokens hash to, nothing
/// of one session's is ever another's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) sid: String,
    pub(crate) generation: u64,
    /// The refresh token's hash, or that of the cookies in which it is.
    token: [u8; 32],
}

impl Name {
    /// Of the refresh that would renew `session`. `None` where nothing could: it has no refresh token, or is none of
    /// ours.
    pub(crate) fn of(session: &Session) -> Option<Self> {
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
        Some(Self { sid, generation: session.generation(), token })
    }

    /// A name that only who holds this generation's tokens can make, and that tells nobody anything.
    fn key(&self) -> String {
        let generation = self.generation.to_be_bytes();
        hash(&[b"vestibule refresh", self.sid.as_bytes(), &generation, &self.token])
    }
}

/// The name of a session: for what concerns all its generations.
fn session_key(sid: &str) -> String {
    hash(&[b"vestibule session", sid.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> String {
    base64url::encode(&digest(parts.iter().copied()))
}

/// SHA-256 over the parts, each after its length, so that no two lists are the same bytes.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl RefreshedTokens {
    /// Sealed with the sessions' secret: where it lies, nobody else can use it.
    pub(crate) fn seal(
        &self,
        name: &Name,
        sealing: Sealing<'_>,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let mut claims = self.claims();
        claims.insert("sid".to_owned(), name.sid.clone().into());
        seal::seal(sealing.keys, Dialect::AuthJsV5, SALT, &claims, retained(sealing), now, random)
    }

    /// Opens what was sealed for that session. `None` for anything else, and for what is not newer.
    fn open(sealed: &str, name: &Name, keys: &Keyring, now: Timestamp) -> Option<Rc<Self>> {
        let claims = seal::open(keys, Dialect::AuthJsV5, SALT, sealed, now).ok()?;
        let session = Session::new(claims);
        let tokens = Self {
            generation: session.generation(),
            access_token: Secret::new(session.access_token()?),
            refresh_token: session.refresh_token(),
            expires_at: session.token_expires_at()?,
            refresh_expires_at: session.refresh_expires_at(),
            api_cookies: session.api_cookies(),
        };
        (session.sid() == Some(name.sid.as_str()) && tokens.generation > name.generation)
            .then(|| Rc::new(tokens))
    }
}

/// How long a successor is kept.
fn retained(sealing: Sealing<'_>) -> Duration {
    RETAINED.min(sealing.session.max_age)
}

/// What came of asking for a lease.
#[derive(Debug)]
pub(crate) enum Acquisition {
    /// The refresh token may be used.
    Acquired,
    /// Somebody else uses it, until then at most.
    HeldByOther(HeldByOther),
    /// It was used; this followed.
    AlreadyRefreshed(Rc<RefreshedTokens>),
    /// The session was signed out.
    SignedOut,
}

/// Somebody else's lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldByOther {
    /// When it ends.
    pub(crate) until: Timestamp,
    /// When it is worth looking for the successor; `None` where that cannot be seen from here in time.
    pub(crate) look_at: Option<Timestamp>,
}

/// What keeps two isolates from using one refresh token.
pub(crate) trait Lease {
    /// Asks for the right to use it. `owner` is unguessable, and another one in each isolate; inside an isolate
    /// one at a time asks, so a lease of that owner is one that came to nothing.
    async fn acquire(&self, name: &Name, owner: &str) -> Result<Acquisition, StoreError>;

    /// Looks for what followed, while somebody else holds the lease.
    async fn find(&self, name: &Name) -> Result<Option<Rc<RefreshedTokens>>, StoreError>;

    /// Looks for what followed, after the provider refused the token: somebody used it, or it was revoked. Takes
    /// its time where a successor may still be on its way.
    async fn find_after_invalid_grant(&self, name: &Name) -> Result<Option<Rc<RefreshedTokens>>, StoreError>;

    /// Leaves what followed for whoever comes with the old tokens. A lower generation never takes the place of
    /// a higher one.
    async fn publish(&self, name: &Name, owner: &str, tokens: &RefreshedTokens) -> Result<(), StoreError>;

    /// Gives the lease back: nothing came of it, and nothing is known of the token.
    async fn release(&self, name: &Name, owner: &str) -> Result<(), StoreError>;

    /// Remembers that a session was signed out.
    async fn sign_out(&self, sid: &str) -> Result<(), StoreError>;

    /// Whether it was.
    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError>;

    /// Whether what [`find_after_invalid_grant`](Self::find_after_invalid_grant) does not find is not there.
    fn sees_all_writes(&self) -> bool;
}

/// What a lease writes down, as JSON.
fn text(value: &impl Serialize) -> String {
    // Strings for names and whole numbers: nothing can fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// What the store answers, or that it did not in time.
async fn in_time<P: Platform, T>(
    platform: &P,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || Err(StoreError::Failed(format!("no answer within {}s", STORE_TIMEOUT.as_secs())));
    within(platform, STORE_TIMEOUT, pin!(asked)).await.unwrap_or_else(late)
}
