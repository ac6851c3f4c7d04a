//! Runs the flow of a request with as few promises and microtasks as possible.
//!
//! wasm-bindgen's executor creates a promise before an `async fn` starts, runs the function in a microtask, and wakes it
//! by another microtask for each promise that it awaits. This takes a fifth of the CPU time of a request. Here a flow
//! starts immediately, and a flow that never waits returns its response without a promise. Most flows wait only for
//! their upstream ([`settled`]); such a flow continues in the callback of that promise. A flow that waits for anything
//! else is passed to wasm-bindgen's executor.

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

use crate::{bridge, clock};

/// The value or the error of a settled promise.
type PromiseResult = Result<JsValue, JsValue>;

/// Runs a flow. Returns its response if the flow finishes without waiting, and otherwise a promise of the response.
pub(crate) fn run(flow: impl Future<Output = JsValue> + 'static) -> JsValue {
    Task { flow: Box::pin(flow), relay: Arc::default() }.step()
}

/// Waits until `promise` is settled. A flow may await this only by itself, not concurrently with another future.
pub(crate) fn settled(promise: Promise) -> impl Future<Output = PromiseResult> {
    Settled::New(promise)
}

/// A running flow and its waker.
struct Task {
    flow: Pin<Box<dyn Future<Output = JsValue>>>,
    relay: Arc<Relay>,
}

impl Task {
    /// Runs the flow until it waits or finishes.
    fn step(mut self) -> JsValue {
        STEP.replace(Step::Running);
        let waker = Waker::from(Arc::clone(&self.relay));
        let response = clock::stopped(|| self.flow.as_mut().poll(&mut Context::from_waker(&waker)));
        match (response, STEP.take()) {
            (Poll::Ready(response), _) => response,
            (Poll::Pending, Step::Waiting { promise, result }) => {
                let go_on = Closure::once_into_js(move |value: JsValue, is_fulfilled: bool| {
                    result.set(Some(if is_fulfilled { Ok(value) } else { Err(value) }));
                    self.step()
                });
                bridge::settled(&promise, go_on)
            }
            (Poll::Pending, Step::None | Step::Running) => {
                future_to_promise(AssertUnwindSafe(async move { Ok(self.await) })).into()
            }
        }
    }
}

/// For wasm-bindgen's executor.
impl Future for Task {
    type Output = JsValue;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<JsValue> {
        self.relay.set_waker(context.waker());
        // The same waker as in the first step: a timer, for example, keeps the waker that it received then.
        let waker = Waker::from(Arc::clone(&self.relay));
        self.flow.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Wakes the executor that runs the task. It has no waker while the task runs in [`Task::step`].
#[derive(Default)]
struct Relay(Mutex<Option<Waker>>);

impl Relay {
    fn set_waker(&self, waker: &Waker) {
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
    static STEP: RefCell<Step> = const { RefCell::new(Step::None) };
}

/// The state of the task that [`Task::step`] polls.
#[derive(Default)]
enum Step {
    /// No step is running: wasm-bindgen's executor polls, or nothing does.
    #[default]
    None,
    /// The task runs.
    Running,
    /// The task waits for this promise, whose result is stored in `result`.
    Waiting { promise: Promise, result: Rc<Cell<Option<PromiseResult>>> },
}

enum Settled {
    New(Promise),
    /// The task's next step stores the result.
    ByStep(Rc<Cell<Option<PromiseResult>>>),
    ByWasmBindgen(JsFuture),
}

impl Settled {
    fn begin(promise: Promise) -> Self {
        STEP.with_borrow_mut(|step| match step {
            Step::Running => {
                let result = Rc::default();
                *step = Step::Waiting { promise, result: Rc::clone(&result) };
                Self::ByStep(result)
            }
            Step::None | Step::Waiting { .. } => Self::ByWasmBindgen(JsFuture::from(promise)),
        })
    }
}

impl Future for Settled {
    type Output = PromiseResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PromiseResult> {
        if let Self::New(promise) = &*self {
            *self = Self::begin(promise.clone());
        }
        match &mut *self {
            Self::ByStep(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Self::ByWasmBindgen(future) => Pin::new(future).poll(context),
            Self::New(_) => Poll::Pending,
        }
    }
}
