//! The lease in a lock: every order in which the calls of three isolates can arrive at it.
//!
//! The lock is the real one: [`WaitingCalls`] with the real record. An isolate is what `lease::lock` and the refresh
//! attempt of `vestibule-core` do, call by call. The provider is strict. Time passes in steps of five seconds, and only
//! while no call is on its way: a call arrives within one step, or never.

mod state;

use std::fmt;

use serde_json::json;
use stateright::{Model, Property};
use vestibule_core::lease::lock::WaitingCalls;

use self::state::{Isolate, PROVIDER, Phase, Purpose, State};

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

impl LockModel {
    pub(crate) fn name(&self) -> String {
        let end = if self.with_sign_out { ", a sign-out" } else { "" };
        format!("calls at a lock, {} faults, {} refreshes each{end}", self.faults, self.attempts)
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
        let mut properties: Vec<Property<Self>> = vec![
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
        ];
        if self.faults > 0 {
            let name = "a refresh succeeds although an isolate crashed";
            properties.push(Property::sometimes(name, |_, state: &State| {
                state.known > 0 && state.isolates.iter().any(|isolate| isolate.phase == Phase::Crashed)
            }));
        }
        properties
    }
}
