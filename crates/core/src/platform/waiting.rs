//! Waits for operations: for a limited time, or for several at once.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::platform::{Clock, StoreError};

/// The result of `job`, or `None` if it takes longer than `time`. The caller pins the job, so that this function is not
/// compiled for each type of job.
pub(crate) async fn within<T>(
    clock: &impl Clock,
    time: Duration,
    mut job: Pin<&mut (dyn Future<Output = T> + '_)>,
) -> Option<T> {
    let mut late = pin!(clock.sleep(time));
    std::future::poll_fn(|context| match job.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => late.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// The same for an operation of a store, which fails if it takes longer.
pub(crate) async fn answered_within<T>(
    clock: &impl Clock,
    time: Duration,
    operation: Pin<&mut (dyn Future<Output = Result<T, StoreError>> + '_)>,
) -> Result<T, StoreError> {
    let late = || Err(StoreError::Failed(format!("no answer within {}s", time.as_secs())));
    within(clock, time, operation).await.unwrap_or_else(late)
}

/// The results of `futures`, which run at the same time, in their order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in running.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *result = Some(ready);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// The result of a test's future that waits for nothing.
#[cfg(test)]
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    use std::task::{Context, Waker};
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}
