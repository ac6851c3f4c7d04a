//! What strangers may cost. Anyone can send a token to the routes that providers call, and most of a forged one's cost is
//! the verification of its signature. So a token is read first, and an address that sends forged ones waits. Providers are
//! never counted: what they send is signed.

use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::attempts::network_of;
use crate::platform::{Limit, Platform};
use vestibule_oidc::jose::jws::{JwsError, VerifiedPayload};

/// How many tokens with a wrong signature one address may send in [`WINDOW`](crate::flow::attempts::WINDOW), in each process.
const MAX_FORGED: u32 = 30;

/// How many logouts without proof one address may ask for in that time, where the runtime does not count them. People behind
/// one address sign out at the same time only where it is a large office's.
const MAX_UNPROVEN_OF_ADDRESS: u32 = 60;

/// How many logouts without proof all addresses together may ask for in that time, in each process: each costs a write.
const MAX_UNPROVEN: u32 = 300;

/// Why the signature of a token that someone sent proves nothing.
pub(super) enum UnprovenError {
    /// The token is not signed by whom it names.
    Rejected(JwsError),
    /// The keys of whom it names are unavailable at the moment.
    Unavailable(Error),
    /// This address has sent too many forged tokens, so no signature was verified.
    TooMany,
}

impl<P: Platform> RequestContext<'_, P> {
    /// The payload of a token whose signature `verification` verifies, unless this address has sent too many forged ones.
    pub(super) async fn verified_by_sender(
        &self,
        verification: impl Future<Output = Result<VerifiedPayload, Error>>,
    ) -> Result<VerifiedPayload, UnprovenError> {
        let key = self.stranger("forged token");
        if self.vestibule.stranger_attempts.is_over(&key, self.platform.now()) {
            return Err(UnprovenError::TooMany);
        }
        let error = match verification.await {
            Ok(payload) => return Ok(payload),
            Err(error) => error,
        };
        let cause = match error {
            Error::Provider { cause: ProviderError::Signature(cause), .. } => cause,
            error => return Err(UnprovenError::Unavailable(error)),
        };
        if matches!(cause, JwsError::Signature | JwsError::UnknownKey) {
            self.count_forged(&key).await;
        }
        Err(UnprovenError::Rejected(cause))
    }

    /// Whether this address, and all together, may ask for one more logout that nothing proves.
    pub(super) async fn may_ask_unproven(&self) -> bool {
        let (key, now) = (self.stranger("unproven logout"), self.platform.now());
        let attempts = &self.vestibule.stranger_attempts;
        let is_within = self.platform.is_within_limit(Limit::Revoke, &key).await;
        is_within.unwrap_or_else(|_| attempts.count(&key, MAX_UNPROVEN_OF_ADDRESS, now))
            && attempts.count("unproven logouts of all", MAX_UNPROVEN, now)
    }

    async fn count_forged(&self, key: &str) {
        // The runtime's limit is for all processes of a location; this one forgets no one whom it stopped.
        let is_within = self.platform.is_within_limit(Limit::Revoke, key).await.unwrap_or(true);
        let max = if is_within { MAX_FORGED } else { 0 };
        self.vestibule.stranger_attempts.count(key, max, self.platform.now());
    }

    /// The name of this address for a count.
    fn stranger(&self, what: &str) -> String {
        format!("{what} of {}", self.client_address().map_or_else(|| "unknown".to_owned(), network_of))
    }
}
