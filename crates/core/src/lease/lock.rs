//! A lease that is a lock: one for each session, which answers one call after the other and has a memory of its own.
//! Strict: one refresh at a time, and whoever comes with older tokens gets the newest.
//!
//! [`serve`] is what such a lock does, without its runtime; `LockLease` is how a request asks it.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Acquisition, HELD, HeldByOther, Lease, Name, SIGNED_OUT, in_time, retained, session_key, text};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// When a successor is first looked for after somebody else took the lease.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// When a call that failed is made again.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// What a lock remembers.
#[derive(Default, Deserialize, Serialize)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<Newest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_out_until: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct Newest {
    generation: u64,
    sealed: String,
    /// Milliseconds.
    until: u64,
}

#[derive(Deserialize, Serialize)]
struct Held {
    generation: u64,
    owner: String,
    /// Milliseconds.
    until: u64,
}

/// What a lock is asked. Times are milliseconds.
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

/// What a lock has done.
#[derive(Debug)]
pub struct CallResult {
    /// What is answered.
    pub answer: String,
    /// What is to be remembered from now on, where that has changed, and until when.
    pub remember: Option<(String, Timestamp)>,
}

/// Answers `call` by what was `remembered`. A lock does this for one call after the other, and remembers
/// before it answers.
pub fn serve(remembered: Option<&str>, call: &str, now: Timestamp) -> Result<CallResult, UnknownCallError> {
    let call = serde_json::from_str(call).map_err(|_| UnknownCallError)?;
    // What cannot be read was written by another version.
    let read = |remembered: &str| serde_json::from_str::<Record>(remembered).ok();
    let mut record = remembered.and_then(read).unwrap_or_default();
    let (answer, changed) = record.answer(call, now);
    Ok(CallResult { answer: text(&answer), remember: changed.then(|| (text(&record), record.until(now))) })
}

/// A call that this version of the object does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lease's lock does not know that call")]
pub struct UnknownCallError;

/// Until when what is `remembered` counts, where that lies ahead.
pub fn ends_after(remembered: &str, now: Timestamp) -> Option<Timestamp> {
    let record: Record = serde_json::from_str(remembered).ok()?;
    Some(record.until(now)).filter(|until| *until > now)
}

impl Record {
    /// The answer, and whether anything has changed.
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
            Call::Acquire { generation, owner, held_for } => match self.after(generation) {
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
            Call::Find { generation } => match self.after(generation) {
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
                let is_theirs = self.held.as_ref().is_some_and(|held| held.owner == owner);
                self.held = self.held.take().filter(|_| !is_theirs);
                (Answer::Done, is_theirs)
            }
        }
    }

    /// The newest tokens, where they follow those of `generation`.
    fn after(&self, generation: u64) -> Option<String> {
        let newest = self.newest.as_ref().filter(|newest| newest.generation > generation)?;
        Some(newest.sealed.clone())
    }

    /// When all of it can be forgotten.
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
    async fn acquire(&self, name: &Name, owner: &str) -> Result<Acquisition, StoreError> {
        let held_for = millis(HELD);
        let call = Call::Acquire { generation: name.generation, owner: owner.to_owned(), held_for };
        match self.call(&name.sid, &call).await? {
            Answer::Acquired => Ok(Acquisition::Acquired),
            Answer::HeldByOther { until } => {
                let look_at = Some(self.platform.now().plus(FIRST_LOOK));
                Ok(Acquisition::HeldByOther(HeldByOther { until: Timestamp::from_millis(until), look_at }))
            }
            // What cannot be opened was sealed with a secret that is gone: then the provider's word counts.
            Answer::Refreshed { sealed } => {
                Ok(self.open(&sealed, name).map_or(Acquisition::Acquired, Acquisition::AlreadyRefreshed))
            }
            Answer::SignedOut => Ok(Acquisition::SignedOut),
            Answer::Done | Answer::NotFound => Err(unexpected("acquire")),
        }
    }

    async fn find(&self, name: &Name) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        match self.call(&name.sid, &Call::Find { generation: name.generation }).await? {
            Answer::Refreshed { sealed } => Ok(self.open(&sealed, name)),
            _ => Ok(None),
        }
    }

    async fn find_after_invalid_grant(&self, name: &Name) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        self.find(name).await
    }

    async fn publish(&self, name: &Name, owner: &str, tokens: &RefreshedTokens) -> Result<(), StoreError> {
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = tokens.seal(name, self.sealing, self.platform.now(), random);
        let kept_for = millis(retained(self.sealing));
        let (generation, owner) = (tokens.generation, owner.to_owned());
        self.call(&name.sid, &Call::Publish { generation, owner, sealed, kept_for }).await.map(drop)
    }

    async fn release(&self, name: &Name, owner: &str) -> Result<(), StoreError> {
        self.call(&name.sid, &Call::Release { owner: owner.to_owned() }).await.map(drop)
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.call(sid, &Call::SignOut { kept_for: millis(SIGNED_OUT) }).await.map(drop)
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
        let call = text(call);
        let answer = in_time(self.platform, self.ask(&session_key(sid), &call)).await?;
        serde_json::from_str(&answer).map_err(|_| unexpected("what it was asked"))
    }

    /// Every call may come twice: it does no more than the first time. So one whose answer is lost, as when the
    /// lock moves or is overloaded, is made again.
    async fn ask(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let mut pauses = ASK_AGAIN.into_iter();
        loop {
            let answered = self.platform.call_lock(name, call).await;
            match (&answered, pauses.next()) {
                (Err(StoreError::Failed(_)), Some(pause)) => self.platform.sleep(pause).await,
                _ => return answered,
            }
        }
    }

    fn open(&self, sealed: &str, name: &Name) -> Option<Rc<RefreshedTokens>> {
        RefreshedTokens::open(sealed, name, self.sealing.keys, self.platform.now())
    }
}

fn unexpected(call: &str) -> StoreError {
    StoreError::Failed(format!("the lease's lock gave no usable answer to {call}"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
