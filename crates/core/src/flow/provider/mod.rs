//! What is known of the providers, kept for the life of the isolate: their metadata and their keys.

pub(crate) mod cache;
mod client;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::provider::cache::{
    CachedProvider, DocumentKind, FetchDecision, MAX_ATTEMPT, Published, Slot,
};
use crate::flow::vestibule::Vestibule;
use crate::platform::{Level, Platform, within};
use vestibule_oidc::http::client::{FetchRequest, FetchResponse};
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::discovery::{self, Issuer, ProviderMetadata};
use vestibule_oidc::oauth::id_token::{ClaimError, IdTokenError};
use vestibule_oidc::oauth::jwks;
use vestibule_oidc::oauth::provider::{IdTokenAlgorithm, OAuthProvider, OpenId};
use vestibule_oidc::oauth::token::Reading;
use vestibule_oidc::time::Timestamp;

/// How long metadata and keys are taken as they are. Providers ask for hours to a day; an hour bounds how
/// long a key that the provider withdrew is still believed.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// How long they serve beyond that while the provider does not answer. A provider's short absence should
/// not keep people from coming back from its login page.
const USABLE_FOR: Duration = Duration::from_hours(24);

/// How often a key that is not in the set may make us ask for the set again: anybody can send a token with
/// an invented `kid`, and each must not cost a request to the provider.
const UNKNOWN_KEY_THROTTLE: Duration = Duration::from_mins(1);

/// How long who asks waits for the answer where an older copy would do; a healthy provider needs less. The answer is
/// kept for the next ones when it comes.
const MAX_WAIT_WITH_COPY: Duration = Duration::from_millis(1500);

/// The same without a copy: longer than any answer may take. Only a runtime that has lost it lets nobody hear at all.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How often a request looks whether another one of its isolate is done asking.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Who makes us ask a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requester {
    /// Somebody who signs in, or has signed in.
    User,
    /// Anybody, by a token of which nothing is proven.
    Anyone,
}

/// What somebody looks for in what a provider publishes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// What holds; an older copy will do where there is nothing better.
    Current,
    /// What is not in the copy.
    Newer,
}

impl<P: Platform> RequestContext<'_, P> {
    /// The provider's metadata, asked for at most once an hour; of a provider that publishes none, what is configured.
    pub(crate) async fn metadata(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        self.metadata_for(provider, oauth, Requester::User).await
    }

    async fn metadata_for(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        asker: Requester,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        let openid = match (ProviderMetadata::configured(oauth), &oauth.openid) {
            (Some(configured), _) => return Ok(Rc::new(configured)),
            (None, Some(openid)) => openid,
            (None, None) => {
                return Err(Error::Configuration(format!("provider {} has no endpoints", provider.id)));
            }
        };
        let document = Document {
            kind: DocumentKind::Metadata,
            request: discovery::request(&issuer(openid)),
            slot: |known| &mut known.metadata,
        };
        self.current_document(provider, Wanted::Current, asker, document).await
    }

    /// Verifies an ID token's signature: with the client's secret, where the configuration says so, otherwise with
    /// the provider's keys, asking for them again, within bounds, where the token names one that is not known yet.
    pub(crate) async fn verify_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        token: &str,
    ) -> Result<VerifiedPayload, Error> {
        let refused = |cause: JwsError| provider_error(provider, cause);
        let accepted = match oauth.openid.as_ref().and_then(|openid| openid.id_token_algorithm) {
            Some(IdTokenAlgorithm::Hs256) => {
                let Some(secret) = &oauth.client.secret else { return Err(refused(JwsError::NotHs256)) };
                return jws::verify_hs256(token, secret).map_err(refused);
            }
            Some(IdTokenAlgorithm::Of(algorithm)) => vec![algorithm],
            None => metadata.id_token_algorithms(),
        };
        let jws = UnverifiedJws::parse(token).map_err(refused)?;
        self.verify_by_keys(provider, metadata, &jws, &accepted, Requester::User).await
    }

    /// Verifies the signature of a token that anybody may have brought. What its metadata say of ID tokens does not
    /// bind a provider here: its keys say which algorithms they are for.
    pub(crate) async fn verify_client_token(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        jws: &UnverifiedJws<'_>,
    ) -> Result<VerifiedPayload, Error> {
        let metadata = self.metadata_for(provider, oauth, Requester::Anyone).await?;
        self.verify_by_keys(provider, &metadata, jws, &Algorithm::ALL, Requester::Anyone).await
    }

    async fn verify_by_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        jws: &UnverifiedJws<'_>,
        accepted: &[Algorithm],
        asker: Requester,
    ) -> Result<VerifiedPayload, Error> {
        let refused = |cause: JwsError| provider_error(provider, cause);
        let known = self.provider_keys(provider, metadata, Wanted::Current, asker).await?;
        let error = match jws::verify(self.platform, jws, &known, accepted).await {
            // A token that names no key may be of one that is not known yet, too.
            Err(error) if error == JwsError::UnknownKey || jws.kid().is_none() => error,
            verified => return verified.map_err(refused),
        };
        match self.provider_keys(provider, metadata, Wanted::Newer, asker).await {
            Ok(newer) => jws::verify(self.platform, jws, &newer, accepted).await.map_err(refused),
            // The token is the provider's own: that its keys are not to be had is no word against it.
            Err(unavailable) if asker == Requester::User => Err(unavailable),
            Err(_) => Err(refused(error)),
        }
    }

    /// The provider's keys.
    async fn provider_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        wanted: Wanted,
        asker: Requester,
    ) -> Result<Rc<JwkSet>, Error> {
        let Some(request) = jwks::request(metadata) else {
            return Err(provider_error(provider, JwsError::UnknownKey));
        };
        let document = Document { kind: DocumentKind::Keys, request, slot: |known| &mut known.keys };
        self.current_document(provider, wanted, asker, document).await
    }

    /// What is kept of a document if it is young enough, otherwise the document itself, otherwise, while the provider
    /// does not give it, what was kept for up to [`USABLE_FOR`].
    ///
    /// Whoever has such a copy waits for nobody else, and where a try failed not long ago asks nobody either.
    async fn current_document<T>(
        &self,
        provider: &Provider,
        wanted: Wanted,
        asker: Requester,
        document: Document<T>,
    ) -> Result<Rc<T>, Error> {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        let Document { kind, request, slot } = document;
        let kept = |age| cache.with(&provider.id, |known| slot(known).within(age, platform.now()));
        let left_alone = || provider_error(provider, ProviderError::RecentlyFailed { endpoint: kind.name() });
        let (age, patience) = match (wanted, asker) {
            (Wanted::Current, _) => (FRESH_FOR, MAX_ATTEMPT),
            (Wanted::Newer, Requester::Anyone) => (UNKNOWN_KEY_THROTTLE, MAX_ATTEMPT),
            // As long as they would wait who ask themselves.
            (Wanted::Newer, Requester::User) => (UNKNOWN_KEY_THROTTLE, request.timeout),
        };
        let patience = platform.now().plus(patience);
        let copy = loop {
            if let Some(value) = kept(age) {
                return Ok(value);
            }
            let copy = if wanted == Wanted::Current { kept(USABLE_FOR) } else { None };
            let now = platform.now();
            match (cache.with(&provider.id, |known| known.decide_fetch(kind, copy.is_some(), now)), copy) {
                (FetchDecision::Fetch, copy) => break copy,
                (_, Some(copy)) => return Ok(copy),
                // Nobody else's failure is theirs.
                (_, None) if (wanted, asker) == (Wanted::Current, Requester::User) => break None,
                (FetchDecision::Wait, None) if now < patience => platform.sleep(POLL_INTERVAL).await,
                (FetchDecision::Wait | FetchDecision::Later, None) => return Err(left_alone()),
            }
        };
        let begun = platform.now();
        cache.with(&provider.id, |known| known.begin_attempt(kind, begun));
        let question = DocumentFetch {
            vestibule: self.vestibule.clone(),
            platform: platform.clone(),
            provider: provider.id.clone(),
            kind,
            request,
            begun,
        };
        // Whoever waits may go away, or on with the copy; what was asked for is kept all the same.
        let answered = pin!(platform.run_to_completion(question.ask()));
        let patience = if copy.is_some() { MAX_WAIT_WITH_COPY } else { MAX_WAIT };
        match within(platform, patience, answered).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return copy.ok_or(error),
            None => return copy.ok_or_else(left_alone),
        }
        cache.with(&provider.id, |known| slot(known).newest()).ok_or_else(left_alone)
    }

    /// Sends a request to one of the provider's endpoints.
    pub(crate) async fn ask(
        &self,
        provider: &Provider,
        endpoint: &'static str,
        request: FetchRequest,
    ) -> Result<FetchResponse, Error> {
        self.platform
            .fetch(request)
            .await
            .map_err(|cause| provider_error(provider, ProviderError::Unreachable { endpoint, cause }))
    }
}

fn issuer(openid: &OpenId) -> Issuer<'_> {
    Issuer {
        identifier: &openid.issuer,
        template: openid.token_issuer.as_deref(),
        well_known: openid.well_known.as_ref(),
    }
}

/// The issuer that a token of the provider's with these claims has to name.
pub(crate) fn issuer_of_token(
    openid: &OpenId,
    metadata: &ProviderMetadata,
    claims: &Map<String, Value>,
) -> Result<String, IdTokenError> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    discovery::issuer_of_token(&issuer(openid), metadata, text("tid")).ok_or_else(|| {
        let found = text("iss").map(|issuer| issuer.chars().take(300).collect()).unwrap_or_default();
        IdTokenError::Issuer(ClaimError::Other { found, expected: openid.issuer.clone() })
    })
}

/// Something a provider publishes: how to ask for it, where it is kept.
struct Document<T> {
    kind: DocumentKind,
    request: FetchRequest,
    slot: fn(&mut CachedProvider) -> &mut Slot<T>,
}

/// A provider is asked for something. It owns what it needs: who waits for the answer may have gone on without it.
struct DocumentFetch<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    provider: String,
    kind: DocumentKind,
    request: FetchRequest,
    begun: Timestamp,
}

impl<P: Platform> DocumentFetch<P> {
    /// Keeps the answer.
    async fn ask(self) -> Result<(), Error> {
        let Self { vestibule, platform, provider, kind, request, begun } = self;
        let answer = platform.fetch(request).await;
        let now = platform.now();
        let read = answer
            .map_err(|cause| ProviderError::Unreachable { endpoint: kind.name(), cause })
            .and_then(|response| kind.read(&vestibule, &provider, &response));
        let error = match read {
            Ok(published) => {
                vestibule.providers.with(&provider, |known| known.store(published, begun, now));
                return Ok(());
            }
            Err(cause) => Error::Provider { provider: provider.clone(), cause },
        };
        let has_copy = vestibule.providers.with(&provider, |known| {
            known.attempt_failed(kind, now);
            known.has(kind, USABLE_FOR, now)
        });
        if has_copy {
            let event = json!({ "event": "provider_document_kept", "message": error.to_string() });
            platform.log(Level::Warn, &event);
        }
        Err(error)
    }
}

impl DocumentKind {
    fn name(self) -> &'static str {
        match self {
            Self::Metadata => "discovery",
            Self::Keys => "jwks",
        }
    }

    fn read(
        self,
        vestibule: &Vestibule,
        provider: &str,
        response: &FetchResponse,
    ) -> Result<Published, ProviderError> {
        if let Self::Keys = self {
            return Ok(Published::Keys(Rc::new(jwks::parse(response)?)));
        }
        let providers = &vestibule.config.providers;
        let found = providers.iter().find(|known| known.id == provider).and_then(|known| match &known.kind {
            ProviderKind::OAuth(oauth) => Some((oauth, oauth.openid.as_ref()?)),
            ProviderKind::Credentials(_) => None,
        });
        // Nobody asks for what a provider has not.
        let (oauth, openid) = found.ok_or(ProviderError::RecentlyFailed { endpoint: self.name() })?;
        let metadata = discovery::parse(&issuer(openid), response)?.with_configured(oauth);
        Ok(Published::Metadata(Rc::new(metadata)))
    }
}

/// How the provider's token responses are read.
pub(crate) fn reading(oauth: &OAuthProvider) -> Reading<'_> {
    Reading {
        is_strict: oauth.openid.is_some(),
        response_path: oauth.token.response_path.as_ref(),
        invalid_grant_errors: &oauth.token.invalid_grant_errors,
    }
}

/// The error that says it was this provider's fault.
pub(crate) fn provider_error(provider: &Provider, cause: impl Into<ProviderError>) -> Error {
    Error::Provider { provider: provider.id.clone(), cause: cause.into() }
}
