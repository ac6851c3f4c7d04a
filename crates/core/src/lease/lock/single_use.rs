//! What may be used once: the first process that asks its lock gets it.

use std::time::Duration;

use super::record::{Answer, Call};
use super::{LockLease, millis, unexpected};
use crate::lease::{hash, with_timeout};
use crate::platform::{Platform, StoreError, random_id};
use crate::session::policy::Sealing;

/// Whether this is the first use of `id`. It is remembered for that long, which is longer than it can be used.
///
/// The use is a lease that no one releases: anyone who comes later finds it held.
pub(crate) async fn use_once<P: Platform>(
    platform: &P,
    sealing: Sealing<'_>,
    id: &str,
    remembered_for: Duration,
) -> Result<bool, StoreError> {
    let name = hash(&[b"vestibule single use", id.as_bytes()]);
    // Of this request alone: if the call is repeated because its answer was lost, it is still the first.
    let owner = random_id(platform);
    let call = Call::Acquire { generation: 0, owner, held_for: millis(remembered_for), wait_for: 0 };
    let lock = LockLease { sealing, platform };
    let answered = lock.call_with_retries(&name, call);
    let answer = with_timeout(platform, answered).await?;
    match serde_json::from_str(&answer) {
        Ok(Answer::Acquired) => Ok(true),
        Ok(Answer::HeldByOther { .. }) => Ok(false),
        _ => Err(unexpected("the use of a code")),
    }
}
