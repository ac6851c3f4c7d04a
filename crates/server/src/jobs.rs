//! What a thread still has to do: connections, and work that goes on when a request is answered.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

/// Counts what was begun and has not ended.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Rc<Running>);

#[derive(Default)]
struct Running {
    count: Cell<usize>,
    none: Notify,
}

/// One job; it ends where this is dropped, also by a panic.
struct Job(Rc<Running>);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        if self.0.count.get() == 0 {
            self.0.none.notify_waiters();
        }
    }
}

impl Jobs {
    /// Begins a job of this thread, which runs to its end.
    pub(crate) fn spawn<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        self.0.count.set(self.0.count.get() + 1);
        let running = Job(Rc::clone(&self.0));
        spawn_local(async move {
            let result = job.await;
            drop(running);
            result
        })
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.0.count.get()
    }

    /// Waits until nothing runs.
    pub(crate) async fn all_done(&self) {
        while self.0.count.get() > 0 {
            self.0.none.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_done_when_the_last_job_has_ended_also_by_a_panic() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let jobs = Jobs::default();
            jobs.all_done().await;
            let (inner, steps) = (jobs.clone(), Rc::new(Cell::new(0)));
            let counted = Rc::clone(&steps);
            drop(jobs.spawn(async move {
                tokio::task::yield_now().await;
                drop(inner.spawn(async { panic!("as a test wants it") }));
                counted.set(1);
            }));
            jobs.all_done().await;
            assert_eq!(steps.get(), 1);
        });
    }
}
