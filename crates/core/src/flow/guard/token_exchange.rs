//! An upstream that gets a token of its own: the session's access token, or that of an API client, is exchanged for it at the
//! provider ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)).
//!
//! Without such a token the upstream gets nothing: never the token that should have been exchanged. The session goes on,
//! whatever the provider says.

use std::fmt::Display;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use crate::config::{Provider, ProviderKind};
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::dpop::TokenAnswer;
use crate::flow::guard::access::Access;
use crate::flow::guard::bound_token::BoundToken;
use crate::flow::guard::denied::{DenialReason, Denied};
use crate::flow::provider;
use crate::flow::responses::TokenDenied;
use crate::flow::vestibule::Vestibule;
use crate::guard::route::IdentityHeaders;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::{Platform, answered_within, join_all, within};
use crate::session::claims::Session;
use crate::session::tokens::TokenStorage;
use crate::session::tokens::exchanged::{
    ExchangeId, ExchangeSlot, Joined, MAX_BACKOFF, TokenForUpstream, name_in_store,
};
use vestibule_oidc::http::request::Request;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token_exchange::{self, ExchangeTarget, TokenExchange};
use vestibule_oidc::secret::Secret;

/// How long a request waits for the token.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// How often a request looks whether another one of its process has the token.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long to wait after the provider failed and gave no `Retry-After`.
const BACKOFF: Duration = Duration::from_secs(5);

/// How long to wait after the provider rejected what the configuration says.
const MISCONFIGURED_BACKOFF: Duration = Duration::from_mins(1);

/// How long a read of the store may take. The provider is asked in its place.
const MAX_READ: Duration = Duration::from_secs(1);

/// The shortest remaining lifetime of a token that is worth a write to the store.
const MIN_STORED: Duration = Duration::from_mins(2);

impl<P: Platform> RequestContext<'_, P> {
    /// The token of the upstream's own, if the route says that it gets one. Where there is none at the moment, the request is
    /// denied; on a public path it goes on without a token.
    pub(super) async fn token_for_upstream(
        &self,
        access: &Access<'_>,
        session: &Session,
    ) -> Result<Option<Rc<TokenForUpstream>>, Denied> {
        let Some(target) = access.route.exchange_target() else { return Ok(None) };
        if access.is_public() && session.access_token().is_none_or(str::is_empty) {
            return Ok(None);
        }
        // Boxed: otherwise the future of every guarded request would have its size.
        match Box::pin(self.exchanged(target, session)).await {
            Ok(token) => Ok(Some(token)),
            Err(_) if access.is_public() => Ok(None),
            Err(retry) => {
                let reason = DenialReason::Token(TokenDenied::Unavailable(retry));
                Err(Denied { session: Some(session.clone()), ..Denied::new(reason) })
            }
        }
    }

    /// The token for this target. An error says how long to wait.
    async fn exchanged(
        &self,
        target: &ExchangeTarget,
        session: &Session,
    ) -> Result<Rc<TokenForUpstream>, Duration> {
        let Some(id) = ExchangeId::of(session, target) else {
            let message = "the session has no access token that could be exchanged";
            self.log(Record::new(LogEvent::TokenExchangeFailed, message).caused_by(ErrorSource::Provider));
            return Err(BACKOFF);
        };
        let deadline = self.platform.now().plus(MAX_WAIT);
        loop {
            let now = self.platform.now();
            match self.vestibule.exchanged.join(&id, now) {
                Joined::Token(token) => return Ok(token),
                Joined::Failed(until) => return Err(until.since(now)),
                Joined::Leader(slot) => {
                    let attempt = ExchangeAttempt {
                        vestibule: self.vestibule.clone(),
                        platform: self.platform.clone(),
                        request: self.request.clone(),
                        session: session.clone(),
                        target: target.clone(),
                        id,
                    };
                    let completed = self.platform.run_to_completion(Box::pin(attempt.run(slot)));
                    // The attempt goes on after the wait.
                    return within(self.platform, MAX_WAIT, pin!(completed)).await.unwrap_or(Err(BACKOFF));
                }
                Joined::InFlight if now >= deadline => return Err(Duration::from_secs(1)),
                Joined::InFlight => self.platform.sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Asks the provider for the token.
    async fn exchange_at_provider(
        &self,
        target: &ExchangeTarget,
        session: &Session,
    ) -> Result<TokenForUpstream, ExchangeFailure> {
        let id = session.provider().unwrap_or_default();
        let Some((provider, oauth)) = self.provider(id).and_then(of_oauth) else {
            return Err(ExchangeFailure::configuration(
                "this configuration has no client of the session's provider that could exchange tokens",
            ));
        };
        let metadata = self.metadata(provider, oauth).await.map_err(|error| ExchangeFailure::of(&error))?;
        let subject_token = Secret::new(session.access_token().unwrap_or_default());
        let exchange =
            TokenExchange { target, dialect: oauth.exchange_dialect, subject_token: &subject_token };
        // As the session's own tokens. An API client's key is its own.
        let key = session.dpop_key().filter(|_| oauth.dpop);
        let endpoint = metadata.token_endpoint();
        let TokenAnswer { response, sent } = self
            .ask_token_endpoint(provider, (oauth, &metadata), endpoint, key.as_ref(), &|client| {
                token_exchange::request(endpoint, client, &oauth.token.headers, &exchange)
            })
            .await
            .map_err(|error| ExchangeFailure::of(&error))?;
        let now = self.platform.now();
        let reading = provider::reading(oauth, key.is_some());
        match token_exchange::parse(&response, reading, &exchange, sent) {
            Ok(token) => Ok(TokenForUpstream::new(token, key.is_some(), now)),
            Err(error) if error.is_misconfigured() => Err(ExchangeFailure::configuration(&error)),
            Err(error) => {
                let retry = response.retry_after(now).unwrap_or(BACKOFF).clamp(BACKOFF, MAX_BACKOFF);
                Err(ExchangeFailure { message: error.to_string(), source: ErrorSource::Provider, retry })
            }
        }
    }

    /// The token that another process has stored.
    async fn stored_exchanged(&self, target: &ExchangeTarget, session: &Session) -> Option<TokenForUpstream> {
        if self.config().session.tokens != TokenStorage::Store {
            return None;
        }
        let (entry, name) = name_in_store(session, target)?;
        let read = pin!(self.platform.read_store(&name));
        // A store that does not answer costs an exchange, and nothing else.
        let sealed = answered_within(self.platform, MAX_READ, read).await.ok()??;
        let token = TokenForUpstream::open(&entry, &name, &sealed, self.platform.now())?;
        (!token.is_bound || session.dpop_key().is_some()).then_some(token)
    }

    /// Forgets what the tokens of a session that has ended were exchanged for, and deletes it from the store.
    pub(crate) async fn delete_exchanged(&self, session: &Session) {
        let names = self.forget_exchanged(session);
        join_all(names.iter().map(|name| self.delete_entry(name))).await;
    }

    /// Forgets it in this process. Returns its names in the store, where it may be.
    pub(crate) fn forget_exchanged(&self, session: &Session) -> Vec<String> {
        if let Some(sid) = session.sid() {
            self.vestibule.exchanged.forget(sid);
        }
        if self.config().session.tokens != TokenStorage::Store {
            return Vec::new();
        }
        let named = self.config().exchange_targets().filter_map(|target| name_in_store(session, target));
        named.map(|(_, name)| name).collect()
    }
}

/// Adds the token to what the upstream gets.
pub(super) fn add_to(identity: &mut IdentityHeaders, token: &TokenForUpstream) {
    let text = token.token.access_token.expose();
    identity.fields.push(("authorization".to_owned(), format!("Bearer {text}")));
}

/// The token with its key, if it is bound to that of the session, so that the request needs a proof.
pub(super) fn bound_token(token: &TokenForUpstream, session: Option<&Session>) -> Option<BoundToken> {
    let key = session.and_then(Session::dpop_key).filter(|_| token.is_bound)?;
    Some(BoundToken::new(token.token.access_token.expose().to_owned(), key))
}

/// One process's attempt to exchange a token. It owns its data, because the request that began it may end first.
struct ExchangeAttempt<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    request: Request,
    session: Session,
    target: ExchangeTarget,
    id: ExchangeId,
}

impl<P: Platform> ExchangeAttempt<P> {
    /// Runs the attempt, and completes its slot for the other requests of this process.
    async fn run(self, slot: ExchangeSlot) -> Result<Rc<TokenForUpstream>, Duration> {
        let Some(context) = RequestContext::new(&self.vestibule, &self.platform, &self.request) else {
            return Err(BACKOFF);
        };
        if let Some(token) = context.stored_exchanged(&self.target, &self.session).await {
            let token = Rc::new(token);
            slot.complete(Rc::clone(&token));
            return Ok(token);
        }
        match context.exchange_at_provider(&self.target, &self.session).await {
            Ok(token) => {
                let message = format_args!("the provider gave a token for {}", self.target);
                context.audit(LogEvent::TokenExchanged, &self.session, message);
                let token = Rc::new(token);
                slot.complete(Rc::clone(&token));
                self.store(&context, &token);
                Ok(token)
            }
            Err(failure) => {
                let now = self.platform.now();
                let ExchangeFailure { message, source, retry } = failure;
                self.log(&context, source, &message);
                slot.fail(now.plus(retry), now).ok_or(retry)
            }
        }
    }

    /// Stores the token for the other processes, after the response.
    fn store(&self, context: &RequestContext<'_, P>, token: &TokenForUpstream) {
        let left = token.token.expires_at.since(self.platform.now());
        if context.config().session.tokens != TokenStorage::Store || left < MIN_STORED {
            return;
        }
        let Some((entry, name)) = name_in_store(&self.session, &self.target) else { return };
        let sealed = token.seal(&entry, &name, &mut |bytes| self.platform.fill_random(bytes));
        let lifetime = Duration::from_secs(left.as_secs());
        let (vestibule, platform, sid) =
            (self.vestibule.clone(), self.platform.clone(), self.id.sid().to_owned());
        self.platform.spawn(async move {
            if !vestibule.refreshes.is_signed_out(&sid) {
                // Without the entry another process asks the provider.
                drop(platform.write_store(&name, &sealed, lifetime).await);
            }
        });
    }

    fn log(&self, context: &RequestContext<'_, P>, source: ErrorSource, message: &str) {
        let id = self.session.provider().unwrap_or_default();
        let message = format_args!("provider {id}: no token for {}: {message}", self.target);
        let subject = context.subject_of(&self.session);
        let record = Record::new(LogEvent::TokenExchangeFailed, message).caused_by(source);
        context.log(record.provider(id).subject(subject));
    }
}

/// Why there is no token, and how long the provider is not asked again.
struct ExchangeFailure {
    message: String,
    source: ErrorSource,
    retry: Duration,
}

impl ExchangeFailure {
    fn configuration(error: impl Display) -> Self {
        let (message, source) = (error.to_string(), ErrorSource::Configuration);
        Self { message, source, retry: MISCONFIGURED_BACKOFF }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::Configuration(_) => Self::configuration(error),
            error => Self { message: error.to_string(), source: ErrorSource::Provider, retry: BACKOFF },
        }
    }
}

fn of_oauth(provider: &Provider) -> Option<(&Provider, &OAuthProvider)> {
    match &provider.kind {
        ProviderKind::OAuth(oauth) => Some((provider, oauth)),
        ProviderKind::Credentials(_) => None,
    }
}
