//! The lease in a bucket of wasi:keyvalue: every order in which the operations of several instances take effect there.
//!
//! An instance is the real code of `vestibule-keyvalue` and of the lock in `vestibule-core`, operation by operation. Time passes
//! in two steps: as long as an instance may hold what it has read, and long enough that two of them are a take-over. It passes
//! only while nothing is under way but what a fault has made slow.

mod host;
mod instance;
mod state;

use std::fmt;

use stateright::{Model, Property};

use self::host::Host;
use self::instance::{Answer, Operation};
use self::state::{Delivery, Phase, Purpose, State};
use crate::check::Extent;

/// How much time passes at once, in milliseconds.
const PASSES: [u64; 2] = [2_000, 12_000];

/// A bucket, and instances that want a lease of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyValueModel {
    pub(crate) host: Host,
    pub(crate) instances: usize,
    /// How many faults one run has at most: slow operations and answers, lost ones, late ones, crashes.
    pub(crate) faults: u8,
    /// How many calls each instance makes.
    pub(crate) calls: u8,
    /// How many times time passes.
    pub(crate) passes: u8,
    /// How long a write of a record is on its way at most, in milliseconds.
    pub(crate) longest: u64,
    /// By how much the first instance's clock is ahead of the others', in milliseconds.
    pub(crate) ahead: u64,
    /// What is expected to happen where the host, its writes or its clocks are beyond what the lock can do with.
    pub(crate) limits: Limits,
}

/// What a run shows that must not happen elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// Nothing.
    None,
    /// Two instances have a lease.
    Lease,
    /// Two instances replace one record.
    Record,
    /// Both.
    LeaseAndRecord,
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Call(usize, Purpose),
    Perform(usize, usize),
    IsSlow(usize),
    AnswerIsSlow(usize, usize),
    AnswerArrives(usize),
    Fails(usize),
    FailsAfter(usize),
    FailsAndIsLate(usize),
    Crash(usize),
    CrashAfterSending(usize),
    LateArrives(usize),
    Pass(u64),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(instance, purpose) => write!(f, "{instance} calls the lock: {purpose:?}"),
            Self::Perform(instance, way) => {
                write!(f, "the operation of {instance} is answered, version -{way}")
            }
            Self::IsSlow(instance) => write!(f, "the operation of {instance} is slow"),
            Self::AnswerIsSlow(instance, way) => {
                write!(f, "the operation of {instance} takes effect, version -{way}, and its answer is slow")
            }
            Self::AnswerArrives(instance) => write!(f, "the slow answer to {instance} arrives"),
            Self::Fails(instance) => write!(f, "the operation of {instance} fails"),
            Self::FailsAfter(instance) => write!(f, "the operation of {instance} takes effect, and fails"),
            Self::FailsAndIsLate(instance) => write!(f, "the operation of {instance} fails, and is late"),
            Self::Crash(instance) => write!(f, "{instance} crashes"),
            Self::CrashAfterSending(instance) => write!(f, "{instance} crashes, its operation is late"),
            Self::LateArrives(number) => write!(f, "late operation {number} takes effect"),
            Self::Pass(time) => write!(f, "{} seconds pass", time / 1000),
        }
    }
}

impl KeyValueModel {
    /// The models that are checked: where the lock holds, and where it does not.
    pub(crate) fn all(extent: Extent) -> Vec<Self> {
        let two = Self {
            host: Host::OneOrder,
            instances: 2,
            faults: 1,
            calls: 2,
            passes: 3,
            longest: 12_000,
            ahead: 0,
            limits: Limits::None,
        };
        let stale = Self { host: Host::StaleReads(10_000), longest: 2_000, ..two };
        let brief = Self { faults: 0, calls: 1, ..two };
        let mut limits = vec![
            Self { host: Host::StaleReads(20_000), longest: 2_000, limits: Limits::Record, ..brief },
            Self { host: Host::StaleIncrements(2_000), limits: Limits::LeaseAndRecord, ..brief },
            Self { ahead: 12_000, faults: 0, limits: Limits::Lease, ..two },
        ];
        let holds = match extent {
            Extent::Whole => {
                limits.push(Self { longest: 16_000, limits: Limits::LeaseAndRecord, ..two });
                vec![
                    two,
                    Self { faults: 2, calls: 1, ..two },
                    Self { instances: 3, faults: 0, passes: 2, ..two },
                    Self { instances: 3, calls: 1, ..two },
                    Self { faults: 0, passes: 1, ..stale },
                    Self { calls: 1, ..stale },
                    Self { ahead: 2_000, longest: 10_000, ..two },
                ]
            }
            Extent::Slice => vec![Self { calls: 1, ..two }, Self { faults: 0, calls: 1, ..stale }],
        };
        holds.into_iter().chain(limits).collect()
    }

    pub(crate) fn name(&self) -> String {
        let host = self.host.title();
        let clocks =
            if self.ahead > 0 { format!(", clocks {} s apart", self.ahead / 1000) } else { String::new() };
        let writes = if self.longest > 0 {
            format!(", writes of up to {} s", self.longest / 1000)
        } else {
            String::new()
        };
        let (instances, faults, calls) = (self.instances, self.faults, self.calls);
        format!(
            "calls by increment, {host}{writes}{clocks}, {instances} instances, {faults} faults, {calls} calls each"
        )
    }

    /// The time of an instance's clock.
    fn clock(&self, instance: usize, time: u64) -> u64 {
        if instance == 0 { time + self.ahead } else { time }
    }
}

impl Model for KeyValueModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::begin(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let may_fail = state.faults_left > 0;
        for (number, instance) in state.instances.iter().enumerate() {
            match &instance.phase {
                Phase::Idle if instance.calls_left > 0 => {
                    actions.push(Action::Call(number, Purpose::Acquire));
                    if state.is_published {
                        actions.push(Action::Call(number, Purpose::Find));
                    }
                }
                Phase::Holding => {
                    if instance.calls_left > 0 {
                        actions.push(Action::Call(number, Purpose::Publish));
                        actions.push(Action::Call(number, Purpose::Release));
                    }
                    if may_fail {
                        actions.push(Action::Crash(number));
                    }
                }
                Phase::Calling(call) => {
                    let ways = state.values.ways(&call.operation, self.host, state.time);
                    match call.delivery {
                        Delivery::Sent if call.operation == Operation::Sleep => {
                            if call.sent < state.time {
                                actions.push(Action::Perform(number, 0));
                            }
                            // To crash while it sleeps is to crash before it asks again.
                            continue;
                        }
                        Delivery::Sent => {
                            actions.extend((0..ways).map(|way| Action::Perform(number, way)));
                            if may_fail {
                                actions.extend((0..ways).map(|way| Action::AnswerIsSlow(number, way)));
                                actions.extend([
                                    Action::IsSlow(number),
                                    Action::Fails(number),
                                    Action::FailsAfter(number),
                                    Action::FailsAndIsLate(number),
                                    Action::CrashAfterSending(number),
                                ]);
                            }
                        }
                        Delivery::Slow => actions.extend((0..ways).map(|way| Action::Perform(number, way))),
                        Delivery::Answered(_) => actions.push(Action::AnswerArrives(number)),
                    }
                    if may_fail {
                        actions.push(Action::Crash(number));
                    }
                }
                Phase::Idle | Phase::Satisfied | Phase::Crashed => {}
            }
        }
        actions.extend((0..state.late.len()).map(Action::LateArrives));
        if state.passes_left > 0 {
            actions.extend(PASSES.into_iter().filter(|time| state.may_pass(self, *time)).map(Action::Pass));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        let is_fault = !matches!(
            action,
            Action::Call(..)
                | Action::Perform(..)
                | Action::AnswerArrives(_)
                | Action::LateArrives(_)
                | Action::Pass(_)
        );
        if is_fault {
            next.faults_left -= 1;
            next.surprise();
        }
        match action {
            Action::Call(instance, purpose) => next.call(self, instance, purpose),
            Action::Perform(instance, way) => {
                let operation = next.call_of(instance).operation.clone();
                let answer = next.perform(self, &operation, way);
                next.answer(self, instance, answer);
            }
            Action::IsSlow(instance) => next.call_of(instance).delivery = Delivery::Slow,
            Action::AnswerIsSlow(instance, way) => {
                let operation = next.call_of(instance).operation.clone();
                let answer = next.perform(self, &operation, way);
                next.call_of(instance).delivery = Delivery::Answered(answer);
            }
            Action::AnswerArrives(instance) => {
                let Delivery::Answered(answer) = next.call_of(instance).delivery.clone() else { return None };
                next.answer(self, instance, answer);
            }
            Action::Fails(instance) => next.answer(self, instance, Answer::Failed),
            Action::FailsAfter(instance) => {
                let operation = next.call_of(instance).operation.clone();
                next.perform(self, &operation, 0);
                next.answer(self, instance, Answer::Failed);
            }
            Action::FailsAndIsLate(instance) => {
                let (sent, operation) = (next.time, next.call_of(instance).operation.clone());
                next.add_late(sent, operation);
                next.answer(self, instance, Answer::Failed);
            }
            Action::Crash(instance) => next.instances[instance].phase = Phase::Crashed,
            Action::CrashAfterSending(instance) => {
                let (sent, operation) = (next.time, next.call_of(instance).operation.clone());
                next.add_late(sent, operation);
                next.instances[instance].phase = Phase::Crashed;
            }
            Action::LateArrives(number) => {
                let (_, operation) = next.late.remove(number);
                next.perform(self, &operation, 0);
            }
            Action::Pass(time) => next.pass(self, time),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties: Vec<Property<Self>> = vec![
            Property::always("without a fault no call fails", |_, state: &State| !state.report.failed),
            Property::sometimes("an instance has the lease", |_, state: &State| {
                state.instances.iter().any(|instance| instance.phase == Phase::Holding)
            }),
        ];
        if matches!(self.limits, Limits::Record | Limits::LeaseAndRecord) {
            let name = "limit of the platform: two instances replace one record";
            properties.push(Property::sometimes(name, |_, state: &State| state.report.replaced));
        } else {
            let name = "no record is replaced that is not the newest";
            properties.push(Property::always(name, |_, state: &State| !state.report.replaced));
        }
        if matches!(self.limits, Limits::Lease | Limits::LeaseAndRecord) {
            let name = "limit of the platform: two instances have the lease";
            properties.push(Property::sometimes(name, |_, state: &State| state.report.shared));
        }
        if self.limits != Limits::None {
            return properties;
        }
        let name = "one instance at a time has the lease";
        properties.push(Property::always(name, |_, state: &State| !state.report.shared));
        if self.calls > 1 {
            let name = "an instance publishes tokens";
            properties.push(Property::sometimes(name, |_, state: &State| state.is_published));
            properties.push(if self.host == Host::OneOrder {
                let name = "published tokens are found";
                Property::always(name, |_, state: &State| !state.report.missed)
            } else {
                let name = "limit of the platform: published tokens are not found";
                Property::sometimes(name, |_, state: &State| state.report.missed)
            });
        }
        if self.host == Host::OneOrder {
            let name = "an instance that ended keeps no other from the lease longer than a take-over takes";
            properties.push(Property::always(name, |_, state: &State| !state.report.blocked));
        }
        if self.faults > 0 {
            let name = "an instance gets the lease after one that ended between its claim and its write";
            properties.push(Property::sometimes(name, |_, state: &State| state.report.taken_over));
        }
        properties
    }
}
