//! One isolate's attempt at a refresh: the lease, the grant, and word of it for the others.

use std::rc::Rc;
use std::time::Duration;

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::flow::refresh::grant::PreparedRefresh;
use crate::flow::refresh::granted::{GrantError, GrantedTokens};
use crate::flow::vestibule::Vestibule;
use crate::lease::in_flight::{RefreshOutcome, Slot};
use crate::lease::{Acquisition, HeldByOther, Lease, RefreshId};
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::refreshed_tokens::RefreshedTokens;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::time::Timestamp;

/// What of a lease may pass until the refresh token is used: the provider's metadata may have to be fetched first.
/// With the token endpoint's ten seconds and what [`grant`](super::grant) allows for the rest, the tokens is left in
/// time.
const MAX_PREPARATION: Duration = Duration::from_secs(1);

/// When a tokens is first looked for again.
const FIRST_PAUSE: Duration = Duration::from_millis(40);

/// How long successors are looked for before the lease itself is looked at again: it may have come to nothing.
const MAX_POLLING: Duration = Duration::from_secs(2);

/// The longest pause between two looks for another isolate's tokens.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// How long a provider or a store that failed is left alone where it does not say how long it wants to be.
pub(super) const BACKOFF: Duration = Duration::from_secs(5);

/// How long at most, whatever it says: the people who wait have no other provider.
const MAX_BACKOFF: Duration = Duration::from_mins(10);

/// How long a wrong configuration is not tried again.
const MISCONFIGURED_BACKOFF: Duration = Duration::from_mins(1);

/// One isolate's attempt. It owns what it needs: the request that began it may end first.
pub(super) struct RefreshAttempt<P: Platform> {
    pub(super) vestibule: Vestibule,
    pub(super) platform: P,
    pub(super) request: Request,
    pub(super) provider: String,
    pub(super) session: Session,
    pub(super) name: RefreshId,
    pub(super) token_is_valid: bool,
    pub(super) deadline: Timestamp,
}

impl<P: Platform> RefreshAttempt<P> {
    pub(super) async fn run(self, slot: Slot) -> RefreshOutcome {
        let now = self.platform.now();
        let Some(context) = RequestContext::new(&self.vestibule, &self.platform, &self.request) else {
            return RefreshOutcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let Some(provider) = context.provider(&self.provider) else {
            return RefreshOutcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let lease = context.lease();
        let renewed = match self.prepare(&context, &lease, provider, &slot).await {
            Ok(Ok(prepared)) => context.redeem_refresh_token(provider, prepared, &self.session).await,
            Ok(Err(error)) => Err(error),
            Err(outcome) => {
                slot.complete(outcome.clone(), self.platform.now());
                return outcome;
            }
        };
        match renewed {
            Ok(renewed) => self.publish(&context, &lease, renewed, slot).await,
            Err(error) => self.fail(&context, &lease, error, slot).await,
        }
    }

    /// The lease, with enough of it left to use the refresh token within it, and what that takes. An error is an
    /// outcome.
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
            let taken = self.platform.now();
            let prepared = context.prepare_refresh(provider).await;
            // What took so long is at hand the next time.
            let is_late = self.platform.now() >= taken.plus(MAX_PREPARATION);
            if !is_late || prepared.is_err() || !is_first {
                return Ok(prepared);
            }
            is_first = false;
        }
    }

    /// Asks for the lease, and waits for whoever has it where there is no living token.
    async fn acquire(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        slot: &Slot,
    ) -> Result<(), RefreshOutcome> {
        let platform = &self.platform;
        loop {
            // Who waits for another isolate's lease is not dead. Two of one isolate must not ask: it is one owner.
            if !slot.extend(platform.now()) {
                return Err(RefreshOutcome::HeldElsewhere {
                    until: platform.now().plus(Duration::from_secs(1)),
                });
            }
            let holder = match lease.acquire(&self.name, &slot.owner).await {
                Ok(Acquisition::Acquired) if slot.extend(platform.now()) => return Ok(()),
                Ok(Acquisition::Acquired) => continue,
                Ok(Acquisition::AlreadyRefreshed(tokens)) => {
                    return Err(self.adopt(lease, tokens).await);
                }
                Ok(Acquisition::SignedOut) => return Err(RefreshOutcome::SignedOut),
                Ok(Acquisition::HeldByOther(holder)) => holder,
                Err(error) => {
                    context.log(Level::Warn, "lease_unavailable", &error.to_string());
                    return Err(self.unavailable(BACKOFF));
                }
            };
            if self.token_is_valid {
                return Err(RefreshOutcome::HeldElsewhere {
                    until: platform.now().plus(Duration::from_secs(1)),
                });
            }
            if let Some(tokens) = self.wait_for_other(lease, holder).await? {
                return Err(self.adopt(lease, tokens).await);
            }
            if platform.now() >= self.deadline {
                return Err(self.unavailable(BACKOFF));
            }
        }
    }

    /// Waits for somebody else's tokens, for a while or until their lease ends.
    async fn wait_for_other(
        &self,
        lease: &impl Lease,
        holder: HeldByOther,
    ) -> Result<Option<Rc<RefreshedTokens>>, RefreshOutcome> {
        let platform = &self.platform;
        let Some(poll_at) = holder.poll_at else {
            return Err(self.unavailable(holder.until.since(platform.now()).min(BACKOFF)));
        };
        platform.sleep(poll_at.since(platform.now()).min(MAX_POLLING)).await;
        let until = holder.until.min(platform.now().plus(MAX_POLLING)).min(self.deadline);
        let mut pause = FIRST_PAUSE;
        loop {
            match lease.find(&self.name).await {
                Ok(Some(tokens)) => return Ok(Some(tokens)),
                Ok(None) => {}
                Err(_) => return Err(self.unavailable(BACKOFF)),
            }
            if platform.now() >= until {
                return Ok(None);
            }
            platform.sleep(pause).await;
            pause = (pause * 3 / 2).min(MAX_PAUSE);
        }
    }

    /// Goes on with what somebody else got.
    async fn adopt(&self, lease: &impl Lease, tokens: Rc<RefreshedTokens>) -> RefreshOutcome {
        match lease.is_signed_out(&self.name.sid).await {
            Ok(true) => RefreshOutcome::SignedOut,
            Ok(false) | Err(_) => RefreshOutcome::Renewed(tokens),
        }
    }

    /// Says why there are no new tokens, or goes on with those that somebody else got.
    async fn fail(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        error: GrantError,
        slot: Slot,
    ) -> RefreshOutcome {
        let outcome = match error {
            GrantError::InvalidGrant(error) => match lease.find_after_invalid_grant(&self.name).await {
                Ok(Some(tokens)) => self.adopt(lease, tokens).await,
                Ok(None) => {
                    self.log(context, Level::Info, "grant_gone", &error);
                    RefreshOutcome::InvalidGrant { is_final: lease.sees_all_writes() || slot.was_invalid }
                }
                Err(_) => self.unavailable(BACKOFF),
            },
            GrantError::Unavailable(error, retry_after) => {
                self.log(context, Level::Warn, "refresh_failed", &error);
                self.unavailable(retry_after.unwrap_or(BACKOFF).clamp(BACKOFF, MAX_BACKOFF))
            }
            GrantError::Misconfigured(error) => {
                self.log(context, Level::Error, "refresh_misconfigured", &error);
                self.unavailable(MISCONFIGURED_BACKOFF)
            }
        };
        if let Err(error) = lease.release(&self.name, &slot.owner).await {
            context.log(Level::Warn, "lease_not_given_back", &error.to_string());
        }
        slot.complete(outcome.clone(), self.platform.now());
        outcome
    }

    async fn publish(
        &self,
        context: &RequestContext<'_, P>,
        lease: &impl Lease,
        renewed: GrantedTokens,
        slot: Slot,
    ) -> RefreshOutcome {
        let sid = &self.name.sid;
        let is_signed_out = self.vestibule.refreshes.is_signed_out(sid)
            || lease.is_signed_out(sid).await.unwrap_or_else(|error| {
                context.log(Level::Warn, "sign_out_unknown", &error.to_string());
                false
            });
        if is_signed_out {
            slot.complete(RefreshOutcome::SignedOut, self.platform.now());
            return RefreshOutcome::SignedOut;
        }
        let tokens = Rc::new(RefreshedTokens {
            generation: self.name.generation.saturating_add(1),
            access_token: renewed.access_token,
            refresh_token: renewed.refresh_token,
            expires_at: renewed.expires_at,
            refresh_expires_at: renewed.refresh_expires_at,
            api_cookies: renewed.api_cookies,
        });
        let owner = slot.owner.clone();
        // The others here need not wait until it is written for those elsewhere.
        slot.complete(RefreshOutcome::Renewed(Rc::clone(&tokens)), self.platform.now());
        if let Err(error) = lease.publish(&self.name, &owner, &tokens).await {
            context.log(Level::Warn, "successor_not_left", &error.to_string());
        }
        RefreshOutcome::Renewed(tokens)
    }

    fn unavailable(&self, after: Duration) -> RefreshOutcome {
        RefreshOutcome::Unavailable { until: self.platform.now().plus(after) }
    }

    fn log(&self, context: &RequestContext<'_, P>, level: Level, event: &str, message: &str) {
        context.log(level, event, &format!("provider {}: {message}", self.provider));
    }
}
