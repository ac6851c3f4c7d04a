//! What a process knows of revocations: what it read, for a while, and what it revoked itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::revocation::subject::Subject;
use crate::session::claims::Session;
use vestibule_oidc::time::Timestamp;

/// How many subjects a process remembers: each session has two, so some ten thousand sessions.
const MAX_ENTRIES: usize = 20_000;

/// How long a read may take before another request reads, too: the request that began it may have ended.
pub(crate) const MAX_READ: Duration = Duration::from_secs(1);

/// How long the store is left alone after it failed.
const BACKOFF: Duration = Duration::from_secs(5);

/// How often the log says that the store does not answer.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What a process knows of revocations. Clones share it, also those of other threads.
#[derive(Clone, Default)]
pub struct RevocationMemory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    subjects: BTreeMap<Subject, Known>,
    /// The store failed: until then it is not read.
    unavailable_until: Option<Timestamp>,
    logged_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    revoked_at: Option<Timestamp>,
    /// When it was last read. `None` if this process only revoked it.
    read_at: Option<Timestamp>,
    /// Until when another request of this process reads it.
    reading_until: Option<Timestamp>,
}

/// What a process knows of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// It was revoked.
    Revoked,
    /// It was not revoked, as of a read that is new enough.
    Accepted,
    /// Another request is reading: look again in a moment.
    Reading,
    /// These have to be read. They count as being read now.
    Stale(Vec<Subject>),
    /// They have to be read, but the store failed a moment ago.
    Unavailable,
}

impl RevocationMemory {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of `session`, if a read may be `max_age` old and that of [`Subject::Everything`] `everything_max_age`.
    pub(crate) fn look_up(
        &self,
        session: &Session,
        max_age: Duration,
        everything_max_age: Duration,
        now: Timestamp,
    ) -> Knowledge {
        let mut state = self.state();
        let mut to_read = Vec::new();
        for subject in Subject::all_of(session) {
            let known = state.known(&subject);
            if known.revoked_at.is_some_and(|at| subject.ends(session, at)) {
                return Knowledge::Revoked;
            }
            let max_age = if subject == Subject::Everything { everything_max_age } else { max_age };
            // A clock that was set back makes a read seem to be in the future.
            if known.read_at.is_none_or(|read| now >= read.plus(max_age) || now < read) {
                to_read.push(subject);
            }
        }
        if to_read.is_empty() {
            return Knowledge::Accepted;
        }
        if state.unavailable_until.is_some_and(|until| now < until && until <= now.plus(BACKOFF)) {
            return Knowledge::Unavailable;
        }
        let is_being_read = |subject: &Subject| {
            let until = state.known(subject).reading_until;
            until.is_some_and(|until| now < until && until <= now.plus(MAX_READ))
        };
        if to_read.iter().all(is_being_read) {
            return Knowledge::Reading;
        }
        state.make_room(to_read.len());
        for subject in &to_read {
            let known = state.subjects.entry(subject.clone()).or_default();
            known.reading_until = Some(now.plus(MAX_READ));
        }
        Knowledge::Stale(to_read)
    }

    /// Remembers what was read at `now`. A revocation that this process made stays, even if the read did not find it yet.
    pub(crate) fn remember(&self, read: Vec<(Subject, Option<Timestamp>)>, now: Timestamp) {
        let mut state = self.state();
        state.unavailable_until = None;
        state.make_room(read.len());
        for (subject, revoked_at) in read {
            let known = state.subjects.entry(subject).or_default();
            known.revoked_at = known.revoked_at.max(revoked_at);
            known.read_at = Some(now);
            known.reading_until = None;
        }
    }

    /// Remembers that `subject` was revoked.
    pub(crate) fn revoke(&self, subject: Subject, at: Timestamp) {
        let mut state = self.state();
        state.make_room(1);
        let known = state.subjects.entry(subject).or_default();
        known.revoked_at = known.revoked_at.max(Some(at));
    }

    /// Whether this process knows that `session` was revoked.
    pub(crate) fn is_revoked(&self, session: &Session) -> bool {
        self.is_ended_by(&Subject::all_of(session), session)
    }

    /// Whether this process knows that one of these subjects was revoked, and that ends `session`.
    pub(crate) fn is_ended_by(&self, subjects: &[Subject], session: &Session) -> bool {
        let state = self.state();
        subjects.iter().any(|subject| {
            let known = state.subjects.get(subject).and_then(|known| known.revoked_at);
            known.is_some_and(|at| subject.ends(session, at))
        })
    }

    /// When this process last knew `subject` to be revoked.
    pub(crate) fn revoked_at(&self, subject: &Subject) -> Option<Timestamp> {
        self.state().subjects.get(subject)?.revoked_at
    }

    /// Remembers that the store did not answer. Returns whether the log should say so: it does once a minute.
    pub(crate) fn fail(&self, subjects: &[Subject], now: Timestamp) -> bool {
        let mut state = self.state();
        state.unavailable_until = Some(now.plus(BACKOFF));
        for subject in subjects {
            if let Some(known) = state.subjects.get_mut(subject) {
                known.reading_until = None;
            }
        }
        let is_due = state.logged_at.is_none_or(|at| now >= at.plus(LOG_INTERVAL) || now < at);
        if is_due {
            state.logged_at = Some(now);
        }
        is_due
    }
}

impl State {
    fn known(&self, subject: &Subject) -> Known {
        self.subjects.get(subject).copied().unwrap_or_default()
    }

    /// Removes entries until `new` more fit: those that were not revoked first, the oldest first.
    fn make_room(&mut self, new: usize) {
        if self.subjects.len() + new <= MAX_ENTRIES {
            return;
        }
        // Everything that has to be read again sooner or later. Removing a tenth at once keeps the cost of it low.
        let mut ages: Vec<(bool, Option<Timestamp>, Subject)> = self
            .subjects
            .iter()
            .map(|(subject, known)| (known.revoked_at.is_some(), known.read_at, subject.clone()))
            .collect();
        ages.sort();
        for (_, _, subject) in ages.into_iter().take(MAX_ENTRIES / 10 + new) {
            self.subjects.remove(&subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn session(sid: &str) -> Session {
        let claims = json!({ "sid": sid, "sub": "alice", "provider": "acme", "signed_in_at": 1000 });
        Session::new(claims.as_object().unwrap().clone())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn what_was_read_counts_for_the_interval_and_no_longer() {
        let memory = RevocationMemory::default();
        let look_up = |now| memory.look_up(&session("s"), MINUTE, MINUTE, at(now));
        let Knowledge::Stale(subjects) = look_up(2000) else { panic!() };
        assert_eq!(subjects.len(), 3);
        // Other requests wait for that read, until it takes too long.
        assert_eq!(look_up(2000), Knowledge::Reading);
        assert!(matches!(look_up(2001), Knowledge::Stale(_)));
        memory.remember(subjects.iter().map(|subject| (subject.clone(), None)).collect(), at(2001));
        assert_eq!(look_up(2001), Knowledge::Accepted);
        assert_eq!(look_up(2060), Knowledge::Accepted);
        assert!(matches!(look_up(2061), Knowledge::Stale(_)));
        // Another session of the same user only reads its own fact.
        memory.remember(subjects.into_iter().map(|subject| (subject, None)).collect(), at(2070));
        let Knowledge::Stale(own) = memory.look_up(&session("t"), MINUTE, MINUTE, at(2071)) else { panic!() };
        assert_eq!(own, [Subject::session(&session("t")).unwrap()]);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_read_count_longer() {
        let memory = RevocationMemory::default();
        let read = Subject::all_of(&session("s")).into_iter().map(|subject| (subject, None)).collect();
        memory.remember(read, at(9000));
        assert!(matches!(memory.look_up(&session("s"), MINUTE, MINUTE, at(5000)), Knowledge::Stale(_)));
        assert!(memory.fail(&[], at(9000)));
        assert!(matches!(memory.look_up(&session("t"), MINUTE, MINUTE, at(5000)), Knowledge::Stale(_)));
        assert!(memory.fail(&[], at(5000)), "the log says so at once");
    }

    #[test]
    fn a_revocation_of_this_process_counts_at_once_and_is_not_overwritten_by_a_read() {
        let memory = RevocationMemory::default();
        let subject = Subject::session(&session("s")).unwrap();
        memory.revoke(subject.clone(), at(2000));
        assert!(memory.is_revoked(&session("s")) && !memory.is_revoked(&session("t")));
        memory.remember(vec![(subject, None)], at(2001));
        assert_eq!(memory.look_up(&session("s"), MINUTE, MINUTE, at(2001)), Knowledge::Revoked);
    }

    #[test]
    fn a_store_that_fails_is_left_alone_for_a_moment_and_logged_once_a_minute() {
        let memory = RevocationMemory::default();
        let look_up = |now| memory.look_up(&session("s"), MINUTE, MINUTE, at(now));
        let Knowledge::Stale(subjects) = look_up(2000) else { panic!() };
        assert!(memory.fail(&subjects, at(2000)));
        assert_eq!(look_up(2004), Knowledge::Unavailable);
        assert!(matches!(look_up(2005), Knowledge::Stale(_)));
        assert!(!memory.fail(&subjects, at(2059)));
        assert!(memory.fail(&subjects, at(2060)));
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_was_revoked() {
        let memory = RevocationMemory::default();
        memory.revoke(Subject::session(&session("revoked")).unwrap(), at(1));
        for number in 0..MAX_ENTRIES + 5000 {
            let subject = Subject::session(&session(&number.to_string())).unwrap();
            memory.remember(vec![(subject, None)], at(2000));
        }
        assert!(memory.state().subjects.len() <= MAX_ENTRIES);
        assert!(memory.is_revoked(&session("revoked")));
    }
}
