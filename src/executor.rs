//! A request's flow, run without a detour.
//!
//! wasm-bindgen's own way with an `async fn` makes a promise before anything runs, runs it as a microtask, and wakes
//! it by another one for each promise that it waits for: a fifth of what a request costs. Here a flow begins at once,
//! and one that never waits is answered without a promise. One that waits for its upstream ([`settled`]), as most do,
//! goes on in that promise's own callback. Whatever else it waits for, it is handed to wasm-bindgen.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use worker::js_sys::Promise;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::bridge;

/// What comes of a promise.
type Outcome = Result<JsValue, JsValue>;

/// Runs a flow. Gives its answer where it is there at once, and otherwise a promise of it.
pub(crate) fn run(flow: impl Future<Output = JsValue> + 'static) -> JsValue {
    Task { flow: Box::pin(flow), relay: Arc::default() }.step()
}

/// What becomes of a promise. For what a flow waits for with nothing else beside it.
pub(crate) fn settled(promise: Promise) -> impl Future<Output = Outcome> {
    Settled::New(promise)
}

/// A flow, and who is woken for it.
struct Task {
    flow: Pin<Box<dyn Future<Output = JsValue>>>,
    relay: Arc<Relay>,
}

impl Task {
    /// Goes on until the flow waits.
    fn step(mut self) -> JsValue {
        STEP.replace(Step::Running);
        let waker = Waker::from(Arc::clone(&self.relay));
        let answer = self.flow.as_mut().poll(&mut Context::from_waker(&waker));
        match (answer, STEP.take()) {
            (Poll::Ready(answer), _) => answer,
            (Poll::Pending, Step::Waits { promise, outcome }) => {
                let go_on = Closure::once_into_js(move |value: JsValue, is_good: bool| {
                    outcome.set(Some(if is_good { Ok(value) } else { Err(value) }));
                    self.step()
                });
                bridge::settled(&promise, go_on)
            }
            (Poll::Pending, Step::Nothing | Step::Running) => {
                future_to_promise(AssertUnwindSafe(async move { Ok(self.await) })).into()
            }
        }
    }
}

/// The task as wasm-bindgen runs it.
impl Future for Task {
    type Output = JsValue;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<JsValue> {
        self.relay.wake_from_now_on(context.waker());
        // The one that the first step was made with: a timer, say, keeps what it was given then.
        let waker = Waker::from(Arc::clone(&self.relay));
        self.flow.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Wakes whoever runs the task; during its first steps nobody.
#[derive(Default)]
struct Relay(Mutex<Option<Waker>>);

impl Relay {
    fn wake_from_now_on(&self, waker: &Waker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(waker.clone());
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

thread_local! {
    static STEP: RefCell<Step> = const { RefCell::new(Step::Nothing) };
}

/// What the task is about that is being polled.
#[derive(Default)]
enum Step {
    /// None of ours is.
    #[default]
    Nothing,
    /// It runs.
    Running,
    /// It waits for this promise.
    Waits { promise: Promise, outcome: Rc<Cell<Option<Outcome>>> },
}

enum Settled {
    New(Promise),
    /// The task's next step brings it.
    ByStep(Rc<Cell<Option<Outcome>>>),
    ByWasmBindgen(JsFuture),
}

impl Settled {
    fn begin(promise: Promise) -> Self {
        STEP.with_borrow_mut(|step| match step {
            Step::Running => {
                let outcome = Rc::default();
                *step = Step::Waits { promise, outcome: Rc::clone(&outcome) };
                Self::ByStep(outcome)
            }
            Step::Nothing | Step::Waits { .. } => Self::ByWasmBindgen(JsFuture::from(promise)),
        })
    }
}

impl Future for Settled {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        if let Self::New(promise) = &*self {
            *self = Self::begin(promise.clone());
        }
        match &mut *self {
            Self::ByStep(outcome) => outcome.take().map_or(Poll::Pending, Poll::Ready),
            Self::ByWasmBindgen(future) => Pin::new(future).poll(context),
            Self::New(_) => Poll::Pending,
        }
    }
}
