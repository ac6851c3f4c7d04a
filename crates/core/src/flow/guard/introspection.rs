//! Asks the provider about an access token that only it can read (RFC 7662).
//!
//! The provider is asked once for all requests of a process that have the same token, and what it says counts for a while
//! ([`memory`]). Anyone can send a token that has to be asked about, so an address that sends many that are not active is
//! stopped, and a provider that does not answer is left alone for some seconds.

pub(crate) mod memory;

use std::time::Duration;

use crate::config::Provider;
use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::attempts::network_of;
use crate::flow::guard::introspection::memory::{Answered, Knowledge, Name, Question};
use crate::flow::provider::provider_error;
use crate::platform::Platform;
use vestibule_oidc::jose::jws::UnverifiedJws;
use vestibule_oidc::oauth::access_token::AccessTokenError;
use vestibule_oidc::oauth::introspection::{
    self, ActiveToken, Answer, ExpectedSigned, Introspected, IntrospectionError, TIMEOUT, Wanted,
};
use vestibule_oidc::oauth::provider::{AcceptBearer, IntrospectionConfig, OAuthProvider};
use vestibule_oidc::time::Timestamp;

/// How often a request checks whether another request of its process has the answer.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many tokens that are not active one address may send in a minute. A client whose token was revoked sends the same one
/// again, about which no one is asked again.
const MAX_INACTIVE: u32 = 100;

/// The endpoint's name in messages.
const ENDPOINT: &str = "introspection";

impl<P: Platform> RequestContext<'_, P> {
    /// What the provider says of a token, if it is active. An error of the provider if that is unknown.
    pub(super) async fn introspected(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        (accepted, introspection): (&AcceptBearer, &IntrospectionConfig),
        token: &str,
    ) -> Result<ActiveToken, Error> {
        let inactive = || provider_error(provider, AccessTokenError::Inactive);
        let recently_failed =
            || provider_error(provider, ProviderError::RecentlyFailed { endpoint: ENDPOINT });
        let memory = &self.vestibule.introspections;
        let name = Name::of(self.config().keys.newest_secret(), &provider.id, token);
        let deadline = self.platform.now().plus(TIMEOUT);
        let question = loop {
            let now = self.platform.now();
            match memory.look_up(&name, now) {
                Knowledge::Active(token) => return Ok(token),
                Knowledge::Inactive => return Err(inactive()),
                Knowledge::InFlight if now < deadline => self.platform.sleep(POLL_INTERVAL).await,
                Knowledge::InFlight | Knowledge::Unavailable => return Err(recently_failed()),
                Knowledge::Unknown if self.sent_too_many_inactive(now) => return Err(recently_failed()),
                Knowledge::Unknown => break Question::begin(memory, name.clone(), now),
            }
        };
        let answer = self.ask_about(provider, oauth, (accepted, introspection), token).await;
        let now = self.platform.now();
        match answer {
            Ok(Introspected::Active(token)) => {
                question.answered(&Answered::Active(token.clone()), introspection.cached_for, now);
                Ok(token)
            }
            Ok(Introspected::Inactive) => {
                question.answered(&Answered::Inactive, introspection.cached_for, now);
                self.count_inactive(now);
                Err(inactive())
            }
            Err(error) => {
                let of_this_token = matches!(&error, Error::Provider { cause: ProviderError::Introspection(cause), .. }
                    if cause.may_be_of_this_token());
                if of_this_token {
                    // Otherwise anyone could keep the provider from being asked about the tokens of others.
                    question.denied(now);
                    self.count_inactive(now);
                } else {
                    question.failed(now);
                }
                Err(error)
            }
        }
    }

    async fn ask_about(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        (accepted, introspection): (&AcceptBearer, &IntrospectionConfig),
        token: &str,
    ) -> Result<Introspected, Error> {
        let rejected = |cause: IntrospectionError| provider_error(provider, cause);
        let metadata = self.metadata_for_anyone(provider, oauth).await?;
        let published = metadata.introspection();
        let endpoint = introspection.endpoint.as_ref().or(published.endpoint.as_ref()).ok_or_else(|| {
            let id = &provider.id;
            Error::Configuration(format!(
                "provider {id}: its metadata have no introspection_endpoint: write its URL into accept_bearer.introspection"
            ))
        })?;
        let wanted = Wanted::of(introspection.is_signed, published);
        let client = self.client(oauth, &metadata).await?;
        let request = introspection::request(endpoint, &client, token, wanted);
        let response = self.ask(provider, ENDPOINT, request).await?;
        let signed = match introspection::parse(&response, token, wanted).map_err(rejected)? {
            Answer::Plain(introspected) => return Ok(introspected),
            Answer::Signed(signed) => signed,
        };
        let jws = UnverifiedJws::parse(signed).map_err(|cause| rejected(cause.into()))?;
        let payload = self.verify_answer_signature(provider, oauth, &metadata, &jws).await;
        let payload = payload.map_err(|error| match error {
            // It is the provider's mistake, not that of the client's token.
            Error::Provider { cause: ProviderError::Signature(cause), .. } => rejected(cause.into()),
            error => error,
        })?;
        let mut audiences = vec![oauth.client.id.clone()];
        audiences.extend(accepted.audiences.iter().cloned());
        let issuer = oauth.issuer.as_deref().unwrap_or_default();
        let expected = ExpectedSigned { issuer, audiences: &audiences };
        introspection::verify_signed(payload, token, &expected, self.platform.now()).map_err(rejected)
    }

    /// Whether the client's address sent too many tokens lately that are not active. Without an address, no one is stopped.
    fn sent_too_many_inactive(&self, now: Timestamp) -> bool {
        let key = self.inactive_key();
        key.is_some_and(|key| self.vestibule.stranger_attempts.is_over(&key, now))
    }

    fn count_inactive(&self, now: Timestamp) {
        if let Some(key) = self.inactive_key() {
            self.vestibule.stranger_attempts.count(&key, MAX_INACTIVE, now);
        }
    }

    fn inactive_key(&self) -> Option<String> {
        self.client_address().map(|address| format!("{ENDPOINT} {}", network_of(address)))
    }
}
