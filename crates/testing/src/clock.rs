//! The clock and the executor of tests. Futures run until all of them wait; then the clock advances to the next timer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A clock, its timers, and the futures that it runs.
pub struct FakeClock {
    /// Microseconds.
    now: Cell<u64>,
    order: Cell<u64>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    spawned: RefCell<Vec<Task>>,
    own: Weak<Self>,
}

/// Whether a future was woken and is to be polled again.
struct WokenFlag(AtomicBool);

impl Wake for WokenFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl FakeClock {
    /// A clock whose time is so many milliseconds since 1970.
    pub fn starting_at(millis: u64) -> Rc<Self> {
        Rc::new_cyclic(|own| Self {
            now: Cell::new(millis * 1000),
            order: Cell::new(0),
            timers: RefCell::default(),
            spawned: RefCell::default(),
            own: own.clone(),
        })
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.now.get() / 1000
    }

    /// Advances the clock.
    pub fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + u64::try_from(time.as_micros()).unwrap());
    }

    /// Sets the clock back, while nothing waits.
    pub fn set_back(&self, time: Duration) {
        self.now.set(self.now.get() - u64::try_from(time.as_micros()).unwrap());
    }

    /// Waits for so long, by this clock.
    pub fn sleep(&self, time: Duration) -> Sleep {
        let clock = self.own.upgrade().expect("the clock is alive while it is borrowed");
        let wake_at = self.now.get() + u64::try_from(time.as_micros()).unwrap();
        Sleep { clock, wake_at, entry: None }
    }

    /// Runs a future concurrently. [`run`](Self::run) returns when all of them are done.
    pub fn spawn<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> Spawned<T> {
        let spawned = Spawned(Rc::new(RefCell::new((None, None))));
        let slot = Spawned(Rc::clone(&spawned.0));
        self.spawned.borrow_mut().push(Box::pin(async move {
            let value = work.await;
            let mut slot = slot.0.borrow_mut();
            slot.0 = Some(value);
            if let Some(waker) = slot.1.take() {
                waker.wake();
            }
        }));
        spawned
    }

    /// Runs `main` and all spawned futures to their end.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = std::pin::pin!(main);
        let mut answer = None;
        let flag = |woken| Arc::new(WokenFlag(AtomicBool::new(woken)));
        let main_flag = flag(true);
        let mut tasks: Vec<(Arc<WokenFlag>, Option<Task>)> = Vec::new();
        loop {
            let mut progressed = false;
            if answer.is_none() && main_flag.0.swap(false, Ordering::Relaxed) {
                progressed = true;
                let waker = Waker::from(Arc::clone(&main_flag));
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    answer = Some(value);
                }
            }
            for (flag, slot) in &mut tasks {
                let Some(task) = slot.as_mut() else { continue };
                if flag.0.swap(false, Ordering::Relaxed) {
                    progressed = true;
                    let waker = Waker::from(Arc::clone(flag));
                    if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                        *slot = None;
                    }
                }
            }
            tasks.retain(|(_, task)| task.is_some());
            let spawned = self.spawned.take();
            progressed |= !spawned.is_empty();
            tasks.extend(spawned.into_iter().map(|task| (flag(true), Some(task))));
            if progressed {
                continue;
            }
            if tasks.is_empty()
                && let Some(answer) = answer.take()
            {
                return answer;
            }
            let ((wake_at, _), waker) = self
                .timers
                .borrow_mut()
                .pop_first()
                .expect("deadlock: every future waits, and no timer is set");
            self.now.set(self.now.get().max(wake_at));
            waker.wake();
        }
    }
}

/// The future of a wait. If it is dropped, the clock does not advance for it.
pub struct Sleep {
    clock: Rc<FakeClock>,
    /// Microseconds.
    wake_at: u64,
    entry: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(entry) = self.entry.take() {
            self.clock.timers.borrow_mut().remove(&entry);
        }
        if self.clock.now.get() >= self.wake_at {
            return Poll::Ready(());
        }
        let entry = (self.wake_at, self.clock.order.get());
        self.clock.order.set(entry.1 + 1);
        self.clock.timers.borrow_mut().insert(entry, context.waker().clone());
        self.entry = Some(entry);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.clock.timers.borrow_mut().remove(&entry);
        }
    }
}

/// The result of a spawned future.
pub struct Spawned<T>(Rc<RefCell<(Option<T>, Option<Waker>)>>);

impl<T> Future for Spawned<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.borrow_mut();
        let value = slot.0.take();
        if value.is_none() {
            slot.1 = Some(context.waker().clone());
        }
        value.map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_advances_to_the_next_timer_and_no_further() {
        let clock = FakeClock::starting_at(1000);
        let order = Rc::new(RefCell::new(Vec::new()));
        for millis in [30, 10, 20] {
            let (own, order) = (Rc::clone(&clock), Rc::clone(&order));
            drop(clock.spawn(async move {
                own.sleep(Duration::from_millis(millis)).await;
                order.borrow_mut().push((millis, own.now()));
            }));
        }
        clock.run(clock.sleep(Duration::from_millis(5)));
        assert_eq!(*order.borrow(), [(10, 1010), (20, 1020), (30, 1030)]);
        assert_eq!(clock.now(), 1030);
    }

    #[test]
    fn a_dropped_sleep_does_not_advance_the_clock() {
        let clock = FakeClock::starting_at(0);
        clock.run(async {
            let mut wait = Box::pin(clock.sleep(Duration::from_mins(1)));
            let polled = std::future::poll_fn(|context| Poll::Ready(wait.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            drop(wait);
            clock.sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(clock.now(), 1000);
    }

    #[test]
    #[should_panic(expected = "deadlock: every future waits, and no timer is set")]
    fn a_future_that_nothing_wakes_panics() {
        FakeClock::starting_at(0).run(std::future::pending::<()>());
    }
}
