//! A lease in the shared store: advice, made so that losing it is harmless.
//!
//! Three keys, each named by a hash: the lease (`lease/…`) and the successor (`next/…`) of one refresh, and the
//! sign-out (`out/…`) of one session. A successor is read only where a lease, or the provider's refusal, says
//! that somebody has been here: a read that finds nothing is remembered, and would hide for a while what is
//! written a moment later.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Acquisition, HELD, HeldByOther, Lease, Name, SIGNED_OUT, in_time, retained, session_key, text};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// How late a write is seen elsewhere at the latest, and how long a read that found nothing is remembered.
/// A lease of another location counts as abandoned only after both: until then its successor may exist unseen.
const FAR: Duration = Duration::from_mins(1 + 1);

/// How long others that found no lease may take to write theirs. It is added to one request an hour, and keeps
/// two isolates of one location apart also where the write limit does not.
const SETTLED: Duration = Duration::from_millis(100);

/// When a successor is first looked for after its lease was taken here: few providers are faster.
const FIRST_LOOK: Duration = Duration::from_millis(300);

/// When it is looked for again, after it was not there.
const NEXT_LOOK: Duration = Duration::from_millis(100);

/// When a successor is looked for after the provider refused the token. Whoever used it is writing it now.
const LOOK_AGAIN: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];

/// How often writing a successor is tried. It holds the only copy of a token that was paid for with the old one.
const TRIES: u32 = 3;

pub(crate) struct StoreLease<'a, P: Platform> {
    sealing: Sealing<'a>,
    platform: &'a P,
    /// When the lease was taken.
    taken: Cell<Option<Timestamp>>,
}

/// How long a store may want between two writes of one key, and a little more.
const BETWEEN_WRITES: Duration = Duration::from_millis(1100);

/// What is written under a lease's key. It tells its reader nothing but that somebody was here.
#[derive(Deserialize, Serialize)]
struct Held {
    owner: String,
    /// Milliseconds.
    until: u64,
    location: String,
}

impl<P: Platform> Lease for StoreLease<'_, P> {
    async fn acquire(&self, name: &Name, owner: &str) -> Result<Acquisition, StoreError> {
        let key = lease_key(name);
        let now = self.platform.now();
        if let Some(held) = self.held(&key).await? {
            if let Some(tokens) = self.find(name).await? {
                return Ok(Acquisition::AlreadyRefreshed(tokens));
            }
            let theirs = self.theirs(&held, now);
            if now < theirs.until && held.owner != owner {
                return Ok(Acquisition::HeldByOther(theirs));
            }
        }
        let until = now.plus(HELD);
        let mine =
            Held { owner: owner.to_owned(), until: until.millis(), location: self.platform.location() };
        match self.write(&key, &text(&mine), retained(self.sealing)).await {
            Ok(()) => self.taken.set(Some(self.platform.now())),
            // Somebody was faster.
            Err(StoreError::Busy) => {
                let look_at = Some(self.platform.now().plus(FIRST_LOOK));
                return Ok(Acquisition::HeldByOther(HeldByOther { until, look_at }));
            }
            Err(error) => return Err(error),
        }
        // Of several that write here at once, the last one's stays.
        self.platform.sleep(SETTLED).await;
        match self.held(&key).await? {
            Some(held) if held.owner != owner => Ok(Acquisition::HeldByOther(self.theirs(&held, now))),
            _ => Ok(Acquisition::Acquired),
        }
    }

    async fn find(&self, name: &Name) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        let sealed = self.read(&refreshed_tokens_key(name)).await?;
        let now = self.platform.now();
        Ok(sealed.and_then(|sealed| RefreshedTokens::open(&sealed, name, self.sealing.keys, now)))
    }

    async fn find_after_invalid_grant(&self, name: &Name) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        for pause in LOOK_AGAIN {
            self.platform.sleep(pause).await;
            if let Some(tokens) = self.find(name).await? {
                return Ok(Some(tokens));
            }
        }
        Ok(None)
    }

    /// The generation is part of the key, so nothing but another successor of the same tokens can be there.
    async fn publish(&self, name: &Name, _: &str, tokens: &RefreshedTokens) -> Result<(), StoreError> {
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = tokens.seal(name, self.sealing, self.platform.now(), random);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write(&refreshed_tokens_key(name), &sealed, retained(self.sealing)).await {
                Err(_) if tries < TRIES => self.platform.sleep(BETWEEN_WRITES).await,
                written => return written,
            }
        }
    }

    /// Where it was taken just now it ends by itself, soon: to write the key again would be refused, and a
    /// provider that fails so quickly is better left alone for those seconds.
    async fn release(&self, name: &Name, owner: &str) -> Result<(), StoreError> {
        let now = self.platform.now();
        if self.taken.get().is_none_or(|taken| now < taken.plus(BETWEEN_WRITES)) {
            return Ok(());
        }
        let over = Held { owner: owner.to_owned(), until: now.millis(), location: self.platform.location() };
        self.write(&lease_key(name), &text(&over), retained(self.sealing)).await
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.write(&sign_out_key(sid), "1", SIGNED_OUT).await
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
        Self { sealing, platform, taken: Cell::new(None) }
    }

    async fn held(&self, key: &str) -> Result<Option<Held>, StoreError> {
        // What cannot be read was written by another version, and what ends so late by a clock that is wrong: it
        // counts as none.
        let held = self.read(key).await?.and_then(|text| serde_json::from_str::<Held>(&text).ok());
        let latest = self.platform.now().plus(HELD + FAR);
        Ok(held.filter(|held| held.until <= latest.millis()))
    }

    fn theirs(&self, held: &Held, now: Timestamp) -> HeldByOther {
        let until = Timestamp::from_millis(held.until);
        if held.location == self.platform.location() {
            let first = until.minus(HELD).plus(FIRST_LOOK);
            return HeldByOther { until, look_at: Some(first.max(now.plus(NEXT_LOOK))) };
        }
        HeldByOther { until: until.plus(FAR), look_at: None }
    }

    async fn read(&self, key: &str) -> Result<Option<String>, StoreError> {
        in_time(self.platform, self.platform.read_store(key)).await
    }

    async fn write(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        in_time(self.platform, self.platform.write_store(key, value, lifetime)).await
    }
}

fn lease_key(name: &Name) -> String {
    format!("lease/{}", name.key())
}

fn refreshed_tokens_key(name: &Name) -> String {
    format!("next/{}", name.key())
}

fn sign_out_key(sid: &str) -> String {
    format!("out/{}", session_key(sid))
}
