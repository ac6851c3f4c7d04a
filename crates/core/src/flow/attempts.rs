//! How many requests each address sends to a route that is for operators, where the runtime does not count them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use vestibule_oidc::time::Timestamp;

/// How many requests one address may send in [`WINDOW`].
const MAX_ATTEMPTS: u32 = 60;

/// How long an address's requests are counted.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// How many addresses are counted.
const MAX_ADDRESSES: usize = 1000;

/// How many requests each address has sent lately, in this process.
#[derive(Default)]
pub(crate) struct Attempts(RefCell<BTreeMap<String, (Timestamp, u32)>>);

impl Attempts {
    /// Counts one more, and says whether it is within the limit.
    pub(crate) fn count(&self, client: &str, now: Timestamp) -> bool {
        let mut attempts = self.0.borrow_mut();
        let is_current = |began: Timestamp| began <= now && now < began.plus(WINDOW);
        attempts.retain(|_, (began, _)| is_current(*began));
        if attempts.len() >= MAX_ADDRESSES {
            // Who has many addresses must not keep the operators out.
            attempts.retain(|_, (_, count)| *count > MAX_ATTEMPTS);
        }
        if attempts.len() >= MAX_ADDRESSES {
            attempts.clear();
        }
        let (_, count) = attempts.entry(client.to_owned()).or_insert((now, 0));
        *count += 1;
        *count <= MAX_ATTEMPTS
    }
}
