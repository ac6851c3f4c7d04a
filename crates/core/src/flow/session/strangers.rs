//! What strangers may cost. Anyone can send a token to the routes that providers call, and most of a forged one's cost is
//! the verification of its signature. So a token is read first, and an address that sends forged ones waits. Providers are
//! never counted: what they send is signed.

use serde_json::{Map, Value};

use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::attempts::network_of;
use crate::platform::{Limit, Platform};
use vestibule_oidc::jose::encrypted::EncryptedTokenError;
use vestibule_oidc::jose::jws::{JwsError, VerifiedPayload};
use vestibule_oidc::oauth::transmitter::EventTransmitter;
use vestibule_oidc::time::seconds_to_wait;

/// How many tokens with a wrong signature one address may send in [`WINDOW`](crate::flow::attempts::WINDOW), in each process.
const MAX_FORGED: u32 = 30;

/// How many logouts without proof one address may ask for in that time, where the runtime does not count them. People behind
/// one address sign out at the same time only where it is a large office's.
const MAX_UNPROVEN_OF_ADDRESS: u32 = 60;

/// How many logouts without proof all addresses together may ask for in that time, in each process: each costs a write.
const MAX_UNPROVEN: u32 = 300;

/// What is counted of who sends forged tokens.
const FORGED: &str = "forged token";

/// The transmitters whose token this could be, before its signature is verified, at least one: a token that `check` rejects
/// would be rejected anyway, and costs no signature. Several may have one issuer, each with audiences and keys of its own.
/// Without one, the last rejection by a transmitter of this issuer, if there is one.
pub(super) fn named_transmitters<'c, E>(
    transmitters: impl Iterator<Item = &'c EventTransmitter>,
    claims: &Map<String, Value>,
    check: impl Fn(&'c EventTransmitter) -> Result<(), E>,
) -> Result<Vec<&'c EventTransmitter>, Option<(&'c EventTransmitter, E)>> {
    let issuer = claims.get("iss").and_then(Value::as_str);
    let (mut named, mut rejected) = (Vec::new(), None);
    for transmitter in transmitters.filter(|transmitter| Some(transmitter.issuer.as_str()) == issuer) {
        match check(transmitter) {
            Ok(()) => named.push(transmitter),
            Err(error) => rejected = Some((transmitter, error)),
        }
    }
    if named.is_empty() { Err(rejected) } else { Ok(named) }
}

/// A transmitter, and what its signature proves.
pub(super) type Transmitted<'c> = (&'c EventTransmitter, VerifiedPayload);

/// Why the signature of a token that someone sent proves nothing.
pub(super) enum UnprovenError {
    /// The token is not signed by whom it names.
    Rejected(JwsError),
    /// The token is not encrypted for this client.
    NotOpened(EncryptedTokenError),
    /// The keys of whom it names are unavailable at the moment.
    Unavailable(Error),
    /// This address has sent too many forged tokens, so no signature was verified.
    TooMany,
}

/// What a token has cost that proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// As good as nothing.
    #[default]
    None,
    /// The search for a key that no one knows: all of them cost one fetch a minute together.
    UnknownKey,
    /// The verification of a signature, or a decryption.
    Work,
}

impl Cost {
    /// Whether the token counts as a forged one. It may be a real one that names its key while newer keys are unavailable.
    pub(super) fn counts(self, is_unavailable: bool) -> bool {
        self == Self::Work || (self == Self::UnknownKey && !is_unavailable)
    }
}

impl UnprovenError {
    pub(super) fn cost(&self) -> Cost {
        match self {
            // Anyone can encrypt. A token without encryption costs nothing.
            Self::NotOpened(EncryptedTokenError::NotEncrypted) => Cost::None,
            Self::NotOpened(_) => Cost::Work,
            Self::Rejected(cause)
            | Self::Unavailable(Error::Provider {
                cause: ProviderError::NoNewerKeys { cause, .. }, ..
            }) => match cause {
                JwsError::Signature => Cost::Work,
                JwsError::UnknownKey => Cost::UnknownKey,
                _ => Cost::None,
            },
            Self::Unavailable(_) | Self::TooMany => Cost::None,
        }
    }

    fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Why a token that someone sent is not accepted, as the answer says it.
pub(super) enum NotAccepted<T> {
    /// The token, or the request with it, is wrong in this way.
    Invalid(T),
    /// Its address has sent too many forged ones.
    TooMany,
    /// It could not be verified. The same one may be after so many seconds.
    Unavailable(u16),
}

/// `Retry-After` in seconds where it is unknown when the same request may succeed.
pub(super) const RETRY_AFTER: u16 = 5;

/// `Retry-After` in seconds for a token that could not be verified.
pub(super) fn retry_after(error: &Error) -> u16 {
    error.retry_after().map_or(RETRY_AFTER, |time| u16::try_from(seconds_to_wait(time)).unwrap_or(u16::MAX))
}

impl<P: Platform> RequestContext<'_, P> {
    /// Those of `named` whose signature the token has, at least one. Otherwise why not: the first whose keys are unavailable
    /// comes before those that reject it, because it may be theirs.
    pub(super) async fn verified_by_transmitters<'c>(
        &self,
        named: Vec<&'c EventTransmitter>,
        token: &str,
    ) -> Result<Vec<Transmitted<'c>>, (&'c EventTransmitter, UnprovenError)> {
        let (mut proven, mut unproven) = (Vec::new(), None::<(&EventTransmitter, UnprovenError)>);
        let mut cost = Cost::None;
        for transmitter in named {
            match self.unless_stopped(self.verify_transmitter_signature(transmitter, token)).await {
                Ok(payload) => proven.push((transmitter, payload)),
                Err(error) => {
                    cost = cost.max(error.cost());
                    let rejects = |error: &UnprovenError| matches!(error, UnprovenError::Rejected(_));
                    if unproven.as_ref().is_none_or(|(_, first)| rejects(first) && !rejects(&error)) {
                        unproven = Some((transmitter, error));
                    }
                }
            }
        }
        match unproven {
            Some(unproven) if proven.is_empty() => {
                if cost.counts(unproven.1.is_unavailable()) {
                    self.count_forged().await;
                }
                Err(unproven)
            }
            _ => Ok(proven),
        }
    }

    /// What `verification` makes of a token, by its signature or by its encryption, unless this address has sent too many
    /// forged ones. One that is not proven is not counted yet: another provider may prove it.
    pub(super) async fn unless_stopped<T>(
        &self,
        verification: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, UnprovenError> {
        let key = self.stranger(FORGED);
        if self.vestibule.stranger_attempts.is_over(&key, self.platform.now()) {
            return Err(UnprovenError::TooMany);
        }
        verification.await.map_err(|error| match error {
            Error::Provider { cause: ProviderError::Signature(cause), .. } => UnprovenError::Rejected(cause),
            Error::Provider { cause: ProviderError::Encrypted(cause), .. } => UnprovenError::NotOpened(cause),
            error => UnprovenError::Unavailable(error),
        })
    }

    /// Whether this address, and all together, may ask for one more logout that nothing proves.
    pub(super) async fn may_ask_unproven(&self) -> bool {
        let (key, now) = (self.stranger("unproven logout"), self.platform.now());
        let attempts = &self.vestibule.stranger_attempts;
        let is_within = self.platform.is_within_limit(Limit::Revoke, &key).await;
        is_within.unwrap_or_else(|_| attempts.count(&key, MAX_UNPROVEN_OF_ADDRESS, now))
            && attempts.count("unproven logouts of all", MAX_UNPROVEN, now)
    }

    /// Counts a forged token of this address.
    pub(super) async fn count_forged(&self) {
        let key = &self.stranger(FORGED);
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
