//! The calls that wait at a lock.

use std::collections::VecDeque;

use super::record::{CallOutcome, UnknownCallError, serve};
use vestibule_oidc::time::Timestamp;

/// How many calls may wait at one lock. It has one for each process that a browser's requests reach; more are answered
/// at once, that the lease is held.
const MAX_WAITING: usize = 1000;

/// The calls that wait at one lock, in the order in which they arrived. `C` is what the runtime answers a caller by.
///
/// The runtime tells it each call that arrives, and when the time of [`wake_at`](Self::wake_at) has come. Each time it
/// stores the new record, if there is one, and then gives the answers. A call that waits is answered as soon as another
/// call has changed the record so that it can be, and at the latest when its own wait has ended.
///
/// Waiting calls are not stored. If the lock ends, their callers get an error and call again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WaitingCalls<C>(VecDeque<WaitingCall<C>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WaitingCall<C> {
    caller: C,
    call: String,
    arrived: Timestamp,
    until: Timestamp,
}

/// What follows from one call, or from the time.
#[derive(Debug)]
pub struct Answers<C> {
    /// The record to store in place of the old one before any answer is given, and when it expires. `None` where it has
    /// not changed.
    pub remember: Option<(String, Timestamp)>,
    /// The callers that get an answer now.
    pub answers: Vec<(C, Result<String, UnknownCallError>)>,
}

impl<C> Default for WaitingCalls<C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<C> WaitingCalls<C> {
    /// Serves a call that has just arrived, and then the waiting calls if it has changed the record.
    pub fn receive(&mut self, remembered: Option<&str>, call: &str, caller: C, now: Timestamp) -> Answers<C> {
        let served = match serve(remembered, call, now, now) {
            Ok(served) => served,
            Err(error) => return Answers { remember: None, answers: vec![(caller, Err(error))] },
        };
        let mut result = Answers { remember: served.remember, answers: Vec::new() };
        match served.outcome {
            CallOutcome::Wait { until, .. } if self.0.len() < MAX_WAITING => {
                self.0.push_back(WaitingCall { caller, call: call.to_owned(), arrived: now, until });
            }
            CallOutcome::Answer(answer) | CallOutcome::Wait { otherwise: answer, .. } => {
                result.answers.push((caller, Ok(answer)));
            }
        }
        if result.remember.is_some() {
            self.serve_waiting(remembered, &mut result, true, now);
        }
        result
    }

    /// Serves the waiting calls whose time has come.
    pub fn wake(&mut self, remembered: Option<&str>, now: Timestamp) -> Answers<C> {
        let mut result = Answers { remember: None, answers: Vec::new() };
        if self.wake_at().is_some_and(|at| at <= now) {
            self.serve_waiting(remembered, &mut result, false, now);
        }
        result
    }

    /// When [`wake`](Self::wake) must be called. `None` if no call waits.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.0.iter().map(|waiting| waiting.until).min()
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no call waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The callers of all waiting calls, for a lock that ends.
    pub fn into_callers(self) -> impl Iterator<Item = C> {
        self.0.into_iter().map(|waiting| waiting.caller)
    }

    /// Removes the calls whose callers are gone, so that the lease is not granted to them. A runtime that cannot tell
    /// leaves them: a lease that nobody uses ends like that of a process that crashed.
    pub fn remove(&mut self, is_gone: impl Fn(&C) -> bool) {
        self.0.retain(|waiting| !is_gone(&waiting.caller));
    }

    /// Serves every waiting call, or those whose time has come; and every one again while one of them changes the record.
    fn serve_waiting(
        &mut self,
        remembered: Option<&str>,
        result: &mut Answers<C>,
        mut every_one: bool,
        now: Timestamp,
    ) {
        loop {
            let mut has_changed = false;
            for _ in 0..self.0.len() {
                let Some(waiting) = self.0.pop_front() else { break };
                if !every_one && waiting.until > now {
                    self.0.push_back(waiting);
                    continue;
                }
                let record = result.remember.as_ref().map(|(record, _)| record.as_str()).or(remembered);
                match serve(record, &waiting.call, waiting.arrived, now) {
                    Ok(served) => {
                        has_changed |= served.remember.is_some();
                        result.remember = served.remember.or(result.remember.take());
                        match served.outcome {
                            CallOutcome::Wait { until, .. } => {
                                self.0.push_back(WaitingCall { until, ..waiting });
                            }
                            CallOutcome::Answer(answer) => result.answers.push((waiting.caller, Ok(answer))),
                        }
                    }
                    Err(error) => result.answers.push((waiting.caller, Err(error))),
                }
            }
            if !has_changed {
                return;
            }
            every_one = true;
        }
    }
}
