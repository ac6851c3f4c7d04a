//! One process's attempt to refresh a session: it acquires the lease, redeems the refresh token, and publishes the new
//! tokens for all requests that have the old ones.

use std::fmt::Display;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::flow::refresh::grant::PreparedRefresh;
use crate::flow::refresh::granted::{GrantError, GrantedTokens};
use crate::flow::session::tokens::TokensError;
use crate::flow::vestibule::Vestibule;
use crate::lease::in_flight::{RefreshOutcome, Slot};
use crate::lease::{Acquisition, Found, Lease, Publication, RefreshId};
use crate::log::{LogEvent, Measured, Record};
use crate::platform::{Platform, StoreError, within};
use crate::session::claims::Session;
use crate::session::refreshed_tokens::RefreshedTokens;
use crate::session::tokens::TokenStorage;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How much of a lease may pass before the refresh token is redeemed: the provider's metadata may have to be fetched
/// first. Together with the token endpoint's ten seconds and what [`grant`](super::grant) allows for the keys, the new
/// tokens are published before the lease ends.
const MAX_PREPARATION: Duration = Duration::from_secs(1);

/// How long one call waits for another process's lease. It is shorter than what a slot of this process is valid for,
/// so that the attempt can show in between that it is alive.
const MAX_LEASE_WAIT: Duration = Duration::from_secs(10);

/// The shortest remaining time that is worth another wait.
const MIN_LEASE_WAIT: Duration = Duration::from_secs(1);

/// How long the other requests of this process wait until the new tokens are published.
const MAX_PUBLISHING: Duration = Duration::from_secs(1);

/// How long to wait after a provider or a store failed and gave no `Retry-After`.
pub(super) const BACKOFF: Duration = Duration::from_secs(5);

/// The longest `Retry-After` that is honoured: the users who wait have no other provider.
const MAX_BACKOFF: Duration = Duration::from_mins(10);

/// How long to wait after the provider rejected the client's configuration.
const MISCONFIGURED_BACKOFF: Duration = Duration::from_mins(1);

/// One process's attempt to refresh a session. It owns its data, because the request that began it may end first.
pub(super) struct RefreshAttempt<P: Platform> {
    pub(super) vestibule: Vestibule,
    pub(super) platform: P,
    /// The request that began the attempt.
    pub(super) request: Request,
    /// The id of the session's provider.
    pub(super) provider: String,
    pub(super) session: Session,
    /// The refresh: the session, and the generation of its tokens.
    pub(super) name: RefreshId,
    /// Whether the current access token is still valid, so that no one has to wait.
    pub(super) token_is_valid: bool,
    /// When the request that began the attempt stops waiting.
    pub(super) deadline: Timestamp,
}

impl<P: Platform> RefreshAttempt<P> {
    /// Runs the attempt, and completes its slot for the other requests of this process.
    pub(super) async fn run(mut self, slot: Slot) -> RefreshOutcome {
        let now = self.platform.now();
        let Some(context) = RequestContext::new(&self.vestibule, &self.platform, &self.request) else {
            return RefreshOutcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let Some(provider) = context.provider(&self.provider) else {
            return RefreshOutcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let lease = context.refresh_lease(provider);
        let granted = match self.prepare(&context, &lease, provider, &slot).await {
            Ok(Ok(prepared)) => match context.with_tokens(&self.session).await {
                Ok(session) => {
                    self.session = session;
                    context.redeem_refresh_token(provider, prepared, &self.session).await
                }
                Err(TokensError::Unavailable(retry)) => {
                    let message = "the session's refresh token cannot be read from the store";
                    Err(GrantError::Unavailable(message.to_owned(), Some(retry)))
                }
                Err(TokensError::Lost) => Err(GrantError::Lost),
            },
            Ok(Err(error)) => Err(error),
            Err(outcome) => {
                slot.complete(outcome.clone(), self.platform.now());
                self.count(&outcome, false);
                return outcome;
            }
        };
        let is_own = granted.is_ok();
        let outcome = match granted {
            Ok(granted) => {
                context.audit(LogEvent::TokenRefreshed, &self.session, "the provider gave new tokens");
                self.publish(&context, &lease, granted, slot).await
            }
            Err(error) => self.fail(&context, &lease, error, slot).await,
        };
        self.count(&outcome, is_own);
        outcome
    }

    /// Counts the attempt. `is_own` says whether the provider gave it new tokens.
    fn count(&self, outcome: &RefreshOutcome, is_own: bool) {
        let Some(meter) = self.platform.meter() else { return };
        let outcome = match outcome {
            RefreshOutcome::Renewed(_) if is_own => "renewed",
            RefreshOutcome::Renewed(_) => "renewed_elsewhere",
            RefreshOutcome::InvalidGrant { .. } => "ended",
            RefreshOutcome::SignedOut => "signed_out",
            RefreshOutcome::TokensLost => "tokens_lost",
            RefreshOutcome::HeldElsewhere { .. } => "held_elsewhere",
            RefreshOutcome::Unavailable { .. } => "unavailable",
        };
        meter.count(Measured::Refresh { provider: self.provider.clone(), outcome }, 0);
    }

    /// Acquires the lease and prepares the refresh, so that enough of the lease remains to redeem the refresh token. An
    /// error is the outcome of the attempt.
    async fn prepare(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        provider: &Provider,
        slot: &Slot,
    ) -> Result<Result<PreparedRefresh, GrantError>, RefreshOutcome> {
        let mut is_first = true;
        loop {
            self.acquire(context, lease, slot).await?;
            let acquired = self.platform.now();
            let prepared = context.prepare_refresh(provider).await;
            // If it took long, the lease is acquired again. The second time the metadata are cached.
            let is_late = self.platform.now() >= acquired.plus(MAX_PREPARATION);
            if !is_late || prepared.is_err() || !is_first {
                return Ok(prepared);
            }
            is_first = false;
        }
    }

    /// Acquires the lease. While another process holds it, waits for that process's tokens, unless the current access
    /// token is still valid. An error is the outcome of the attempt.
    async fn acquire(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        slot: &Slot,
    ) -> Result<(), RefreshOutcome> {
        let platform = &self.platform;
        loop {
            // Shows the other requests of this process that the attempt is alive. If another one took over the slot, it
            // must not ask for the lease too: both would be the same owner.
            if !slot.extend(platform.now()) {
                return Err(RefreshOutcome::HeldElsewhere {
                    until: platform.now().plus(Duration::from_secs(1)),
                });
            }
            let asked_at = platform.now();
            let max_wait = if self.token_is_valid {
                Duration::ZERO
            } else {
                self.deadline.since(asked_at).min(MAX_LEASE_WAIT)
            };
            let until = match lease.acquire(&self.name, &slot.owner, max_wait).await {
                Ok(Acquisition::Acquired) if slot.extend(platform.now()) => return Ok(()),
                Ok(Acquisition::Acquired) => continue,
                Ok(Acquisition::Unprotected(error)) => {
                    self.log_unavailable(context, &error);
                    if slot.extend(platform.now()) {
                        return Ok(());
                    }
                    continue;
                }
                Ok(Acquisition::AlreadyRefreshed(tokens)) => return Err(self.adopt(tokens)),
                Ok(Acquisition::SignedOut) => return Err(self.signed_out()),
                Ok(Acquisition::HeldByOther { until }) => until,
                Err(error) => {
                    self.log_unavailable(context, &error);
                    return Err(self.unavailable(BACKOFF));
                }
            };
            let now = platform.now();
            if self.token_is_valid {
                return Err(RefreshOutcome::HeldElsewhere { until: now.plus(Duration::from_secs(1)) });
            }
            // A lease that answers much sooner says that waiting does not help.
            let has_waited = now.since(asked_at) >= max_wait / 2;
            if !has_waited || self.deadline.since(now) < MIN_LEASE_WAIT {
                return Err(self.unavailable(until.since(now).min(BACKOFF)));
            }
        }
    }

    /// The outcome with the tokens that another process published.
    fn adopt(&self, tokens: Rc<RefreshedTokens>) -> RefreshOutcome {
        self.vestibule.refreshes.confirm(&self.name.sid, self.platform.now());
        RefreshOutcome::Renewed(tokens)
    }

    /// The outcome if the session was signed out elsewhere: no request of this process may bring it back.
    fn signed_out(&self) -> RefreshOutcome {
        self.vestibule.refreshes.sign_out(&self.name.sid, self.platform.now());
        RefreshOutcome::SignedOut
    }

    /// The outcome of a failed refresh. After `invalid_grant` it looks for the tokens of another process, which may have
    /// redeemed the refresh token. Releases the lease and completes the slot.
    async fn fail(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        error: GrantError,
        slot: Slot,
    ) -> RefreshOutcome {
        let outcome = match error {
            // An upstream has replaced the tokens meanwhile, or is about to.
            GrantError::InvalidGrant(_) if !slot.extend(self.platform.now()) => {
                match self.vestibule.refreshes.renewed(&self.name) {
                    Some(tokens) => self.adopt(tokens),
                    None => self.unavailable(Duration::from_secs(1)),
                }
            }
            GrantError::InvalidGrant(error) => match lease.find_after_invalid_grant(&self.name).await {
                Ok(Found::Tokens(tokens)) => self.adopt(tokens),
                Ok(Found::SignedOut) => self.signed_out(),
                Ok(Found::Nothing) => {
                    self.log(context, LogEvent::RefreshTokenInvalid, &error);
                    RefreshOutcome::InvalidGrant { is_final: lease.sees_all_writes() || slot.was_invalid }
                }
                Err(error) => {
                    self.log_unavailable(context, &error);
                    self.unavailable(BACKOFF)
                }
            },
            GrantError::Unavailable(error, retry_after) => {
                self.log(context, LogEvent::RefreshFailed, &error);
                self.unavailable(retry_after.unwrap_or(BACKOFF).clamp(BACKOFF, MAX_BACKOFF))
            }
            GrantError::NotAllowed(reason) => {
                self.log(context, LogEvent::SessionNoLongerAllowed, &reason);
                // The refresh token is used up: nobody else may try with it.
                context.end_session(&self.session, false).await;
                RefreshOutcome::InvalidGrant { is_final: true }
            }
            GrantError::Lost => RefreshOutcome::TokensLost,
            GrantError::Misconfigured(error) => {
                self.log(context, LogEvent::RefreshMisconfigured, &error);
                self.unavailable(MISCONFIGURED_BACKOFF)
            }
        };
        if let Err(error) = lease.release(&self.name, &slot.owner).await {
            let message = format_args!("the lease could not be released: {error}");
            self.log(context, LogEvent::LeaseNotReleased, message);
        }
        slot.complete(outcome.clone(), self.platform.now());
        outcome
    }

    /// The outcome of a successful refresh: stores the new tokens for the other processes, and completes the slot. If the
    /// session was signed out meanwhile, the tokens are dropped.
    pub(super) async fn publish(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        granted: GrantedTokens,
        slot: Slot,
    ) -> RefreshOutcome {
        let platform = &self.platform;
        let refreshes = &self.vestibule.refreshes;
        // A sign-out meanwhile knew the old refresh token only.
        let newest = granted.refresh_token.clone();
        let drop_tokens = || {
            if let Some(token) = newest {
                context.revoke_refresh_token(&self.provider, token);
            }
        };
        if self.was_signed_out(context, lease).await {
            drop_tokens();
            slot.complete(RefreshOutcome::SignedOut, platform.now());
            return RefreshOutcome::SignedOut;
        }
        let is_kept = context.config().session.tokens != TokenStorage::None;
        let mut tokens = RefreshedTokens {
            generation: self.name.generation.saturating_add(1),
            access_token: if is_kept { granted.access_token } else { Secret::default() },
            refresh_token: granted.refresh_token,
            expires_at: granted.expires_at,
            refresh_expires_at: granted.refresh_expires_at,
            api_cookies: granted.api_cookies,
            issued_at: granted.issued_at,
            claims: granted.claims,
            ends_at: granted.ends_at,
            dpop_key: granted.dpop_key,
            id_token: granted.id_token,
            entry: None,
        };
        if context.config().session.tokens == TokenStorage::Store {
            // Before any other request can find the tokens, and set a cookie that relies on the entry.
            let session = self.session.with_refreshed_tokens(&tokens, platform.now());
            tokens.entry = Box::pin(context.new_entry(&session, Some(&self.session))).await;
        }
        let tokens = Rc::new(tokens);
        let renewed = RefreshOutcome::Renewed(Rc::clone(&tokens));
        let owner = slot.owner.clone();
        let mut slot = Some(slot);
        let mut complete = |outcome: &RefreshOutcome| {
            if let Some(slot) = slot.take() {
                slot.complete(outcome.clone(), platform.now());
            }
        };
        let mut publishing = pin!(lease.publish(&self.name, &owner, &tokens));
        let within_time = within(platform, MAX_PUBLISHING, publishing.as_mut()).await;
        let published = if let Some(published) = within_time {
            published
        } else {
            // The requests of this process need not wait for a slow store.
            complete(&renewed);
            publishing.await
        };
        let outcome = match published {
            Ok(Publication::Published) => {
                refreshes.confirm(&self.name.sid, platform.now());
                context.delete_entry_before(&self.session);
                renewed
            }
            Ok(Publication::Unchecked(error)) => {
                let message = format_args!("it is unknown whether the user signed out meanwhile: {error}");
                self.log(context, LogEvent::SignOutCheckFailed, message);
                renewed
            }
            Ok(Publication::SignedOut) => {
                drop_tokens();
                let renewed = self.session.with_refreshed_tokens(&tokens, platform.now());
                context.delete_revoked_tokens(&renewed);
                self.signed_out()
            }
            Err(error) => {
                let message =
                    format_args!("the refreshed tokens could not be stored for other requests: {error}");
                self.log(context, LogEvent::RefreshedTokensNotStored, message);
                renewed
            }
        };
        complete(&outcome);
        outcome
    }

    /// Whether the session ended while the provider was asked. A lock answers that when the tokens are published.
    async fn was_signed_out(&self, context: &RequestContext<'_, P>, lease: &impl Lease) -> bool {
        if self.vestibule.refreshes.is_signed_out(&self.name.sid) {
            return true;
        }
        if lease.sees_all_writes() {
            return self.vestibule.revocations.is_revoked(&self.session);
        }
        context.was_revoked_meanwhile(&self.session).await.unwrap_or_else(|error| {
            let message = format_args!("it is unknown whether the user signed out meanwhile: {error}");
            self.log(context, LogEvent::SignOutCheckFailed, message);
            false
        })
    }

    fn unavailable(&self, after: Duration) -> RefreshOutcome {
        RefreshOutcome::Unavailable { until: self.platform.now().plus(after) }
    }

    fn log_unavailable(&self, context: &RequestContext<'_, P>, error: &StoreError) {
        let message = format_args!("the lease is unavailable: {error}");
        self.log(context, LogEvent::LeaseUnavailable, message);
    }

    fn log(&self, context: &RequestContext<'_, P>, event: LogEvent, message: impl Display) {
        let message = format_args!("provider {}: {message}", self.provider);
        let subject = context.subject_of(&self.session);
        context.log(Record::new(event, message).provider(&self.provider).subject(subject));
    }
}
