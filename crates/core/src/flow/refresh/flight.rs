//! One isolate's attempt at a refresh: the lease, the grant, and word of it for the others.

use std::rc::Rc;
use std::time::Duration;

use crate::config::Provider;
use crate::flow::Exchange;
use crate::flow::refresh::grant::Prepared;
use crate::flow::refresh::renewed::{RenewError, Renewed};
use crate::flow::vestibule::Vestibule;
use crate::lease::flights::{Outcome, Place};
use crate::lease::{Lease, Name, Taken, Theirs};
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::successor::Successor;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::time::Timestamp;

/// What of a lease may pass until the refresh token is used: the provider's metadata may have to be fetched first.
/// With the token endpoint's ten seconds and what [`grant`](super::grant) allows for the rest, the successor is left in
/// time.
const PREPARED: Duration = Duration::from_secs(1);

/// When a successor is first looked for again.
const FIRST_PAUSE: Duration = Duration::from_millis(40);

/// How long successors are looked for before the lease itself is looked at again: it may have come to nothing.
const LOOKING: Duration = Duration::from_secs(2);

/// The longest pause between two looks for another isolate's successor.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long a provider or a store that failed is left alone where it does not say how long it wants to be.
pub(super) const BACKOFF: Duration = Duration::from_secs(5);

/// How long at most, whatever it says: the people who wait have no other provider.
const LONGEST_BACKOFF: Duration = Duration::from_mins(10);

/// How long a wrong configuration is not tried again.
const MISCONFIGURED_BACKOFF: Duration = Duration::from_mins(1);

/// One isolate's attempt. It owns what it needs: the request that began it may end first.
pub(super) struct Flight<P: Platform> {
    pub(super) vestibule: Vestibule,
    pub(super) platform: P,
    pub(super) request: Request,
    pub(super) provider: String,
    pub(super) session: Session,
    pub(super) name: Name,
    pub(super) is_alive: bool,
    pub(super) patience: Timestamp,
}

impl<P: Platform> Flight<P> {
    pub(super) async fn fly(self, place: Place) -> Outcome {
        let now = self.platform.now();
        let Some(exchange) = Exchange::new(&self.vestibule, &self.platform, &self.request) else {
            return Outcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let Some(provider) = exchange.provider(&self.provider) else {
            return Outcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let lease = exchange.lease();
        let renewed = match self.prepare(&exchange, &lease, provider, &place).await {
            Ok(Ok(prepared)) => exchange.renew_tokens(provider, prepared, &self.session).await,
            Ok(Err(error)) => Err(error),
            Err(outcome) => {
                place.land(outcome.clone(), self.platform.now());
                return outcome;
            }
        };
        match renewed {
            Ok(renewed) => self.leave(&exchange, &lease, renewed, place).await,
            Err(error) => self.give_up(&exchange, &lease, error, place).await,
        }
    }

    /// The lease, with enough of it left to use the refresh token within it, and what that takes. An error is an
    /// outcome.
    async fn prepare(
        &self,
        exchange: &Exchange<'_, P>,
        lease: &impl Lease,
        provider: &Provider,
        place: &Place,
    ) -> Result<Result<Prepared, RenewError>, Outcome> {
        let mut is_first = true;
        loop {
            self.ask(exchange, lease, place).await?;
            let taken = self.platform.now();
            let prepared = exchange.prepare_refresh(provider).await;
            // What took so long is at hand the next time.
            let is_late = self.platform.now() >= taken.plus(PREPARED);
            if !is_late || prepared.is_err() || !is_first {
                return Ok(prepared);
            }
            is_first = false;
        }
    }

    /// Asks for the lease, and waits for whoever has it where there is no living token.
    async fn ask(
        &self,
        exchange: &Exchange<'_, P>,
        lease: &impl Lease,
        place: &Place,
    ) -> Result<(), Outcome> {
        let platform = &self.platform;
        loop {
            // Who waits for another isolate's lease is not dead. Two of one isolate must not ask: it is one owner.
            if !place.keep(platform.now()) {
                return Err(Outcome::Elsewhere { until: platform.now().plus(Duration::from_secs(1)) });
            }
            let theirs = match lease.take(&self.name, &place.owner).await {
                Ok(Taken::Yours) if place.keep(platform.now()) => return Ok(()),
                Ok(Taken::Yours) => continue,
                Ok(Taken::Successor(successor)) => return Err(self.adopt(lease, successor).await),
                Ok(Taken::SignedOut) => return Err(Outcome::SignedOut),
                Ok(Taken::Theirs(theirs)) => theirs,
                Err(error) => {
                    exchange.log(Level::Warn, "lease_unavailable", &error.to_string());
                    return Err(self.unavailable(BACKOFF));
                }
            };
            if self.is_alive {
                return Err(Outcome::Elsewhere { until: platform.now().plus(Duration::from_secs(1)) });
            }
            if let Some(successor) = self.wait(lease, theirs).await? {
                return Err(self.adopt(lease, successor).await);
            }
            if platform.now() >= self.patience {
                return Err(self.unavailable(BACKOFF));
            }
        }
    }

    /// Waits for somebody else's successor, for a while or until their lease ends.
    async fn wait(&self, lease: &impl Lease, theirs: Theirs) -> Result<Option<Rc<Successor>>, Outcome> {
        let platform = &self.platform;
        let Some(look_at) = theirs.look_at else {
            return Err(self.unavailable(theirs.until.since(platform.now()).min(BACKOFF)));
        };
        platform.sleep(look_at.since(platform.now()).min(LOOKING)).await;
        let until = theirs.until.min(platform.now().plus(LOOKING)).min(self.patience);
        let mut pause = FIRST_PAUSE;
        loop {
            match lease.look(&self.name).await {
                Ok(Some(successor)) => return Ok(Some(successor)),
                Ok(None) => {}
                Err(_) => return Err(self.unavailable(BACKOFF)),
            }
            if platform.now() >= until {
                return Ok(None);
            }
            platform.sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Goes on with what somebody else got.
    async fn adopt(&self, lease: &impl Lease, successor: Rc<Successor>) -> Outcome {
        match lease.is_signed_out(&self.name.sid).await {
            Ok(true) => Outcome::SignedOut,
            Ok(false) | Err(_) => Outcome::Renewed(successor),
        }
    }

    /// Says why there are no new tokens, or goes on with those that somebody else got.
    async fn give_up(
        &self,
        exchange: &Exchange<'_, P>,
        lease: &impl Lease,
        error: RenewError,
        place: Place,
    ) -> Outcome {
        let outcome = match error {
            RenewError::Gone(error) => match lease.look_again(&self.name).await {
                Ok(Some(successor)) => self.adopt(lease, successor).await,
                Ok(None) => {
                    self.log(exchange, Level::Info, "grant_gone", &error);
                    Outcome::Gone { is_certain: lease.is_certain() || place.was_gone }
                }
                Err(_) => self.unavailable(BACKOFF),
            },
            RenewError::Unavailable(error, retry_after) => {
                self.log(exchange, Level::Warn, "refresh_failed", &error);
                self.unavailable(retry_after.unwrap_or(BACKOFF).clamp(BACKOFF, LONGEST_BACKOFF))
            }
            RenewError::Misconfigured(error) => {
                self.log(exchange, Level::Error, "refresh_misconfigured", &error);
                self.unavailable(MISCONFIGURED_BACKOFF)
            }
        };
        if let Err(error) = lease.give_back(&self.name, &place.owner).await {
            exchange.log(Level::Warn, "lease_not_given_back", &error.to_string());
        }
        place.land(outcome.clone(), self.platform.now());
        outcome
    }

    async fn leave(
        &self,
        exchange: &Exchange<'_, P>,
        lease: &impl Lease,
        renewed: Renewed,
        place: Place,
    ) -> Outcome {
        let sid = &self.name.sid;
        let is_signed_out = self.vestibule.flights.is_signed_out(sid)
            || lease.is_signed_out(sid).await.unwrap_or_else(|error| {
                exchange.log(Level::Warn, "sign_out_unknown", &error.to_string());
                false
            });
        if is_signed_out {
            place.land(Outcome::SignedOut, self.platform.now());
            return Outcome::SignedOut;
        }
        let successor = Rc::new(Successor {
            generation: self.name.generation.saturating_add(1),
            access_token: renewed.access_token,
            refresh_token: renewed.refresh_token,
            expires_at: renewed.expires_at,
            refresh_expires_at: renewed.refresh_expires_at,
            api_cookies: renewed.api_cookies,
        });
        let owner = place.owner.clone();
        // The others here need not wait until it is written for those elsewhere.
        place.land(Outcome::Renewed(Rc::clone(&successor)), self.platform.now());
        if let Err(error) = lease.leave(&self.name, &owner, &successor).await {
            exchange.log(Level::Warn, "successor_not_left", &error.to_string());
        }
        Outcome::Renewed(successor)
    }

    fn unavailable(&self, after: Duration) -> Outcome {
        Outcome::Unavailable { until: self.platform.now().plus(after) }
    }

    fn log(&self, exchange: &Exchange<'_, P>, level: Level, event: &str, message: &str) {
        exchange.log(level, event, &format!("provider {}: {message}", self.provider));
    }
}
