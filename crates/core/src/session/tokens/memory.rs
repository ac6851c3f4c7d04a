//! The entries that a process has read or written recently, by their names. An entry never changes, so one read is enough.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::session::tokens::entry::EntryContent;
use vestibule_oidc::time::Timestamp;

/// How many entries a process remembers.
const MAX_ENTRIES: usize = 256;

/// How many characters the tokens of all of them have together.
const MAX_CHARACTERS: usize = 1024 * 1024;

/// How long a read may take before another request reads, too: the request that began it may have ended.
pub(crate) const MAX_READ: Duration = Duration::from_secs(3);

/// How long a process remembers that there is no entry.
const ABSENCE: Duration = Duration::from_secs(5);

/// How long the store is left alone after it failed.
pub(crate) const BACKOFF: Duration = Duration::from_secs(5);

/// How often the log says that the store does not answer.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What a process remembers of entries.
#[derive(Default)]
pub(crate) struct TokenMemory(RefCell<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Known>,
    /// Counts the uses, to find the entry that was not used for longest.
    uses: u64,
    /// The store failed: until then it is not read.
    unavailable_until: Option<Timestamp>,
    logged_at: Option<Timestamp>,
}

struct Known {
    state: Reading,
    characters: usize,
    used: u64,
}

#[derive(Clone)]
enum Reading {
    InFlight(Timestamp),
    Read(Rc<EntryContent>),
    Absent(Timestamp),
    Foreign(Timestamp),
    Deleted,
}

/// What is known of an entry.
pub(crate) enum Knowledge {
    /// Its content.
    Read(Rc<EntryContent>),
    /// There was none a moment ago, or it was deleted.
    Absent,
    /// There was something else a moment ago.
    Foreign,
    /// Another request is reading it: look again in a moment.
    InFlight,
    /// It has to be read. It counts as being read now.
    Unread,
    /// It has to be read, but the store failed a moment ago.
    Unavailable,
}

impl TokenMemory {
    /// What is known of the entry of this name.
    pub(crate) fn look_up(&self, name: &str, now: Timestamp) -> Knowledge {
        let mut state = self.0.borrow_mut();
        let is_soon = |until: Timestamp, at_most: Duration| now < until && until <= now.plus(at_most);
        match state.used(name) {
            Some(Reading::Read(content)) => return Knowledge::Read(content),
            Some(Reading::Deleted) => return Knowledge::Absent,
            Some(Reading::Absent(until)) if is_soon(until, ABSENCE) => return Knowledge::Absent,
            Some(Reading::Foreign(until)) if is_soon(until, ABSENCE) => return Knowledge::Foreign,
            Some(Reading::InFlight(until)) if is_soon(until, MAX_READ) => return Knowledge::InFlight,
            _ => {}
        }
        if state.unavailable_until.is_some_and(|until| is_soon(until, BACKOFF)) {
            return Knowledge::Unavailable;
        }
        state.insert(name, Reading::InFlight(now.plus(MAX_READ)), 0);
        Knowledge::Unread
    }

    /// Remembers an entry that was read or written.
    pub(crate) fn remember(&self, name: &str, content: Rc<EntryContent>) {
        let mut state = self.0.borrow_mut();
        state.unavailable_until = None;
        if !matches!(state.used(name), Some(Reading::Deleted)) {
            let characters = content.tokens.values().map(|value| value.to_string().len()).sum();
            state.insert(name, Reading::Read(content), characters);
        }
    }

    /// Remembers that there is no entry of this name.
    pub(crate) fn remember_absence(&self, name: &str, now: Timestamp) {
        let mut state = self.0.borrow_mut();
        state.unavailable_until = None;
        state.insert(name, Reading::Absent(now.plus(ABSENCE)), 0);
    }

    /// Remembers that there is something else under this name.
    pub(crate) fn remember_foreign(&self, name: &str, now: Timestamp) {
        self.0.borrow_mut().insert(name, Reading::Foreign(now.plus(ABSENCE)), 0);
    }

    /// Forgets the entry for good. `false` if that happened before.
    pub(crate) fn delete(&self, name: &str) -> bool {
        let mut state = self.0.borrow_mut();
        let is_new = !matches!(state.used(name), Some(Reading::Deleted));
        state.insert(name, Reading::Deleted, 0);
        is_new
    }

    /// The content of an entry, if it is known.
    pub(crate) fn content(&self, name: &str) -> Option<Rc<EntryContent>> {
        match self.0.borrow_mut().used(name)? {
            Reading::Read(content) => Some(content),
            Reading::InFlight(_) | Reading::Absent(_) | Reading::Foreign(_) | Reading::Deleted => None,
        }
    }

    /// Remembers that the store did not answer. Returns whether the log should say so: it does once a minute.
    pub(crate) fn fail(&self, name: &str, now: Timestamp) -> bool {
        let mut state = self.0.borrow_mut();
        state.unavailable_until = Some(now.plus(BACKOFF));
        if let Some(Known { state: Reading::InFlight(_), .. }) = state.entries.get(name) {
            state.entries.remove(name);
        }
        state.logs(now)
    }
}

impl State {
    fn used(&mut self, name: &str) -> Option<Reading> {
        self.uses += 1;
        let known = self.entries.get_mut(name)?;
        known.used = self.uses;
        Some(known.state.clone())
    }

    fn insert(&mut self, name: &str, state: Reading, characters: usize) {
        self.uses += 1;
        self.entries.insert(name.to_owned(), Known { state, characters, used: self.uses });
        let size =
            |entries: &BTreeMap<String, Known>| entries.values().map(|it| it.characters).sum::<usize>();
        while self.entries.len() > MAX_ENTRIES
            || self.entries.len() > 1 && size(&self.entries) > MAX_CHARACTERS
        {
            let oldest = self.entries.iter().min_by_key(|(_, known)| known.used);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.entries.remove(&oldest);
        }
    }

    fn logs(&mut self, now: Timestamp) -> bool {
        let is_due = self.logged_at.is_none_or(|at| now >= at.plus(LOG_INTERVAL) || now < at);
        if is_due {
            self.logged_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn content(length: usize) -> Rc<EntryContent> {
        let tokens = Map::from_iter([("access_token".to_owned(), Value::from("x".repeat(length)))]);
        Rc::new(EntryContent { tokens, previous: None })
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn one_request_reads_and_the_others_wait_for_it_but_not_for_a_dead_one() {
        let memory = TokenMemory::default();
        assert!(matches!(memory.look_up("a", at(10)), Knowledge::Unread));
        assert!(matches!(memory.look_up("a", at(12)), Knowledge::InFlight));
        assert!(matches!(memory.look_up("a", at(13)), Knowledge::Unread));
        memory.remember("a", content(1));
        assert!(matches!(memory.look_up("a", at(9_999_999)), Knowledge::Read(_)));
    }

    #[test]
    fn that_there_is_no_entry_is_remembered_for_a_moment_and_a_deletion_for_good() {
        let memory = TokenMemory::default();
        memory.remember_absence("a", at(10));
        assert!(matches!(memory.look_up("a", at(14)), Knowledge::Absent));
        assert!(matches!(memory.look_up("a", at(15)), Knowledge::Unread));
        // A clock that is set back makes nothing last longer.
        memory.remember_absence("a", at(9000));
        assert!(matches!(memory.look_up("a", at(10)), Knowledge::Unread));
        assert!(memory.delete("a") && !memory.delete("a"));
        memory.remember("a", content(1));
        assert!(matches!(memory.look_up("a", at(9999)), Knowledge::Absent));
    }

    #[test]
    fn a_store_that_fails_is_left_alone_for_a_moment_but_what_is_known_counts() {
        let memory = TokenMemory::default();
        memory.remember("known", content(1));
        assert!(matches!(memory.look_up("a", at(10)), Knowledge::Unread));
        assert!(memory.fail("a", at(10)) && !memory.fail("b", at(11)));
        assert!(matches!(memory.look_up("a", at(15)), Knowledge::Unavailable));
        assert!(matches!(memory.look_up("known", at(15)), Knowledge::Read(_)));
        assert!(matches!(memory.look_up("a", at(16)), Knowledge::Unread));
    }

    #[test]
    fn what_counts_for_a_moment_counts_from_its_beginning_and_only_as_long_as_the_clock_goes_on() {
        let memory = TokenMemory::default();
        assert!(matches!(memory.look_up("read", at(10)), Knowledge::Unread));
        assert!(matches!(memory.look_up("read", at(10)), Knowledge::InFlight));
        assert!(matches!(memory.look_up("read", at(9)), Knowledge::Unread));
        memory.remember_absence("absent", at(10));
        assert!(matches!(memory.look_up("absent", at(10)), Knowledge::Absent));
        assert!(matches!(memory.look_up("absent", at(9)), Knowledge::Unread));
        memory.remember_foreign("foreign", at(10));
        assert!(matches!(memory.look_up("foreign", at(10)), Knowledge::Foreign));
        assert!(matches!(memory.look_up("foreign", at(14)), Knowledge::Foreign));
        assert!(matches!(memory.look_up("foreign", at(15)), Knowledge::Unread));
        memory.fail("a", at(10));
        assert!(matches!(memory.look_up("a", at(10)), Knowledge::Unavailable));
        assert!(matches!(memory.look_up("a", at(9)), Knowledge::Unread));
    }

    #[test]
    fn a_store_that_answers_again_is_asked_again() {
        let memory = TokenMemory::default();
        memory.fail("a", at(10));
        memory.remember_absence("b", at(10));
        assert!(matches!(memory.look_up("a", at(10)), Knowledge::Unread));
        memory.fail("a", at(10));
        memory.remember("c", content(1));
        assert!(matches!(memory.look_up("a", at(10)), Knowledge::Unread));
    }

    #[test]
    fn a_store_that_fails_is_logged_once_a_minute() {
        let memory = TokenMemory::default();
        let failed = |seconds| memory.fail("a", at(seconds));
        assert_eq!([10, 69, 70, 71, 9].map(failed), [true, false, true, false, true]);
        assert_eq!([9, 9, 10].map(failed), [false; 3]);
    }

    #[test]
    fn of_names_without_an_entry_the_oldest_make_room() {
        let memory = TokenMemory::default();
        for number in (0..=MAX_ENTRIES + 1).rev() {
            memory.remember_absence(&format!("{number:03}"), at(10));
        }
        let is_absent = |name: &str| matches!(memory.look_up(name, at(10)), Knowledge::Absent);
        assert_eq!(["000", "255", "256", "257"].map(is_absent), [true, true, false, false]);
    }

    #[test]
    fn an_entry_that_is_too_large_for_the_memory_is_kept_alone() {
        let memory = TokenMemory::default();
        memory.remember("small", content(1));
        memory.remember("large", content(2 * MAX_CHARACTERS));
        assert!(memory.content("large").is_some() && memory.content("small").is_none());
        memory.remember("small", content(1));
        assert!(memory.content("large").is_none() && memory.content("small").is_some());
    }

    #[test]
    fn a_process_remembers_entries_of_one_megabyte_together() {
        for (more, is_kept) in [(0, true), (1, false)] {
            let memory = TokenMemory::default();
            // A text has two quotation marks.
            memory.remember("a", content(1024 * 1024 / 2 - 2));
            memory.remember("b", content(1024 * 1024 / 2 - 2 + more));
            assert_eq!(memory.content("a").is_some(), is_kept, "{more} more");
            assert!(memory.content("b").is_some());
        }
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        for (used, unused) in [("a", "b"), ("b", "a")] {
            let memory = TokenMemory::default();
            memory.remember(used, content(MAX_CHARACTERS / 3));
            memory.remember(unused, content(MAX_CHARACTERS / 3));
            assert!(memory.content(used).is_some());
            memory.remember("c", content(MAX_CHARACTERS / 2));
            let known = [used, unused, "c"].map(|name| memory.content(name).is_some());
            assert_eq!(known, [true, false, true], "{used} was used");
        }
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let memory = TokenMemory::default();
        for number in 0..2 * MAX_ENTRIES {
            memory.remember(&number.to_string(), content(1));
            memory.remember("used", content(1));
        }
        assert_eq!(memory.0.borrow().entries.len(), MAX_ENTRIES);
        for number in 0..8 {
            memory.remember(&format!("large {number}"), content(MAX_CHARACTERS / 4));
        }
        assert!(memory.0.borrow().entries.len() <= 4);
        assert!(memory.content("large 7").is_some() && memory.content("used").is_none());
    }
}
