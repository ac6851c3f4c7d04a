//! The access token is about to end: one request gets a new one, and nobody is logged out over it.
//!
//! In this order: is it due, and does anything here need it ([`Exchange::due`]); who of this isolate's requests goes
//! ([`Flights`](crate::lease::flights::Flights)); who of all isolates' goes ([`Flight`], [`Lease`]); the grant itself
//! ([`grant`]); and what followed is left for those who come with the old tokens. Whatever goes wrong on the way
//! for a passing reason leaves the session as it is.

mod flight;
mod grant;
mod renewed;

use std::pin::pin;
use std::time::Duration;

use crate::config::Provider;
use crate::flow::Exchange;
use crate::flow::refresh::flight::{BACKOFF, Flight};
use crate::flow::standing::Standing;
use crate::lease::flights::{Found, Outcome};
use crate::lease::{Lease, Name};
use crate::platform::{Level, Platform, within};
use crate::session::claims::Session;
use crate::session::cookie::Presented;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::time::Timestamp;

/// How long a request waits, all in all, that has no living token. Longer than the lease that it waits for, so
/// that it takes a dead owner's place.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the one request waits for the refresh that has a living token, and could as well go on with it.
const PATIENCE_WITH_A_TOKEN: Duration = Duration::from_secs(3);

/// How often a request looks whether another one of its isolate is done.
const POLL: Duration = Duration::from_millis(20);

/// How many generations one request runs through: somebody comes back with a cookie of days ago whose
/// successors nobody got either.
const MOST_HOPS: usize = 8;

/// A session, and whether the browser is to hear of it.
pub(crate) struct Ready {
    pub(crate) session: Session,
    news: News,
}

/// What a session says that the browser's does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// Nothing: its cookie is renewed where it has become old.
    None,
    /// Nothing, and another request may be about to write a newer cookie.
    Elsewhere,
    /// Other tokens, or that there are none any more.
    Here,
}

/// Why a session cannot be used.
pub(crate) enum NotReady {
    /// The provider gives no more tokens: it is over. The session that says so.
    Ended(Ready),
    /// It was signed out while this request was under way.
    SignedOut,
    /// The access token has ended and there is no other now; when to come back.
    Unavailable(Duration),
    /// The access token has ended, and only that host can get another.
    Elsewhere(Origin),
}

impl Ready {
    /// As the browser sent it.
    pub(crate) fn as_sent(session: Session) -> Self {
        Self { session, news: News::None }
    }

    /// Whether the browser has not heard of it.
    pub(crate) fn is_news(&self) -> bool {
        self.news == News::Here
    }

    /// The cookies that bring it to the browser.
    pub(crate) fn cookies<P: Platform>(&self, exchange: &Exchange<'_, P>) -> Vec<SetCookie> {
        match self.news {
            News::None => exchange.renewal_cookies(&self.session),
            News::Elsewhere => Vec::new(),
            News::Here => exchange.session_cookies(&self.session).unwrap_or_else(|too_large| {
                // The browser keeps the old tokens, with which the new ones are found.
                exchange.log(Level::Error, "session_not_renewed", &too_large.to_string());
                Vec::new()
            }),
        }
    }
}

impl<'a, P: Platform> Exchange<'a, P> {
    /// The session with an access token that lives, where this request needs one.
    pub(crate) async fn ready(&self, session: Session) -> Result<Ready, NotReady> {
        let Some((provider, mut name, mut is_alive)) = self.due(&session) else {
            return match self.elsewhere(&session) {
                Some(login) => Err(NotReady::Elsewhere(login.clone())),
                None => Ok(Ready::as_sent(session)),
            };
        };
        let as_it_is = |session, is_alive, news, retry| {
            if is_alive { Ok(Ready { session, news }) } else { Err(NotReady::Unavailable(retry)) }
        };
        if self.request.is_prefetch() {
            // Nobody may ever look at its answer.
            return as_it_is(session, is_alive, News::Elsewhere, Duration::from_secs(1));
        }
        let patience = self.platform.now().plus(PATIENCE);
        let (mut session, mut news) = (session, News::Elsewhere);
        for _ in 0..MOST_HOPS {
            if self.vestibule.flights.is_signed_out(&name.sid) {
                return Err(NotReady::SignedOut);
            }
            match self.refresh_outcome(provider, &session, &name, is_alive, patience).await {
                Outcome::Renewed(successor) => {
                    session = session.followed_by(&successor, self.platform.now());
                    news = News::Here;
                }
                Outcome::Gone { is_certain } => {
                    // Where somebody elsewhere may have used the token, the browser may hold better already.
                    let news = if is_certain { News::Here } else { News::Elsewhere };
                    return Err(NotReady::Ended(Ready { session: session.without_grant(), news }));
                }
                Outcome::SignedOut => return Err(NotReady::SignedOut),
                Outcome::Unavailable { until } | Outcome::Elsewhere { until } => {
                    let retry = until.since(self.platform.now()).max(Duration::from_secs(1));
                    return as_it_is(session, is_alive, news, retry);
                }
            }
            match self.due(&session) {
                Some((_, next, alive)) => (name, is_alive) = (next, alive),
                None => return Ok(Ready { session, news }),
            }
        }
        as_it_is(session, is_alive, news, BACKOFF)
    }

    /// Of those cookies, the ones to send when the answer is there: none where the session was signed out
    /// meanwhile, or has gone on to newer tokens.
    pub(crate) async fn still_wanted(
        &self,
        session: Option<&Session>,
        cookies: Vec<SetCookie>,
    ) -> Vec<SetCookie> {
        let Some((session, sid)) = session.and_then(|session| Some((session, session.sid()?))) else {
            return cookies;
        };
        let flights = &self.vestibule.flights;
        if cookies.is_empty() || flights.is_outdated(sid, session.generation()) || flights.is_signed_out(sid)
        {
            return Vec::new();
        }
        let lease = self.lease();
        // Where nobody can say, the sign-out that nobody knows of is the smaller risk than the token that is lost.
        if self.has_new_tokens(session) && lease.is_signed_out(sid).await.unwrap_or(false) {
            Vec::new()
        } else {
            cookies
        }
    }

    /// Whether a session has other tokens than the browser sent.
    pub(crate) fn has_new_tokens(&self, session: &Session) -> bool {
        match self.session() {
            Presented::Good(sent) => sent.generation() != session.generation(),
            Presented::Nothing | Presented::Refused(_) => false,
        }
    }

    /// Remembers that a session ends here, so that no refresh under way brings it back.
    pub(crate) async fn remember_sign_out(&self, session: &Session) {
        let Some(name) = Name::of(session) else { return };
        self.vestibule.flights.sign_out(&name.sid, self.now);
        let lease = self.lease();
        if let Err(error) = lease.sign_out(&name.sid).await {
            self.log(Level::Warn, "sign_out_not_remembered", &error.to_string());
        }
    }

    /// Whether the session's access token ends soon, or has ended: its provider, the refresh, and whether the token
    /// still lives. `None` too where nothing can renew it.
    fn due(&self, session: &Session) -> Option<(&'a Provider, Name, bool)> {
        let expires_at = session.token_expires_at()?;
        // A token that lives shorter than the leeway would be renewed with every request.
        let remained = expires_at.since(session.issued_at().unwrap_or(Timestamp::from_millis(0)));
        let lead = self.config().refresh.leeway.min(remained / 2);
        let now = self.platform.now();
        if now < expires_at.minus(lead) {
            return None;
        }
        let provider = self.provider(session.provider()?)?;
        if !grant::is_renewable(provider, session) {
            return None;
        }
        Some((provider, Name::of(session)?, now < expires_at))
    }

    /// The login host, where only that one can renew this session's access token, which has ended.
    fn elsewhere(&self, session: &Session) -> Option<&'a Origin> {
        let Standing::SendsTo(login) = self.standing else { return None };
        let has_ended = session.token_expires_at().is_some_and(|at| at <= self.now);
        let is_known_here = session.provider().is_none_or(|id| self.provider(id).is_some());
        let has_grant = session.refresh_token().is_some() || !session.api_cookies().is_empty();
        (has_ended && !is_known_here && has_grant).then_some(login)
    }

    /// What comes of the refresh, by whoever does it.
    async fn refresh_outcome(
        &self,
        provider: &Provider,
        session: &Session,
        name: &Name,
        is_alive: bool,
        patience: Timestamp,
    ) -> Outcome {
        let platform = self.platform;
        loop {
            match self.vestibule.flights.board(name, is_alive, platform) {
                Found::Landed(outcome) => return outcome,
                Found::Front(place) => {
                    let flight = Flight {
                        vestibule: self.vestibule.clone(),
                        platform: platform.clone(),
                        request: self.request.clone(),
                        provider: provider.id.clone(),
                        session: session.clone(),
                        name: name.clone(),
                        is_alive,
                        patience,
                    };
                    // In a box: every guarded request would carry the room for it.
                    let landed = platform.to_the_end(Box::pin(flight.fly(place)));
                    // It flies on where the request goes on without it; from one that crashed nobody hears.
                    let time = if is_alive { PATIENCE_WITH_A_TOKEN } else { PATIENCE * 3 };
                    let elsewhere =
                        || Outcome::Elsewhere { until: platform.now().plus(Duration::from_secs(1)) };
                    return within(platform, time, pin!(landed)).await.unwrap_or_else(elsewhere);
                }
                Found::Flying if is_alive || platform.now() >= patience => {
                    return Outcome::Elsewhere { until: platform.now().plus(Duration::from_secs(1)) };
                }
                Found::Flying => platform.sleep(POLL).await,
            }
        }
    }
}
