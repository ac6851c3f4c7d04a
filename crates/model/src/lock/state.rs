//! Everything that there is at one moment: the lock, the isolates, the calls on their way and the provider.

use serde_json::{Value, json};
use vestibule_core::lease::lock::WaitingCalls;
use vestibule_core::time::Timestamp;

/// How many isolates there are.
const ISOLATES: usize = 3;
/// A step of time, in milliseconds.
const STEP: u64 = 5_000;
/// How long a lease lasts, how long one call waits, how long a request waits in total, and how long the provider may take:
/// in steps.
const LEASE: u64 = 3;
const CALL_WAIT: u64 = 2;
const REQUEST_WAIT: u64 = 4;
pub(super) const PROVIDER: u64 = 2;
/// How often a call is sent until its sender gives up.
const TRIES: u8 = 3;
/// When time begins, so that no time is zero.
const BEGIN: u64 = 1_000_000;

/// Who made a call: the isolate, and the number of its call.
type Caller = (usize, u8);

/// Everything that there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) time: u64,
    pub(super) record: Option<String>,
    pub(super) waiting: WaitingCalls<Caller>,
    pub(super) isolates: [Isolate; ISOLATES],
    /// Calls whose senders have given them up, and that may still arrive.
    pub(super) late: Vec<(usize, String)>,
    /// The generation whose refresh token the provider accepts. `None` once it has revoked the grant.
    pub(super) accepted: Option<u64>,
    /// The newest generation whose tokens a browser may have.
    pub(super) known: u64,
    pub(super) faults_left: u8,
    /// Whether the lock has taken a sign-out.
    pub(super) is_signed_out: bool,
    pub(super) sign_outs_left: u8,
    /// Whether tokens that the provider gave have not reached the lock, and cannot any more.
    pub(super) tokens_lost: bool,
    /// Whether an isolate was told that the session has ended.
    pub(super) has_ended: bool,
    /// Whether an isolate answered 503.
    pub(super) turned_away: bool,
    /// Calls to the lock, refreshes at the provider, and attempts.
    pub(super) calls: u8,
    pub(super) refreshes: u8,
    pub(super) attempts: u8,
    /// Whether a wait took longer than one call waits.
    pub(super) was_slow: bool,
    /// What must never happen, and did.
    pub(super) breach: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Isolate {
    pub(super) phase: Phase,
    pub(super) attempts_left: u8,
    /// The number of its newest call.
    pub(super) call: u8,
    /// The generation of the tokens that it refreshes.
    pub(super) generation: u64,
    /// When the request stops waiting, and when the next attempt may begin.
    pub(super) deadline: u64,
    pub(super) not_before: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Idle,
    /// Its call is on the way to the lock.
    Calling(Purpose, u8),
    /// Its call waits at the lock.
    Waiting(u8),
    /// The provider has its refresh token, since then.
    Redeeming(u64),
    /// The provider answered, and gave tokens or not.
    Answered(bool),
    Crashed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Acquire,
    Publish,
    Find,
    /// Afterwards the session has ended, or not.
    Release(bool),
}

impl State {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN + self.time * STEP)
    }

    pub(super) fn begin(&mut self, isolate: usize, generation: u64) {
        let time = self.time;
        let own = &mut self.isolates[isolate];
        own.attempts_left -= 1;
        own.generation = generation;
        own.deadline = time + REQUEST_WAIT;
        self.attempts += 1;
        self.call(isolate, Purpose::Acquire);
    }

    /// Sends a call to the lock.
    pub(super) fn call(&mut self, isolate: usize, purpose: Purpose) {
        self.send(isolate, purpose, TRIES);
    }

    fn send(&mut self, isolate: usize, purpose: Purpose, tries: u8) {
        self.calls += 1;
        let own = &mut self.isolates[isolate];
        own.call += 1;
        own.phase = Phase::Calling(purpose, tries - 1);
    }

    /// The text of the isolate's call.
    pub(super) fn call_of(&self, isolate: usize) -> String {
        let own = &self.isolates[isolate];
        let Phase::Calling(purpose, _) = own.phase else { return String::new() };
        let (owner, generation) = (format!("isolate {isolate}"), own.generation);
        let call = match purpose {
            Purpose::Acquire => json!({
                "call": "acquire",
                "generation": generation,
                "owner": owner,
                "held_for": LEASE * STEP,
                "wait_for": own.deadline.saturating_sub(self.time).min(CALL_WAIT) * STEP,
            }),
            Purpose::Publish => json!({
                "call": "publish",
                "generation": generation + 1,
                "owner": owner,
                "sealed": (generation + 1).to_string(),
                "kept_for": 3_600_000,
            }),
            Purpose::Find => json!({ "call": "find", "generation": generation }),
            Purpose::Release(_) => json!({ "call": "release", "owner": owner }),
        };
        call.to_string()
    }

    /// The isolate's call arrives. Whether the isolate gets the answer.
    pub(super) fn arrive(&mut self, isolate: usize, is_answered: bool) {
        let call = self.call_of(isolate);
        let Phase::Calling(_, tries) = self.isolates[isolate].phase else { return };
        let caller = (isolate, self.isolates[isolate].call);
        if is_answered {
            // It waits until it is answered.
            let before = std::mem::replace(&mut self.isolates[isolate].phase, Phase::Waiting(tries));
            let answer = self.serve(caller, &call);
            if let Some(answer) = answer {
                self.isolates[isolate].phase = before;
                self.take(isolate, answer.as_deref());
            }
        } else {
            self.serve((isolate, 0), &call);
            self.fail_call(isolate);
        }
    }

    /// The lock serves a call: the answer to it, if it does not wait. Those that waited get theirs.
    pub(super) fn serve(&mut self, caller: Caller, call: &str) -> Option<Option<String>> {
        let now = self.now();
        let answers = self.waiting.receive(self.record.as_deref(), call, caller, now);
        self.remember(answers.remember.map(|(record, _)| record));
        let mut own = None;
        let mut others = Vec::new();
        for (to, answer) in answers.answers {
            if to == caller && own.is_none() {
                own = Some(answer.ok());
            } else {
                others.push((to, answer.ok()));
            }
        }
        let hands_out = |text: &Option<String>| {
            let answer = text.as_deref().map(answer_of);
            matches!(answer.as_deref(), Some("acquired" | "refreshed"))
        };
        if self.is_signed_out && others.iter().map(|(_, answer)| answer).chain(own.as_ref()).any(hands_out) {
            self.breach = Some("given out after a sign-out");
        }
        self.give(others.into_iter());
        own
    }

    pub(super) fn remember(&mut self, record: Option<String>) {
        let Some(record) = record else { return };
        let newest = |record: Option<&str>| {
            let record: Value = serde_json::from_str(record?).ok()?;
            record.pointer("/newest/generation")?.as_u64()
        };
        if !self.is_signed_out && newest(Some(&record)) < newest(self.record.as_deref()) {
            self.breach = Some("older tokens in place of newer ones");
        }
        self.record = Some(record);
    }

    pub(super) fn give(&mut self, answers: impl Iterator<Item = (Caller, Option<String>)>) {
        for ((isolate, call), answer) in answers {
            let own = &mut self.isolates[isolate];
            let Phase::Waiting(tries) = own.phase else { continue };
            if own.call == call {
                own.phase = Phase::Calling(Purpose::Acquire, tries);
                self.take(isolate, answer.as_deref());
            }
        }
    }

    /// The isolate gets the answer to its call.
    fn take(&mut self, isolate: usize, answer: Option<&str>) {
        let Phase::Calling(purpose, _) = self.isolates[isolate].phase else { return };
        let Some(text) = answer else { return self.fail_call(isolate) };
        let generation = self.isolates[isolate].generation;
        match (purpose, answer_of(text).as_str()) {
            (Purpose::Acquire, "acquired") => {
                self.isolates[isolate].phase = Phase::Redeeming(self.time);
            }
            (Purpose::Acquire, "held_by_other") => {
                if self.time < self.isolates[isolate].deadline {
                    self.call(isolate, Purpose::Acquire);
                } else {
                    self.end_attempt(isolate, true);
                }
            }
            (Purpose::Acquire | Purpose::Find, "refreshed") => {
                let sealed: Value = serde_json::from_str(text).unwrap_or_default();
                let newer = sealed["sealed"].as_str().and_then(|sealed| sealed.parse().ok());
                self.adopt(isolate, newer.unwrap_or(generation));
            }
            (Purpose::Publish, "done") => self.adopt(isolate, generation + 1),
            (Purpose::Find, "not_found") => self.call(isolate, Purpose::Release(true)),
            (Purpose::Release(has_ended), _) => {
                self.has_ended |= has_ended;
                self.end_attempt(isolate, !has_ended);
            }
            (_, "signed_out") => {
                let own = &mut self.isolates[isolate];
                own.attempts_left = 0;
                own.phase = Phase::Idle;
            }
            _ => self.breach = Some("an answer that no call asks for"),
        }
    }

    fn adopt(&mut self, isolate: usize, generation: u64) {
        if generation <= self.isolates[isolate].generation {
            self.breach = Some("tokens that are not newer");
        }
        self.known = self.known.max(generation);
        self.isolates[isolate].generation = generation;
        self.isolates[isolate].phase = Phase::Idle;
    }

    fn end_attempt(&mut self, isolate: usize, is_turned_away: bool) {
        self.turned_away |= is_turned_away;
        let time = self.time;
        let own = &mut self.isolates[isolate];
        own.phase = Phase::Idle;
        own.not_before = time + 1;
    }

    /// The isolate's call fails, or the answer to it. It is sent again, unless that was the last time.
    pub(super) fn fail_call(&mut self, isolate: usize) {
        let (purpose, tries) = match self.isolates[isolate].phase {
            Phase::Calling(purpose, tries) => (purpose, tries),
            Phase::Waiting(tries) => (Purpose::Acquire, tries),
            _ => return,
        };
        if tries > 0 {
            return self.send(isolate, purpose, tries);
        }
        match purpose {
            Purpose::Acquire => self.end_attempt(isolate, true),
            Purpose::Publish => {
                // This isolate goes on with its tokens.
                self.tokens_lost = true;
                let generation = self.isolates[isolate].generation + 1;
                self.adopt(isolate, generation);
            }
            Purpose::Find => self.call(isolate, Purpose::Release(false)),
            Purpose::Release(has_ended) => {
                self.has_ended |= has_ended;
                self.end_attempt(isolate, !has_ended);
            }
        }
    }

    /// The provider redeems the isolate's refresh token. Whether it gives tokens.
    pub(super) fn redeem(&mut self, isolate: usize) -> bool {
        let generation = self.isolates[isolate].generation;
        if self.accepted == Some(generation) {
            self.accepted = Some(generation + 1);
            self.refreshes += 1;
            return true;
        }
        // A second use revokes the grant.
        self.accepted = None;
        false
    }

    pub(super) fn crash(&mut self, isolate: usize) {
        let has_tokens = matches!(
            self.isolates[isolate].phase,
            Phase::Answered(true) | Phase::Calling(Purpose::Publish, _)
        );
        self.tokens_lost |= has_tokens;
        self.isolates[isolate].phase = Phase::Crashed;
    }

    pub(super) fn add_late(&mut self, isolate: usize, call: String) {
        self.late.push((isolate, call));
        self.late.sort();
    }
}

fn answer_of(text: &str) -> String {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    answer["answer"].as_str().unwrap_or_default().to_owned()
}
