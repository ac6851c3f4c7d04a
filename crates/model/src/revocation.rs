//! A session that is signed out while a copy of its cookie is in use elsewhere.
//!
//! A state is one history of the real code: who sent which request to which isolate, and what time passed. The next states
//! have one more event. So all histories of so many events are explored.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use stateright::{Model, Property};
use vestibule_testing::rotation::Rotation;

use crate::isolate::Script;
use crate::world::{CallOutcome, Deployment, Kept};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
/// How long a session is valid that is not renewed, and when it is renewed.
const MAX_AGE: u64 = 120 * MINUTE;
const UPDATE_AGE: u64 = 10 * MINUTE;
/// How long an access token is valid.
const TOKEN: u64 = 20 * MINUTE;
/// How old what is known may be where a request may change something.
const MAX_AGE_TO_RENEW: u64 = 30 * SECOND;
/// How long KV remembers a read, and how long a write takes to be visible.
const KV_DELAY: u64 = 2 * MINUTE;
/// How long after its end a cookie still opens, because clocks differ.
const TOLERANCE: u64 = 15 * SECOND;
/// How long a fact is kept.
const RETENTION: u64 = MAX_AGE + 24 * 60 * MINUTE;
/// The times that pass: less than what a renewal may be old, more than that, more than an interval, more than an access
/// token is valid for, and most of a session's life.
const PASSES: [u64; 5] = [12 * SECOND, 40 * SECOND, 6 * MINUTE, 25 * MINUTE, 100 * MINUTE];

/// Histories of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RevocationModel {
    pub(crate) kept: Kept,
    /// Whether the upstream wants the access token, so that sessions are refreshed.
    pub(crate) with_tokens: bool,
    /// How many events a history has at most.
    pub(crate) events: usize,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The user sends a request to this isolate.
    User(usize),
    /// So does a thief, who has a copy of the cookie.
    Thief(usize),
    /// The thief sends a request that may change something.
    ThiefPosts(usize),
    /// The thief sends a request every half hour, until the fact is forgotten and longer.
    ThiefPersists,
    /// The user signs out at this isolate.
    SignOut(usize),
    /// An isolate ends, and a new one takes its place.
    Restart(usize),
    /// The store stops to answer, or answers again.
    StoreFails(bool),
    Pass(u64),
}

/// One history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct History {
    pub(crate) events: Vec<Event>,
    pub(crate) report: Report,
}

/// What went wrong in a history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Report {
    /// A copy passed after the promised time.
    pub(crate) passed_late: bool,
    /// A copy passed at the isolate that signed the session out.
    pub(crate) passed_at_once: bool,
    /// A copy passed although every cookie from before the sign-out has expired.
    pub(crate) outlived: bool,
    /// The user was told to sign in without a sign-out.
    pub(crate) ended_early: bool,
    /// Someone got 503 while the store answered.
    pub(crate) turned_away: bool,
    /// A copy passed after the sign-out, within the promised time.
    pub(crate) passed_in_time: bool,
}

impl Model for RevocationModel {
    type State = History;
    type Action = Event;

    fn init_states(&self) -> Vec<History> {
        vec![History { events: Vec::new(), report: Report::default() }]
    }

    fn actions(&self, history: &History, actions: &mut Vec<Event>) {
        let events = &history.events;
        if events.len() >= self.events || events.last() == Some(&Event::ThiefPersists) {
            return;
        }
        let signed_out = events.iter().position(|event| matches!(event, Event::SignOut(_)));
        let last = events.last();
        // Isolates 0 and 1 are in one location, so the first request of all is at 0 or at 2.
        let isolates: &[usize] = if events.is_empty() { &[0, 2] } else { &[0, 1, 2] };
        if signed_out.is_none() {
            actions.extend(isolates.iter().map(|isolate| Event::User(*isolate)));
            actions.extend(isolates.iter().map(|isolate| Event::SignOut(*isolate)));
        } else {
            actions.push(Event::ThiefPersists);
        }
        // As its last event, a history needs a request.
        actions.extend(isolates.iter().map(|isolate| Event::Thief(*isolate)));
        actions.extend(isolates.iter().map(|isolate| Event::ThiefPosts(*isolate)));
        if events.is_empty() || events.len() + 1 >= self.events {
            return;
        }
        if !matches!(last, Some(Event::Pass(_))) {
            actions.extend(PASSES.map(Event::Pass));
        }
        if !matches!(last, Some(Event::Restart(_) | Event::StoreFails(_))) {
            actions.extend([0, 2].map(Event::Restart));
            let fails = events.iter().rev().find_map(|event| match event {
                Event::StoreFails(fails) => Some(*fails),
                _ => None,
            });
            actions.push(Event::StoreFails(!fails.unwrap_or(false)));
        }
    }

    fn next_state(&self, history: &History, event: Event) -> Option<History> {
        let mut events = history.events.clone();
        events.push(event);
        let is_request = !matches!(event, Event::Pass(_) | Event::Restart(_) | Event::StoreFails(_));
        let report = if is_request { self.report(&events) } else { history.report.clone() };
        Some(History { events, report })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties: Vec<Property<Self>> = vec![
            Property::always("nothing revoked passes after the promised time", |_, history: &History| {
                !history.report.passed_late
            }),
            Property::always(
                "the isolate that revoked a session lets it pass no more",
                |_, history: &History| !history.report.passed_at_once,
            ),
            Property::always("nothing outlives its fact", |_, history: &History| !history.report.outlived),
            Property::always("no session ends without a cause", |_, history: &History| {
                !history.report.ended_early
            }),
            Property::always("while the store answers no one gets 503", |_, history: &History| {
                !history.report.turned_away
            }),
        ];
        if self.events > 2 {
            // The promise says as much as can be said: a copy does pass before.
            let name = "a copy passes within the promised time";
            properties.push(Property::sometimes(name, |_, history: &History| history.report.passed_in_time));
        }
        properties
    }
}

/// Who has a cookie.
struct Holder {
    cookie: String,
    /// When its last request passed.
    passed_at: u64,
}

impl RevocationModel {
    pub(crate) fn name(&self) -> String {
        let tokens = if self.with_tokens { ", with refreshes" } else { "" };
        format!("revocation, {}{tokens}, {} events", self.kept.title(), self.events)
    }

    fn settings(&self) -> Value {
        let upstream = if self.with_tokens {
            json!({ "to": "https://upstream.example", "authorization": "access_token" })
        } else {
            json!({ "to": "https://upstream.example" })
        };
        json!({
            "providers": [{ "id": "acme", "type": "oidc", "issuer": "https://idp.example" }],
            "upstreams": [upstream],
            "session": {
                "max_age": format!("{}s", MAX_AGE / SECOND),
                "update_age": format!("{}s", UPDATE_AGE / SECOND),
            },
            "refresh": { "lease": self.kept.name() },
            "revocation": { "store": self.kept.name() },
            "model_token_lifetime": TOKEN / SECOND,
        })
    }

    /// How long a copy may pass after a sign-out.
    fn promise(&self, may_change: bool) -> u64 {
        let (interval, delay) = match self.kept {
            Kept::Object => (10 * SECOND, 0),
            Kept::KvDelayed | Kept::KvFresh => (5 * MINUTE, KV_DELAY),
        };
        let interval = if may_change { interval.min(MAX_AGE_TO_RENEW) } else { interval };
        interval + delay
    }

    /// Runs the events.
    fn report(&self, events: &[Event]) -> Report {
        let mut report = Report::default();
        let world = Deployment::new(self.settings(), self.kept, Rotation::None, Script::default());
        let clock = Rc::clone(&world.base.clock);
        let valid_for = i64::try_from(TOKEN / SECOND).unwrap();
        let first = world.session(valid_for, Duration::from_millis(MAX_AGE));
        let new = || Holder { cookie: first.clone(), passed_at: world.now() };
        let (mut user, mut thief) = (new(), new());
        // When the sign-out was stored, and whether the store failed since.
        let mut ended: Option<u64> = None;
        let mut ended_at_isolate: [bool; 3] = [false; 3];
        let (mut has_failed, mut fails) = (false, false);
        for event in events {
            match event {
                Event::User(isolate) => {
                    let outcome = clock.run(world.get(*isolate, &user.cookie));
                    // Renewals follow within `update_age`, so a session that was used lately is valid.
                    let is_recent = world.now() < user.passed_at + MAX_AGE - UPDATE_AGE;
                    report.ended_early |=
                        matches!(outcome, CallOutcome::Rejected(_)) && is_recent && !has_failed;
                    report.turned_away |= outcome == CallOutcome::TurnedAway && !has_failed;
                    user.take(outcome, world.now());
                }
                Event::Thief(isolate) => {
                    let at_revoker = ended_at_isolate[*isolate];
                    let outcome = clock.run(world.get(*isolate, &thief.cookie));
                    self.judge(&mut report, &outcome, world.now(), ended, false, has_failed, at_revoker);
                    thief.take(outcome, world.now());
                }
                Event::ThiefPosts(isolate) => {
                    let at_revoker = ended_at_isolate[*isolate];
                    let outcome = clock.run(world.post(*isolate, &thief.cookie));
                    self.judge(&mut report, &outcome, world.now(), ended, true, has_failed, at_revoker);
                    thief.take(outcome, world.now());
                }
                Event::ThiefPersists => {
                    let until = world.now() + RETENTION + MAX_AGE;
                    let mut round = 0;
                    while world.now() < until {
                        clock.pass(Duration::from_millis(30 * MINUTE));
                        // The store fails every other hour: what was read is old whenever it is needed.
                        world.base.store.is_down.set(fails || round % 4 >= 2);
                        let outcome = clock.run(world.get(round % 3, &thief.cookie));
                        let is_out = matches!(outcome, CallOutcome::Rejected(_));
                        self.judge(&mut report, &outcome, world.now(), ended, false, true, false);
                        thief.take(outcome, world.now());
                        round += 1;
                        if is_out && round > 6 {
                            break;
                        }
                    }
                }
                Event::SignOut(isolate) => {
                    if clock.run(world.sign_out(*isolate, &user.cookie)) {
                        ended = Some(world.now());
                        has_failed = fails;
                    }
                    ended_at_isolate[*isolate] = true;
                }
                Event::Restart(isolate) => {
                    world.restart(*isolate);
                    ended_at_isolate[*isolate] = false;
                }
                Event::StoreFails(now_fails) => {
                    fails = *now_fails;
                    has_failed |= fails;
                    world.base.store.is_down.set(fails);
                }
                Event::Pass(time) => clock.pass(Duration::from_millis(*time)),
            }
        }
        report
    }

    #[allow(
        clippy::too_many_arguments,
        clippy::fn_params_excessive_bools,
        reason = "what a outcome is judged by"
    )]
    fn judge(
        &self,
        report: &mut Report,
        outcome: &CallOutcome,
        now: u64,
        ended: Option<u64>,
        may_change: bool,
        has_failed: bool,
        at_revoker: bool,
    ) {
        report.turned_away |= *outcome == CallOutcome::TurnedAway && !has_failed;
        if !matches!(outcome, CallOutcome::Passed(_)) {
            return;
        }
        report.passed_at_once |= at_revoker;
        let Some(ended) = ended else { return };
        report.passed_late |= now >= ended + self.promise(may_change) && !has_failed;
        // Those that the store does not answer about pass until their next renewal.
        report.outlived |= now >= ended + self.promise(true) + MAX_AGE + TOLERANCE;
        report.passed_in_time |= now < ended + self.promise(may_change);
    }
}

impl Holder {
    fn take(&mut self, outcome: CallOutcome, now: u64) {
        if let CallOutcome::Passed(cookie) = outcome {
            self.passed_at = now;
            if let Some(cookie) = cookie {
                self.cookie = cookie;
            }
        }
    }
}
