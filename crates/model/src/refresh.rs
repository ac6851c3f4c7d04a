//! A refresh by three isolates in two locations, with everything that can go wrong with their operations.
//!
//! A state is one run of the real code: when the requests arrive, and which operations fail in which way. The next states
//! have one more fault, at a later operation. So all runs with up to so many faults are explored.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use stateright::{Model, Property};
use vestibule_testing::rotation::Rotation;

use crate::isolate::{Fault, Operation, Script};
use crate::world::{CallOutcome, Deployment, Kept};

/// How long after the first request the others arrive, in milliseconds: while the lease is written, while the provider is
/// asked, when the tokens have just been published, later, and after a provider's grace.
const ARRIVALS: [u64; 6] = [0, 60, 350, 1_500, 6_000, 20_000];
const HOUR: Duration = Duration::from_hours(1);

const LIMIT_OF_ANY: &str = "limit of the platform: a lost answer of a strict provider ends the session";
const LIMIT_OF_DELAY: &str =
    "limit of the platform: where KV's writes arrive after the grace, a second location ends the session";
const LIMIT_OF_KV: &str = "limit of the platform: where KV's writes arrive late, a second location ends a strict provider's session";

/// How the provider treats a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Provider {
    KeepsIt,
    /// It works for ten more seconds.
    Grace,
    /// A second use ends the grant.
    Strict,
}

/// Runs of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshModel {
    pub(crate) kept: Kept,
    pub(crate) provider: Provider,
    /// How many operations fail.
    pub(crate) faults: usize,
    /// How many of the arrival times are combined.
    pub(crate) arrivals: usize,
    /// Whether the user signs out meanwhile.
    pub(crate) with_sign_out: bool,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    /// When each isolate gets its request, in milliseconds.
    pub(crate) arrivals: [u64; 3],
    /// When the user signs out, in milliseconds.
    sign_out: Option<u64>,
    /// Whether the access token is valid for some more seconds, or has expired.
    is_early: bool,
    /// The number of an operation, and what goes wrong with it.
    pub(crate) faults: Vec<(u16, Fault)>,
    pub(crate) report: Report,
}

/// What happened in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Report {
    pub(crate) operations: Vec<(u8, Operation)>,
    /// Whether someone was told to sign in.
    pub(crate) is_lost: bool,
    /// Whether a request got 503.
    pub(crate) turned_away: bool,
    /// Whether a copy of the session's cookie passed at the end, although the user had signed out.
    pub(crate) came_back: bool,
    /// Whether tokens that the provider gave were never published.
    pub(crate) lost_tokens: bool,
    /// How often the provider refused a refresh token.
    pub(crate) refused: u32,
    /// Calls to objects, minus the isolates and one.
    pub(crate) calls: u64,
}

impl Model for RefreshModel {
    type State = Run;
    type Action = (u16, Fault);

    fn init_states(&self) -> Vec<Run> {
        let times = &ARRIVALS[..self.arrivals];
        let mut runs = Vec::new();
        for first in times {
            for second in times {
                // The first request is of either location.
                for arrivals in [[0, *first, *second], [*first, *second, 0]] {
                    for is_early in [false, true] {
                        let sign_outs: &[Option<u64>] = if self.with_sign_out {
                            &[Some(20), Some(150), Some(500), Some(2_000)]
                        } else {
                            &[None]
                        };
                        for sign_out in sign_outs {
                            let (faults, sign_out) = (Vec::new(), *sign_out);
                            let run = Run { arrivals, sign_out, is_early, faults, report: Report::default() };
                            runs.push(self.completed(run));
                        }
                    }
                }
            }
        }
        runs
    }

    fn actions(&self, run: &Run, actions: &mut Vec<(u16, Fault)>) {
        if run.faults.len() >= self.faults {
            return;
        }
        let from = run.faults.last().map_or(0, |(number, _)| usize::from(*number) + 1);
        for (number, (_, operation)) in run.report.operations.iter().enumerate().skip(from) {
            let number = u16::try_from(number).unwrap();
            actions.extend(operation.faults().iter().map(|fault| (number, *fault)));
        }
    }

    fn next_state(&self, run: &Run, fault: (u16, Fault)) -> Option<Run> {
        let mut next = run.clone();
        next.faults.push(fault);
        Some(self.completed(next))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties: Vec<Property<Self>> = vec![
            Property::always("a session ends only where the table says so", |model, run: &Run| {
                !run.report.is_lost || model.may_lose(run)
            }),
            Property::always("without a fault no one gets 503", |_, run: &Run| {
                !run.faults.is_empty() || !run.report.turned_away
            }),
            Property::always("who signed out stays signed out", |_, run: &Run| !run.report.came_back),
            Property::always(
                "calls to the object are at most the isolates that wait and two",
                |model, run: &Run| !run.faults.is_empty() || model.with_sign_out || run.report.calls <= 4,
            ),
            Property::sometimes("no session ends", |_, run: &Run| !run.report.is_lost),
        ];
        if self.provider == Provider::Strict && !self.with_sign_out && self.faults > 0 {
            // Where the tokens are lost with the provider's answer, and where a location cannot see another one's.
            properties.push(Property::sometimes(LIMIT_OF_ANY, |_, run: &Run| run.report.is_lost));
            if self.kept == Kept::KvDelayed {
                let name = LIMIT_OF_KV;
                properties.push(Property::sometimes(name, |_, run: &Run| {
                    run.faults.is_empty() && run.report.is_lost
                }));
            }
        }
        if (self.provider, self.kept, self.arrivals) == (Provider::Grace, Kept::KvDelayed, ARRIVALS.len()) {
            let name = LIMIT_OF_DELAY;
            properties
                .push(Property::sometimes(name, |_, run: &Run| run.faults.is_empty() && run.report.is_lost));
        }
        properties
    }
}

impl RefreshModel {
    pub(crate) fn name(&self) -> String {
        let provider = match self.provider {
            Provider::KeepsIt => "no rotation",
            Provider::Grace => "grace 10 s",
            Provider::Strict => "strict",
        };
        let end = if self.with_sign_out { ", a sign-out" } else { "" };
        let (kept, faults, times) = (self.kept.title(), self.faults, self.arrivals);
        format!("refresh, {kept}, {provider}, {faults} faults, {times} arrival times{end}")
    }

    /// Whether the documentation says that such a run may end a session.
    fn may_lose(&self, run: &Run) -> bool {
        match (self.provider, self.kept) {
            (Provider::KeepsIt, _) => false,
            (Provider::Strict, Kept::KvDelayed) => true,
            (Provider::Strict, Kept::KvFresh) => !run.faults.is_empty(),
            // A location that does not see another one's tokens yet may use the refresh token after the grace.
            (Provider::Grace, Kept::KvDelayed) => run.report.lost_tokens || run.report.refused > 0,
            _ => run.report.lost_tokens,
        }
    }

    fn settings(&self) -> Value {
        json!({
            "providers": [{
                "id": "acme",
                "type": "oidc",
                "issuer": "https://idp.example",
                "strict_rotation": self.provider == Provider::Strict,
            }],
            "upstreams": [{ "to": "https://upstream.example", "authorization": "access_token" }],
            "refresh": { "lease": self.kept.name() },
            "revocation": if self.with_sign_out {
                json!({ "store": self.kept.name(), "interval": "1m" })
            } else {
                json!({ "store": "none" })
            },
        })
    }

    /// The run with what happens in it.
    fn completed(&self, mut run: Run) -> Run {
        let rotation = match self.provider {
            Provider::KeepsIt => Rotation::None,
            Provider::Grace => Rotation::Grace(10_000),
            Provider::Strict => Rotation::Strict,
        };
        let script = Script { faults: run.faults.clone(), ..Script::default() };
        let world = Deployment::new(self.settings(), self.kept, rotation, script);
        let old = world.session(if run.is_early { 20 } else { -1 }, HOUR * 24 * 30);
        let clock = Rc::clone(&world.base.clock);
        let report = Rc::new(RefCell::new(Report::default()));
        let cookies = Rc::new(RefCell::new(vec![old.clone()]));
        let begin = |world: &Rc<Deployment>, isolate: usize, after: u64| {
            let (world, report, cookies) = (Rc::clone(world), Rc::clone(&report), Rc::clone(&cookies));
            let old = old.clone();
            async move {
                world.base.clock.sleep(Duration::from_millis(after)).await;
                match world.get(isolate, &old).await {
                    CallOutcome::Passed(cookie) => cookies.borrow_mut().extend(cookie),
                    CallOutcome::TurnedAway => report.borrow_mut().turned_away = true,
                    CallOutcome::Rejected(_) => report.borrow_mut().is_lost = true,
                    CallOutcome::Nothing => {}
                }
            }
        };
        for (isolate, after) in run.arrivals.into_iter().enumerate() {
            drop(clock.spawn(begin(&world, isolate, after)));
        }
        let mut is_signed_out = false;
        clock.run(async {
            if let Some(after) = run.sign_out {
                world.base.clock.sleep(Duration::from_millis(after)).await;
                is_signed_out = Box::pin(world.sign_out(0, &old)).await;
            }
        });
        let calls = world.base.store.calls.get();
        // Later every copy of the cookie is used again, in each isolate.
        clock.pass(Duration::from_mins(5));
        let copies = if self.with_sign_out {
            cookies.borrow().clone()
        } else {
            Vec::from_iter(cookies.borrow().last().cloned())
        };
        let operations = world.script.operations.borrow().clone();
        let mut is_back = false;
        for isolate in (0..3).filter(|isolate| !world.has_crashed(*isolate)) {
            for copy in &copies {
                match clock.run(world.get(isolate, copy)) {
                    CallOutcome::Passed(_) => is_back = true,
                    CallOutcome::TurnedAway => report.borrow_mut().turned_away = true,
                    CallOutcome::Rejected(_) => report.borrow_mut().is_lost = true,
                    CallOutcome::Nothing => {}
                }
            }
        }
        let mut report = report.take();
        if self.with_sign_out {
            report.is_lost = false;
        }
        report.came_back = is_signed_out && is_back;
        report.operations = operations;
        report.lost_tokens = world.script.lost_tokens();
        report.refused = world.grants.refused.get();
        report.calls = calls;
        run.report = report;
        run
    }
}
