//! A lease in the shared store. It is advisory, and designed so that it is harmless when two processes get it.
//!
//! Its keys have a hash in their names: the lease (`lease/…`) and the refreshed tokens (`next/…`, one key for each
//! [slot](slots)) of one refresh, and the sign-out (`out/…`) of one session. The store remembers a read that found
//! nothing, so tokens are read only under keys that will not be written any more.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Acquisition, Found, LEASE_DURATION, Lease, Publication, RefreshId, SIGN_OUT_RETENTION, retention,
    session_key, slots, to_json, with_timeout,
};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// The time until a write is visible in every location, one minute, and the time for which a read that found nothing
/// is remembered, another minute. So long after the end of another location's lease, tokens may exist that are not
/// visible here.
const PROPAGATION_DELAY: Duration = Duration::from_mins(1 + 1);

/// How long to wait for other processes that found no lease either and write theirs. One request an hour waits this
/// long. So two processes of one location do not both get the lease, even where the store's write limit does not
/// prevent it.
const SETTLE_TIME: Duration = Duration::from_millis(100);

/// How long to look for the tokens of another process if the store refuses to write the lease and shows none: another
/// location may have written one. If there are no tokens then, the limit may be the account's.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// How long after `invalid_grant` to look for refreshed tokens: the process that used the refresh token may be writing
/// them now. It looks once, because it may know no lease whose slots it could wait for.
const FIND_DELAY: Duration = Duration::from_secs(2);

/// How many times writing the refreshed tokens is tried. They are the only copy, and the old refresh token is used up.
const MAX_ATTEMPTS: u32 = 3;

/// The time that a store may require between two writes of one key, one second, and a little more.
const WRITE_INTERVAL: Duration = Duration::from_millis(1100);

pub(crate) struct StoreLease<'a, P: Platform> {
    sealing: Sealing<'a>,
    platform: &'a P,
    /// Whether the provider accepts a used refresh token, for some seconds at least. Then a process whose patience is
    /// at its end uses it, too.
    accepts_reuse: bool,
    /// Whether sign-outs are told to the lease: nothing else keeps them.
    learns_of_sign_outs: bool,
    /// When this request first asked for the lease.
    asked_at: Cell<Option<Timestamp>>,
    /// When this request wrote the lease.
    acquired_at: Cell<Option<Timestamp>>,
    /// The beginning of the lease, from which the slots are counted.
    begin: Cell<Option<Timestamp>>,
    /// Until when tokens of another location may exist that are not visible here.
    unseen_until: Cell<Option<Timestamp>>,
}

/// The value of a lease's key. It reveals only that a process holds the lease. The times are milliseconds since 1970.
#[derive(Deserialize, Serialize)]
struct Held {
    owner: String,
    begin: u64,
    until: u64,
    location: String,
}

impl Held {
    fn is_other_than(&self, other: &Self) -> bool {
        (&self.owner, self.until) != (&other.owner, other.until)
    }
}

/// The result of following another process's lease.
enum Followed {
    /// The answer of [`Lease::acquire`].
    Answer(Acquisition),
    /// The lease can be written: it has ended, or is this process's.
    Free,
    /// The lease was released or written again.
    Changed(Held),
}

/// The result of writing the lease.
enum Written {
    Acquired,
    /// Another process wrote it, too.
    HeldBy(Held),
    /// The store refused to write it.
    Busy,
}

impl<P: Platform> Lease for StoreLease<'_, P> {
    async fn acquire(
        &self,
        id: &RefreshId,
        owner: &str,
        max_wait: Duration,
    ) -> Result<Acquisition, StoreError> {
        let now = self.platform.now();
        let deadline = now.plus(max_wait);
        self.asked_at.set(self.asked_at.get().or(Some(now)));
        let mut held = self.held(id).await?;
        let mut was_busy = false;
        loop {
            if let Some(current) = &held {
                match self.follow(id, owner, current, deadline).await? {
                    Followed::Answer(acquisition) => return Ok(acquisition),
                    Followed::Changed(newer) => {
                        held = Some(newer);
                        continue;
                    }
                    Followed::Free => {}
                }
            }
            held = match self.write_lease(id, owner, held.as_ref()).await? {
                Written::Acquired => return Ok(Acquisition::Acquired),
                Written::HeldBy(other) => Some(other),
                Written::Busy => match self.held(id).await?.filter(|held| self.is_live(held)) {
                    Some(held) if held.owner == owner => return Ok(Acquisition::Acquired),
                    Some(other) => Some(other),
                    None if !was_busy => {
                        was_busy = true;
                        Some(self.unknown_holder())
                    }
                    None if self.accepts_reuse => return Ok(Acquisition::Unprotected(StoreError::Busy)),
                    None => return Err(StoreError::Busy),
                },
            };
        }
    }

    async fn find_after_invalid_grant(&self, id: &RefreshId) -> Result<Found, StoreError> {
        self.platform.sleep(FIND_DELAY).await;
        if let Some(tokens) = self.find(id, slots::ALL).await? {
            let is_signed_out = self.is_signed_out(&id.sid).await.unwrap_or(false);
            return Ok(if is_signed_out { Found::SignedOut } else { Found::Tokens(tokens) });
        }
        if self.unseen_until.get().is_some_and(|until| self.platform.now() < until) {
            let message = "the tokens that another location got may not be visible here yet";
            return Err(StoreError::Failed(message.to_owned()));
        }
        Ok(Found::Nothing)
    }

    async fn published(&self, id: &RefreshId) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        self.find(id, slots::ALL).await
    }

    /// The keys contain the generation, so a write can only replace other tokens that followed the same old ones.
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
            let slot = slots::to_write(self.since_begin());
            let written = self.write(&tokens_key(id, slot), &sealed, retention(self.sealing)).await;
            // After a slow write, the others may have looked for the tokens too early.
            let is_late =
                slots::reached(self.since_begin()) > slot && slot != slots::to_write(self.since_begin());
            match written {
                Ok(()) if is_late && attempts < MAX_ATTEMPTS => {}
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
        let begin = self.begin.get().unwrap_or(now);
        self.write(&lease_key(id), &self.lease(owner, begin, now), retention(self.sealing)).await
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.write(&sign_out_key(sid), "1", SIGN_OUT_RETENTION).await
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        Ok(self.learns_of_sign_outs && self.read(&sign_out_key(sid)).await?.is_some())
    }

    fn sees_all_writes(&self) -> bool {
        false
    }
}

impl<'a, P: Platform> StoreLease<'a, P> {
    pub(super) fn new(
        sealing: Sealing<'a>,
        platform: &'a P,
        accepts_reuse: bool,
        learns_of_sign_outs: bool,
    ) -> Self {
        Self {
            sealing,
            platform,
            accepts_reuse,
            learns_of_sign_outs,
            asked_at: Cell::new(None),
            acquired_at: Cell::new(None),
            begin: Cell::new(None),
            unseen_until: Cell::new(None),
        }
    }

    /// Looks for the tokens of the process that holds the lease: under the slots whose time has come at once, and under
    /// the others one by one, until the `deadline`, the end of the lease or of the patience.
    async fn follow(
        &self,
        id: &RefreshId,
        owner: &str,
        held: &Held,
        deadline: Timestamp,
    ) -> Result<Followed, StoreError> {
        // The lease exists, so it has begun, even if the other process's clock is ahead.
        let begin = Timestamp::from_millis(held.begin).min(self.platform.now());
        self.begin.set(Some(begin));
        let ends_at = self.ends_at(held);
        // One process's lease may follow another's.
        let patience_ends_at = self.asked_at.get().map_or(begin, |at| at.min(begin)).plus(slots::MAX_WAIT);
        let mut read = 0;
        loop {
            let reached = slots::reached(self.since_begin());
            if reached > read {
                if let Some(tokens) = self.find(id, read..reached).await? {
                    return Ok(Followed::Answer(self.adopted(id, tokens).await));
                }
                read = reached;
            }
            let now = self.platform.now();
            if now >= ends_at || held.owner == owner {
                return Ok(Followed::Free);
            }
            if self.accepts_reuse && now >= patience_ends_at {
                return Ok(Followed::Answer(Acquisition::Acquired));
            }
            let until = Timestamp::from_millis(held.until);
            if now >= deadline || now >= until {
                return Ok(Followed::Answer(Acquisition::HeldByOther { until: ends_at }));
            }
            let next = slots::next(read).map_or(until, |time| begin.plus(time));
            let mut wakes_at = next.min(until).min(deadline);
            if self.accepts_reuse {
                wakes_at = wakes_at.min(patience_ends_at);
            }
            self.platform.sleep(wakes_at.since(now)).await;
            if !self.accepts_reuse
                && self.since_begin() > slots::MAX_WAIT
                && let Some(newer) = self.held(id).await?.filter(|newer| newer.is_other_than(held))
            {
                return Ok(Followed::Changed(newer));
            }
        }
    }

    /// Writes the lease. In place of an `old` one that this process holds, it keeps the beginning: others may have read
    /// slots by it.
    async fn write_lease(
        &self,
        id: &RefreshId,
        owner: &str,
        old: Option<&Held>,
    ) -> Result<Written, StoreError> {
        let now = self.platform.now();
        let own = old.filter(|held| held.owner == owner && self.is_live(held));
        let begin = own.map_or(now, |held| Timestamp::from_millis(held.begin).min(now));
        let lease = self.lease(owner, begin, now.plus(LEASE_DURATION));
        match self.write(&lease_key(id), &lease, retention(self.sealing)).await {
            Ok(()) => {}
            Err(StoreError::Busy) => return Ok(Written::Busy),
            Err(error) => return Err(error),
        }
        self.begin.set(Some(begin));
        self.acquired_at.set(Some(self.platform.now()));
        // Of several processes that write at once, the last one holds the lease.
        self.platform.sleep(SETTLE_TIME).await;
        Ok(match self.held(id).await? {
            Some(held) if held.owner != owner => {
                self.acquired_at.set(None);
                Written::HeldBy(held)
            }
            _ => Written::Acquired,
        })
    }

    async fn held(&self, id: &RefreshId) -> Result<Option<Held>, StoreError> {
        // A lease that does not parse was written by another version, and one that ends too late by a wrong clock.
        // Both are ignored.
        let text = self.read(&lease_key(id)).await?;
        let held = text.and_then(|text| serde_json::from_str::<Held>(&text).ok());
        let now = self.platform.now();
        let held = held.filter(|held| held.until <= now.plus(LEASE_DURATION + PROPAGATION_DELAY).millis());
        if let Some(held) = held.as_ref().filter(|held| !self.is_of_this_location(held)) {
            self.unseen_until.set(Some(Timestamp::from_millis(held.until).plus(PROPAGATION_DELAY)));
        }
        Ok(held)
    }

    /// When a lease counts as abandoned. Where the provider ends the sign-in at the second use of a refresh token, a
    /// lease of another location does so only when tokens would be visible here.
    fn ends_at(&self, held: &Held) -> Timestamp {
        let until = Timestamp::from_millis(held.until);
        let is_certain = self.accepts_reuse || self.is_of_this_location(held);
        if is_certain { until } else { until.plus(PROPAGATION_DELAY) }
    }

    /// In place of a lease that the store refused to write and does not show: if another location has written one, it
    /// began before now.
    fn unknown_holder(&self) -> Held {
        let now = self.platform.now();
        Held {
            owner: String::new(),
            begin: now.millis(),
            until: now.plus(BUSY_WAIT).millis(),
            location: self.platform.location(),
        }
    }

    fn lease(&self, owner: &str, begin: Timestamp, until: Timestamp) -> String {
        let location = self.platform.location();
        to_json(&Held { owner: owner.to_owned(), begin: begin.millis(), until: until.millis(), location })
    }

    fn is_live(&self, held: &Held) -> bool {
        self.platform.now().millis() < held.until
    }

    fn is_of_this_location(&self, held: &Held) -> bool {
        held.location == self.platform.location()
    }

    fn since_begin(&self) -> Duration {
        let now = self.platform.now();
        now.since(self.begin.get().unwrap_or(now))
    }

    /// The answer with the tokens of another process, unless the session was signed out meanwhile.
    async fn adopted(&self, id: &RefreshId, tokens: Rc<RefreshedTokens>) -> Acquisition {
        match self.is_signed_out(&id.sid).await {
            Ok(true) => Acquisition::SignedOut,
            Ok(false) | Err(_) => Acquisition::AlreadyRefreshed(tokens),
        }
    }

    /// The refreshed tokens under these slots; of several the newest. Values that do not open are ignored.
    async fn find(
        &self,
        id: &RefreshId,
        slots: Range<usize>,
    ) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        let keys: Vec<String> = slots.map(|slot| tokens_key(id, slot)).collect();
        let sealed = match keys.as_slice() {
            [key] => vec![self.read(key).await?],
            keys => {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                with_timeout(self.platform, self.platform.read_store_many(&keys)).await?
            }
        };
        let now = self.platform.now();
        let open = |sealed: String| RefreshedTokens::open(&sealed, id, self.sealing.keys, now);
        Ok(sealed.into_iter().flatten().filter_map(open).max_by_key(|tokens| tokens.expires_at))
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

fn tokens_key(id: &RefreshId, slot: usize) -> String {
    format!("next/{}", id.slot_key(slot))
}

fn sign_out_key(sid: &str) -> String {
    format!("out/{}", session_key(sid))
}
