//! Lets one request of a process refresh a session at a time.
//!
//! Requests share plain data only, no futures: some runtimes end a request's I/O with the request, so a request cannot
//! wait for the I/O of another. A request that finds a refresh in flight polls the data with a timer of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::{LEASE_DURATION, RefreshId};
use crate::platform::{Platform, random_id};
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::time::Timestamp;

/// How long the outcome of a refresh is kept: for requests that were sent with the old cookie, and so that an invalid
/// grant is not sent to the provider with every request.
const OUTCOME_RETENTION: Duration = Duration::from_mins(2);

/// How many refreshes, and how many sessions, a process remembers. A process runs for hours, so the entries that expire
/// first make room for new ones.
const MAX_ENTRIES: usize = 1000;

/// The refreshes of this process: in flight, and recently completed.
#[derive(Default)]
pub(crate) struct InFlightRefreshes(RefCell<State>);

#[derive(Default)]
struct State {
    /// The unguessable identifier of this process, for [`Lease::acquire`](super::Lease::acquire).
    owner: Option<String>,
    refreshes: BTreeMap<RefreshId, Progress>,
    /// The newest generation by `sid`, and whether the session was signed out.
    sessions: BTreeMap<String, SessionState>,
    slots: u64,
}

enum Progress {
    /// A request is refreshing. After `deadline` it counts as crashed, and another request can take its place.
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
    /// When a lease said last that the session was not signed out.
    confirmed_at: Option<Timestamp>,
    until: Timestamp,
}

/// The outcome of a refresh.
#[derive(Clone, Debug)]
pub(crate) enum RefreshOutcome {
    /// New tokens.
    Renewed(Rc<RefreshedTokens>),
    /// The session has ended: the provider answered `invalid_grant`, or no longer says of the user what `allow` requires.
    /// `is_final` is false where another process may have used the refresh
    /// token, and its tokens may not have reached this one yet.
    InvalidGrant { is_final: bool },
    /// The session was signed out.
    SignedOut,
    /// The store no longer has the session's refresh token.
    TokensLost,
    /// The refresh failed and must not be tried again before `until`.
    Unavailable { until: Timestamp },
    /// Another process is refreshing. A request whose access token is valid does not wait for it.
    HeldElsewhere { until: Timestamp },
}

/// The right of one request to refresh. Dropping it without [`Slot::complete`] frees it for another request.
pub(crate) struct Slot {
    refreshes: Rc<InFlightRefreshes>,
    id: RefreshId,
    number: u64,
    /// Whether the provider answered `invalid_grant` to the same refresh token more than [`OUTCOME_RETENTION`] ago. If
    /// another process had used the token, its tokens would have arrived since.
    pub(crate) was_invalid: bool,
    /// The identifier of this process, for [`Lease::acquire`](super::Lease::acquire).
    pub(crate) owner: String,
}

/// The result of [`InFlightRefreshes::join`].
pub(crate) enum Joined {
    /// This request refreshes.
    Leader(Slot),
    /// Another request is refreshing.
    InFlight,
    /// The refresh is complete.
    Completed(RefreshOutcome),
}

impl InFlightRefreshes {
    /// Makes this request the leader of the refresh `id`, or returns the state of that refresh. A request without a
    /// valid access token becomes the leader also while another process refreshes.
    pub(crate) fn join<P: Platform>(
        self: &Rc<Self>,
        id: &RefreshId,
        token_is_valid: bool,
        platform: &P,
    ) -> Joined {
        let now = platform.now();
        let state = self.0.borrow();
        let mut was_invalid = false;
        match state.refreshes.get(id) {
            Some(Progress::InFlight { deadline, .. }) if now < *deadline => return Joined::InFlight,
            Some(Progress::Completed { outcome, until }) if now < *until => match outcome {
                RefreshOutcome::HeldElsewhere { .. } if !token_is_valid => {}
                outcome => return Joined::Completed(outcome.clone()),
            },
            Some(Progress::Completed { outcome: RefreshOutcome::InvalidGrant { .. }, .. }) => {
                was_invalid = true;
            }
            _ => {}
        }
        drop(state);
        let mut slot = self.take_over(id, platform);
        slot.was_invalid = was_invalid;
        Joined::Leader(slot)
    }

    /// Makes this request the leader of the refresh `id`, whichever request is. That one can then complete it only with new
    /// tokens.
    pub(crate) fn take_over<P: Platform>(self: &Rc<Self>, id: &RefreshId, platform: &P) -> Slot {
        self.begin(id, platform.now(), || random_id(platform))
    }

    /// Begins the refresh `id` at a time, in this process, to which the first refresh gives a `name`.
    fn begin(self: &Rc<Self>, id: &RefreshId, now: Timestamp, name: impl FnOnce() -> String) -> Slot {
        let mut state = self.0.borrow_mut();
        let owner = state.owner.get_or_insert_with(name).clone();
        state.slots += 1;
        let number = state.slots;
        state.make_room(now);
        state
            .refreshes
            .insert(id.clone(), Progress::InFlight { slot: number, deadline: now.plus(LEASE_DURATION) });
        Slot { refreshes: Rc::clone(self), id: id.clone(), number, was_invalid: false, owner }
    }

    /// The tokens of the refresh `id`, if another request of this process has completed it.
    pub(crate) fn renewed(&self, id: &RefreshId) -> Option<Rc<RefreshedTokens>> {
        match self.0.borrow().refreshes.get(id)? {
            Progress::Completed { outcome: RefreshOutcome::Renewed(tokens), .. } => Some(Rc::clone(tokens)),
            Progress::Completed { .. } | Progress::InFlight { .. } => None,
        }
    }

    /// Remembers that a session was signed out in this process.
    pub(crate) fn sign_out(&self, sid: &str, now: Timestamp) {
        let mut state = self.0.borrow_mut();
        state.make_room(now);
        state.session(sid, now).is_signed_out = true;
    }

    /// Whether a session was signed out in this process.
    pub(crate) fn is_signed_out(&self, sid: &str) -> bool {
        self.0.borrow().sessions.get(sid).is_some_and(|session| session.is_signed_out)
    }

    /// Remembers that a lease has just said that a session is not signed out.
    pub(crate) fn confirm(&self, sid: &str, now: Timestamp) {
        let mut state = self.0.borrow_mut();
        state.make_room(now);
        state.session(sid, now).confirmed_at = Some(now);
    }

    /// When a lease said last that a session was not signed out, if this process remembers.
    pub(crate) fn confirmed_at(&self, sid: &str) -> Option<Timestamp> {
        self.0.borrow().sessions.get(sid)?.confirmed_at
    }

    /// Whether this process knows newer tokens of a session than those of `generation`. Then a cookie of `generation`
    /// must not be written.
    pub(crate) fn is_outdated(&self, sid: &str, generation: u64) -> bool {
        self.0.borrow().sessions.get(sid).is_some_and(|session| session.generation > generation)
    }
}

impl Slot {
    /// Extends the deadline by a lease's duration. Returns false if another request holds the slot now.
    pub(crate) fn extend(&self, now: Timestamp) -> bool {
        let mut state = self.refreshes.0.borrow_mut();
        // A busy process may have removed it to make room.
        let is_held = !state.refreshes.contains_key(&self.id) || state.holds(&self.id, self.number);
        if is_held {
            let progress = Progress::InFlight { slot: self.number, deadline: now.plus(LEASE_DURATION) };
            state.refreshes.insert(self.id.clone(), progress);
        }
        is_held
    }

    /// Records the outcome. If another request took the slot meanwhile, only refreshed tokens are recorded.
    pub(crate) fn complete(self, outcome: RefreshOutcome, now: Timestamp) {
        let mut state = self.refreshes.0.borrow_mut();
        if !state.holds(&self.id, self.number) && !matches!(outcome, RefreshOutcome::Renewed(_)) {
            return;
        }
        if let RefreshOutcome::Renewed(tokens) = &outcome {
            let session = state.session(&self.id.sid, now);
            session.generation = session.generation.max(tokens.generation);
        }
        let until = match &outcome {
            RefreshOutcome::Unavailable { until } | RefreshOutcome::HeldElsewhere { until } => *until,
            _ => now.plus(OUTCOME_RETENTION),
        };
        state.refreshes.insert(self.id.clone(), Progress::Completed { outcome, until });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.refreshes.0.borrow_mut();
        if state.holds(&self.id, self.number) {
            state.refreshes.remove(&self.id);
        }
    }
}

impl State {
    fn holds(&self, id: &RefreshId, number: u64) -> bool {
        matches!(self.refreshes.get(id), Some(Progress::InFlight { slot, .. }) if *slot == number)
    }

    fn session(&mut self, sid: &str, now: Timestamp) -> &mut SessionState {
        let new = || SessionState { generation: 0, is_signed_out: false, confirmed_at: None, until: now };
        let state = self.sessions.entry(sid.to_owned()).or_insert_with(new);
        state.until = now.plus(super::SIGN_OUT_RETENTION);
        state
    }

    /// Removes the entries that have expired, and if that is not enough, the one that expires next.
    fn make_room(&mut self, now: Timestamp) {
        if self.refreshes.len() >= MAX_ENTRIES {
            // Refreshes in flight are removed last: without the entry, a second request would use the same refresh
            // token.
            let end = |progress: &Progress| match progress {
                Progress::InFlight { deadline, .. } => (true, *deadline),
                Progress::Completed { until, .. } => (false, *until),
            };
            self.refreshes.retain(|_, progress| now < end(progress).1);
            if self.refreshes.len() >= MAX_ENTRIES {
                let next = self.refreshes.iter().min_by_key(|(_, progress)| end(progress));
                let next = next.map(|(id, _)| id.clone());
                if let Some(id) = next {
                    self.refreshes.remove(&id);
                }
            }
        }
        if self.sessions.len() >= MAX_ENTRIES {
            self.sessions.retain(|_, session| now < session.until);
            if self.sessions.len() >= MAX_ENTRIES {
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
    fn refreshes_in_flight_are_forgotten_last() {
        let refresh = |number: usize| {
            let claims = json!({ "sid": number.to_string(), "refresh_token": "r" });
            RefreshId::of(&Session::new(claims.as_object().unwrap().clone())).unwrap()
        };
        let now = Timestamp::from_seconds(1000);
        let mut state = State::default();
        let in_flight = Progress::InFlight { slot: 1, deadline: now.plus(LEASE_DURATION) };
        state.refreshes.insert(refresh(0), in_flight);
        for number in 1..MAX_ENTRIES + 50 {
            state.make_room(now);
            let outcome = RefreshOutcome::SignedOut;
            state
                .refreshes
                .insert(refresh(number), Progress::Completed { outcome, until: now.plus(OUTCOME_RETENTION) });
        }
        assert_eq!(state.refreshes.len(), MAX_ENTRIES);
        assert!(state.holds(&refresh(0), 1));
        // Among refreshes in flight, the one with the earliest deadline is removed.
        state.refreshes.retain(|_, progress| matches!(progress, Progress::InFlight { .. }));
        for number in 1..MAX_ENTRIES + 50 {
            state.make_room(now);
            let deadline = now.plus(LEASE_DURATION + Duration::from_secs(1));
            state.refreshes.insert(refresh(number), Progress::InFlight { slot: 2, deadline });
        }
        assert_eq!((state.refreshes.len(), state.holds(&refresh(0), 1)), (MAX_ENTRIES, false));
    }

    fn tokens(generation: u64) -> Rc<RefreshedTokens> {
        Rc::new(RefreshedTokens {
            generation,
            access_token: vestibule_oidc::secret::Secret::new("a"),
            refresh_token: None,
            expires_at: Timestamp::from_seconds(2000),
            refresh_expires_at: None,
            api_cookies: std::collections::BTreeMap::new(),
            issued_at: Timestamp::from_seconds(1000),
            claims: None,
            ends_at: None,
            dpop_key: None,
            id_token: None,
            entry: None,
        })
    }

    fn refresh(generation: u64) -> RefreshId {
        let claims = json!({ "sid": "s", "refresh_token": "r", "generation": generation });
        RefreshId::of(&Session::new(claims.as_object().unwrap().clone())).unwrap()
    }

    /// The leader of a refresh that began at this time.
    fn slot(refreshes: &Rc<InFlightRefreshes>, id: &RefreshId, now: Timestamp) -> Slot {
        refreshes.begin(id, now, || "process".to_owned())
    }

    #[test]
    fn a_cookie_is_outdated_if_newer_tokens_are_known_and_never_by_late_ones() {
        let (refreshes, now) = (Rc::new(InFlightRefreshes::default()), Timestamp::from_seconds(1000));
        assert!(!refreshes.is_outdated("s", 0));
        for (id, generation) in [(1, 2), (0, 1)] {
            slot(&refreshes, &refresh(id), now).complete(RefreshOutcome::Renewed(tokens(generation)), now);
            let outdated = [1, 2, 3].map(|generation| refreshes.is_outdated("s", generation));
            assert_eq!(outdated, [true, false, false]);
        }
        assert!(!refreshes.is_outdated("another", 1));
        assert_eq!(refreshes.renewed(&refresh(1)).map(|tokens| tokens.generation), Some(2));
        assert!(refreshes.renewed(&refresh(2)).is_none());
    }

    #[test]
    fn a_request_whose_place_was_taken_records_only_new_tokens() {
        let (refreshes, now) = (Rc::new(InFlightRefreshes::default()), Timestamp::from_seconds(1000));
        let id = refresh(1);
        let first = slot(&refreshes, &id, now);
        let second = slot(&refreshes, &id, now);
        assert!(!first.extend(now) && second.extend(now));
        first.complete(RefreshOutcome::SignedOut, now);
        assert!(refreshes.0.borrow().holds(&id, second.number), "dropping the first frees nothing");
        let first = Slot {
            refreshes: Rc::clone(&refreshes),
            id: id.clone(),
            number: 1,
            was_invalid: false,
            owner: String::new(),
        };
        first.complete(RefreshOutcome::Renewed(tokens(2)), now);
        assert!(refreshes.renewed(&id).is_some());
        // Also if it was removed meanwhile to make room, the request goes on.
        refreshes.0.borrow_mut().refreshes.clear();
        assert!(second.extend(now) && refreshes.0.borrow().holds(&id, second.number));
        drop(second);
        assert!(refreshes.0.borrow().refreshes.is_empty());
    }

    #[test]
    fn of_too_many_sign_outs_those_that_expire_first_are_forgotten() {
        let at = |second: usize| Timestamp::from_seconds(u64::try_from(1000 + second).unwrap());
        let refreshes = InFlightRefreshes::default();
        for number in 0..=MAX_ENTRIES {
            refreshes.sign_out(&number.to_string(), at(number));
        }
        let remembered = |number: usize| refreshes.is_signed_out(&number.to_string());
        assert_eq!([0, 1, MAX_ENTRIES].map(remembered), [false, true, true]);
        // Those that have expired go first.
        let session_500_expires = at(500).plus(crate::lease::SIGN_OUT_RETENTION);
        refreshes.confirm("another", session_500_expires);
        assert_eq!([1, 500, 501, MAX_ENTRIES].map(remembered), [false, false, true, true]);
        assert_eq!(refreshes.confirmed_at("another"), Some(session_500_expires));
    }
}
