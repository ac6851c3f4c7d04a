//! One refresh at a time in an isolate.
//!
//! What requests share is plain data: a request's I/O ends with it, so nobody may wait for another one's. Whoever
//! comes second looks at the data again after a while, with a timer of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::{HELD, Name};
use crate::platform::{Platform, random_id};
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// How long what came of a refresh is kept: for the requests that were sent with the old cookie, and so that a
/// grant that is gone is not asked for with every request.
const REMEMBERED: Duration = Duration::from_mins(2);

/// How many refreshes an isolate remembers. An isolate serves for hours; the oldest make room.
const MOST: usize = 1000;

/// What an isolate knows of refreshes.
#[derive(Default)]
pub(crate) struct InFlightRefreshes(RefCell<State>);

#[derive(Default)]
struct State {
    /// Unguessable, and other isolates have others.
    isolate: Option<String>,
    refreshes: BTreeMap<Name, Progress>,
    /// By `sid`: the newest generation, and whether the session was signed out.
    sessions: BTreeMap<String, SessionState>,
    slots: u64,
}

enum Progress {
    /// A request is at it. From `deadline` on it counts as dead, and its slot as free.
    InFlight {
        slot: u64,
        deadline: Timestamp,
    },
    Completed {
        outcome: RefreshOutcome,
        until: Timestamp,
    },
}

struct SessionState {
    generation: u64,
    is_signed_out: bool,
    until: Timestamp,
}

/// What came of a refresh.
#[derive(Clone, Debug)]
pub(crate) enum RefreshOutcome {
    /// New tokens.
    Renewed(Rc<RefreshedTokens>),
    /// The provider gives none any more; and whether that is beyond doubt, because nobody can have used the
    /// refresh token unseen.
    InvalidGrant { is_final: bool },
    /// The session was signed out.
    SignedOut,
    /// Nothing for now.
    Unavailable { until: Timestamp },
    /// Another isolate is at it: nothing to wait for as long as the access token lives.
    HeldElsewhere { until: Timestamp },
}

/// A request's slot at the front. Dropped before [`Slot::complete`], it is free again.
pub(crate) struct Slot {
    refreshes: Rc<InFlightRefreshes>,
    name: Name,
    number: u64,
    /// Whether the provider refused the same token before, so long ago that whoever used it has left word.
    pub(crate) was_invalid: bool,
    /// Who asks for a lease.
    pub(crate) owner: String,
}

/// What a request finds.
pub(crate) enum Joined {
    /// It is the one.
    Leader(Slot),
    /// Another one is.
    InFlight,
    /// It is done.
    Completed(RefreshOutcome),
}

impl InFlightRefreshes {
    /// Takes the slot at the front, or says who has it. Who has no living token takes it also where another
    /// isolate is at it.
    pub(crate) fn join<P: Platform>(
        self: &Rc<Self>,
        name: &Name,
        token_is_valid: bool,
        platform: &P,
    ) -> Joined {
        let now = platform.now();
        let mut state = self.0.borrow_mut();
        let mut was_gone = false;
        match state.refreshes.get(name) {
            Some(Progress::InFlight { deadline, .. }) if now < *deadline => return Joined::InFlight,
            Some(Progress::Completed { outcome, until }) if now < *until => match outcome {
                RefreshOutcome::HeldElsewhere { .. } if !token_is_valid => {}
                outcome => return Joined::Completed(outcome.clone()),
            },
            Some(Progress::Completed { outcome: RefreshOutcome::InvalidGrant { .. }, .. }) => was_gone = true,
            _ => {}
        }
        let owner = state.isolate.get_or_insert_with(|| random_id(platform)).clone();
        state.slots += 1;
        let number = state.slots;
        state.make_room(now);
        state.refreshes.insert(name.clone(), Progress::InFlight { slot: number, deadline: now.plus(HELD) });
        Joined::Leader(Slot {
            refreshes: Rc::clone(self),
            name: name.clone(),
            number,
            was_invalid: was_gone,
            owner,
        })
    }

    /// Remembers that a session was signed out here.
    pub(crate) fn sign_out(&self, sid: &str, now: Timestamp) {
        let mut state = self.0.borrow_mut();
        state.make_room(now);
        state.session(sid, now).is_signed_out = true;
    }

    /// Whether a session was signed out here.
    pub(crate) fn is_signed_out(&self, sid: &str) -> bool {
        self.0.borrow().sessions.get(sid).is_some_and(|session| session.is_signed_out)
    }

    /// Whether a session has newer tokens than those of `generation`: its cookie must not be written any more.
    pub(crate) fn is_outdated(&self, sid: &str, generation: u64) -> bool {
        self.0.borrow().sessions.get(sid).is_some_and(|session| session.generation > generation)
    }
}

impl Slot {
    /// Whether nobody else has the slot; if so it stays this request's for as long as a lease is held.
    pub(crate) fn extend(&self, now: Timestamp) -> bool {
        let mut state = self.refreshes.0.borrow_mut();
        // A busy isolate may have had no room for it.
        let is_held = !state.refreshes.contains_key(&self.name) || state.holds(&self.name, self.number);
        if is_held {
            let progress = Progress::InFlight { slot: self.number, deadline: now.plus(HELD) };
            state.refreshes.insert(self.name.clone(), progress);
        }
        is_held
    }

    /// Says what came of it. From someone whose slot was taken meanwhile only good news count.
    pub(crate) fn complete(self, outcome: RefreshOutcome, now: Timestamp) {
        let mut state = self.refreshes.0.borrow_mut();
        if !state.holds(&self.name, self.number) && !matches!(outcome, RefreshOutcome::Renewed(_)) {
            return;
        }
        if let RefreshOutcome::Renewed(tokens) = &outcome {
            let session = state.session(&self.name.sid, now);
            session.generation = session.generation.max(tokens.generation);
        }
        let until = match &outcome {
            RefreshOutcome::Unavailable { until } | RefreshOutcome::HeldElsewhere { until } => *until,
            _ => now.plus(REMEMBERED),
        };
        state.refreshes.insert(self.name.clone(), Progress::Completed { outcome, until });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.refreshes.0.borrow_mut();
        if state.holds(&self.name, self.number) {
            state.refreshes.remove(&self.name);
        }
    }
}

impl State {
    fn holds(&self, name: &Name, number: u64) -> bool {
        matches!(self.refreshes.get(name), Some(Progress::InFlight { slot, .. }) if *slot == number)
    }

    fn session(&mut self, sid: &str, now: Timestamp) -> &mut SessionState {
        let new = || SessionState { generation: 0, is_signed_out: false, until: now };
        let state = self.sessions.entry(sid.to_owned()).or_insert_with(new);
        state.until = now.plus(super::SIGNED_OUT);
        state
    }

    /// Forgets what is over, and, where that is not enough, what is over next.
    fn make_room(&mut self, now: Timestamp) {
        if self.refreshes.len() >= MOST {
            // What is under way goes last: without its slot a second request would go for the same tokens.
            let end = |progress: &Progress| match progress {
                Progress::InFlight { deadline, .. } => (true, *deadline),
                Progress::Completed { until, .. } => (false, *until),
            };
            self.refreshes.retain(|_, progress| now < end(progress).1);
            if self.refreshes.len() >= MOST {
                let next = self.refreshes.iter().min_by_key(|(_, progress)| end(progress));
                let next = next.map(|(name, _)| name.clone());
                if let Some(name) = next {
                    self.refreshes.remove(&name);
                }
            }
        }
        if self.sessions.len() >= MOST {
            self.sessions.retain(|_, session| now < session.until);
            if self.sessions.len() >= MOST {
                let next = self.sessions.iter().min_by_key(|(_, session)| session.until);
                let next = next.map(|(sid, _)| sid.clone());
                if let Some(sid) = next {
                    self.sessions.remove(&sid);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::claims::Session;

    #[test]
    fn point_2_what_is_under_way_is_forgotten_last() {
        let name = |number: usize| {
            let claims = json!({ "sid": number.to_string(), "refresh_token": "r" });
            Name::of(&Session::new(claims.as_object().unwrap().clone())).unwrap()
        };
        let now = Timestamp::from_seconds(1000);
        let mut state = State::default();
        let in_flight = Progress::InFlight { slot: 1, deadline: now.plus(HELD) };
        state.refreshes.insert(name(0), in_flight);
        for number in 1..MOST + 50 {
            state.make_room(now);
            let outcome = RefreshOutcome::SignedOut;
            state
                .refreshes
                .insert(name(number), Progress::Completed { outcome, until: now.plus(REMEMBERED) });
        }
        assert_eq!(state.refreshes.len(), MOST);
        assert!(state.holds(&name(0), 1));
        // Where nothing else is left, the oldest goes.
        state.refreshes.retain(|_, progress| matches!(progress, Progress::InFlight { .. }));
        for number in 1..MOST + 50 {
            state.make_room(now);
            let deadline = now.plus(HELD + Duration::from_secs(1));
            state.refreshes.insert(name(number), Progress::InFlight { slot: 2, deadline });
        }
        assert_eq!((state.refreshes.len(), state.holds(&name(0), 1)), (MOST, false));
    }
}
