//! What a lock answers, at the borders of its times and generations.

use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A lock, with the record that it keeps.
#[derive(Default)]
struct Lock(Option<String>);

impl Lock {
    /// The outcome of a call that arrived at `arrived`, and whether the record was written.
    fn serve(&mut self, call: &Value, arrived: u64, now: u64) -> (CallOutcome, bool) {
        let served = serve(self.0.as_deref(), &call.to_string(), at(arrived), at(now)).unwrap();
        let changed = served.remember.is_some();
        if let Some((record, _)) = served.remember {
            self.0 = Some(record);
        }
        (served.outcome, changed)
    }

    /// The answer to a call that does not wait.
    fn answer(&mut self, call: &Value, now: u64) -> Value {
        match self.serve(call, now, now).0 {
            CallOutcome::Answer(answer) => serde_json::from_str(&answer).unwrap(),
            CallOutcome::Wait { .. } => panic!("the call waits"),
        }
    }

    fn expires(&self, now: u64) -> Option<u64> {
        remembered_until(self.0.as_deref().unwrap(), at(now)).map(Timestamp::millis)
    }
}

fn acquire(owner: &str, generation: u64, wait_for: u64) -> Value {
    json!({ "call": "acquire", "generation": generation, "owner": owner, "held_for": 100, "wait_for": wait_for })
}

fn find(generation: u64) -> Value {
    json!({ "call": "find", "generation": generation })
}

fn publish(owner: &str, generation: u64, sealed: &str) -> Value {
    json!({ "call": "publish", "generation": generation, "owner": owner, "sealed": sealed, "kept_for": 1000 })
}

fn acquired() -> Value {
    json!({ "answer": "acquired" })
}

fn held() -> Value {
    json!({ "answer": "held_by_other", "until": NOW + 100 })
}

fn refreshed(sealed: &str) -> Value {
    json!({ "answer": "refreshed", "sealed": sealed })
}

fn not_found() -> Value {
    json!({ "answer": "not_found" })
}

#[test]
fn a_lease_keeps_others_out_until_the_moment_it_ends() {
    let held_lock = || {
        let mut lock = Lock::default();
        assert_eq!(lock.answer(&acquire("one", 3, 0), NOW), acquired());
        lock
    };
    assert_eq!(held_lock().answer(&acquire("two", 3, 0), NOW + 99), held());
    assert_eq!(held_lock().answer(&acquire("two", 3, 0), NOW + 100), acquired());
    // It also keeps out those with older tokens. Who has newer ones refreshes something else.
    assert_eq!(held_lock().answer(&acquire("two", 2, 0), NOW), held());
    assert_eq!(held_lock().answer(&acquire("two", 4, 0), NOW), acquired());
    assert_eq!(held_lock().answer(&acquire("one", 3, 0), NOW), acquired());
}

#[test]
fn a_lease_for_newer_tokens_is_not_lost_to_older_ones_of_the_same_process() {
    let mut lock = Lock::default();
    assert_eq!(lock.answer(&acquire("one", 3, 0), NOW), acquired());
    assert_eq!(lock.answer(&acquire("one", 2, 0), NOW), held());
    // Otherwise two would now use the same refresh token.
    assert_eq!(lock.answer(&acquire("two", 3, 0), NOW), held());
    assert!(lock.serve(&publish("one", 4, "four"), NOW, NOW).1);
    assert_eq!(lock.answer(&acquire("one", 2, 0), NOW), refreshed("four"));
}

#[test]
fn who_has_older_tokens_gets_the_newer_ones_while_those_are_refreshed_and_is_told_of_a_sign_out() {
    let mut lock = Lock::default();
    assert!(lock.serve(&publish("one", 4, "four"), NOW, NOW).1);
    assert_eq!(lock.answer(&acquire("two", 4, 0), NOW), acquired());
    assert_eq!(lock.answer(&acquire("three", 3, 50), NOW), refreshed("four"));
    let signed_out = json!({ "answer": "signed_out" });
    lock.serve(&json!({ "call": "sign_out", "kept_for": 1000 }), NOW, NOW);
    assert_eq!(lock.answer(&acquire("three", 4, 50), NOW), signed_out);
    assert_eq!(lock.answer(&acquire("three", 3, 50), NOW), signed_out);
}

#[test]
fn a_call_waits_for_the_lease_as_long_as_it_says_and_no_longer_than_the_lease() {
    let mut lock = Lock::default();
    lock.answer(&acquire("one", 3, 0), NOW);
    let waits =
        |lock: &mut Lock, wait_for: u64, now: u64| match lock.serve(&acquire("two", 3, wait_for), NOW, now) {
            (CallOutcome::Wait { until, otherwise }, false) => {
                assert_eq!(serde_json::from_str::<Value>(&otherwise).unwrap(), held());
                Some(until.millis())
            }
            (CallOutcome::Answer(answer), false) => {
                assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), held());
                None
            }
            _ => panic!("the record has changed"),
        };
    assert_eq!(waits(&mut lock, 60, NOW + 59), Some(NOW + 60));
    assert_eq!(waits(&mut lock, 60, NOW + 60), None);
    assert_eq!(waits(&mut lock, 500, NOW + 99), Some(NOW + 100));
}

#[test]
fn tokens_are_found_by_those_with_older_ones_until_they_expire() {
    let mut lock = Lock::default();
    lock.answer(&acquire("one", 3, 0), NOW);
    assert!(lock.serve(&publish("one", 4, "four"), NOW, NOW).1);
    assert_eq!(lock.answer(&find(3), NOW + 999), refreshed("four"));
    assert_eq!(lock.answer(&acquire("two", 3, 0), NOW + 999), refreshed("four"));
    assert_eq!(lock.answer(&find(4), NOW), not_found());
    assert_eq!(lock.answer(&find(3), NOW + 1000), not_found());
    // The lease ended with the tokens.
    assert_eq!(lock.answer(&acquire("two", 4, 0), NOW + 1), acquired());
}

#[test]
fn the_first_tokens_of_the_newest_generation_stay() {
    let mut lock = Lock::default();
    for (generation, sealed) in [(4, "first"), (4, "second"), (3, "older")] {
        lock.answer(&publish("one", generation, sealed), NOW);
        assert_eq!(lock.answer(&find(2), NOW), refreshed("first"), "{sealed}");
    }
    lock.answer(&publish("one", 5, "newer"), NOW);
    assert_eq!(lock.answer(&find(2), NOW), refreshed("newer"));
    // Expired ones make room, whatever their generation is.
    lock.answer(&publish("one", 3, "late"), NOW + 1000);
    assert_eq!(lock.answer(&find(2), NOW + 1000), refreshed("late"));
}

#[test]
fn tokens_that_another_process_publishes_do_not_end_a_lease() {
    let mut lock = Lock::default();
    lock.answer(&acquire("one", 4, 0), NOW);
    lock.answer(&publish("two", 4, "four"), NOW);
    assert_eq!(lock.answer(&acquire("three", 4, 0), NOW), held());
}

#[test]
fn only_its_holder_releases_a_lease() {
    let mut lock = Lock::default();
    lock.answer(&acquire("one", 3, 0), NOW);
    let release = |owner: &str| json!({ "call": "release", "owner": owner });
    assert!(!lock.serve(&release("two"), NOW, NOW).1);
    assert_eq!(lock.answer(&acquire("two", 3, 0), NOW), held());
    assert!(lock.serve(&release("one"), NOW, NOW).1);
    assert_eq!(lock.answer(&acquire("two", 3, 0), NOW), acquired());
}

#[test]
fn a_sign_out_ends_everything_for_as_long_as_it_is_kept() {
    let mut lock = Lock::default();
    lock.answer(&acquire("one", 3, 0), NOW);
    lock.answer(&publish("one", 4, "four"), NOW);
    let is_signed_out = json!({ "call": "is_signed_out" });
    assert_eq!(lock.answer(&is_signed_out, NOW), not_found());
    lock.answer(&json!({ "call": "sign_out", "kept_for": 50 }), NOW);
    let signed_out = json!({ "answer": "signed_out" });
    for call in [is_signed_out.clone(), acquire("two", 3, 40), find(3), publish("one", 5, "five")] {
        assert_eq!(lock.answer(&call, NOW + 49), signed_out, "{call}");
    }
    assert_eq!(lock.answer(&is_signed_out, NOW + 50), not_found());
    assert_eq!(lock.answer(&find(3), NOW + 50), not_found());
    assert_eq!(lock.answer(&acquire("two", 3, 0), NOW + 50), acquired());
}

#[test]
fn a_record_is_kept_until_the_last_of_its_facts_ends() {
    let mut lock = Lock::default();
    lock.answer(&acquire("one", 3, 0), NOW);
    assert_eq!(
        [NOW, NOW + 99, NOW + 100].map(|now| lock.expires(now)),
        [Some(NOW + 100), Some(NOW + 100), None]
    );
    lock.answer(&publish("two", 4, "four"), NOW);
    assert_eq!(lock.expires(NOW), Some(NOW + 1000));
    lock.answer(&json!({ "revocation": "revoke", "session": null, "at": NOW, "kept_for": 2000 }), NOW);
    assert_eq!(lock.expires(NOW), Some(NOW + 2000));
    lock.answer(&json!({ "call": "sign_out", "kept_for": 50 }), NOW);
    assert_eq!(lock.expires(NOW), Some(NOW + 50));
    assert_eq!(remembered_until("no record", at(NOW)), None);
    assert!(serve(None, r#"{"call":"other"}"#, at(NOW), at(NOW)).is_err());
}

fn receive(
    waiting: &mut WaitingCalls<u32>,
    record: &mut Option<String>,
    call: &Value,
    caller: u32,
    now: u64,
) -> Vec<(u32, Value)> {
    let answers = waiting.receive(record.as_deref(), &call.to_string(), caller, at(now));
    remember(record, answers)
}

fn wake(waiting: &mut WaitingCalls<u32>, record: &mut Option<String>, now: u64) -> Vec<(u32, Value)> {
    let answers = waiting.wake(record.as_deref(), at(now));
    remember(record, answers)
}

fn remember(record: &mut Option<String>, answers: Answers<u32>) -> Vec<(u32, Value)> {
    if let Some((new, _)) = answers.remember {
        *record = Some(new);
    }
    let answer = |(caller, answer): (u32, Result<String, UnknownCallError>)| {
        (caller, serde_json::from_str(&answer.unwrap()).unwrap())
    };
    answers.answers.into_iter().map(answer).collect()
}

#[test]
fn waiting_calls_are_answered_as_soon_as_the_record_says_so() {
    let (mut waiting, mut record) = (WaitingCalls::default(), None);
    assert_eq!(receive(&mut waiting, &mut record, &acquire("one", 3, 0), 1, NOW), [(1, acquired())]);
    assert_eq!((waiting.len(), waiting.is_empty(), waiting.wake_at()), (0, true, None));
    for (caller, owner) in [(2, "two"), (3, "three")] {
        assert_eq!(receive(&mut waiting, &mut record, &acquire(owner, 3, 500), caller, NOW), []);
    }
    assert_eq!((waiting.len(), waiting.is_empty(), waiting.wake_at()), (2, false, Some(at(NOW + 100))));
    let published = receive(&mut waiting, &mut record, &publish("one", 4, "four"), 1, NOW + 10);
    let done = (1, json!({ "answer": "done" }));
    assert_eq!(published, [done, (2, refreshed("four")), (3, refreshed("four"))]);
    assert!(waiting.is_empty());
}

#[test]
fn a_lease_that_is_free_again_goes_to_one_waiting_call_and_the_others_wait_on() {
    let (mut waiting, mut record) = (WaitingCalls::default(), None);
    receive(&mut waiting, &mut record, &acquire("one", 3, 0), 1, NOW);
    for (caller, owner) in [(2, "two"), (3, "three")] {
        receive(&mut waiting, &mut record, &acquire(owner, 3, 150), caller, NOW);
    }
    assert_eq!(wake(&mut waiting, &mut record, NOW + 99), []);
    assert_eq!(wake(&mut waiting, &mut record, NOW + 100), [(2, acquired())]);
    // It waits for the new lease, as long as it wanted from the beginning.
    assert_eq!(waiting.wake_at(), Some(at(NOW + 150)));
    let held = (3, json!({ "answer": "held_by_other", "until": NOW + 200 }));
    assert_eq!(wake(&mut waiting, &mut record, NOW + 150), [held]);
    assert!(waiting.is_empty());
}

#[test]
fn a_call_waits_no_longer_than_the_lease_that_another_one_that_waited_got() {
    let (mut waiting, mut record) = (WaitingCalls::default(), None);
    receive(&mut waiting, &mut record, &acquire("one", 5, 0), 1, NOW);
    receive(&mut waiting, &mut record, &acquire("two", 3, 500), 2, NOW);
    let mut short = acquire("three", 5, 500);
    short["held_for"] = json!(50);
    receive(&mut waiting, &mut record, &short, 3, NOW);
    // The lease has just ended. One with older tokens gets it, which keeps out the second and not the third.
    let answers = receive(&mut waiting, &mut record, &acquire("four", 3, 0), 4, NOW + 100);
    assert_eq!(answers, [(4, acquired()), (3, acquired())]);
    assert_eq!(waiting.wake_at(), Some(at(NOW + 150)));
}

#[test]
fn a_call_whose_time_has_not_come_waits_while_another_one_ends() {
    let (mut waiting, mut record) = (WaitingCalls::default(), None);
    receive(&mut waiting, &mut record, &acquire("one", 3, 0), 1, NOW);
    receive(&mut waiting, &mut record, &acquire("two", 3, 80), 2, NOW);
    receive(&mut waiting, &mut record, &acquire("three", 3, 40), 3, NOW);
    assert_eq!(waiting.wake_at(), Some(at(NOW + 40)));
    assert_eq!(wake(&mut waiting, &mut record, NOW + 40), [(3, held())]);
    assert_eq!(waiting.clone().into_callers().collect::<Vec<_>>(), [2]);
    waiting.remove(|caller| *caller == 3);
    assert_eq!(waiting.len(), 1);
    waiting.remove(|caller| *caller == 2);
    assert!(waiting.is_empty());
}

#[test]
fn a_lock_that_is_woken_late_answers_all_calls_whose_time_has_come() {
    let (mut waiting, mut record) = (WaitingCalls::default(), None);
    receive(&mut waiting, &mut record, &acquire("one", 3, 0), 1, NOW);
    for (caller, wait_for) in [(2, 40), (3, 50), (4, 60)] {
        receive(&mut waiting, &mut record, &acquire("another", 3, wait_for), caller, NOW);
    }
    assert_eq!(wake(&mut waiting, &mut record, NOW + 50), [(2, held()), (3, held())]);
    assert_eq!(waiting.wake_at(), Some(at(NOW + 60)));
}

#[test]
fn a_lock_at_which_a_thousand_calls_wait_answers_the_next_one_at_once() {
    let (mut waiting, mut record) = (WaitingCalls::default(), None);
    receive(&mut waiting, &mut record, &acquire("one", 3, 0), 1, NOW);
    for caller in 0..1000 {
        assert_eq!(receive(&mut waiting, &mut record, &acquire("two", 3, 50), caller, NOW), []);
    }
    assert_eq!(receive(&mut waiting, &mut record, &acquire("two", 3, 50), 1000, NOW), [(1000, held())]);
}
