//! The documents that providers publish, metadata and key sets, cached for the lifetime of the process.

pub(crate) mod cache;
mod checked;
mod client;
mod client_key_set;
pub(crate) mod client_keys;
mod encrypted;
pub(crate) mod encryption_keys;
mod newer_keys;
mod sent_tokens;
mod signature;
mod stored;
mod token_revocation;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::{Provider, ProviderKind};
use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::provider::cache::{
    CachedProvider, DocumentId, DocumentKind, Fetch, FetchDecision, MAX_ATTEMPT, Published, Slot, USABLE_FOR,
};
use crate::flow::vestibule::Vestibule;
use crate::log::{LogEvent, Record, RequestDetails};
use crate::platform::{Platform, answered, watch_provider, within};
use vestibule_oidc::http::client::{FetchRequest, FetchResponse};
use vestibule_oidc::oauth::discovery::{self, Issuer, ProviderMetadata};
use vestibule_oidc::oauth::dpop;
use vestibule_oidc::oauth::id_token::{self, ClaimError, IdTokenError};
use vestibule_oidc::oauth::jwks;
use vestibule_oidc::oauth::provider::{OAuthProvider, OpenId};
use vestibule_oidc::oauth::token::ParseOptions;
use vestibule_oidc::oauth::transmitter;
use vestibule_oidc::time::Timestamp;

/// How long a copy is used without fetching the document again. Providers' cache lifetimes range from hours to a day; one
/// hour limits how long a withdrawn key is still accepted.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// How long a copy counts as recent, for those who look whether the provider answers.
const RECENT_FOR: Duration = Duration::from_mins(1);

/// How long a request waits for a document if it has a usable copy; a healthy provider answers faster. A later answer is
/// still stored for the next requests.
const MAX_WAIT_WITH_COPY: Duration = Duration::from_millis(1500);

/// How long a request waits without a copy: longer than the HTTP client's own timeout. It only ends the wait for a fetch
/// that the runtime has lost.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How often a request checks whether another request of its process has fetched the document.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl<P: Platform> RequestContext<'_, P> {
    /// The provider's metadata, fetched at most once an hour. A provider that publishes none has the configured endpoints.
    pub(crate) async fn metadata(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        self.metadata_for(provider, oauth, Wanted::Current, Requester::User).await
    }

    /// The same where anyone may cause the request: a client with a token that is not verified. While the provider does not
    /// answer, it is not asked again for some seconds.
    pub(crate) async fn metadata_for_anyone(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        self.metadata_for(provider, oauth, Wanted::Current, Requester::Anyone).await
    }

    async fn metadata_for(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        wanted: Wanted,
        requester: Requester,
    ) -> Result<Rc<ProviderMetadata>, Error> {
        let openid = match (ProviderMetadata::configured(oauth), &oauth.openid) {
            (Some(configured), _) => return Ok(Rc::new(configured)),
            (None, Some(openid)) => openid,
            (None, None) => {
                return Err(Error::Configuration(format!(
                    "provider {} has no endpoints: set its issuer, or the URLs of its endpoints",
                    provider.id
                )));
            }
        };
        let document = Document {
            kind: DocumentKind::Metadata,
            request: discovery::request(&issuer(openid)),
            slot: |cached| &mut cached.metadata,
        };
        self.current_document(&provider.id, wanted, requester, document).await
    }

    /// A document: the cached copy if it is young enough, otherwise the fetched document. While the provider does not
    /// answer, a copy of up to [`USABLE_FOR`] takes its place.
    ///
    /// A request with a usable copy does not wait for a fetch of another request, and starts none shortly after one
    /// failed.
    async fn current_document<T>(
        &self,
        provider: &str,
        wanted: Wanted,
        requester: Requester,
        document: Document<T>,
    ) -> Result<Rc<T>, Error> {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        let Document { kind, request, slot } = document;
        let cached_copy = |age| cache.with(provider, |cached| slot(cached).within(age, platform.now()));
        let recently_failed = || recently_failed(provider, kind);
        let age = match wanted {
            Wanted::Current => FRESH_FOR,
            Wanted::Recent => RECENT_FOR,
        };
        if platform.stores_documents() {
            // Apart, because every request would be as large.
            Box::pin(self.read_stored(DocumentId { kind, provider, url: &request.url }, age)).await;
        }
        let deadline = platform.now().plus(MAX_ATTEMPT);
        let copy = loop {
            if let Some(value) = cached_copy(age) {
                return Ok(value);
            }
            let copy = if wanted == Wanted::Current { cached_copy(USABLE_FOR) } else { None };
            let now = platform.now();
            match (cache.with(provider, |cached| cached.decide_fetch(kind, copy.is_some(), now)), copy) {
                (FetchDecision::Fetch, copy) => break copy,
                (_, Some(copy)) => return Ok(copy),
                // Without a copy the user's sign-in would fail, so it does not depend on another request's fetch.
                (_, None) if (wanted, requester) == (Wanted::Current, Requester::User) => break None,
                (FetchDecision::Wait, None) if now < deadline => platform.sleep(POLL_INTERVAL).await,
                (FetchDecision::Wait | FetchDecision::Later, None) => return Err(recently_failed()),
            }
        };
        let max_wait = if copy.is_some() { MAX_WAIT_WITH_COPY } else { MAX_WAIT };
        match self.fetch_document(provider, kind, request, false, max_wait).await {
            Ok(()) => cache.with(provider, |cached| slot(cached).newest()).ok_or_else(recently_failed),
            Err(error) => copy.ok_or(error),
        }
    }

    /// Fetches a document into the cache, and waits for it so long. The answer is stored also if this request ends first, or
    /// goes on without it.
    async fn fetch_document(
        &self,
        provider: &str,
        kind: DocumentKind,
        request: FetchRequest,
        for_unknown_key: bool,
        max_wait: Duration,
    ) -> Result<(), Error> {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        let now = platform.now();
        let fetch = DocumentFetch {
            vestibule: self.vestibule.clone(),
            platform: platform.clone(),
            details: self.details(),
            provider: provider.to_owned(),
            kind,
            request,
            fetch: cache.with(provider, |cached| cached.begin_attempt(kind, for_unknown_key, now)),
        };
        // Boxed, because most requests fetch nothing, and the future of each is as large as that of one that does.
        let stored = pin!(platform.run_to_completion(Box::pin(fetch.run())));
        within(platform, max_wait, stored).await.unwrap_or_else(|| Err(recently_failed(provider, kind)))
    }

    /// `session_expiry` of an ID token with these claims: when a session that it creates must end. A value that is no
    /// such time is logged and ignored.
    pub(crate) fn session_expiry(
        &self,
        provider: &Provider,
        claims: &Map<String, Value>,
    ) -> Option<Timestamp> {
        id_token::session_expiry(claims, self.now).unwrap_or_else(|error| {
            let id = &provider.id;
            let message = format_args!("provider {id}: id_token: \"session_expiry\" {error}");
            self.log(Record::new(LogEvent::SessionExpiryIgnored, message).provider(id));
            None
        })
    }

    /// Sends a request to one of the provider's endpoints.
    pub(crate) async fn ask(
        &self,
        provider: &Provider,
        endpoint: &'static str,
        request: FetchRequest,
    ) -> Result<FetchResponse, Error> {
        let watch = watch_provider(self.platform, &provider.id, endpoint);
        answered(watch, self.platform.fetch(request).await)
            .map_err(|cause| provider_error(provider, ProviderError::Unreachable { endpoint, cause }))
    }
}

/// Who causes a request to a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requester {
    /// A user who signs in, or who is signed in.
    User,
    /// Anyone: a client with an unverified token.
    Anyone,
    /// Anyone, too: who sends a token in the name of a provider or a transmitter. A real one does not send again what was
    /// rejected, only what could not be verified.
    Sender,
}

/// Which version of a document is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The current one. An older copy is acceptable while the provider does not answer.
    Current,
    /// One that was fetched in the last minute.
    Recent,
}

/// Whether this text is the provider's issuer, also where the issuers of a provider have a template.
pub(crate) fn is_issuer(openid: &OpenId, text: &str) -> bool {
    issuer(openid).accepts(text)
}

fn issuer(openid: &OpenId) -> Issuer<'_> {
    Issuer {
        identifier: &openid.issuer,
        template: openid.token_issuer.as_deref(),
        well_known: openid.well_known.as_ref(),
    }
}

/// The issuer that a token with these claims must have in `iss`. If the issuer has a template, the token's `tid` fills it.
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

/// A document that a provider publishes: the request that fetches it, and its place in the cache.
struct Document<T> {
    kind: DocumentKind,
    request: FetchRequest,
    slot: fn(&mut CachedProvider) -> &mut Slot<T>,
}

/// The fetch of a document. It owns its data, because the request that began it may end first.
struct DocumentFetch<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    /// The request that wanted to know.
    details: RequestDetails,
    provider: String,
    kind: DocumentKind,
    request: FetchRequest,
    fetch: Fetch,
}

impl<P: Platform> DocumentFetch<P> {
    /// Fetches the document and stores it in the cache.
    async fn run(self) -> Result<(), Error> {
        let Self { vestibule, platform, details, provider, kind, request, fetch } = self;
        let url = request.url.clone();
        let watch = watch_provider(&platform, &provider, kind.name());
        let answer = answered(watch, platform.fetch(request).await);
        let now = platform.now();
        let read = answer
            .map_err(|cause| ProviderError::Unreachable { endpoint: kind.name(), cause })
            .and_then(|response| Ok((kind.read(&vestibule, &provider, &response)?, response)));
        let error = match read {
            Ok((published, response)) => {
                vestibule.providers.with(&provider, |cached| cached.store(published, fetch));
                if platform.stores_documents() {
                    let runtime = platform.clone();
                    platform.spawn(async move {
                        let document = DocumentId { kind, provider: &provider, url: &url };
                        stored::write(document, &response, fetch.at, &vestibule, &runtime).await;
                    });
                }
                return Ok(());
            }
            Err(cause) => Error::Provider { provider: provider.clone(), cause },
        };
        let has_copy = vestibule.providers.with(&provider, |cached| {
            cached.attempt_failed(kind, fetch, now);
            cached.has(kind, USABLE_FOR, now)
        });
        if has_copy {
            platform.log(&error.record_as(LogEvent::ProviderMetadataStale).in_request(&details));
        }
        Err(error)
    }
}

impl DocumentKind {
    /// Its name in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Metadata => "discovery",
            Self::Keys => "jwks",
            Self::JwksUri => "transmitter metadata",
        }
    }

    /// Reads the provider's response.
    fn read(
        self,
        vestibule: &Vestibule,
        provider: &str,
        response: &FetchResponse,
    ) -> Result<Published, ProviderError> {
        if let Self::Keys = self {
            return Ok(Published::Keys(Rc::new(jwks::parse(response)?)));
        }
        if let Self::JwksUri = self {
            let issuer = cache::transmitter_issuer(provider);
            return Ok(Published::JwksUri(Rc::new(transmitter::parse_metadata(issuer, response)?)));
        }
        let providers = &vestibule.config.providers;
        let found = providers.iter().find(|found| found.id == provider).and_then(|found| match &found.kind {
            ProviderKind::OAuth(oauth) => Some((oauth, oauth.openid.as_ref()?)),
            ProviderKind::Credentials(_) => None,
        });
        // Always found: only the metadata of an OpenID provider are fetched.
        let (oauth, openid) = found.ok_or(ProviderError::RecentlyFailed { endpoint: self.name() })?;
        let metadata = discovery::parse(&issuer(openid), response)?.with_configured(oauth);
        Ok(Published::Metadata(Rc::new(metadata)))
    }
}

/// How the provider's token responses are to be read. `is_bound`: the request had a proof of possession.
pub(crate) fn reading(oauth: &OAuthProvider, is_bound: bool) -> ParseOptions<'_> {
    ParseOptions {
        is_strict: oauth.openid.is_some(),
        response_path: oauth.token.response_path.as_ref(),
        invalid_grant_errors: &oauth.token.invalid_grant_errors,
        is_bound,
    }
}

/// Refuses a provider whose metadata say that it takes no proofs with the algorithm that is used here (RFC 9449 section
/// 5.1): each sign-in would end in an error at its token endpoint.
pub(crate) fn check_dpop(provider: &Provider, metadata: &ProviderMetadata) -> Result<(), Error> {
    let wanted = dpop::ALGORITHM.name();
    match metadata.dpop_algorithms() {
        Some(algorithms) if !algorithms.iter().any(|name| name == wanted) => {
            let (id, algorithms) = (&provider.id, algorithms.join(", "));
            Err(Error::Configuration(format!(
                "provider {id}: its metadata say that proofs of possession may be signed with {algorithms}, and {wanted} is \
                 not among them: remove dpop"
            )))
        }
        _ => Ok(()),
    }
}

/// An error of this provider.
pub(crate) fn provider_error(provider: &Provider, cause: impl Into<ProviderError>) -> Error {
    failed(&provider.id, cause)
}

/// The same for what has this name in the [`cache`].
fn failed(cache_name: &str, cause: impl Into<ProviderError>) -> Error {
    Error::Provider { provider: cache_name.to_owned(), cause: cause.into() }
}

/// No usable document, after a fetch that failed a short time ago.
fn recently_failed(provider: &str, kind: DocumentKind) -> Error {
    failed(provider, ProviderError::RecentlyFailed { endpoint: kind.name() })
}
