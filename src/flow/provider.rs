//! What is known of the providers, kept for the life of the isolate: their metadata and their keys.

mod client;

pub(crate) use client::client;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::Provider;
use crate::config::oauth::{IdTokenAlgorithm, OAuthProvider, OpenId};
use crate::error::{Error, ProviderError};
use crate::flow::Exchange;
use crate::jose::jwk::JwkSet;
use crate::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use crate::oauth::discovery::{self, Issuer, ProviderMetadata};
use crate::oauth::id_token::{Flaw, IdTokenError};
use crate::oauth::jwks;
use crate::oauth::token::Reading;
use crate::platform::{FetchRequest, FetchResponse, Level, Platform};
use crate::sorted::SortedMap;
use crate::time::Timestamp;

/// How long metadata and keys are taken as they are. Providers ask for hours to a day; an hour bounds how
/// long a key that the provider withdrew is still believed.
const FRESH: Duration = Duration::from_hours(1);

/// How long they serve beyond that while the provider does not answer. A provider's short absence should
/// not keep people from coming back from its login page.
const STALE: Duration = Duration::from_hours(24);

/// How often a key that is not in the set may make us ask for the set again: anybody can send a token with
/// an invented `kid`, and each must not cost a request to the provider.
const UNKNOWN_KEY_THROTTLE: Duration = Duration::from_mins(1);

/// How often a token that somebody brings may make us ask for the same document, and how long others wait for the
/// answer: a provider that is out of order, or far away, does not get more of us for more of them.
const ASKING: Duration = Duration::from_secs(5);

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

/// One isolate's knowledge of the providers. Plain data: nothing of one request's is kept for another.
#[derive(Default)]
pub(crate) struct ProviderCache(RefCell<SortedMap<String, Known>>);

#[derive(Default)]
struct Known {
    metadata: Slot<ProviderMetadata>,
    keys: Slot<JwkSet>,
}

struct Slot<T> {
    fetched: Option<Fetched<T>>,
    /// When [`Asker::Anybody`] last made us ask, and whether that request still waits for the answer.
    asked: Option<(Timestamp, bool)>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { fetched: None, asked: None }
    }
}

struct Fetched<T> {
    value: Rc<T>,
    at: Timestamp,
}

impl<T> Fetched<T> {
    fn within(&self, age: Duration, now: Timestamp) -> Option<Rc<T>> {
        (now < self.at.plus(age)).then(|| Rc::clone(&self.value))
    }
}

/// The provider's metadata, asked for at most once an hour; of a provider that publishes none, what is configured.
pub(crate) async fn metadata<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    oauth: &OAuthProvider,
) -> Result<Rc<ProviderMetadata>, Error> {
    metadata_for(exchange, provider, oauth, Asker::Person).await
}

async fn metadata_for<P: Platform>(
    exchange: &Exchange<'_, P>,
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
    let issuer = issuer(openid);
    let document = Document {
        name: "discovery",
        request: discovery::request(&issuer),
        parse: |response: &FetchResponse| Ok(discovery::parse(&issuer, response)?.with_configured(oauth)),
        slot: |known| &mut known.metadata,
    };
    current(exchange, provider, FRESH, asker, document).await
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

/// Verifies an ID token's signature: with the client's secret, where the configuration says so, otherwise with
/// the provider's keys, asking for them again, within bounds, where the token names one that is not known yet.
pub(crate) async fn verify_signature<P: Platform>(
    exchange: &Exchange<'_, P>,
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
    verify_by_keys(exchange, provider, metadata, &jws, &accepted, Asker::Person).await
}

/// Verifies the signature of a token that anybody may have brought. What its metadata say of ID tokens does not
/// bind a provider here: its keys say which algorithms they are for.
pub(crate) async fn verify_brought<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    oauth: &OAuthProvider,
    jws: &UnverifiedJws<'_>,
) -> Result<VerifiedPayload, Error> {
    let metadata = metadata_for(exchange, provider, oauth, Asker::Anybody).await?;
    verify_by_keys(exchange, provider, &metadata, jws, &Algorithm::ALL, Asker::Anybody).await
}

async fn verify_by_keys<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    metadata: &ProviderMetadata,
    jws: &UnverifiedJws<'_>,
    accepted: &[Algorithm],
    asker: Asker,
) -> Result<VerifiedPayload, Error> {
    let refused = |cause: JwsError| blame(provider, cause);
    let known = keys(exchange, provider, metadata, FRESH, asker).await?;
    match jws::verify(exchange.platform, jws, &known, accepted).await {
        // A token that names no key may be of one that is not known yet, too.
        Err(error) if error == JwsError::UnknownKey || jws.kid().is_none() => {
            let newer = keys(exchange, provider, metadata, UNKNOWN_KEY_THROTTLE, asker).await?;
            jws::verify(exchange.platform, jws, &newer, accepted).await.map_err(refused)
        }
        verified => verified.map_err(refused),
    }
}

/// The provider's keys, not older than `age` unless it gives no newer ones.
async fn keys<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    metadata: &ProviderMetadata,
    age: Duration,
    asker: Asker,
) -> Result<Rc<JwkSet>, Error> {
    let Some(request) = jwks::request(metadata) else {
        return Err(blame(provider, JwsError::UnknownKey));
    };
    let document = Document {
        name: "jwks",
        request,
        parse: |response: &FetchResponse| Ok(jwks::parse(response)?),
        slot: |known| &mut known.keys,
    };
    current(exchange, provider, age, asker, document).await
}

/// Something a provider publishes: how to ask for it, how to read it, where it is kept.
struct Document<T, F> {
    name: &'static str,
    request: FetchRequest,
    parse: F,
    slot: fn(&mut Known) -> &mut Slot<T>,
}

/// What is kept of a document if it is younger than `age`, otherwise the document itself, otherwise, while
/// the provider does not give it, what was kept for up to [`STALE`].
async fn current<P: Platform, T>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    age: Duration,
    asker: Asker,
    document: Document<T, impl Fn(&FetchResponse) -> Result<T, ProviderError>>,
) -> Result<Rc<T>, Error> {
    let cache = &exchange.vestibule.providers;
    let kept = |age| {
        cache.with(provider, |known| (document.slot)(known).fetched.as_ref()?.within(age, exchange.now))
    };
    let patience = exchange.platform.now().plus(ASKING);
    loop {
        if let Some(value) = kept(age) {
            return Ok(value);
        }
        if asker == Asker::Person {
            break;
        }
        let now = exchange.platform.now();
        match cache.with(provider, |known| (document.slot)(known).turn(now)) {
            Turn::Ask => break,
            Turn::Wait if now < patience => exchange.platform.sleep(POLL).await,
            Turn::Wait | Turn::Later => {
                let error = ProviderError::LeftAlone { endpoint: document.name };
                return kept(STALE).ok_or_else(|| blame(provider, error));
            }
        }
    }
    let answer = ask(exchange, provider, document.name, document.request).await;
    let fetched =
        answer.and_then(|response| (document.parse)(&response).map_err(|cause| blame(provider, cause)));
    if asker == Asker::Anybody {
        cache.with(provider, |known| (document.slot)(known).is_answered());
    }
    match fetched {
        Ok(value) => {
            let value = Rc::new(value);
            let fetched = Fetched { value: Rc::clone(&value), at: exchange.now };
            cache.with(provider, |known| (document.slot)(known).fetched = Some(fetched));
            Ok(value)
        }
        Err(error) => {
            let message = error.to_string();
            let value = kept(STALE).ok_or(error)?;
            exchange.log(Level::Warn, "provider_document_kept", &message);
            Ok(value)
        }
    }
}

/// What somebody does who would ask.
enum Turn {
    /// They ask.
    Ask,
    /// Somebody else is asking.
    Wait,
    /// Somebody asked a moment ago, and it did not help.
    Later,
}

impl<T> Slot<T> {
    fn turn(&mut self, now: Timestamp) -> Turn {
        match self.asked {
            Some((at, true)) if now < at.plus(ASKING) => Turn::Wait,
            Some((at, false)) if now < at.plus(ASKING) => Turn::Later,
            _ => {
                self.asked = Some((now, true));
                Turn::Ask
            }
        }
    }

    fn is_answered(&mut self) {
        self.asked = self.asked.map(|(at, _)| (at, false));
    }
}

/// How the provider's token responses are read.
pub(crate) fn reading(oauth: &OAuthProvider) -> Reading<'_> {
    Reading { is_strict: oauth.openid.is_some(), root: oauth.token.root.as_ref(), gone: &oauth.token.gone }
}

/// Sends a request to one of the provider's endpoints.
pub(crate) async fn ask<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    endpoint: &'static str,
    request: FetchRequest,
) -> Result<FetchResponse, Error> {
    exchange
        .platform
        .fetch(request)
        .await
        .map_err(|cause| blame(provider, ProviderError::Unreachable { endpoint, cause }))
}

/// The error that says it was this provider's fault.
pub(crate) fn blame(provider: &Provider, cause: impl Into<ProviderError>) -> Error {
    Error::Provider { provider: provider.id.clone(), cause: cause.into() }
}

impl ProviderCache {
    fn with<T>(&self, provider: &Provider, act: impl FnOnce(&mut Known) -> T) -> T {
        act(self.0.borrow_mut().entry(provider.id.clone(), Known::default))
    }
}
