//! One call of an instance: the real code of `vestibule-keyvalue`, whose operations have had these answers so far.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;
use vestibule_keyvalue::{Bucket, KeyValueStore};

/// The lock.
pub(super) const LOCK: &str = "a";

/// What an instance asks of its host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operation {
    Get(String),
    Set(String, Vec<u8>),
    Delete(String),
    Increment(String, u64),
    Sleep,
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Value(Option<Vec<u8>>),
    Sum(u64),
    Done,
    Failed,
}

/// An answer, and the instance's time when it arrived.
pub(super) type Answered = (u64, Answer);

/// How far a call is.
pub(super) enum Progress {
    Asks(Operation),
    Ended(Result<String, StoreError>),
}

/// How far a call is that began at this time of its instance, after these answers. The code has no state but what follows from
/// them.
pub(super) fn progress(call: &str, begun: u64, answers: &[Answered]) -> Progress {
    let replay = Replay(Rc::new(Inner {
        now: Cell::new(begun),
        answers: answers.to_vec(),
        next: Cell::new(0),
        unanswered: RefCell::default(),
    }));
    let store = KeyValueStore::new(replay.clone());
    let running = pin!(store.call_lock(LOCK, call));
    match running.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Progress::Ended(result),
        Poll::Pending => Progress::Asks(replay.0.unanswered.take().expect("only an operation waits")),
    }
}

/// A bucket that gives the answers, and then notes what it is asked next.
#[derive(Clone)]
struct Replay(Rc<Inner>);

struct Inner {
    now: Cell<u64>,
    answers: Vec<Answered>,
    next: Cell<usize>,
    unanswered: RefCell<Option<Operation>>,
}

impl Replay {
    async fn ask(&self, operation: Operation) -> Result<Answer, StoreError> {
        let Some((at, answer)) = self.0.answers.get(self.0.next.get()).cloned() else {
            self.0.unanswered.replace(Some(operation));
            return pending().await;
        };
        self.0.next.set(self.0.next.get() + 1);
        self.0.now.set(at);
        match answer {
            Answer::Failed => Err(StoreError::Failed("lost".to_owned())),
            answer => Ok(answer),
        }
    }
}

impl Bucket for Replay {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.ask(Operation::Get(key.to_owned())).await? {
            Answer::Value(value) => Ok(value),
            answer => panic!("{answer:?} to get"),
        }
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.ask(Operation::Set(key.to_owned(), value.to_vec())).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.ask(Operation::Delete(key.to_owned())).await.map(drop)
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        match self.ask(Operation::Increment(key.to_owned(), delta)).await? {
            Answer::Sum(sum) => Ok(sum),
            answer => panic!("{answer:?} to increment"),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.get())
    }

    async fn sleep(&self, _: Duration) {
        let slept = self.ask(Operation::Sleep).await;
        assert!(slept.is_ok(), "a sleep cannot fail");
    }
}
