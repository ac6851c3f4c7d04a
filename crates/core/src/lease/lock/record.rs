//! The lock's side: what a lock remembers, and how it answers a call. Plain data, without a runtime.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::super::to_json;
use crate::revocation::object;
use vestibule_oidc::time::Timestamp;

/// The result of serving a call.
#[derive(Debug)]
pub struct Served {
    /// What the caller gets.
    pub outcome: CallOutcome,
    /// The record to store in place of the old one, and when it expires. `None` where it has not changed.
    pub remember: Option<(String, Timestamp)>,
}

/// What the caller of a lock gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// This answer, at once.
    Answer(String),
    /// Nothing yet: the call is to be served again when another call has changed the record, and at the latest at `until`.
    Wait {
        /// When to serve the call again if the record does not change.
        until: Timestamp,
        /// The answer of a lock that cannot keep another waiting call.
        otherwise: String,
    },
}

/// Serves `call`, which reached the lock at `arrived`, from the record that the lock `remembered`. The only clock that
/// counts is the lock's. A lock serves one call at a time, and stores the new record before it answers.
///
/// [`WaitingCalls`](super::WaitingCalls) keeps the calls that wait.
pub fn serve(
    remembered: Option<&str>,
    call: &str,
    arrived: Timestamp,
    now: Timestamp,
) -> Result<Served, UnknownCallError> {
    let call = serde_json::from_str::<AnyCall>(call).map_err(|_| UnknownCallError)?;
    // A record that does not parse was written by another version: the lock begins with an empty one.
    let read = |remembered: &str| serde_json::from_str::<Record>(remembered).ok();
    let mut record = remembered.and_then(read).unwrap_or_default();
    let (outcome, changed) = match call {
        AnyCall::Lease(call) => record.serve(call, arrived, now),
        AnyCall::Revocation(call) => {
            let (answer, changed) = record.revocations.answer(call, now);
            (CallOutcome::Answer(to_json(&answer)), changed)
        }
    };
    Ok(Served { outcome, remember: changed.then(|| (to_json(&record), record.until(now))) })
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
    /// Serves a call, and says whether the record has changed.
    fn serve(&mut self, call: Call, arrived: Timestamp, now: Timestamp) -> (CallOutcome, bool) {
        if let Call::Acquire { generation, owner, wait_for, .. } = &call
            && let Some(until) = self.held_by_other(*generation, owner, now)
        {
            let otherwise = to_json(&Answer::HeldByOther { until: until.millis() });
            let wait_until = arrived.plus(Duration::from_millis(*wait_for)).min(until);
            let outcome = if now < wait_until {
                CallOutcome::Wait { until: wait_until, otherwise }
            } else {
                CallOutcome::Answer(otherwise)
            };
            return (outcome, false);
        }
        let (answer, changed) = self.answer(call, now);
        (CallOutcome::Answer(to_json(&answer)), changed)
    }

    /// When the lease ends that another process holds and that keeps this one from refreshing, or that this process holds for
    /// newer tokens. `None` also if there are newer tokens, or the session was signed out.
    fn held_by_other(&self, generation: u64, owner: &str, now: Timestamp) -> Option<Timestamp> {
        if self.is_signed_out(now) || self.newer_than(generation, now).is_some() {
            return None;
        }
        let held = self.held.as_ref()?;
        let until = Timestamp::from_millis(held.until);
        let is_other = held.generation > generation || held.generation == generation && held.owner != owner;
        (now < until && is_other).then_some(until)
    }

    /// Answers a call that does not wait, and says whether the record has changed.
    fn answer(&mut self, call: Call, now: Timestamp) -> (Answer, bool) {
        let after = |millis: u64| now.plus(Duration::from_millis(millis)).millis();
        match call {
            Call::SignOut { kept_for } => {
                *self = Self { signed_out_until: Some(after(kept_for)), ..Self::default() };
                (Answer::Done, true)
            }
            Call::IsSignedOut if self.is_signed_out(now) => (Answer::SignedOut, false),
            Call::IsSignedOut => (Answer::NotFound, false),
            Call::Acquire { .. } | Call::Find { .. } | Call::Publish { .. } if self.is_signed_out(now) => {
                (Answer::SignedOut, false)
            }
            Call::Acquire { generation, owner, held_for, .. } => {
                if let Some(sealed) = self.newer_than(generation, now) {
                    return (Answer::Refreshed { sealed }, false);
                }
                self.held = Some(Held { generation, owner, until: after(held_for) });
                (Answer::Acquired, true)
            }
            Call::Find { generation } => match self.newer_than(generation, now) {
                Some(sealed) => (Answer::Refreshed { sealed }, false),
                None => (Answer::NotFound, false),
            },
            Call::Publish { generation, owner, sealed, kept_for } => {
                self.held = self.held.take().filter(|held| held.owner != owner);
                let newest = self.newest.take().filter(|newest| now.millis() < newest.until);
                self.newest = newest.filter(|newest| newest.generation >= generation);
                if self.newest.is_none() {
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
    fn newer_than(&self, generation: u64, now: Timestamp) -> Option<String> {
        let is_newer = |newest: &&Newest| newest.generation > generation && now.millis() < newest.until;
        Some(self.newest.as_ref().filter(is_newer)?.sealed.clone())
    }

    fn is_signed_out(&self, now: Timestamp) -> bool {
        self.signed_out_until.is_some_and(|until| now.millis() < until)
    }

    /// When the record expires as a whole.
    fn until(&self, now: Timestamp) -> Timestamp {
        let ends = [
            self.newest.as_ref().map(|newest| newest.until),
            self.held.as_ref().map(|held| held.until),
            self.signed_out_until,
        ];
        let until = ends.into_iter().flatten().max().map_or(now, Timestamp::from_millis);
        until.max(self.revocations.until(now))
    }
}

/// What a lock stores. The times are milliseconds since 1970.
#[derive(Default, Deserialize, Serialize)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<Newest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_out_until: Option<u64>,
    /// A lock that is named by a user, or by a session of a provider, has only these.
    #[serde(flatten)]
    revocations: object::Record,
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

/// A call to a lock, which is about a lease or about revocations.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyCall {
    Lease(Call),
    Revocation(object::Call),
}

/// A call to a lock about a lease. `held_for`, `wait_for` and `kept_for` are milliseconds.
#[derive(Deserialize, Serialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub(super) enum Call {
    Acquire {
        generation: u64,
        owner: String,
        held_for: u64,
        /// How long to wait for another process's tokens or lease. Calls of older versions do not wait.
        #[serde(default)]
        wait_for: u64,
    },
    Find {
        generation: u64,
    },
    Publish {
        generation: u64,
        owner: String,
        sealed: String,
        kept_for: u64,
    },
    Release {
        owner: String,
    },
    SignOut {
        kept_for: u64,
    },
    IsSignedOut,
}

/// A lock's answer to a call. `until` is milliseconds since 1970.
#[derive(Deserialize, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(super) enum Answer {
    Acquired,
    HeldByOther { until: u64 },
    Refreshed { sealed: String },
    SignedOut,
    Done,
    NotFound,
}
