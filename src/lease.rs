//! The Durable Object that holds the lease of one session: [`WaitingCalls`] with persistent memory, timers and callers.
//!
//! A call that waits is a request that is not answered yet. While it waits the object awaits no storage, only a timer, so
//! the runtime delivers other calls; one of them wakes it. If the runtime moves or ends the object, it fails the requests
//! that wait, and their callers call again.

#![allow(missing_docs, reason = "the methods that the macro generates cannot be documented")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use worker::wasm_bindgen::JsValue;
use worker::{
    Delay, DurableObject, Env, Error, Method, ObjectNamespace, Request, RequestInit, Response, Result, State,
    Storage, durable_object,
};

use crate::clock;
use vestibule_core::lease::lock::{self, Answers, WaitingCalls};
use vestibule_core::time::Timestamp;

/// The storage key of an object's state.
const STATE_KEY: &str = "lease";

/// A request to an object needs a URL. Its value has no meaning, because only this Worker can call the object.
const URL: &str = "https://lease/";

/// The lease of one session. Bind it as `AUTH_LEASE`, as a class with SQLite storage.
#[durable_object(alarm)]
pub struct RefreshLease {
    storage: Storage,
    /// What the object remembers, and the calls that wait. `None` until the storage was read.
    memory: RefCell<Option<Memory>>,
}

#[derive(Default)]
struct Memory {
    record: Option<String>,
    waiting: WaitingCalls<Caller>,
}

/// The request that made a call.
type Caller = Rc<RefCell<CallerState>>;

#[derive(Default)]
struct CallerState {
    answer: Option<Result<String>>,
    waker: Option<Waker>,
}

impl DurableObject for RefreshLease {
    fn new(state: State, _env: Env) -> Self {
        Self { storage: state.storage(), memory: RefCell::default() }
    }

    /// Answers one call, at once or when it has waited.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let call = request.text().await?;
        self.load().await?;
        let caller = Caller::default();
        let now = clock::now();
        let receive = |memory: &mut Memory| {
            memory.waiting.receive(memory.record.as_deref(), &call, Rc::clone(&caller), now)
        };
        let answers = self
            .with_memory(receive)
            .ok_or_else(|| failed(&"its record became unknown as the call arrived"))?;
        self.settle(answers, now).await;
        loop {
            if let Some(answer) = caller.borrow_mut().answer.take() {
                return Response::ok(answer?);
            }
            let wake_at = self.with_memory(|memory| memory.waiting.wake_at()).flatten().unwrap_or(now);
            answered_or(&caller, wake_at.since(clock::now())).await;
            let now = clock::now();
            let wake = |memory: &mut Memory| memory.waiting.wake(memory.record.as_deref(), now);
            // Without a memory every waiting call has its answer: an error.
            if let Some(answers) = self.with_memory(wake) {
                self.settle(answers, now).await;
            }
        }
    }

    /// Deletes the record once it has expired. If the alarm runs late and a newer record was stored meanwhile, sets the
    /// next alarm.
    async fn alarm(&self) -> Result<Response> {
        self.load().await?;
        let now = clock::now();
        let until = |memory: &mut Memory| lock::remembered_until(memory.record.as_deref()?, now);
        if let Some(until) = self.with_memory(until).flatten() {
            self.storage.set_alarm(alarm_after(until, now)).await?;
        } else {
            self.with_memory(|memory| memory.record = None);
            self.storage.delete_all().await?;
        }
        // The runtime ignores the response.
        Response::empty()
    }
}

impl RefreshLease {
    /// Reads the storage, unless another call has done so. From then on the memory is what counts: calls that are woken
    /// together would read the same old record from the storage.
    async fn load(&self) -> Result<()> {
        if self.memory.borrow().is_none() {
            let record = self.storage.get(STATE_KEY).await?;
            self.memory.borrow_mut().get_or_insert_with(|| Memory { record, ..Memory::default() });
        }
        Ok(())
    }

    /// `None` if there is no memory: it is never made of nothing, but [read](Self::load). Otherwise the object would forget what
    /// its storage holds.
    fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        self.memory.borrow_mut().as_mut().map(work)
    }

    /// Stores the new record, and then gives the answers.
    async fn settle(&self, answers: Answers<Caller>, now: Timestamp) {
        let stored = match answers.remember {
            Some((record, until)) => {
                self.with_memory(|memory| memory.record = Some(record.clone()));
                self.store(&record, alarm_after(until, now)).await
            }
            None => Ok(()),
        };
        if let Err(error) = &stored {
            // What the storage holds is unknown: it is read again, and every caller calls again.
            let memory = self.memory.take().unwrap_or_default();
            memory.waiting.into_callers().for_each(|caller| give(&caller, Err(failed(error))));
        }
        for (caller, answer) in answers.answers {
            let answer = answer.map_err(|error| failed(&error));
            give(&caller, stored.as_ref().map_err(failed).and(answer));
        }
    }

    async fn store(&self, record: &str, alarm_after: Duration) -> Result<()> {
        self.storage.put(STATE_KEY, record).await?;
        self.storage.set_alarm(alarm_after).await
    }
}

fn give(caller: &Caller, answer: Result<String>) {
    let mut caller = caller.borrow_mut();
    caller.answer = Some(answer);
    if let Some(waker) = caller.waker.take() {
        waker.wake();
    }
}

/// Waits until the caller has its answer, or for so long.
async fn answered_or(caller: &Caller, time: Duration) {
    let mut timer = pin!(Delay::from(time));
    poll_fn(|context| {
        let mut caller = caller.borrow_mut();
        caller.waker = Some(context.waker().clone());
        if caller.answer.is_some() { Poll::Ready(()) } else { timer.as_mut().poll(context) }
    })
    .await;
}

fn failed(error: &impl ToString) -> Error {
    Error::RustError(error.to_string())
}

/// The time from `now` to the alarm: one second after the state expires, so that the alarm never deletes a state that
/// still counts.
fn alarm_after(until: Timestamp, now: Timestamp) -> Duration {
    until.since(now) + Duration::from_secs(1)
}

/// Sends `call` to the object named `name`, and gives its answer.
pub(crate) async fn send_call(objects: &ObjectNamespace, name: &str, call: &str) -> Result<String> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(call)));
    let request = Request::new_with_init(URL, &init)?;
    let mut response = objects.id_from_name(name)?.get_stub()?.fetch_with_request(request).await?;
    if response.status_code() != 200 {
        return Err(Error::RustError(format!(
            "the Durable Object of the lease answered with status {}",
            response.status_code()
        )));
    }
    response.text().await
}
