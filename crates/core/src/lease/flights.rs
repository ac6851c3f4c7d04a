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
use crate::session::successor::Successor;
use vestibule_oidc::time::Timestamp;

/// How long what came of a refresh is kept: for the requests that were sent with the old cookie, and so that a
/// grant that is gone is not asked for with every request.
const REMEMBERED: Duration = Duration::from_mins(2);

/// How many refreshes an isolate remembers. An isolate serves for hours; the oldest make room.
const MOST: usize = 1000;

/// What an isolate knows of refreshes.
#[derive(Default)]
pub(crate) struct Flights(RefCell<Known>);

#[derive(Default)]
struct Known {
    /// Unguessable, and other isolates have others.
    isolate: Option<String>,
    flights: BTreeMap<Name, Flight>,
    /// By `sid`: the newest generation, and whether the session was signed out.
    sessions: BTreeMap<String, SessionState>,
    places: u64,
}

enum Flight {
    /// A request is at it. From `deadline` on it counts as dead, and its place as free.
    Flying {
        place: u64,
        deadline: Timestamp,
    },
    Landed {
        outcome: Outcome,
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
pub(crate) enum Outcome {
    /// New tokens.
    Renewed(Rc<Successor>),
    /// The provider gives none any more; and whether that is beyond doubt, because nobody can have used the
    /// refresh token unseen.
    Gone { is_certain: bool },
    /// The session was signed out.
    SignedOut,
    /// Nothing for now.
    Unavailable { until: Timestamp },
    /// Another isolate is at it: nothing to wait for as long as the access token lives.
    Elsewhere { until: Timestamp },
}

/// A request's place at the front. Dropped before [`Flights::land`], it is free again.
pub(crate) struct Place {
    flights: Rc<Flights>,
    name: Name,
    number: u64,
    /// Whether the provider refused the same token before, so long ago that whoever used it has left word.
    pub(crate) was_gone: bool,
    /// Who asks for a lease.
    pub(crate) owner: String,
}

/// What a request finds.
pub(crate) enum Found {
    /// It is the one.
    Front(Place),
    /// Another one is.
    Flying,
    /// It is done.
    Landed(Outcome),
}

impl Flights {
    /// Takes the place at the front, or says who has it. Who has no living token takes it also where another
    /// isolate is at it.
    pub(crate) fn board<P: Platform>(self: &Rc<Self>, name: &Name, is_alive: bool, platform: &P) -> Found {
        let now = platform.now();
        let mut known = self.0.borrow_mut();
        let mut was_gone = false;
        match known.flights.get(name) {
            Some(Flight::Flying { deadline, .. }) if now < *deadline => return Found::Flying,
            Some(Flight::Landed { outcome, until }) if now < *until => match outcome {
                Outcome::Elsewhere { .. } if !is_alive => {}
                outcome => return Found::Landed(outcome.clone()),
            },
            Some(Flight::Landed { outcome: Outcome::Gone { .. }, .. }) => was_gone = true,
            _ => {}
        }
        let owner = known.isolate.get_or_insert_with(|| random_id(platform)).clone();
        known.places += 1;
        let number = known.places;
        known.make_room(now);
        known.flights.insert(name.clone(), Flight::Flying { place: number, deadline: now.plus(HELD) });
        Found::Front(Place { flights: Rc::clone(self), name: name.clone(), number, was_gone, owner })
    }

    /// Remembers that a session was signed out here.
    pub(crate) fn sign_out(&self, sid: &str, now: Timestamp) {
        let mut known = self.0.borrow_mut();
        known.make_room(now);
        known.session(sid, now).is_signed_out = true;
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

impl Place {
    /// Whether nobody else has the place; if so it stays this request's for as long as a lease is held.
    pub(crate) fn keep(&self, now: Timestamp) -> bool {
        let mut known = self.flights.0.borrow_mut();
        // A busy isolate may have had no room for it.
        let is_held = !known.flights.contains_key(&self.name) || known.holds(&self.name, self.number);
        if is_held {
            let flight = Flight::Flying { place: self.number, deadline: now.plus(HELD) };
            known.flights.insert(self.name.clone(), flight);
        }
        is_held
    }

    /// Says what came of it. From someone whose place was taken meanwhile only good news count.
    pub(crate) fn land(self, outcome: Outcome, now: Timestamp) {
        let mut known = self.flights.0.borrow_mut();
        if !known.holds(&self.name, self.number) && !matches!(outcome, Outcome::Renewed(_)) {
            return;
        }
        if let Outcome::Renewed(successor) = &outcome {
            let session = known.session(&self.name.sid, now);
            session.generation = session.generation.max(successor.generation);
        }
        let until = match &outcome {
            Outcome::Unavailable { until } | Outcome::Elsewhere { until } => *until,
            _ => now.plus(REMEMBERED),
        };
        known.flights.insert(self.name.clone(), Flight::Landed { outcome, until });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.flights.0.borrow_mut();
        if known.holds(&self.name, self.number) {
            known.flights.remove(&self.name);
        }
    }
}

impl Known {
    fn holds(&self, name: &Name, number: u64) -> bool {
        matches!(self.flights.get(name), Some(Flight::Flying { place, .. }) if *place == number)
    }

    fn session(&mut self, sid: &str, now: Timestamp) -> &mut SessionState {
        let new = || SessionState { generation: 0, is_signed_out: false, until: now };
        let state = self.sessions.entry(sid.to_owned()).or_insert_with(new);
        state.until = now.plus(super::SIGNED_OUT);
        state
    }

    /// Forgets what is over, and, where that is not enough, what is over next.
    fn make_room(&mut self, now: Timestamp) {
        if self.flights.len() >= MOST {
            // What is under way goes last: without its place a second request would go for the same tokens.
            let end = |flight: &Flight| match flight {
                Flight::Flying { deadline, .. } => (true, *deadline),
                Flight::Landed { until, .. } => (false, *until),
            };
            self.flights.retain(|_, flight| now < end(flight).1);
            if self.flights.len() >= MOST {
                let next = self.flights.iter().min_by_key(|(_, flight)| end(flight));
                let next = next.map(|(name, _)| name.clone());
                if let Some(name) = next {
                    self.flights.remove(&name);
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
        let mut known = Known::default();
        let flying = Flight::Flying { place: 1, deadline: now.plus(HELD) };
        known.flights.insert(name(0), flying);
        for number in 1..MOST + 50 {
            known.make_room(now);
            let outcome = Outcome::SignedOut;
            known.flights.insert(name(number), Flight::Landed { outcome, until: now.plus(REMEMBERED) });
        }
        assert_eq!(known.flights.len(), MOST);
        assert!(known.holds(&name(0), 1));
        // Where nothing else is left, the oldest goes.
        known.flights.retain(|_, flight| matches!(flight, Flight::Flying { .. }));
        for number in 1..MOST + 50 {
            known.make_room(now);
            let deadline = now.plus(HELD + Duration::from_secs(1));
            known.flights.insert(name(number), Flight::Flying { place: 2, deadline });
        }
        assert_eq!((known.flights.len(), known.holds(&name(0), 1)), (MOST, false));
    }
}
