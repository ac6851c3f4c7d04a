//! A lock's side of revocations: the facts of one user and of the user's sessions, of one session of a provider, or of
//! everything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use vestibule_oidc::time::Timestamp;

/// How many revoked sessions of one user are remembered one by one. Beyond it, all sessions of the user that began before
/// the oldest of these revocations end.
const MAX_SESSIONS: usize = 1000;

/// A call. The times are milliseconds since 1970, `kept_for` is milliseconds.
#[derive(Deserialize, Serialize)]
#[serde(tag = "revocation", rename_all = "snake_case")]
pub(crate) enum Call {
    /// Reads the fact of a session, and that of the whole object.
    Read { session: Option<String> },
    /// Revokes a session, or without one everything that the object is about. `by_provider` if the provider says so, by its
    /// own clock.
    Revoke {
        session: Option<String>,
        #[serde(default, skip_serializing_if = "is_false")]
        by_provider: bool,
        at: u64,
        kept_for: u64,
    },
}

/// The answer: when the session and when the whole object was revoked, in milliseconds since 1970; the latter by our clock
/// and by the provider's.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) session: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) all: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) by_provider: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What an object stores.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Record {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    all: Option<Fact>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    by_provider: Option<Fact>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    revoked_sessions: BTreeMap<String, Fact>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Fact {
    at: u64,
    /// When no session that it ends can be valid any more.
    until: u64,
}

impl Fact {
    /// Both facts as one.
    fn and(self, other: Self) -> Self {
        Self { at: self.at.max(other.at), until: self.until.max(other.until) }
    }
}

impl Record {
    /// Answers a call, and says whether the record has changed.
    pub(crate) fn answer(&mut self, call: Call, now: Timestamp) -> (Answer, bool) {
        let is_kept = |fact: &Fact| fact.until > now.millis();
        self.all = self.all.filter(is_kept);
        self.by_provider = self.by_provider.filter(is_kept);
        self.revoked_sessions.retain(|_, fact| is_kept(fact));
        match call {
            Call::Read { session } => {
                let session = session.and_then(|id| self.revoked_sessions.get(&id)).map(|fact| fact.at);
                let [all, by_provider] = [self.all, self.by_provider].map(|fact| fact.map(|fact| fact.at));
                (Answer { session, all, by_provider }, false)
            }
            Call::Revoke { session, by_provider, at, kept_for } => {
                let new = Fact { at, until: now.millis().saturating_add(kept_for) };
                match session {
                    None => {
                        let fact = if by_provider { &mut self.by_provider } else { &mut self.all };
                        *fact = Some(fact.map_or(new, |known| known.and(new)));
                    }
                    Some(id) => {
                        let known = self.revoked_sessions.get(&id).copied();
                        self.revoked_sessions.insert(id, known.map_or(new, |known| known.and(new)));
                        self.limit_sessions();
                    }
                }
                (Answer::default(), true)
            }
        }
    }

    /// When the record expires as a whole.
    pub(crate) fn until(&self, now: Timestamp) -> Timestamp {
        let facts = self.all.iter().chain(&self.by_provider).chain(self.revoked_sessions.values());
        facts.map(|fact| fact.until).max().map_or(now, Timestamp::from_millis)
    }

    /// Keeps the record small: the oldest facts become one about all sessions of the user that began before them.
    fn limit_sessions(&mut self) {
        if self.revoked_sessions.len() <= MAX_SESSIONS {
            return;
        }
        let mut facts: Vec<(u64, String)> =
            self.revoked_sessions.iter().map(|(id, fact)| (fact.at, id.clone())).collect();
        facts.sort();
        for (_, id) in facts.into_iter().take(MAX_SESSIONS / 10) {
            if let Some(fact) = self.revoked_sessions.remove(&id) {
                self.all = Some(self.all.map_or(fact, |all| all.and(fact)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn revoke(record: &mut Record, session: Option<&str>, when: u64) {
        let session = session.map(str::to_owned);
        let call = Call::Revoke { session, by_provider: false, at: when, kept_for: 10_000 };
        assert_eq!(record.answer(call, at(when)), (Answer::default(), true));
    }

    fn read(record: &mut Record, session: &str, now: u64) -> (Option<u64>, Option<u64>) {
        let (answer, has_changed) = record.answer(Call::Read { session: Some(session.to_owned()) }, at(now));
        assert!(!has_changed);
        (answer.session, answer.all)
    }

    #[test]
    fn an_object_answers_for_the_session_and_for_all_of_the_user() {
        let mut record = Record::default();
        assert_eq!(read(&mut record, "a", 1), (None, None));
        revoke(&mut record, Some("a"), 1000);
        assert_eq!(
            (read(&mut record, "a", 1001), read(&mut record, "b", 1001)),
            ((Some(1000), None), (None, None))
        );
        revoke(&mut record, None, 2000);
        assert_eq!(read(&mut record, "b", 2001), (None, Some(2000)));
        // An earlier revocation that arrives late takes nothing back.
        let call = Call::Revoke { session: None, by_provider: false, at: 500, kept_for: 1 };
        record.answer(call, at(2002));
        assert_eq!(read(&mut record, "b", 2003), (None, Some(2000)));
        assert_eq!(record.until(at(0)), at(12_000));
        assert_eq!(read(&mut record, "a", 11_000), (None, Some(2000)));
        assert_eq!(read(&mut record, "a", 12_000), (None, None));
    }

    #[test]
    fn what_the_provider_says_is_kept_apart_because_its_clock_is_another() {
        let mut record = Record::default();
        let by_provider = |at| Call::Revoke { session: None, by_provider: true, at, kept_for: 10_000 };
        record.answer(by_provider(5000), at(1000));
        record.answer(by_provider(4000), at(1001));
        let answer = record.answer(Call::Read { session: None }, at(1002)).0;
        assert_eq!(answer, Answer { session: None, all: None, by_provider: Some(5000) });
        let text = serde_json::to_string(&record).unwrap();
        let mut stored: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(stored.answer(Call::Read { session: None }, at(1003)).0, answer);
        assert_eq!(stored.until(at(1003)), at(11_001));
        assert_eq!(stored.answer(Call::Read { session: None }, at(11_001)).0, Answer::default());
        // A call of an older process says nothing of it.
        let older = r#"{"revocation":"revoke","session":null,"at":7,"kept_for":10}"#;
        assert!(matches!(serde_json::from_str(older), Ok(Call::Revoke { by_provider: false, .. })));
    }

    #[test]
    fn a_flood_of_revocations_for_one_user_keeps_the_record_small_and_ends_what_it_ended() {
        let mut record = Record::default();
        for number in 0..3 * MAX_SESSIONS as u64 {
            revoke(&mut record, Some(&number.to_string()), 1000 + number / 1000);
        }
        assert!(record.revoked_sessions.len() <= MAX_SESSIONS);
        for number in 0..3 * MAX_SESSIONS as u64 {
            let (session, all) = read(&mut record, &number.to_string(), 2000);
            assert!(session.is_some() || all >= Some(1000 + number / 1000), "{number}");
        }
    }
}
