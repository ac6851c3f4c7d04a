//! Runs the futures of one request on the host's pollables (`wasi:io/poll`), on the one thread that there is.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use vestibule_core::time::Timestamp;
use wasip2::io::poll::{self, Pollable};

type Job = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Jobs that [`run`] has not taken over yet.
    static SPAWNED: RefCell<Vec<Job>> = const { RefCell::new(Vec::new()) };
    /// What the jobs wait for.
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
    /// The time, as the host said it after the last wait.
    static TIME: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// The time, which `read` asks the host for once between two waits: a request looks at it a dozen times, and each question is a
/// call of the host.
pub(crate) fn time(read: impl FnOnce() -> Timestamp) -> Timestamp {
    TIME.with(|time| {
        let now = time.get().unwrap_or_else(read);
        time.set(Some(now));
        now
    })
}

/// A future that waits for a pollable. The future owns it: a pollable has to be dropped before what it belongs to.
struct Waiting {
    event: Weak<Event>,
    waker: Waker,
}

/// What a future waits for, and whether the host has said that it is there. To ask the host again would be another call.
struct Event {
    pollable: Pollable,
    is_there: Cell<bool>,
}

/// Runs `main`, and every job that it spawns, until all are done.
pub(crate) fn run(main: impl Future<Output = ()> + 'static) {
    TIME.set(None);
    // It stays where it is: it has some kilobytes.
    let main = pin!(main);
    let mut main = Task::new(main);
    let mut tasks: Vec<Task<Job>> = Vec::new();
    let mut is_done = false;
    loop {
        is_done = is_done || main.is_done();
        tasks.retain_mut(|task| !task.is_done());
        let spawned = SPAWNED.take();
        let has_new = !spawned.is_empty();
        tasks.extend(spawned.into_iter().map(Task::new));
        if has_new || !is_done && main.may_go_on() || tasks.iter().any(Task::may_go_on) {
            continue;
        }
        // A job that waits for nothing would wait for ever.
        if is_done && tasks.is_empty() || !wait() {
            return;
        }
    }
}

/// The result of a future that waits for nothing; `None` if it does.
#[cfg(feature = "keyvalue")]
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Starts `job`, which [`run`] runs to its end.
pub(crate) fn spawn(job: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(job)));
}

/// Waits until `pollable` is ready.
pub(crate) async fn ready(pollable: Pollable) {
    let event = Rc::new(Event { pollable, is_there: Cell::new(false) });
    poll_fn(|context| {
        if event.is_there.get() {
            return Poll::Ready(());
        }
        let waiting = Waiting { event: Rc::downgrade(&event), waker: context.waker().clone() };
        WAITING.with_borrow_mut(|all| all.push(waiting));
        Poll::Pending
    })
    .await;
}

/// Waits in the host until a pollable is ready, and wakes who waits for it. False if no one waits for any.
fn wait() -> bool {
    let waiting: Vec<(Rc<Event>, Waker)> = WAITING
        .take()
        .into_iter()
        .filter_map(|waiting| Some((waiting.event.upgrade()?, waiting.waker)))
        .collect();
    if waiting.is_empty() {
        return false;
    }
    let pollables: Vec<&Pollable> = waiting.iter().map(|(event, _)| &event.pollable).collect();
    for index in poll::poll(&pollables) {
        if let Some((event, _)) = usize::try_from(index).ok().and_then(|index| waiting.get(index)) {
            event.is_there.set(true);
        }
    }
    TIME.set(None);
    // Who is woken for nothing waits again; so everyone is, once anything is ready, and no one is kept in a list.
    for (_, waker) in &waiting {
        waker.wake_by_ref();
    }
    true
}

struct Task<F> {
    job: F,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<F: Future<Output = ()> + Unpin> Task<F> {
    fn new(job: F) -> Self {
        Self { job, woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    fn may_go_on(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// Polls the job if something has woken it. Returns whether it is done.
    fn is_done(&mut self) -> bool {
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return false;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        Pin::new(&mut self.job).poll(&mut Context::from_waker(&waker)).is_ready()
    }
}
