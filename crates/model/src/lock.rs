//! The lease in a lock: every order in which the calls of three isolates can arrive at it.
//!
//! The lock is the real one: [`WaitingCalls`] with the real record. An isolate is what `lease::lock` and the refresh
//! attempt of `vestibule-core` do, call by call. The provider is strict. Time passes in steps of five seconds, and only
//! while no call is on its way: a call arrives within one step, or never.

use std::fmt;

use serde_json::{Value, json};
use stateright::{Model, Property};
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
const PROVIDER: u64 = 2;
/// How often a call is sent until its sender gives up.
const TRIES: u8 = 3;
/// When time begins, so that no time is zero.
const BEGIN: u64 = 1_000_000;

/// The lock, three isolates and a strict provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockModel {
    /// How many faults one run has at most: lost calls and answers, late calls, crashes, restarts of the lock.
    pub(crate) faults: u8,
    /// How many times each isolate tries to refresh.
    pub(crate) attempts: u8,
    /// How many steps of time pass.
    pub(crate) steps: u64,
    /// Whether the user signs out meanwhile.
    pub(crate) with_sign_out: bool,
}

/// Who made a call: the isolate, and the number of its call.
type Caller = (usize, u8);

/// Everything that there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    time: u64,
    record: Option<String>,
    waiting: WaitingCalls<Caller>,
    isolates: [Isolate; ISOLATES],
    /// Calls whose senders have given them up, and that may still arrive.
    late: Vec<(usize, String)>,
    /// The generation whose refresh token the provider accepts. `None` once it has revoked the grant.
    accepted: Option<u64>,
    /// The newest generation whose tokens a browser may have.
    known: u64,
    faults_left: u8,
    /// Whether the lock has taken a sign-out.
    is_signed_out: bool,
    sign_outs_left: u8,
    /// Whether tokens that the provider gave have not reached the lock, and cannot any more.
    tokens_lost: bool,
    /// Whether an isolate was told that the session has ended.
    has_ended: bool,
    /// Whether an isolate answered 503.
    turned_away: bool,
    /// Calls to the lock, refreshes at the provider, and attempts.
    calls: u8,
    refreshes: u8,
    attempts: u8,
    /// Whether a wait took longer than one call waits.
    was_slow: bool,
    /// What must never happen, and did.
    breach: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Isolate {
    phase: Phase,
    attempts_left: u8,
    /// The number of its newest call.
    call: u8,
    /// The generation of the tokens that it refreshes.
    generation: u64,
    /// When the request stops waiting, and when the next attempt may begin.
    deadline: u64,
    not_before: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
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
enum Purpose {
    Acquire,
    Publish,
    Find,
    /// Afterwards the session has ended, or not.
    Release(bool),
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(usize, u64),
    Arrive(usize),
    CallIsLost(usize),
    CallIsLate(usize),
    AnswerIsLost(usize),
    LateCallArrives(usize),
    LockRestarts,
    ProviderTakes(usize),
    ProviderFails(usize),
    ProvidersAnswerIsLost(usize),
    GoOn(usize),
    Crash(usize),
    CrashAfterCall(usize),
    CrashAfterUse(usize),
    SignOut,
    Wake,
    Pass,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(isolate, generation) => write!(f, "{isolate} begins with generation {generation}"),
            Self::Arrive(isolate) => write!(f, "the call of {isolate} arrives"),
            Self::CallIsLost(isolate) => write!(f, "the call of {isolate} is lost"),
            Self::CallIsLate(isolate) => write!(f, "the call of {isolate} is late"),
            Self::AnswerIsLost(isolate) => write!(f, "the call of {isolate} arrives, and its answer is lost"),
            Self::LateCallArrives(number) => write!(f, "late call {number} arrives"),
            Self::LockRestarts => f.write_str("the lock restarts"),
            Self::ProviderTakes(isolate) => write!(f, "the provider answers {isolate}"),
            Self::ProviderFails(isolate) => write!(f, "the provider fails for {isolate}"),
            Self::ProvidersAnswerIsLost(isolate) => write!(f, "the provider's answer to {isolate} is lost"),
            Self::GoOn(isolate) => write!(f, "{isolate} goes on"),
            Self::Crash(isolate) => write!(f, "{isolate} crashes"),
            Self::CrashAfterCall(isolate) => write!(f, "{isolate} crashes, its call is late"),
            Self::CrashAfterUse(isolate) => write!(f, "{isolate} crashes, the provider took its token"),
            Self::SignOut => f.write_str("the user signs out"),
            Self::Wake => f.write_str("the lock wakes waiting calls"),
            Self::Pass => f.write_str("five seconds pass"),
        }
    }
}

impl Model for LockModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let isolate = Isolate {
            phase: Phase::Idle,
            attempts_left: self.attempts,
            call: 0,
            generation: 0,
            deadline: 0,
            not_before: 0,
        };
        vec![State {
            time: 0,
            record: None,
            waiting: WaitingCalls::default(),
            isolates: [isolate.clone(), isolate.clone(), isolate],
            late: Vec::new(),
            accepted: Some(0),
            known: 0,
            faults_left: self.faults,
            is_signed_out: false,
            sign_outs_left: u8::from(self.with_sign_out),
            tokens_lost: false,
            has_ended: false,
            turned_away: false,
            calls: 0,
            refreshes: 0,
            attempts: 0,
            was_slow: false,
            breach: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let may_fail = state.faults_left > 0;
        for (number, isolate) in state.isolates.iter().enumerate() {
            match &isolate.phase {
                Phase::Idle => {
                    if isolate.attempts_left > 0 && state.time >= isolate.not_before {
                        actions.extend(
                            (isolate.generation..=state.known).map(|known| Action::Begin(number, known)),
                        );
                    }
                }
                Phase::Calling(..) => {
                    actions.push(Action::Arrive(number));
                    if may_fail {
                        actions.extend([
                            Action::CallIsLost(number),
                            Action::CallIsLate(number),
                            Action::AnswerIsLost(number),
                            Action::Crash(number),
                            Action::CrashAfterCall(number),
                        ]);
                    }
                }
                Phase::Waiting(_) if may_fail => {
                    actions.extend([Action::CallIsLost(number), Action::Crash(number)]);
                }
                Phase::Redeeming(_) => {
                    actions.push(Action::ProviderTakes(number));
                    if may_fail {
                        actions.extend([
                            Action::ProviderFails(number),
                            Action::ProvidersAnswerIsLost(number),
                            Action::Crash(number),
                            Action::CrashAfterUse(number),
                        ]);
                    }
                }
                Phase::Answered(_) => {
                    actions.push(Action::GoOn(number));
                    if may_fail {
                        actions.push(Action::Crash(number));
                    }
                }
                Phase::Waiting(_) | Phase::Crashed => {}
            }
        }
        actions.extend((0..state.late.len()).map(Action::LateCallArrives));
        if may_fail && !state.waiting.is_empty() {
            actions.push(Action::LockRestarts);
        }
        if state.sign_outs_left > 0 {
            actions.push(Action::SignOut);
        }
        let wakes = state.waiting.wake_at().is_some_and(|at| at <= state.now());
        if wakes {
            actions.push(Action::Wake);
        }
        let waits_for_time = |isolate: &Isolate| match isolate.phase {
            Phase::Calling(..) | Phase::Answered(_) => false,
            Phase::Redeeming(since) => state.time < since + PROVIDER,
            Phase::Idle | Phase::Waiting(_) | Phase::Crashed => true,
        };
        if !wakes && state.time < self.steps && state.isolates.iter().all(waits_for_time) {
            actions.push(Action::Pass);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        let is_fault = !matches!(
            action,
            Action::Begin(..)
                | Action::Arrive(_)
                | Action::LateCallArrives(_)
                | Action::ProviderTakes(_)
                | Action::GoOn(_)
                | Action::SignOut
                | Action::Wake
                | Action::Pass
        );
        if is_fault {
            next.faults_left -= 1;
        }
        match action {
            Action::Begin(isolate, generation) => next.begin(isolate, generation),
            Action::Arrive(isolate) => next.arrive(isolate, true),
            Action::AnswerIsLost(isolate) => next.arrive(isolate, false),
            Action::CallIsLost(isolate) => next.fail_call(isolate),
            Action::CallIsLate(isolate) => {
                let call = next.call_of(isolate);
                next.add_late(isolate, call);
                next.fail_call(isolate);
            }
            Action::LateCallArrives(number) => {
                let (isolate, call) = next.late.remove(number);
                // Nobody waits for the answer.
                next.serve((isolate, 0), &call);
            }
            Action::LockRestarts => {
                let waiting = std::mem::take(&mut next.waiting);
                for (isolate, call) in waiting.into_callers() {
                    let waits = matches!(next.isolates[isolate].phase, Phase::Waiting(_));
                    if waits && next.isolates[isolate].call == call {
                        next.fail_call(isolate);
                    }
                }
            }
            Action::ProviderTakes(isolate) => {
                let is_granted = next.redeem(isolate);
                next.isolates[isolate].phase = Phase::Answered(is_granted);
            }
            Action::ProviderFails(isolate) => next.call(isolate, Purpose::Release(false)),
            Action::ProvidersAnswerIsLost(isolate) => {
                next.tokens_lost |= next.redeem(isolate);
                next.call(isolate, Purpose::Release(false));
            }
            Action::GoOn(isolate) => {
                let is_granted = next.isolates[isolate].phase == Phase::Answered(true);
                next.call(isolate, if is_granted { Purpose::Publish } else { Purpose::Find });
            }
            Action::Crash(isolate) => next.crash(isolate),
            Action::CrashAfterCall(isolate) => {
                let call = next.call_of(isolate);
                next.add_late(isolate, call);
                next.crash(isolate);
            }
            Action::CrashAfterUse(isolate) => {
                next.tokens_lost |= next.redeem(isolate);
                next.isolates[isolate].phase = Phase::Crashed;
            }
            Action::SignOut => {
                next.sign_outs_left -= 1;
                let call = json!({ "call": "sign_out", "kept_for": 3_600_000 }).to_string();
                // The lock answers the calls that wait, too.
                next.is_signed_out = true;
                next.serve((0, 0), &call);
            }
            Action::Wake => {
                let now = next.now();
                let answers = next.waiting.wake(next.record.as_deref(), now);
                next.remember(answers.remember.map(|(record, _)| record));
                next.give(answers.answers.into_iter().map(|(caller, answer)| (caller, answer.ok())));
            }
            Action::Pass => {
                next.time += 1;
                next.late.clear();
                next.was_slow |= next.waiting.wake_at().is_some_and(|at| at <= next.now());
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "one isolate at a time has the provider use a refresh token",
                |_, state: &State| {
                    let redeeming = |isolate: &&Isolate| matches!(isolate.phase, Phase::Redeeming(_));
                    state.isolates.iter().filter(redeeming).count() <= 1
                },
            ),
            Property::always(
                "a refresh token is used twice only if tokens were lost on their way",
                |_, state: &State| state.accepted.is_some() || state.tokens_lost,
            ),
            Property::always("a session ends only if tokens were lost on their way", |_, state: &State| {
                !state.has_ended || state.tokens_lost
            }),
            Property::always(
                "no tokens replace newer ones, and none are given out after a sign-out",
                |_, state: &State| state.breach.is_none(),
            ),
            Property::always("without a fault no one is turned away", |model, state: &State| {
                state.faults_left < model.faults || !state.turned_away
            }),
            Property::always(
                "calls for a refresh are at most the isolates that wait and two",
                |model, state: &State| {
                    let is_plain =
                        state.faults_left == model.faults && !state.was_slow && !state.is_signed_out;
                    !is_plain || state.calls <= state.attempts + state.refreshes
                },
            ),
            Property::sometimes("a refresh succeeds", |_, state: &State| state.known > 0),
            Property::sometimes(
                "a waiting isolate takes over a crashed one's refresh",
                |_, state: &State| {
                    state.refreshes > 0
                        && state.isolates.iter().any(|isolate| isolate.phase == Phase::Crashed)
                },
            ),
        ]
    }
}

impl State {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN + self.time * STEP)
    }

    fn begin(&mut self, isolate: usize, generation: u64) {
        let time = self.time;
        let own = &mut self.isolates[isolate];
        own.attempts_left -= 1;
        own.generation = generation;
        own.deadline = time + REQUEST_WAIT;
        self.attempts += 1;
        self.call(isolate, Purpose::Acquire);
    }

    /// Sends a call to the lock.
    fn call(&mut self, isolate: usize, purpose: Purpose) {
        self.send(isolate, purpose, TRIES);
    }

    fn send(&mut self, isolate: usize, purpose: Purpose, tries: u8) {
        self.calls += 1;
        let own = &mut self.isolates[isolate];
        own.call += 1;
        own.phase = Phase::Calling(purpose, tries - 1);
    }

    /// The text of the isolate's call.
    fn call_of(&self, isolate: usize) -> String {
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
    fn arrive(&mut self, isolate: usize, is_answered: bool) {
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
    fn serve(&mut self, caller: Caller, call: &str) -> Option<Option<String>> {
        let now = self.now();
        let answers = self.waiting.receive(self.record.as_deref(), call, caller, now);
        self.remember(answers.remember.map(|(record, _)| record));
        let mut own = None;
        let mut others = Vec::new();
        for (to, answer) in answers.answers {
            if to == caller && own.is_none() {
                own = Some(answer.ok())
            } else {
                others.push((to, answer.ok()))
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

    fn remember(&mut self, record: Option<String>) {
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

    fn give(&mut self, answers: impl Iterator<Item = (Caller, Option<String>)>) {
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
    fn fail_call(&mut self, isolate: usize) {
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
    fn redeem(&mut self, isolate: usize) -> bool {
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

    fn crash(&mut self, isolate: usize) {
        let has_tokens = matches!(
            self.isolates[isolate].phase,
            Phase::Answered(true) | Phase::Calling(Purpose::Publish, _)
        );
        self.tokens_lost |= has_tokens;
        self.isolates[isolate].phase = Phase::Crashed;
    }

    fn add_late(&mut self, isolate: usize, call: String) {
        self.late.push((isolate, call));
        self.late.sort();
    }
}

fn answer_of(text: &str) -> String {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    answer["answer"].as_str().unwrap_or_default().to_owned()
}
