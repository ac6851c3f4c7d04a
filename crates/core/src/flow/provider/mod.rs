//! What is known of the providers, kept for the life of the isolate: their metadata and their keys.

mod client;
pub(crate) mod kept;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::{Error, ProviderError};
use crate::flow::Exchange;
use crate::flow::provider::kept::{ASKING, Kind, Known, Published, Slot, Turn};
use crate::flow::vestibule::Vestibule;
use crate::platform::{Level, Platform, within};
use vestibule_oidc::http::client::{FetchRequest, FetchResponse};
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::discovery::{self, Issuer, ProviderMetadata};
use vestibule_oidc::oauth::id_token::{Flaw, IdTokenError};
use vestibule_oidc::oauth::jwks;
use vestibule_oidc::oauth::provider::{IdTokenAlgorithm, OAuthProvider, OpenId};
use vestibule_oidc::oauth::token::Reading;
use vestibule_oidc::time::Timestamp;

/// How long metadata and keys are taken as they are. Providers ask for hours to a day; an hour bounds how
/// long a key that the provider withdrew is still believed.
const FRESH: Duration = Duration::from_hours(1);

/// How long they serve beyond that while the provider does not answer. A provider's short absence should
/// not keep people from coming back from its login page.
const STALE: Duration = Duration::from_hours(24);

/// How often a key that is not in the set may make us ask for the set again: anybody can send a token with
/// an invented `kid`, and each must not cost a request to the provider.
const UNKNOWN_KEY_THROTTLE: Duration = Duration::from_mins(1);

/// How long who asks waits for the answer where an older copy would do; a healthy provider needs less. The answer is
/// kept for the next ones when it comes.
const PATIENCE_WITH_A_COPY: Duration = Duration::from_millis(1500);

/// The same without a copy: longer than any answer may take. Only a runtime that has lost it lets nobody hear at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a request looks whether another one of its isolate is done asking.
const POLL: Duration = Duration::from_millis(20);

/// Who makes us ask a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// Somebody who signs in, or has signed in.
    Person,
    /// Anybody, by a token of which nothing is proven.
    Anybody,
}

/// What somebody looks for in what a provider publishes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// What holds; an older copy will do where there is nothing better.
    Current,
    /// What is not in the copy.
    News,
}

impl<P: Platform> Exchange<'_, P> {
    /// The provider's metadata, asked for at most once an hour; of a provider that publishes none, what is configured.
    pub(crate) async fn metadata(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        self.metadata_for(provider, oauth, Asker::Person).await
    }

    async fn metadata_for(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        asker: Asker,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        let openid = match (ProviderMetadata::configured(oauth), &oauth.openid) {
            (Some(configured), _) => return Ok(Rc::new(configured)),
            (None, Some(openid)) => openid,
            (None, None) => {
                return Err(Error::Configuration(format!("provider {} has no endpoints", provider.id)));
            }
        };
        let document = Document {
            kind: Kind::Metadata,
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
        let refused = |cause: JwsError| blame(provider, cause);
        let accepted = match oauth.openid.as_ref().and_then(|openid| openid.id_token_algorithm) {
            Some(IdTokenAlgorithm::Hs256) => {
                let Some(secret) = &oauth.client.secret else { return Err(refused(JwsError::NotHs256)) };
                return jws::verify_hs256(token, secret).map_err(refused);
            }
            Some(IdTokenAlgorithm::Of(algorithm)) => vec![algorithm],
            None => metadata.id_token_algorithms(),
        };
        let jws = UnverifiedJws::parse(token).map_err(refused)?;
        self.verify_by_keys(provider, metadata, &jws, &accepted, Asker::Person).await
    }

    /// Verifies the signature of a token that anybody may have brought. What its metadata say of ID tokens does not
    /// bind a provider here: its keys say which algorithms they are for.
    pub(crate) async fn verify_brought(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        jws: &UnverifiedJws<'_>,
    ) -> Result<VerifiedPayload, Error> {
        let metadata = self.metadata_for(provider, oauth, Asker::Anybody).await?;
        self.verify_by_keys(provider, &metadata, jws, &Algorithm::ALL, Asker::Anybody).await
    }

    async fn verify_by_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        jws: &UnverifiedJws<'_>,
        accepted: &[Algorithm],
        asker: Asker,
    ) -> Result<VerifiedPayload, Error> {
        let refused = |cause: JwsError| blame(provider, cause);
        let known = self.provider_keys(provider, metadata, Wanted::Current, asker).await?;
        let error = match jws::verify(self.platform, jws, &known, accepted).await {
            // A token that names no key may be of one that is not known yet, too.
            Err(error) if error == JwsError::UnknownKey || jws.kid().is_none() => error,
            verified => return verified.map_err(refused),
        };
        match self.provider_keys(provider, metadata, Wanted::News, asker).await {
            Ok(newer) => jws::verify(self.platform, jws, &newer, accepted).await.map_err(refused),
            // The token is the provider's own: that its keys are not to be had is no word against it.
            Err(unavailable) if asker == Asker::Person => Err(unavailable),
            Err(_) => Err(refused(error)),
        }
    }

    /// The provider's keys.
    async fn provider_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        wanted: Wanted,
        asker: Asker,
    ) -> Result<Rc<JwkSet>, Error> {
        let Some(request) = jwks::request(metadata) else {
            return Err(blame(provider, JwsError::UnknownKey));
        };
        let document = Document { kind: Kind::Keys, request, slot: |known| &mut known.keys };
        self.current_document(provider, wanted, asker, document).await
    }

    /// What is kept of a document if it is young enough, otherwise the document itself, otherwise, while the provider
    /// does not give it, what was kept for up to [`STALE`].
    ///
    /// Whoever has such a copy waits for nobody else, and where a try failed not long ago asks nobody either.
    async fn current_document<T>(
        &self,
        provider: &Provider,
        wanted: Wanted,
        asker: Asker,
        document: Document<T>,
    ) -> Result<Rc<T>, Error> {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        let Document { kind, request, slot } = document;
        let kept = |age| cache.with(&provider.id, |known| slot(known).within(age, platform.now()));
        let left_alone = || blame(provider, ProviderError::LeftAlone { endpoint: kind.name() });
        let (age, patience) = match (wanted, asker) {
            (Wanted::Current, _) => (FRESH, ASKING),
            (Wanted::News, Asker::Anybody) => (UNKNOWN_KEY_THROTTLE, ASKING),
            // As long as they would wait who ask themselves.
            (Wanted::News, Asker::Person) => (UNKNOWN_KEY_THROTTLE, request.timeout),
        };
        let patience = platform.now().plus(patience);
        let copy = loop {
            if let Some(value) = kept(age) {
                return Ok(value);
            }
            let copy = if wanted == Wanted::Current { kept(STALE) } else { None };
            let now = platform.now();
            match (cache.with(&provider.id, |known| known.turn(kind, copy.is_some(), now)), copy) {
                (Turn::Ask, copy) => break copy,
                (_, Some(copy)) => return Ok(copy),
                // Nobody else's failure is theirs.
                (_, None) if (wanted, asker) == (Wanted::Current, Asker::Person) => break None,
                (Turn::Wait, None) if now < patience => platform.sleep(POLL).await,
                (Turn::Wait | Turn::Later, None) => return Err(left_alone()),
            }
        };
        let begun = platform.now();
        cache.with(&provider.id, |known| known.begin(kind, begun));
        let question = Question {
            vestibule: self.vestibule.clone(),
            platform: platform.clone(),
            provider: provider.id.clone(),
            kind,
            request,
            begun,
        };
        // Whoever waits may go away, or on with the copy; what was asked for is kept all the same.
        let answered = pin!(platform.to_the_end(question.ask()));
        let patience = if copy.is_some() { PATIENCE_WITH_A_COPY } else { PATIENCE };
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
            .map_err(|cause| blame(provider, ProviderError::Unreachable { endpoint, cause }))
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
        IdTokenError::Issuer(Flaw::Other { found, expected: openid.issuer.clone() })
    })
}

/// Something a provider publishes: how to ask for it, where it is kept.
struct Document<T> {
    kind: Kind,
    request: FetchRequest,
    slot: fn(&mut Known) -> &mut Slot<T>,
}

/// A provider is asked for something. It owns what it needs: who waits for the answer may have gone on without it.
struct Question<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    provider: String,
    kind: Kind,
    request: FetchRequest,
    begun: Timestamp,
}

impl<P: Platform> Question<P> {
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
                vestibule.providers.with(&provider, |known| known.keep(published, begun, now));
                return Ok(());
            }
            Err(cause) => Error::Provider { provider: provider.clone(), cause },
        };
        let has_copy = vestibule.providers.with(&provider, |known| {
            known.failed(kind, now);
            known.has(kind, STALE, now)
        });
        if has_copy {
            let event = json!({ "event": "provider_document_kept", "message": error.to_string() });
            platform.log(Level::Warn, &event);
        }
        Err(error)
    }
}

impl Kind {
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
        let (oauth, openid) = found.ok_or(ProviderError::LeftAlone { endpoint: self.name() })?;
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
pub(crate) fn blame(provider: &Provider, cause: impl Into<ProviderError>) -> Error {
    Error::Provider { provider: provider.id.clone(), cause: cause.into() }
}
