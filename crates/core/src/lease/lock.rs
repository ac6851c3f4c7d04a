//! A lease in a lock. Each session has its own lock, which answers one call at a time and keeps a record. So one
//! process refreshes at a time, and a request with older tokens gets the newest ones.
//!
//! [`serve`] is the lock's side, without its runtime; `LockLease` is the request's side.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Acquisition, Found, LEASE_DURATION, Lease, Publication, RefreshId, SIGN_OUT_RETENTION, retention,
    session_key, to_json, with_timeout,
};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// The pause before a request that finds the lease held asks for it again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The pauses before a failed call is repeated.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// What a lock stores. The times are milliseconds since 1970.
#[derive(Default, Deserialize, Serialize)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<Newest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_out_until: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct Newest {
    generation: u64,
    sealed: String,
    until: u64,
}

#[derive(Deserialize, Serialize)]
struct Held {
    generation: u64,
    owner: String,
    until: u64,
}

/// A call to a lock. `held_for` and `kept_for` are milliseconds.
#[derive(Deserialize, Serialize)]
#[serde(tag = "call", rename_all = "snake_case")]
enum Call {
    Acquire { generation: u64, owner: String, held_for: u64 },
    Find { generation: u64 },
    Publish { generation: u64, owner: String, sealed: String, kept_for: u64 },
    Release { owner: String },
    SignOut { kept_for: u64 },
    IsSignedOut,
}

/// A lock's answer to a call. `until` is milliseconds since 1970.
#[derive(Deserialize, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    Acquired,
    HeldByOther { until: u64 },
    Refreshed { sealed: String },
    SignedOut,
    Done,
    NotFound,
}

/// The result of a call.
#[derive(Debug)]
pub struct CallResult {
    /// The answer for the caller.
    pub answer: String,
    /// The record to store in place of the old one, and when it expires. `None` where it has not changed.
    pub remember: Option<(String, Timestamp)>,
}

/// Answers `call` from the record that the lock `remembered`. A lock handles one call at a time, and stores the new
/// record before it answers.
pub fn serve(remembered: Option<&str>, call: &str, now: Timestamp) -> Result<CallResult, UnknownCallError> {
    let call = serde_json::from_str(call).map_err(|_| UnknownCallError)?;
    // A record that does not parse was written by another version: the lock begins with an empty one.
    let read = |remembered: &str| serde_json::from_str::<Record>(remembered).ok();
    let mut record = remembered.and_then(read).unwrap_or_default();
    let (answer, changed) = record.answer(call, now);
    Ok(CallResult {
        answer: to_json(&answer),
        remember: changed.then(|| (to_json(&record), record.until(now))),
    })
}

/// A call that this version of the lock does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the refresh lease's lock does not know this call: the lock runs another version than its caller")]
pub struct UnknownCallError;

/// When the `remembered` record expires. `None` if it has expired, or does not parse.
pub fn remembered_until(remembered: &str, now: Timestamp) -> Option<Timestamp> {
    let record: Record = serde_json::from_str(remembered).ok()?;
    Some(record.until(now)).filter(|until| *until > now)
}

impl Record {
    /// Answers a call, and says whether the record has changed.
    fn answer(&mut self, call: Call, now: Timestamp) -> (Answer, bool) {
        let after = |millis: u64| now.plus(Duration::from_millis(millis)).millis();
        let passed = |until: u64| until <= now.millis();
        if self.newest.as_ref().is_some_and(|newest| passed(newest.until)) {
            self.newest = None;
        }
        let is_signed_out = self.signed_out_until.is_some_and(|until| !passed(until));
        match call {
            Call::SignOut { kept_for } => {
                *self = Self { signed_out_until: Some(after(kept_for)), ..Self::default() };
                (Answer::Done, true)
            }
            Call::IsSignedOut if is_signed_out => (Answer::SignedOut, false),
            Call::IsSignedOut => (Answer::NotFound, false),
            Call::Acquire { .. } | Call::Find { .. } | Call::Publish { .. } if is_signed_out => {
                (Answer::SignedOut, false)
            }
            Call::Acquire { generation, owner, held_for } => match self.newer_than(generation) {
                Some(sealed) => (Answer::Refreshed { sealed }, false),
                None => match &self.held {
                    Some(held)
                        if !passed(held.until) && held.generation >= generation && held.owner != owner =>
                    {
                        (Answer::HeldByOther { until: held.until }, false)
                    }
                    _ => {
                        self.held = Some(Held { generation, owner, until: after(held_for) });
                        (Answer::Acquired, true)
                    }
                },
            },
            Call::Find { generation } => match self.newer_than(generation) {
                Some(sealed) => (Answer::Refreshed { sealed }, false),
                None => (Answer::NotFound, false),
            },
            Call::Publish { generation, owner, sealed, kept_for } => {
                self.held = self.held.take().filter(|held| held.owner != owner);
                if self.newest.as_ref().is_none_or(|newest| newest.generation < generation) {
                    self.newest = Some(Newest { generation, sealed, until: after(kept_for) });
                }
                (Answer::Done, true)
            }
            Call::Release { owner } => {
                let is_held = self.held.as_ref().is_some_and(|held| held.owner == owner);
                self.held = self.held.take().filter(|_| !is_held);
                (Answer::Done, is_held)
            }
        }
    }

    /// The newest tokens, if they are newer than those of `generation`.
    fn newer_than(&self, generation: u64) -> Option<String> {
        let newest = self.newest.as_ref().filter(|newest| newest.generation > generation)?;
        Some(newest.sealed.clone())
    }

    /// When the record expires as a whole.
    fn until(&self, now: Timestamp) -> Timestamp {
        let ends = [
            self.newest.as_ref().map(|newest| newest.until),
            self.held.as_ref().map(|held| held.until),
            self.signed_out_until,
        ];
        ends.into_iter().flatten().max().map_or(now, Timestamp::from_millis)
    }
}

pub(crate) struct LockLease<'a, P: Platform> {
    pub(super) sealing: Sealing<'a>,
    pub(super) platform: &'a P,
}

impl<P: Platform> Lease for LockLease<'_, P> {
    async fn acquire(
        &self,
        id: &RefreshId,
        owner: &str,
        max_wait: Duration,
    ) -> Result<Acquisition, StoreError> {
        let held_for = millis(LEASE_DURATION);
        let call = Call::Acquire { generation: id.generation, owner: owner.to_owned(), held_for };
        let deadline = self.platform.now().plus(max_wait);
        loop {
            match self.call(&id.sid, &call).await? {
                Answer::Acquired => return Ok(Acquisition::Acquired),
                Answer::HeldByOther { .. } if self.platform.now() < deadline => {
                    self.platform.sleep(POLL_INTERVAL).await;
                }
                Answer::HeldByOther { until } => {
                    return Ok(Acquisition::HeldByOther { until: Timestamp::from_millis(until) });
                }
                // Tokens that do not open were sealed with a secret that is no longer configured. Then the provider
                // decides whether the refresh token is still valid.
                Answer::Refreshed { sealed } => {
                    let tokens = self.open(&sealed, id);
                    return Ok(tokens.map_or(Acquisition::Acquired, Acquisition::AlreadyRefreshed));
                }
                Answer::SignedOut => return Ok(Acquisition::SignedOut),
                Answer::Done | Answer::NotFound => return Err(unexpected("acquire")),
            }
        }
    }

    async fn find_after_invalid_grant(&self, id: &RefreshId) -> Result<Found, StoreError> {
        match self.call(&id.sid, &Call::Find { generation: id.generation }).await? {
            Answer::Refreshed { sealed } => Ok(self.open(&sealed, id).map_or(Found::Nothing, Found::Tokens)),
            Answer::SignedOut => Ok(Found::SignedOut),
            _ => Ok(Found::Nothing),
        }
    }

    async fn publish(
        &self,
        id: &RefreshId,
        owner: &str,
        tokens: &RefreshedTokens,
    ) -> Result<Publication, StoreError> {
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = tokens.seal(id, self.sealing, self.platform.now(), random);
        let kept_for = millis(retention(self.sealing));
        let (generation, owner) = (tokens.generation, owner.to_owned());
        match self.call(&id.sid, &Call::Publish { generation, owner, sealed, kept_for }).await? {
            Answer::SignedOut => Ok(Publication::SignedOut),
            _ => Ok(Publication::Published),
        }
    }

    async fn release(&self, id: &RefreshId, owner: &str) -> Result<(), StoreError> {
        self.call(&id.sid, &Call::Release { owner: owner.to_owned() }).await.map(drop)
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.call(sid, &Call::SignOut { kept_for: millis(SIGN_OUT_RETENTION) }).await.map(drop)
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        Ok(matches!(self.call(sid, &Call::IsSignedOut).await?, Answer::SignedOut))
    }

    fn sees_all_writes(&self) -> bool {
        true
    }
}

impl<P: Platform> LockLease<'_, P> {
    async fn call(&self, sid: &str, call: &Call) -> Result<Answer, StoreError> {
        let call = to_json(call);
        let answer = with_timeout(self.platform, self.call_with_retries(&session_key(sid), &call)).await?;
        serde_json::from_str(&answer).map_err(|_| unexpected("the call"))
    }

    /// Repeats a call whose answer was lost, as happens when a lock moves or is overloaded. Every call is idempotent.
    async fn call_with_retries(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let mut pauses = RETRY_DELAYS.into_iter();
        loop {
            let answered = self.platform.call_lock(name, call).await;
            match (&answered, pauses.next()) {
                (Err(StoreError::Failed(_)), Some(pause)) => self.platform.sleep(pause).await,
                _ => return answered,
            }
        }
    }

    fn open(&self, sealed: &str, id: &RefreshId) -> Option<Rc<RefreshedTokens>> {
        RefreshedTokens::open(sealed, id, self.sealing.keys, self.platform.now())
    }
}

fn unexpected(call: &str) -> StoreError {
    StoreError::Failed(format!("the refresh lease's lock gave an unexpected answer to {call}"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
