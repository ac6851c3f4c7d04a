//! A lease in the shared store. It is advisory, and designed so that it is harmless when two processes get it.
//!
//! It has three keys, each with a hash in its name: the lease (`lease/…`) and the refreshed tokens (`next/…`) of one
//! refresh, and the sign-out (`out/…`) of one session. Refreshed tokens are read only after a lease, or
//! `invalid_grant`, shows that another process refreshed: the store remembers a read that found nothing, and would
//! hide for a while tokens that are written a moment later.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Acquisition, Found, LEASE_DURATION, Lease, Publication, RefreshId, SIGN_OUT_RETENTION, retention,
    session_key, to_json, with_timeout,
};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// The time until a write is visible in every location, one minute, and the time for which a read that found nothing
/// is remembered, another minute. A lease of another location counts as abandoned only after both: until then the
/// refreshed tokens may exist without being visible here.
const PROPAGATION_DELAY: Duration = Duration::from_mins(1 + 1);

/// How long to wait for other processes that found no lease either and write theirs. One request an hour waits this
/// long. So two processes of one location do not both get the lease, even where the store's write limit does not
/// prevent it.
const SETTLE_TIME: Duration = Duration::from_millis(100);

/// How long after another process of this location acquired the lease a request first looks for the refreshed tokens.
/// Few providers are faster.
const FIRST_POLL: Duration = Duration::from_millis(300);

/// The minimum pause after a lookup that found no refreshed tokens.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// The first pause between two lookups.
const FIRST_PAUSE: Duration = Duration::from_millis(40);

/// The longest pause between two lookups; each pause is half as long again as the one before.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// How long to look for another process's tokens before asking for the lease again: its holder may have failed.
const MAX_POLLING: Duration = Duration::from_secs(2);

/// The pauses before each look for refreshed tokens after `invalid_grant`: the process that used the refresh token may
/// be writing them now.
const FIND_DELAYS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];

/// How many times writing the refreshed tokens is tried. They are the only copy, and the old refresh token is used up.
const MAX_ATTEMPTS: u32 = 3;

/// The time that a store may require between two writes of one key, one second, and a little more.
const WRITE_INTERVAL: Duration = Duration::from_millis(1100);

pub(crate) struct StoreLease<'a, P: Platform> {
    sealing: Sealing<'a>,
    platform: &'a P,
    /// When this request wrote the lease.
    acquired_at: Cell<Option<Timestamp>>,
}

/// The value of a lease's key. It reveals only that a process holds the lease.
#[derive(Deserialize, Serialize)]
struct Held {
    owner: String,
    /// Milliseconds since 1970.
    until: u64,
    location: String,
}

/// A lease that another process holds.
struct Holder {
    /// When the lease ends.
    until: Timestamp,
    /// When to first look for the refreshed tokens. `None` where they do not reach this location in time.
    poll_at: Option<Timestamp>,
}

/// The result of one attempt to acquire the lease.
enum Attempt {
    Acquired,
    AlreadyRefreshed(Rc<RefreshedTokens>),
    HeldByOther(Holder),
}

impl<P: Platform> Lease for StoreLease<'_, P> {
    async fn acquire(
        &self,
        id: &RefreshId,
        owner: &str,
        max_wait: Duration,
    ) -> Result<Acquisition, StoreError> {
        let deadline = self.platform.now().plus(max_wait);
        loop {
            let holder = match self.try_acquire(id, owner).await? {
                Attempt::Acquired => return Ok(Acquisition::Acquired),
                Attempt::AlreadyRefreshed(tokens) => return Ok(self.adopted(id, tokens).await),
                Attempt::HeldByOther(holder) => holder,
            };
            let held = Ok(Acquisition::HeldByOther { until: holder.until });
            let Some(poll_at) = holder.poll_at.filter(|_| self.platform.now() < deadline) else {
                return held;
            };
            if let Some(tokens) = self.wait_for_tokens(id, poll_at, holder.until.min(deadline)).await? {
                return Ok(self.adopted(id, tokens).await);
            }
            if self.platform.now() >= deadline {
                return held;
            }
        }
    }

    async fn find_after_invalid_grant(&self, id: &RefreshId) -> Result<Found, StoreError> {
        for pause in FIND_DELAYS {
            self.platform.sleep(pause).await;
            if let Some(tokens) = self.find(id).await? {
                let is_signed_out = self.is_signed_out(&id.sid).await.unwrap_or(false);
                return Ok(if is_signed_out { Found::SignedOut } else { Found::Tokens(tokens) });
            }
        }
        Ok(Found::Nothing)
    }

    /// The key contains the generation, so a write can only replace other tokens that followed the same old ones.
    async fn publish(
        &self,
        id: &RefreshId,
        _: &str,
        tokens: &RefreshedTokens,
    ) -> Result<Publication, StoreError> {
        let publication = match self.is_signed_out(&id.sid).await {
            Ok(true) => return Ok(Publication::SignedOut),
            Ok(false) => Publication::Published,
            // The tokens are kept: they are the only copy.
            Err(error) => Publication::Unchecked(error),
        };
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = tokens.seal(id, self.sealing, self.platform.now(), random);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.write(&refreshed_tokens_key(id), &sealed, retention(self.sealing)).await {
                Err(_) if attempts < MAX_ATTEMPTS => self.platform.sleep(WRITE_INTERVAL).await,
                written => return written.map(|()| publication),
            }
        }
    }

    /// A lease that was acquired just now is not released but expires soon: the store would reject a second write so
    /// early, and a provider that fails so quickly needs a pause anyway.
    async fn release(&self, id: &RefreshId, owner: &str) -> Result<(), StoreError> {
        let now = self.platform.now();
        if self.acquired_at.get().is_none_or(|acquired_at| now < acquired_at.plus(WRITE_INTERVAL)) {
            return Ok(());
        }
        let released =
            Held { owner: owner.to_owned(), until: now.millis(), location: self.platform.location() };
        self.write(&lease_key(id), &to_json(&released), retention(self.sealing)).await
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.write(&sign_out_key(sid), "1", SIGN_OUT_RETENTION).await
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        Ok(self.read(&sign_out_key(sid)).await?.is_some())
    }

    fn sees_all_writes(&self) -> bool {
        false
    }
}

impl<'a, P: Platform> StoreLease<'a, P> {
    pub(super) fn new(sealing: Sealing<'a>, platform: &'a P) -> Self {
        Self { sealing, platform, acquired_at: Cell::new(None) }
    }

    async fn try_acquire(&self, id: &RefreshId, owner: &str) -> Result<Attempt, StoreError> {
        let key = lease_key(id);
        let now = self.platform.now();
        if let Some(held) = self.held(&key).await? {
            if let Some(tokens) = self.find(id).await? {
                return Ok(Attempt::AlreadyRefreshed(tokens));
            }
            let holder = self.held_by_other(&held, now);
            if now < holder.until && held.owner != owner {
                return Ok(Attempt::HeldByOther(holder));
            }
        }
        let until = now.plus(LEASE_DURATION);
        let held =
            Held { owner: owner.to_owned(), until: until.millis(), location: self.platform.location() };
        match self.write(&key, &to_json(&held), retention(self.sealing)).await {
            Ok(()) => self.acquired_at.set(Some(self.platform.now())),
            // Another process wrote the lease a moment ago.
            Err(StoreError::Busy) => {
                let poll_at = Some(self.platform.now().plus(FIRST_POLL));
                return Ok(Attempt::HeldByOther(Holder { until, poll_at }));
            }
            Err(error) => return Err(error),
        }
        // Of several processes that write at once, the last one holds the lease.
        self.platform.sleep(SETTLE_TIME).await;
        match self.held(&key).await? {
            Some(held) if held.owner != owner => Ok(Attempt::HeldByOther(self.held_by_other(&held, now))),
            _ => Ok(Attempt::Acquired),
        }
    }

    /// Looks for the tokens of another process from `poll_at` on: for [`MAX_POLLING`], or until `until`.
    async fn wait_for_tokens(
        &self,
        id: &RefreshId,
        poll_at: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        self.platform.sleep(poll_at.since(self.platform.now()).min(MAX_POLLING)).await;
        let until = until.min(self.platform.now().plus(MAX_POLLING));
        let mut pause = FIRST_PAUSE;
        loop {
            let found = self.find(id).await?;
            if found.is_some() || self.platform.now() >= until {
                return Ok(found);
            }
            self.platform.sleep(pause).await;
            pause = (pause * 3 / 2).min(MAX_PAUSE);
        }
    }

    async fn find(&self, id: &RefreshId) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        let sealed = self.read(&refreshed_tokens_key(id)).await?;
        let now = self.platform.now();
        Ok(sealed.and_then(|sealed| RefreshedTokens::open(&sealed, id, self.sealing.keys, now)))
    }

    /// The result with the tokens of another process, unless the session was signed out meanwhile.
    async fn adopted(&self, id: &RefreshId, tokens: Rc<RefreshedTokens>) -> Acquisition {
        match self.is_signed_out(&id.sid).await {
            Ok(true) => Acquisition::SignedOut,
            Ok(false) | Err(_) => Acquisition::AlreadyRefreshed(tokens),
        }
    }

    async fn held(&self, key: &str) -> Result<Option<Held>, StoreError> {
        // A lease that does not parse was written by another version, and one that ends too late by a wrong clock.
        // Both are ignored.
        let held = self.read(key).await?.and_then(|text| serde_json::from_str::<Held>(&text).ok());
        let latest = self.platform.now().plus(LEASE_DURATION + PROPAGATION_DELAY);
        Ok(held.filter(|held| held.until <= latest.millis()))
    }

    fn held_by_other(&self, held: &Held, now: Timestamp) -> Holder {
        let until = Timestamp::from_millis(held.until);
        if held.location == self.platform.location() {
            let first = until.minus(LEASE_DURATION).plus(FIRST_POLL);
            return Holder { until, poll_at: Some(first.max(now.plus(MIN_PAUSE))) };
        }
        Holder { until: until.plus(PROPAGATION_DELAY), poll_at: None }
    }

    async fn read(&self, key: &str) -> Result<Option<String>, StoreError> {
        with_timeout(self.platform, self.platform.read_store(key)).await
    }

    async fn write(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        with_timeout(self.platform, self.platform.write_store(key, value, lifetime)).await
    }
}

fn lease_key(id: &RefreshId) -> String {
    format!("lease/{}", id.key())
}

fn refreshed_tokens_key(id: &RefreshId) -> String {
    format!("next/{}", id.key())
}

fn sign_out_key(sid: &str) -> String {
    format!("out/{}", session_key(sid))
}
