//! The access token is about to end: one request gets a new one, and nobody is logged out over it.
//!
//! In this order: is it due, and does anything here need it ([`due`]); who of this isolate's requests goes
//! ([`Flights`](crate::lease::flights::Flights)); who of all isolates' goes ([`Lease`]); the grant itself
//! ([`grant`]); and what followed is left for those who come with the old tokens. Whatever goes wrong on the way
//! for a passing reason leaves the session as it is.

mod grant;

use std::time::Duration;

use crate::Vestibule;
use crate::config::Provider;
use crate::flow::Exchange;
use crate::flow::refresh::grant::{RenewError, Renewed};
use crate::http::cookie::SetCookie;
use crate::http::request::Request;
use crate::lease::flights::{Found, Outcome, Place};
use crate::lease::{AnyLease, Lease, Name, Successor, Taken, Theirs};
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::Presented;
use crate::time::Timestamp;

/// How long a request waits, all in all, that has no living token. Longer than the lease that it waits for, so
/// that it takes a dead owner's place.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a request looks whether another one of its isolate is done.
const POLL: Duration = Duration::from_millis(20);

/// How long successors are looked for before the lease itself is looked at again: it may have come to nothing.
const LOOKING: Duration = Duration::from_secs(2);

/// The longest pause between two looks for another isolate's successor.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many generations one request runs through: somebody comes back with a cookie of days ago whose
/// successors nobody got either.
const MOST_HOPS: usize = 8;

/// How long a provider or a store that failed is left alone where it does not say how long it wants to be.
const BACKOFF: Duration = Duration::from_secs(5);

/// How long at most, whatever it says: the people who wait have no other provider.
const LONGEST_BACKOFF: Duration = Duration::from_mins(10);

/// How long a wrong configuration is not tried again.
const MISCONFIGURED_BACKOFF: Duration = Duration::from_mins(1);

/// A session that can be used, with the cookies that bring it to the browser, if there is news.
pub(crate) struct Ready {
    pub(crate) session: Session,
    pub(crate) cookies: Vec<SetCookie>,
}

/// Why a session cannot be used.
pub(crate) enum NotReady {
    /// The provider gives no more tokens: it is over. The session that says so, and the cookies for it.
    Ended(Session, Vec<SetCookie>),
    /// It was signed out while this request was under way.
    SignedOut,
    /// The access token has ended and there is no other now; when to come back.
    Unavailable(Duration),
}

/// The session with an access token that lives, where this request needs one.
pub(crate) async fn ready<P: Platform>(
    exchange: &Exchange<'_, P>,
    session: Session,
) -> Result<Ready, NotReady> {
    let Some((provider, mut name, mut is_alive)) = due(exchange, &session) else {
        let cookies = exchange.renewal_cookies(&session);
        return Ok(Ready { session, cookies });
    };
    if is_prefetch(exchange.request) {
        // Nobody may ever look at its answer.
        return as_it_is(session, is_alive, Duration::from_secs(1));
    }
    let patience = exchange.platform.now().plus(PATIENCE);
    let mut current = session;
    let mut is_news = false;
    for _ in 0..MOST_HOPS {
        if exchange.vestibule.flights.is_signed_out(&name.sid) {
            return Err(NotReady::SignedOut);
        }
        let now = exchange.platform.now();
        match outcome(exchange, provider, &current, &name, is_alive, patience).await {
            Outcome::Renewed(successor) => {
                current = current.followed_by(&successor, exchange.platform.now());
                is_news = true;
            }
            Outcome::Gone { is_certain } => {
                let ended = current.without_grant();
                // Where somebody elsewhere may have used the token, the browser may hold better already.
                let cookies = is_certain.then(|| exchange.session_cookies(&ended).ok()).flatten();
                return Err(NotReady::Ended(ended, cookies.unwrap_or_default()));
            }
            Outcome::SignedOut => return Err(NotReady::SignedOut),
            Outcome::Unavailable { until } | Outcome::Elsewhere { until } => {
                let retry = until.since(now).max(Duration::from_secs(1));
                return match (is_alive, is_news) {
                    (true, true) => Ok(with_news(exchange, current)),
                    _ => as_it_is(current, is_alive, retry),
                };
            }
        }
        match due(exchange, &current) {
            Some((_, next, alive)) => (name, is_alive) = (next, alive),
            None => return Ok(with_news(exchange, current)),
        }
    }
    if is_alive { Ok(with_news(exchange, current)) } else { Err(NotReady::Unavailable(BACKOFF)) }
}

/// Goes on with what there is. No cookie is written: another request is about to write a newer one.
fn as_it_is(session: Session, is_alive: bool, retry: Duration) -> Result<Ready, NotReady> {
    if is_alive { Ok(Ready { session, cookies: Vec::new() }) } else { Err(NotReady::Unavailable(retry)) }
}

fn with_news<P: Platform>(exchange: &Exchange<'_, P>, session: Session) -> Ready {
    let cookies = exchange.session_cookies(&session).unwrap_or_else(|too_large| {
        // The browser keeps the old tokens, with which the new ones are found.
        exchange.log(Level::Error, "session_not_renewed", &too_large.to_string());
        Vec::new()
    });
    Ready { session, cookies }
}

/// Of those cookies, the ones to send when the answer is there: none where the session was signed out
/// meanwhile, or has gone on to newer tokens.
pub(crate) async fn still_wanted<P: Platform>(
    exchange: &Exchange<'_, P>,
    session: Option<&Session>,
    cookies: Vec<SetCookie>,
) -> Vec<SetCookie> {
    let Some((session, sid)) = session.and_then(|session| Some((session, session.sid()?))) else {
        return cookies;
    };
    let flights = &exchange.vestibule.flights;
    if cookies.is_empty() || flights.is_outdated(sid, session.generation()) || flights.is_signed_out(sid) {
        return Vec::new();
    }
    let lease = AnyLease::new(exchange.config(), exchange.platform);
    // Where nobody can say, the sign-out that nobody knows of is the smaller risk than the token that is lost.
    if has_new_tokens(exchange, session) && lease.is_signed_out(sid).await.unwrap_or(false) {
        Vec::new()
    } else {
        cookies
    }
}

/// Whether a session has other tokens than the browser sent.
pub(crate) fn has_new_tokens<P: Platform>(exchange: &Exchange<'_, P>, session: &Session) -> bool {
    match exchange.session() {
        Presented::Good(sent) => sent.generation() != session.generation(),
        Presented::Nothing | Presented::Refused(_) => false,
    }
}

/// Remembers that a session ends here, so that no refresh under way brings it back.
pub(crate) async fn sign_out<P: Platform>(exchange: &Exchange<'_, P>, session: &Session) {
    let Some(name) = Name::of(session) else { return };
    exchange.vestibule.flights.sign_out(&name.sid, exchange.now);
    let lease = AnyLease::new(exchange.config(), exchange.platform);
    if let Err(error) = lease.sign_out(&name.sid).await {
        exchange.log(Level::Warn, "sign_out_not_remembered", &error.to_string());
    }
}

/// Whether the session's access token ends soon, or has ended: its provider, the refresh, and whether the token
/// still lives. `None` too where nothing can renew it.
fn due<'a, P: Platform>(exchange: &Exchange<'a, P>, session: &Session) -> Option<(&'a Provider, Name, bool)> {
    let expires_at = session.token_expires_at()?;
    // A token that lives shorter than the leeway would be renewed with every request.
    let remained = expires_at.since(session.issued_at().unwrap_or(Timestamp::from_millis(0)));
    let lead = exchange.config().refresh.leeway.min(remained / 2);
    let now = exchange.platform.now();
    if now < expires_at.minus(lead) {
        return None;
    }
    let provider = exchange.provider(session.provider()?)?;
    if !grant::is_renewable(provider, session) {
        return None;
    }
    Some((provider, Name::of(session)?, now < expires_at))
}

/// What comes of the refresh, by whoever does it.
async fn outcome<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    session: &Session,
    name: &Name,
    is_alive: bool,
    patience: Timestamp,
) -> Outcome {
    let platform = exchange.platform;
    loop {
        match exchange.vestibule.flights.board(name, is_alive, platform) {
            Found::Landed(outcome) => return outcome,
            Found::Front(place) => {
                let flight = Flight {
                    vestibule: exchange.vestibule.clone(),
                    platform: platform.clone(),
                    request: exchange.request.clone(),
                    provider: provider.id.clone(),
                    session: session.clone(),
                    name: name.clone(),
                    is_alive,
                    patience,
                };
                return platform.to_the_end(flight.fly(place)).await;
            }
            Found::Flying if is_alive || platform.now() >= patience => {
                return Outcome::Elsewhere { until: platform.now().plus(Duration::from_secs(1)) };
            }
            Found::Flying => platform.sleep(POLL).await,
        }
    }
}

/// One isolate's attempt. It owns what it needs: the request that began it may end first.
struct Flight<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    request: Request,
    provider: String,
    session: Session,
    name: Name,
    is_alive: bool,
    patience: Timestamp,
}

impl<P: Platform> Flight<P> {
    async fn fly(self, place: Place) -> Outcome {
        let now = self.platform.now();
        let Some(exchange) = Exchange::new(&self.vestibule, &self.platform, &self.request) else {
            return Outcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let Some(provider) = exchange.provider(&self.provider) else {
            return Outcome::Unavailable { until: now.plus(BACKOFF) };
        };
        let lease = AnyLease::new(exchange.config(), exchange.platform);
        match self.ask(&exchange, &lease, &place.owner).await {
            Ok(()) => self.use_token(&exchange, &lease, provider, place).await,
            Err(outcome) => {
                place.land(outcome.clone(), self.platform.now());
                outcome
            }
        }
    }

    /// Asks for the lease, and waits for whoever has it where there is no living token. An error is an outcome.
    async fn ask(&self, exchange: &Exchange<'_, P>, lease: &impl Lease, owner: &str) -> Result<(), Outcome> {
        let platform = &self.platform;
        loop {
            let theirs = match lease.take(&self.name, owner).await {
                Ok(Taken::Yours) => return Ok(()),
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
    async fn wait(&self, lease: &impl Lease, theirs: Theirs) -> Result<Option<Successor>, Outcome> {
        let platform = &self.platform;
        let Some(look_at) = theirs.look_at else {
            return Err(self.unavailable(theirs.until.since(platform.now()).min(BACKOFF)));
        };
        platform.sleep(look_at.since(platform.now())).await;
        let until = theirs.until.min(platform.now().plus(LOOKING)).min(self.patience);
        let mut pause = POLL * 2;
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
    async fn adopt(&self, lease: &impl Lease, successor: Successor) -> Outcome {
        match lease.is_signed_out(&self.name.sid).await {
            Ok(true) => Outcome::SignedOut,
            Ok(false) | Err(_) => Outcome::Renewed(successor),
        }
    }

    /// Uses the refresh token, and leaves what followed.
    async fn use_token(
        &self,
        exchange: &Exchange<'_, P>,
        lease: &impl Lease,
        provider: &Provider,
        place: Place,
    ) -> Outcome {
        let outcome = match grant::renew(exchange, provider, &self.session).await {
            Ok(renewed) => return self.leave(exchange, lease, renewed, place).await,
            Err(RenewError::Gone(error)) => match lease.look_again(&self.name).await {
                Ok(Some(successor)) => self.adopt(lease, successor).await,
                Ok(None) => {
                    self.log(exchange, Level::Info, "grant_gone", &error);
                    Outcome::Gone { is_certain: lease.is_certain() || place.was_gone }
                }
                Err(_) => self.unavailable(BACKOFF),
            },
            Err(RenewError::Unavailable(error, retry_after)) => {
                self.log(exchange, Level::Warn, "refresh_failed", &error);
                self.unavailable(retry_after.unwrap_or(BACKOFF).clamp(BACKOFF, LONGEST_BACKOFF))
            }
            Err(RenewError::Misconfigured(error)) => {
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
        let successor = Successor {
            generation: self.name.generation.saturating_add(1),
            access_token: renewed.access_token,
            refresh_token: renewed.refresh_token,
            expires_at: renewed.expires_at,
            refresh_expires_at: renewed.refresh_expires_at,
            api_cookies: renewed.api_cookies,
        };
        let owner = place.owner.clone();
        // The others here need not wait until it is written for those elsewhere.
        place.land(Outcome::Renewed(successor.clone()), self.platform.now());
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

/// A page that is fetched in case somebody wants it (Fetch Metadata, `Sec-Purpose`; older browsers, `Purpose`).
fn is_prefetch(request: &Request) -> bool {
    let says = |name: &str| request.headers.get(name).is_some_and(|value| value.contains("prefetch"));
    says("sec-purpose") || says("purpose")
}
