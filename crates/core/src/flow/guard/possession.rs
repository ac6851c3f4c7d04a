//! Access tokens of clients that are bound to a key (RFC 9449 section 7): the client proves for each request that it has the
//! key.
//!
//! The proof is for this hop. It names this site's address, and it is used up here; upstreams get neither the proof nor the
//! token, which without one is of no use.
//!
//! A proof may be used once. A lock knows it for all processes; without one, each process knows what it saw itself, so that a
//! copy may pass at another one while the proof is new. A nonce of this site shortens that time.

pub(crate) mod memory;

use crate::config::Provider;
use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::lease::lock::use_once;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::jose::kdf::derive_id;
use vestibule_oidc::oauth::access_token::AccessTokenError;
use vestibule_oidc::oauth::dpop;
use vestibule_oidc::oauth::dpop_proof::{self, ExpectedProof, ProofError, RETENTION, VerifiedProof};
use vestibule_oidc::oauth::provider::AcceptBearer;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How long a nonce is the newest one, in seconds. The one before it counts, too, for a request on its way.
const NONCE_LIFETIME: u64 = 30;

/// What the purpose of the nonces is, so that none is a text of another purpose.
const PURPOSE: &str = "Vestibule DPoP nonce";

impl<P: Platform> RequestContext<'_, P> {
    /// The proof of the request, for this token. It says nothing yet: the token must be bound to its key.
    pub(super) async fn verified_proof(
        &self,
        accepted: &AcceptBearer,
        token: &str,
    ) -> Result<VerifiedProof, Error> {
        let url = format!("{}{}", self.request.url.origin(), self.request.url.path);
        let expected = ExpectedProof { method: self.request.method.as_str(), url: &url, access_token: token };
        let fields = self.request.headers.get_all(dpop::PROOF);
        let proof = dpop_proof::verify(self.platform, fields, &expected, self.now).await;
        let proof = proof.map_err(ClientError::from)?;
        if accepted.dpop_nonce && !self.is_proof_nonce(proof.nonce()) {
            return Err(ClientError::from(ProofError::Nonce).into());
        }
        Ok(proof)
    }

    /// Uses up a proof of a token that is valid. An error if it was used before, or if that cannot be known.
    pub(super) async fn use_proof(
        &self,
        provider: &Provider,
        accepted: &AcceptBearer,
        proof: &VerifiedProof,
    ) -> Result<(), Error> {
        let replayed = || Err(ClientError::from(ProofError::Replayed).into());
        let (memory, config) = (&self.vestibule.proofs, self.config());
        if !memory.is_first_use(proof.id(), self.platform.now()) {
            return replayed();
        }
        if config.has_single_use_codes() {
            return match use_once(self.platform, config.sealing(), proof.id(), RETENTION).await {
                Ok(true) => Ok(()),
                Ok(false) => replayed(),
                Err(error) => {
                    // Nothing passed, so the client may send it once more.
                    memory.forget(proof.id());
                    Err(provider_error(provider, AccessTokenError::ProofNotChecked(error.to_string())))
                }
            };
        }
        if !accepted.dpop_nonce && memory.should_log() {
            let message = "a client sends a token that is bound to a key, and nothing that all processes share knows which \
                           proofs were used: for a minute, a copy of a proof passes at another process. Bind AUTH_LEASE, and \
                           write refresh.lease = \"durable-object\"; or shorten the time with accept_bearer.dpop_nonce = true";
            self.log(Record::new(LogEvent::ProofReplaysUnseen, message).provider(&provider.id));
        }
        Ok(())
    }

    /// The newest nonce for proofs. Every process computes the same one.
    pub(crate) fn proof_nonce(&self) -> String {
        nonce(self.config().keys.newest_secret(), slot(self.now))
    }

    fn is_proof_nonce(&self, found: Option<&str>) -> bool {
        let secrets = || self.config().keys.secrets();
        found.is_some_and(|found| {
            accepted_slots(self.now)
                .into_iter()
                .any(|slot| secrets().any(|secret| Secret::new(nonce(secret, slot)).matches(found)))
        })
    }
}

/// The time during which one nonce is the newest.
fn slot(now: Timestamp) -> u64 {
    now.seconds() / NONCE_LIFETIME
}

/// Those whose nonces are accepted.
fn accepted_slots(now: Timestamp) -> [u64; 3] {
    let newest = slot(now);
    // The clock of the process that gave it may be ahead.
    [newest, newest.saturating_sub(1), newest + 1]
}

fn nonce(secret: &Secret, slot: u64) -> String {
    derive_id(secret, PURPOSE, &slot.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_the_newest_for_its_lifetime_and_accepted_for_one_more_and_from_a_clock_that_is_ahead() {
        let begins = 1000 * NONCE_LIFETIME;
        let at = Timestamp::from_seconds;
        for second in [begins, begins + NONCE_LIFETIME - 1] {
            assert_eq!(slot(at(second)), 1000);
        }
        for (now, is_accepted) in [
            (begins - NONCE_LIFETIME - 1, false),
            (begins - NONCE_LIFETIME, true),
            (begins, true),
            (begins + 2 * NONCE_LIFETIME - 1, true),
            (begins + 2 * NONCE_LIFETIME, false),
        ] {
            assert_eq!(accepted_slots(at(now)).contains(&1000), is_accepted, "{now}");
        }
    }
}
