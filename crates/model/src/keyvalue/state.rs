//! Everything that there is at one moment: the bucket, the instances, and operations whose callers have given them up.

use serde_json::{Value, json};
use vestibule_core::platform::StoreError;

use super::KeyValueModel;
use super::host::{Values, record_key, round_of};
use super::instance::{Answer, Answered, Operation, Progress, progress};

/// How long a lease lasts, how long an instance waits for another one's, and how long the provider may take, in milliseconds.
const LEASE: u64 = 15_000;
const WAIT: u64 = 10_000;
const PROVIDER: u64 = 10_000;
/// After how long a claim without effect is passed over, in milliseconds.
const TAKE_OVER: u64 = 15_000;
/// When time begins, so that no time is zero.
pub(super) const BEGIN: u64 = 1_000_000;

/// Everything that there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// Milliseconds.
    pub(super) time: u64,
    pub(super) passes_left: u8,
    pub(super) faults_left: u8,
    pub(super) values: Values,
    pub(super) instances: Vec<Instance>,
    /// Operations whose senders have given them up, and that may still take effect, with when they were sent.
    pub(super) late: Vec<(u64, Operation)>,
    /// Whether an instance was told that its tokens are published.
    pub(super) is_published: bool,
    /// What has happened.
    pub(super) report: Report,
}

/// What has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Report {
    /// A record was replaced that was not the newest.
    pub(super) replaced: bool,
    /// Two instances had a lease.
    pub(super) shared: bool,
    /// Published tokens were not found.
    pub(super) missed: bool,
    /// A call failed although every claim had been seen long enough ago, and nothing else was under way.
    pub(super) blocked: bool,
    /// A call failed without a fault.
    pub(super) failed: bool,
    /// An instance has the lease after the claim of another one came to nothing.
    pub(super) taken_over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Instance {
    pub(super) calls_left: u8,
    /// When it was given the lease that it has not given back.
    had: Option<u64>,
    pub(super) phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Idle,
    Calling(Call),
    /// It has the lease, and asks the provider.
    Holding,
    /// It has the newest tokens.
    Satisfied,
    Crashed,
}

/// A call that waits for the host's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    purpose: Purpose,
    begun: u64,
    answers: Vec<Answered>,
    pub(super) operation: Operation,
    pub(super) sent: u64,
    pub(super) delivery: Delivery,
    /// Whether nothing can keep it from succeeding.
    must_succeed: bool,
}

/// What an operation that was sent has come to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Delivery {
    Sent,
    /// It takes its time.
    Slow,
    /// It has taken effect, and its answer takes its time.
    Answered(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Acquire,
    Publish,
    Release,
    Find,
}

impl State {
    pub(super) fn begin(model: &KeyValueModel) -> Self {
        let instance = Instance { calls_left: model.calls, had: None, phase: Phase::Idle };
        Self {
            time: BEGIN,
            passes_left: model.passes,
            faults_left: model.faults,
            values: Values::default(),
            instances: vec![instance; model.instances],
            late: Vec::new(),
            is_published: false,
            report: Report::default(),
        }
    }

    /// An instance calls the lock.
    pub(super) fn call(&mut self, model: &KeyValueModel, number: usize, purpose: Purpose) {
        let is_alone = self.late.is_empty()
            && self.instances.iter().all(|other| !matches!(other.phase, Phase::Calling(_)));
        let must_succeed = purpose == Purpose::Acquire && is_alone && self.claims_are_old(model);
        self.surprise();
        let begun = model.clock(number, self.time);
        self.instances[number].calls_left -= 1;
        if purpose != Purpose::Acquire {
            self.instances[number].had = None;
        }
        let (answers, operation) = (Vec::new(), Operation::Sleep);
        let (sent, delivery) = (self.time, Delivery::Sent);
        let call = Call { purpose, begun, answers, operation, sent, delivery, must_succeed };
        self.go_on(model, number, call);
    }

    /// Whether every claim of the newest record has been seen so long ago that another attempt is open.
    fn claims_are_old(&self, model: &KeyValueModel) -> bool {
        let round = self.values.round();
        let is_old = |attempt: &u32| {
            let seen = self.values.newest(&format!("vestibule:seen:a:{round}:{attempt}"));
            let seen = seen.and_then(|seen| std::str::from_utf8(seen).ok()?.parse::<u64>().ok());
            seen.is_some_and(|seen| seen + TAKE_OVER + model.ahead <= self.time)
        };
        let is_claimed =
            |attempt: &u32| self.values.newest(&format!("vestibule:claim:a:{round}:{attempt}")).is_some();
        (0..u32::MAX).take_while(is_claimed).all(|attempt| is_old(&attempt))
    }

    /// Something happens that a call could not count on.
    pub(super) fn surprise(&mut self) {
        for instance in &mut self.instances {
            if let Phase::Calling(call) = &mut instance.phase {
                call.must_succeed = false;
            }
        }
    }

    /// The call of an instance, which it must have.
    pub(super) fn call_of(&mut self, number: usize) -> &mut Call {
        match &mut self.instances[number].phase {
            Phase::Calling(call) => call,
            phase => panic!("{number} calls nothing: {phase:?}"),
        }
    }

    /// An operation takes effect. Gives its answer.
    pub(super) fn perform(&mut self, model: &KeyValueModel, operation: &Operation, way: usize) -> Answer {
        if let Operation::Set(key, value) = operation
            && *key == record_key()
        {
            self.report.replaced |= round_of(value) != self.values.round() + 1;
        }
        let answer = self.values.perform(operation, way, model.host, self.time);
        self.values.forget(model.host, self.time);
        answer
    }

    /// The answer to an instance's operation arrives.
    pub(super) fn answer(&mut self, model: &KeyValueModel, number: usize, answer: Answer) {
        let now = model.clock(number, self.time);
        let mut call = self.call_of(number).clone();
        call.answers.push((now, answer));
        self.go_on(model, number, call);
    }

    /// The instance goes on until it asks its host for something, or the call ends.
    fn go_on(&mut self, model: &KeyValueModel, number: usize, mut call: Call) {
        match progress(&text(number, call.purpose), call.begun, &call.answers) {
            Progress::Asks(operation) => {
                (call.operation, call.sent, call.delivery) = (operation, self.time, Delivery::Sent);
                self.instances[number].phase = Phase::Calling(call);
            }
            Progress::Ended(result) => self.end(model, number, &call, result),
        }
    }

    fn end(&mut self, model: &KeyValueModel, number: usize, call: &Call, result: Result<String, StoreError>) {
        let answer = match result {
            Ok(answer) => answer_of(&answer),
            Err(error) => {
                self.report.blocked |= call.must_succeed;
                self.report.failed |= self.faults_left == model.faults && error != StoreError::Busy;
                self.instances[number].phase = Phase::Idle;
                return;
            }
        };
        self.instances[number].phase = match (call.purpose, answer.as_str()) {
            (Purpose::Acquire, "acquired") => {
                self.acquired(number);
                Phase::Holding
            }
            (Purpose::Acquire, "held_by_other") | (Purpose::Release, "done") => Phase::Idle,
            (Purpose::Publish, "done") => {
                self.is_published = true;
                Phase::Satisfied
            }
            (Purpose::Acquire | Purpose::Find, "refreshed") => Phase::Satisfied,
            (Purpose::Find, "not_found") => {
                self.report.missed = true;
                Phase::Satisfied
            }
            (purpose, answer) => panic!("{answer} to {purpose:?}"),
        };
    }

    fn acquired(&mut self, number: usize) {
        let now = self.time;
        let has = |other: &Instance| other.had.is_some_and(|had| now < had + PROVIDER);
        let mut others = self.instances.iter().enumerate().filter(|(other, _)| *other != number);
        self.report.shared |= others.any(|(_, other)| has(other));
        self.instances[number].had = Some(now);
        let record = self.values.newest(&record_key()).and_then(|record| serde_json::from_slice(record).ok());
        let attempt = record.and_then(|record: Value| record["claimed"].as_array()?.last()?[1].as_u64());
        self.report.taken_over |= attempt > Some(0);
    }

    /// Time passes.
    pub(super) fn pass(&mut self, model: &KeyValueModel, time: u64) {
        self.time += time;
        self.passes_left -= 1;
        let now = self.time;
        self.late.retain(|(sent, operation)| !is_record(operation) || now <= sent + model.longest);
        self.values.forget(model.host, now);
    }

    /// Whether so much time can pass: nothing is under way but what takes its time, and no write of a record takes longer than it may.
    pub(super) fn may_pass(&self, model: &KeyValueModel, time: u64) -> bool {
        self.instances.iter().all(|instance| match &instance.phase {
            Phase::Calling(call) => match call.delivery {
                Delivery::Sent => call.operation == Operation::Sleep && call.sent == self.time,
                Delivery::Slow => {
                    !is_record(&call.operation) || self.time + time <= call.sent + model.longest
                }
                Delivery::Answered(_) => true,
            },
            Phase::Idle | Phase::Holding | Phase::Satisfied | Phase::Crashed => true,
        })
    }

    pub(super) fn add_late(&mut self, sent: u64, operation: Operation) {
        self.late.push((sent, operation));
        self.late.sort();
    }
}

fn is_record(operation: &Operation) -> bool {
    matches!(operation, Operation::Set(key, _) if *key == record_key())
}

/// The text of a call.
fn text(number: usize, purpose: Purpose) -> String {
    let owner = format!("instance {number}");
    let call = match purpose {
        Purpose::Acquire => json!({
            "call": "acquire", "generation": 0, "owner": owner, "held_for": LEASE, "wait_for": WAIT,
        }),
        Purpose::Publish => json!({
            "call": "publish", "generation": 1, "owner": owner, "sealed": "1", "kept_for": 3_600_000,
        }),
        Purpose::Release => json!({ "call": "release", "owner": owner }),
        Purpose::Find => json!({ "call": "find", "generation": 0 }),
    };
    call.to_string()
}

fn answer_of(text: &str) -> String {
    let answer: Value = serde_json::from_str(text).expect("an answer");
    answer["answer"].as_str().expect("an answer").to_owned()
}
