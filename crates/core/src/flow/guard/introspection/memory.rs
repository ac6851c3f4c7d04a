//! What a process remembers of what the provider said of access tokens. Plain data: a request that finds the provider being
//! asked polls it with a timer of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Number, Value};

use vestibule_oidc::jose::kdf::derive_id;
use vestibule_oidc::oauth::introspection::{ActiveToken, TIMEOUT};
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How many tokens a process remembers.
const MAX_ENTRIES: usize = 2000;

/// How many characters the claims of all of them have together.
const MAX_CHARACTERS: usize = 4 * 1024 * 1024;

/// How many tokens the provider is asked about at the same time.
const MAX_IN_FLIGHT: usize = 100;

/// How long it counts that a token is not active: one that was just issued may not be known everywhere at the provider.
const INACTIVE_FOR: Duration = Duration::from_secs(10);

/// How long a question counts as being asked: a request that was cut off never says that it ended.
const MAX_QUESTION: Duration = Duration::from_secs(TIMEOUT.as_secs() + 1);

/// How long the provider is left alone after it failed.
const BACKOFF: Duration = Duration::from_secs(5);

/// What the purpose of the names is, so that none is one of another purpose.
const PURPOSE: &str = "Vestibule introspection";

/// The name of a token: a keyed hash, from which no one learns the token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    /// The name of a token of this provider.
    pub(super) fn of(secret: &Secret, provider: &str, token: &str) -> Self {
        // No provider's id has a line break.
        Self(derive_id(secret, PURPOSE, format!("{provider}\n{token}").as_bytes()))
    }
}

/// What a process remembers of tokens.
#[derive(Default)]
pub(crate) struct IntrospectionMemory(RefCell<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<Name, Entry>,
    characters: usize,
    questions: u64,
    unavailable_until: Option<Timestamp>,
}

struct Entry {
    state: Remembered,
    characters: usize,
    until: Timestamp,
}

enum Remembered {
    /// The provider is being asked, with this question.
    InFlight(u64),
    Active(ActiveToken),
    Inactive,
    /// The provider would not say anything of this token.
    Denied,
}

/// What is known of a token.
pub(super) enum Knowledge {
    /// It is active.
    Active(ActiveToken),
    /// It is not.
    Inactive,
    /// Another request is asking: look again in a moment.
    InFlight,
    /// The provider has to be asked, but it failed a moment ago, or refused to answer about this token, or is being asked about
    /// too many tokens.
    Unavailable,
    /// The provider has to be asked.
    Unknown,
}

/// What the provider said.
pub(super) enum Answered {
    Active(ActiveToken),
    Inactive,
}

impl IntrospectionMemory {
    /// What is known of a token.
    pub(super) fn look_up(&self, name: &Name, now: Timestamp) -> Knowledge {
        let state = self.0.borrow();
        if let Some(entry) = state.entries.get(name).filter(|entry| entry.counts(now)) {
            return match &entry.state {
                Remembered::InFlight(_) => Knowledge::InFlight,
                Remembered::Active(token) => Knowledge::Active(token.clone()),
                Remembered::Inactive => Knowledge::Inactive,
                Remembered::Denied => Knowledge::Unavailable,
            };
        }
        let is_backing_off = |until: Timestamp| now < until && until <= now.plus(BACKOFF);
        if state.unavailable_until.is_some_and(is_backing_off) {
            return Knowledge::Unavailable;
        }
        let in_flight = |entry: &&Entry| matches!(entry.state, Remembered::InFlight(_)) && entry.counts(now);
        if state.entries.values().filter(in_flight).count() >= MAX_IN_FLIGHT {
            return Knowledge::Unavailable;
        }
        Knowledge::Unknown
    }
}

impl Entry {
    /// Whether it still counts. After the clock was set back, it is unknown how old it is.
    fn counts(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now.plus(MAX_LIFETIME)
    }
}

/// Longer than any entry counts.
const MAX_LIFETIME: Duration = Duration::from_mins(10);

impl State {
    fn insert(&mut self, name: Name, entry: Entry, now: Timestamp) {
        self.remove(&name);
        let is_full = |state: &Self| {
            state.entries.len() >= MAX_ENTRIES || state.characters + entry.characters > MAX_CHARACTERS
        };
        if is_full(self) {
            let old: Vec<Name> = self
                .entries
                .iter()
                .filter(|(_, old)| !old.counts(now))
                .map(|(name, _)| name.clone())
                .collect();
            for name in &old {
                self.remove(name);
            }
        }
        while is_full(self) && !self.entries.is_empty() {
            // Those that end first make room. A question stays: it is what keeps others from asking.
            let first = self
                .entries
                .iter()
                .min_by_key(|(_, old)| (matches!(old.state, Remembered::InFlight(_)), old.until));
            let Some(first) = first.map(|(name, _)| name.clone()) else { break };
            self.remove(&first);
        }
        self.characters += entry.characters;
        self.entries.insert(name, entry);
    }

    fn remove(&mut self, name: &Name) {
        if let Some(entry) = self.entries.remove(name) {
            self.characters -= entry.characters;
        }
    }
}

/// The right of one request to ask about a token. If it is dropped without an answer, another request may ask.
pub(super) struct Question {
    memory: Rc<IntrospectionMemory>,
    name: Name,
    number: u64,
}

impl Question {
    /// Begins to ask.
    pub(super) fn begin(memory: &Rc<IntrospectionMemory>, name: Name, now: Timestamp) -> Self {
        let mut state = memory.0.borrow_mut();
        state.questions += 1;
        let number = state.questions;
        let entry =
            Entry { state: Remembered::InFlight(number), characters: 0, until: now.plus(MAX_QUESTION) };
        state.insert(name.clone(), entry, now);
        drop(state);
        Self { memory: Rc::clone(memory), name, number }
    }

    /// Remembers the answer: for so long at most, and never longer than the token is valid.
    pub(super) fn answered(self, answer: &Answered, cached_for: Duration, now: Timestamp) {
        let mut state = self.memory.0.borrow_mut();
        state.unavailable_until = None;
        let entry = match answer {
            Answered::Inactive => {
                Entry { state: Remembered::Inactive, characters: 0, until: now.plus(INACTIVE_FOR) }
            }
            Answered::Active(token) => {
                let exp = token.claims().get("exp").and_then(Value::as_number).and_then(Number::as_f64);
                let end = exp.filter(|exp| *exp >= 0.0).map(Timestamp::from_fractional_seconds);
                let until = now.plus(cached_for).min(end.unwrap_or(now));
                let characters =
                    token.claims().iter().map(|(name, value)| name.len() + value.to_string().len());
                let characters = characters.sum();
                Entry { state: Remembered::Active(token.clone()), characters, until }
            }
        };
        if entry.until > now && entry.characters <= MAX_CHARACTERS {
            state.insert(self.name.clone(), entry, now);
        }
        // Dropping the question frees what is still in flight.
    }

    /// The provider refused to read the request with this token. It goes on to be asked about others.
    pub(super) fn denied(self, now: Timestamp) {
        let entry = Entry { state: Remembered::Denied, characters: 0, until: now.plus(BACKOFF) };
        self.memory.0.borrow_mut().insert(self.name.clone(), entry, now);
    }

    /// The provider did not say anything.
    pub(super) fn failed(self, now: Timestamp) {
        self.memory.0.borrow_mut().unavailable_until = Some(now.plus(BACKOFF));
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut state = self.memory.0.borrow_mut();
        let is_mine = state.entries.get(&self.name).is_some_and(
            |entry| matches!(entry.state, Remembered::InFlight(number) if number == self.number),
        );
        if is_mine {
            let name = self.name.clone();
            state.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vestibule_oidc::http::client::FetchResponse;
    use vestibule_oidc::oauth::introspection::{Answer, Introspected, Wanted, parse};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: Duration = Duration::from_mins(1);

    fn name(token: &str) -> Name {
        Name::of(&Secret::new("secret"), "acme", token)
    }

    fn active(claims: &Value) -> ActiveToken {
        let mut claims = claims.clone();
        claims["active"] = json!(true);
        let headers = [("content-type", "application/json")].into_iter().collect();
        let response = FetchResponse { status: 200, headers, body: claims.to_string().into_bytes() };
        match parse(&response, "t", Wanted::Plain) {
            Ok(Answer::Plain(Introspected::Active(token))) => token,
            other => panic!("{other:?}"),
        }
    }

    fn is_active(memory: &IntrospectionMemory, token: &str, now: Timestamp) -> bool {
        matches!(memory.look_up(&name(token), now), Knowledge::Active(_))
    }

    fn is_unknown(memory: &IntrospectionMemory, token: &str, now: Timestamp) -> bool {
        matches!(memory.look_up(&name(token), now), Knowledge::Unknown)
    }

    #[test]
    fn an_answer_counts_for_its_time_and_never_past_the_token_s_end() {
        let memory = Rc::new(IntrospectionMemory::default());
        for (token, lifetime, counts) in [("long", 300, 60), ("short", 20, 20)] {
            let claims = json!({ "exp": NOW.seconds() + lifetime });
            Question::begin(&memory, name(token), NOW).answered(
                &Answered::Active(active(&claims)),
                MINUTE,
                NOW,
            );
            assert!(is_active(&memory, token, NOW.plus(Duration::from_secs(counts - 1))), "{token}");
            assert!(is_unknown(&memory, token, NOW.plus(Duration::from_secs(counts))), "{token}");
            assert!(is_unknown(&memory, token, NOW.minus(MINUTE * 60)), "the clock was set back");
        }
        for claims in [json!({}), json!({ "exp": "soon" }), json!({ "exp": 1 }), json!({ "exp": -1 })] {
            Question::begin(&memory, name("none"), NOW).answered(
                &Answered::Active(active(&claims)),
                MINUTE,
                NOW,
            );
            assert!(is_unknown(&memory, "none", NOW), "{claims}");
        }
    }

    #[test]
    fn an_answer_counts_for_ten_minutes_at_most() {
        let memory = Rc::new(IntrospectionMemory::default());
        let token = active(&json!({ "exp": NOW.seconds() + 86_400 }));
        Question::begin(&memory, name("a"), NOW).answered(&Answered::Active(token), MAX_LIFETIME, NOW);
        assert!(is_active(&memory, "a", NOW));
        assert!(is_unknown(&memory, "a", NOW.minus(Duration::from_secs(1))), "the clock was set back");
        Question::begin(&memory, name("b"), NOW).answered(&Answered::Inactive, MINUTE, NOW);
        let looked_up = |seconds| memory.look_up(&name("b"), NOW.plus(Duration::from_secs(seconds)));
        assert!(matches!(looked_up(9), Knowledge::Inactive) && matches!(looked_up(10), Knowledge::Unknown));
    }

    #[test]
    fn a_provider_that_failed_is_left_alone_for_five_seconds_or_until_it_answers() {
        let memory = Rc::new(IntrospectionMemory::default());
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let is_resting = |now| matches!(memory.look_up(&name("a"), now), Knowledge::Unavailable);
        Question::begin(&memory, name("a"), NOW).failed(NOW);
        assert!(is_resting(NOW) && is_resting(at(4)) && !is_resting(at(5)));
        assert!(!is_resting(NOW.minus(Duration::from_secs(1))), "the clock was set back");
        Question::begin(&memory, name("b"), NOW).answered(&Answered::Inactive, MINUTE, NOW);
        assert!(!is_resting(NOW));
    }

    #[test]
    fn a_question_that_is_asked_outlasts_a_flood_of_answers_and_a_huge_one_makes_no_room() {
        let memory = Rc::new(IntrospectionMemory::default());
        let question = Question::begin(&memory, name("asked"), NOW);
        for n in 0..MAX_ENTRIES + 100 {
            Question::begin(&memory, name(&n.to_string()), NOW).answered(&Answered::Inactive, MINUTE, NOW);
        }
        assert!(matches!(memory.look_up(&name("asked"), NOW), Knowledge::InFlight));
        drop(question);
        let huge = active(&json!({ "exp": NOW.seconds() + 300, "x": "x".repeat(MAX_CHARACTERS) }));
        let before = memory.0.borrow().entries.len();
        Question::begin(&memory, name("huge"), NOW).answered(&Answered::Active(huge), MINUTE, NOW);
        assert!(is_unknown(&memory, "huge", NOW));
        assert!(memory.0.borrow().entries.len() >= before - 1);
    }

    #[test]
    fn one_request_asks_and_another_may_after_it_was_dropped_or_cut_off() {
        let memory = Rc::new(IntrospectionMemory::default());
        let question = Question::begin(&memory, name("a"), NOW);
        assert!(matches!(memory.look_up(&name("a"), NOW), Knowledge::InFlight));
        assert!(is_unknown(&memory, "b", NOW) && is_unknown(&memory, "a", NOW.plus(MAX_QUESTION)));
        let later = Question::begin(&memory, name("a"), NOW.plus(MAX_QUESTION));
        drop(question);
        assert!(matches!(memory.look_up(&name("a"), NOW.plus(MAX_QUESTION)), Knowledge::InFlight));
        drop(later);
        assert!(is_unknown(&memory, "a", NOW.plus(MAX_QUESTION)));
    }

    #[test]
    fn the_claims_of_all_tokens_have_as_many_characters_as_there_is_room_for() {
        let memory = Rc::new(IntrospectionMemory::default());
        let claims = |size: usize| json!({ "exp": NOW.seconds() + 300, "x": "x".repeat(size) });
        let remember = |token: &str, claims: &Value| {
            Question::begin(&memory, name(token), NOW).answered(
                &Answered::Active(active(claims)),
                MINUTE,
                NOW,
            );
        };
        let characters = || memory.0.borrow().characters;
        remember("empty", &claims(0));
        // {"active":true,"exp":1800000300,"x":""}, without what is between names and values.
        let empty = characters();
        assert_eq!(empty, "activetrueexp1800000300x\"\"".len());
        remember("half", &claims(MAX_CHARACTERS / 2 - empty));
        remember("rest", &claims(MAX_CHARACTERS / 2 - 2 * empty));
        assert_eq!(characters(), MAX_CHARACTERS);
        assert!(["empty", "half", "rest"].iter().all(|token| is_active(&memory, token, NOW)));
        remember("more", &claims(0));
        assert!(is_active(&memory, "more", NOW) && characters() <= MAX_CHARACTERS);
    }

    #[test]
    fn a_flood_of_tokens_leaves_the_memory_bounded() {
        let memory = Rc::new(IntrospectionMemory::default());
        for n in 0..MAX_ENTRIES + 100 {
            Question::begin(&memory, name(&n.to_string()), NOW).answered(&Answered::Inactive, MINUTE, NOW);
            assert!(memory.0.borrow().entries.len() <= MAX_ENTRIES);
        }
        let large = json!({ "exp": NOW.seconds() + 300, "x": "x".repeat(60_000) });
        for n in 0..100 {
            Question::begin(&memory, name(&format!("l{n}")), NOW).answered(
                &Answered::Active(active(&large)),
                MINUTE,
                NOW,
            );
            assert!(memory.0.borrow().characters <= MAX_CHARACTERS);
        }
        let questions: Vec<Question> =
            (0..MAX_IN_FLIGHT).map(|n| Question::begin(&memory, name(&format!("q{n}")), NOW)).collect();
        assert!(matches!(memory.look_up(&name("one more"), NOW), Knowledge::Unavailable));
        drop(questions);
        assert!(is_unknown(&memory, "one more", NOW));
    }
}
