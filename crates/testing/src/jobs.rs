//! Background jobs. A test can stop one, as when a process is killed.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::clock::FakeClock;

/// Jobs that continue after the request that began them has ended.
pub struct FakeJobs {
    clock: Rc<FakeClock>,
    /// How long the next job runs until it is killed.
    pub dies_after: Cell<Option<Duration>>,
}

impl FakeJobs {
    /// Jobs that run to their end.
    pub fn new(clock: Rc<FakeClock>) -> Self {
        Self { clock, dies_after: Cell::default() }
    }

    /// [`Background::run_to_completion`](vestibule_core::platform::Background::run_to_completion).
    pub async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        let Some(after) = self.dies_after.take() else {
            return self.clock.spawn(job).await;
        };
        let (mut job, mut end) = (Some(Box::pin(job)), Box::pin(self.clock.sleep(after)));
        let killed_job = poll_fn(move |context| {
            let is_killed = end.as_mut().poll(context).is_ready();
            if is_killed {
                // A process that is killed runs no destructors.
                std::mem::forget(job.take());
            }
            let Some(job) = &mut job else { return Poll::Ready(()) };
            job.as_mut().poll(context).map(drop)
        });
        self.clock.spawn(killed_job).await;
        pending().await
    }
}
