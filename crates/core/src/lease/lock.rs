//! A lease in a lock. Each session has its own lock, which serves one call at a time and keeps a record. So one process
//! refreshes at a time, and a request with older tokens gets the newest ones. A call that finds the lease held waits at
//! the lock, so that a refresh takes two calls, and one more for each process that waits for it.
//!
//! [`serve`] and [`WaitingCalls`] are the lock's side, without its runtime; `LockLease` is the request's side.

mod record;
mod single_use;
mod waiting;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use self::record::{Answer, Call};
pub use self::record::{CallOutcome, Served, UnknownCallError, remembered_until, serve};
pub(crate) use self::single_use::use_once;
pub use self::waiting::{Answers, WaitingCalls};
use super::{
    Acquisition, Found, LEASE_DURATION, Lease, Publication, RefreshId, SIGN_OUT_RETENTION, STORE_TIMEOUT,
    retention, session_key, to_json,
};
use crate::platform::{Platform, StoreError, answered_within};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// The pause before a lock is asked again that answered sooner than asked for: too many calls wait at it, or it runs an
/// older version.
const PAUSE: Duration = Duration::from_millis(500);

/// The pauses before a failed call is repeated.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

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
        let deadline = self.platform.now().plus(max_wait);
        loop {
            let call = Call::Acquire {
                generation: id.generation,
                owner: owner.to_owned(),
                held_for: millis(LEASE_DURATION),
                wait_for: millis(deadline.since(self.platform.now())),
            };
            match self.call(&id.sid, call).await? {
                Answer::Acquired => return Ok(Acquisition::Acquired),
                Answer::HeldByOther { until } => {
                    if deadline.since(self.platform.now()) < PAUSE {
                        return Ok(Acquisition::HeldByOther { until: Timestamp::from_millis(until) });
                    }
                    self.platform.sleep(PAUSE).await;
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
        match self.call(&id.sid, Call::Find { generation: id.generation }).await? {
            Answer::Refreshed { sealed } => Ok(self.open(&sealed, id).map_or(Found::Nothing, Found::Tokens)),
            Answer::SignedOut => Ok(Found::SignedOut),
            _ => Ok(Found::Nothing),
        }
    }

    async fn published(&self, id: &RefreshId) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        Ok(match self.find_after_invalid_grant(id).await? {
            Found::Tokens(tokens) => Some(tokens),
            Found::Nothing | Found::SignedOut => None,
        })
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
        match self.call(&id.sid, Call::Publish { generation, owner, sealed, kept_for }).await? {
            Answer::SignedOut => Ok(Publication::SignedOut),
            _ => Ok(Publication::Published),
        }
    }

    async fn release(&self, id: &RefreshId, owner: &str) -> Result<(), StoreError> {
        self.call(&id.sid, Call::Release { owner: owner.to_owned() }).await.map(drop)
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.call(sid, Call::SignOut { kept_for: millis(SIGN_OUT_RETENTION) }).await.map(drop)
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        Ok(matches!(self.call(sid, Call::IsSignedOut).await?, Answer::SignedOut))
    }

    fn sees_all_writes(&self) -> bool {
        true
    }
}

impl<P: Platform> LockLease<'_, P> {
    async fn call(&self, sid: &str, call: Call) -> Result<Answer, StoreError> {
        let timeout = STORE_TIMEOUT + call.max_wait();
        let name = session_key(sid);
        let answered = self.call_with_retries(&name, call);
        let answer = answered_within(self.platform, timeout, pin!(answered)).await?;
        serde_json::from_str(&answer).map_err(|_| unexpected("the call"))
    }

    /// Repeats a call whose answer was lost, as happens when a lock moves or is overloaded, also while the call waits.
    /// Every call is idempotent.
    async fn call_with_retries(&self, name: &str, mut call: Call) -> Result<String, StoreError> {
        let waits_until = self.platform.now().plus(call.max_wait());
        let mut pauses = RETRY_DELAYS.into_iter();
        loop {
            let answered = self.platform.call_lock(name, &to_json(&call)).await;
            match (&answered, pauses.next()) {
                (Err(StoreError::Failed(_)), Some(pause)) => self.platform.sleep(pause).await,
                _ => return answered,
            }
            call.limit_wait(waits_until.since(self.platform.now()));
        }
    }

    fn open(&self, sealed: &str, id: &RefreshId) -> Option<Rc<RefreshedTokens>> {
        RefreshedTokens::open(sealed, id, self.sealing.keys, self.platform.now())
    }
}

impl Call {
    /// How long the call may wait at the lock.
    fn max_wait(&self) -> Duration {
        match self {
            Self::Acquire { wait_for, .. } => Duration::from_millis(*wait_for),
            _ => Duration::ZERO,
        }
    }

    fn limit_wait(&mut self, max_wait: Duration) {
        if let Self::Acquire { wait_for, .. } = self {
            *wait_for = (*wait_for).min(millis(max_wait));
        }
    }
}

fn unexpected(call: &str) -> StoreError {
    StoreError::Failed(format!("the refresh lease's lock gave an unexpected answer to {call}"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
