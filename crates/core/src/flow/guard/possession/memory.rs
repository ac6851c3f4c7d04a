//! The proofs that a process saw.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};

use vestibule_oidc::oauth::dpop_proof::RETENTION;
use vestibule_oidc::time::Timestamp;

/// How many proofs a process remembers. Each takes about two hundred bytes.
const MAX_PROOFS: usize = 20_000;

/// The proofs that this process saw, while they could be used again.
#[derive(Default)]
pub(crate) struct ProofMemory {
    seen: RefCell<Seen>,
    has_logged: Cell<bool>,
}

#[derive(Default)]
struct Seen {
    ids: BTreeSet<String>,
    in_order: VecDeque<(Timestamp, String)>,
}

impl ProofMemory {
    /// Whether the proof with this identifier is new. It is remembered.
    pub(super) fn is_first_use(&self, id: &str, now: Timestamp) -> bool {
        let mut seen = self.seen.borrow_mut();
        while seen.in_order.len() >= MAX_PROOFS
            || seen.in_order.front().is_some_and(|(until, _)| *until <= now)
        {
            let Some((_, old)) = seen.in_order.pop_front() else { break };
            seen.ids.remove(&old);
        }
        if !seen.ids.insert(id.to_owned()) {
            return false;
        }
        seen.in_order.push_back((now.plus(RETENTION), id.to_owned()));
        true
    }

    /// Forgets a proof that let no request pass, so that it can be used after all.
    pub(super) fn forget(&self, id: &str) {
        let mut seen = self.seen.borrow_mut();
        // It is one of the newest.
        let at = seen.in_order.iter().rposition(|(_, seen)| seen == id);
        if let Some((_, id)) = at.and_then(|at| seen.in_order.remove(at)) {
            seen.ids.remove(&id);
        }
    }

    /// Whether the log should say that other processes do not know the proofs: it does so once.
    pub(super) fn should_log(&self) -> bool {
        !self.has_logged.replace(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_proof_is_new_once_until_it_is_too_old_to_be_used() {
        let memory = ProofMemory::default();
        assert!(memory.is_first_use("a", NOW) && memory.is_first_use("b", NOW));
        assert!(!memory.is_first_use("a", NOW) && !memory.is_first_use("a", NOW.plus(RETENTION / 2)));
        assert!(memory.is_first_use("a", NOW.plus(RETENTION)));
    }

    #[test]
    fn a_proof_that_was_forgotten_is_new_and_then_remembered_as_long_as_any() {
        let memory = ProofMemory::default();
        assert!(memory.is_first_use("a", NOW) && memory.is_first_use("b", NOW));
        memory.forget("a");
        memory.forget("c");
        let later = NOW.plus(RETENTION / 2);
        assert!(memory.is_first_use("a", later) && !memory.is_first_use("b", later));
        assert!(!memory.is_first_use("a", NOW.plus(RETENTION)));
        assert!(memory.is_first_use("a", later.plus(RETENTION)));
    }

    #[test]
    fn any_number_of_proofs_takes_bounded_memory() {
        let memory = ProofMemory::default();
        for n in 0..MAX_PROOFS + 100 {
            assert!(memory.is_first_use(&n.to_string(), NOW));
        }
        let seen = memory.seen.borrow();
        assert_eq!((seen.ids.len(), seen.in_order.len()), (MAX_PROOFS, MAX_PROOFS));
    }
}
