//! Work that a runtime brings to its end, until a test cuts it off.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::clock::FakeClock;

/// Jobs that go on without the request that began them.
pub struct FakeJobs {
    clock: Rc<FakeClock>,
    /// After how long the next job stops for ever, as when its isolate is cut off.
    pub dies_after: Cell<Option<Duration>>,
}

impl FakeJobs {
    /// Jobs that all end.
    pub fn new(clock: Rc<FakeClock>) -> Self {
        Self { clock, dies_after: Cell::default() }
    }

    /// [`Background::run_to_completion`](vestibule_core::platform::Background::run_to_completion).
    pub async fn to_the_end<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        let Some(after) = self.dies_after.take() else {
            return self.clock.spawn(job).await;
        };
        let (mut job, mut end) = (Some(Box::pin(job)), Box::pin(self.clock.sleep(after)));
        let cut_off = poll_fn(move |context| {
            let is_over = end.as_mut().poll(context).is_ready();
            if is_over {
                // Nothing drops what an isolate that is cut off leaves behind.
                std::mem::forget(job.take());
            }
            let Some(job) = &mut job else { return Poll::Ready(()) };
            job.as_mut().poll(context).map(drop)
        });
        self.clock.spawn(cut_off).await;
        pending().await
    }
}
