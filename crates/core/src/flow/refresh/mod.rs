//! The access token is about to end: one request gets a new one, and nobody is logged out over it.
//!
//! In this order: is it due, and does anything here need it ([`RequestContext::needs_refresh`]); who of this isolate's requests goes
//! ([`InFlightRefreshes`](crate::lease::in_flight::InFlightRefreshes)); who of all isolates' goes ([`RefreshAttempt`], [`Lease`]); the grant itself
//! ([`grant`]); and what followed is left for those who come with the old tokens. Whatever goes wrong on the way
//! for a passing reason leaves the session as it is.

mod attempt;
mod grant;
mod granted;

use std::pin::pin;
use std::time::Duration;

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::flow::refresh::attempt::{BACKOFF, RefreshAttempt};
use crate::lease::in_flight::{Joined, RefreshOutcome};
use crate::lease::{Lease, RefreshId};
use crate::platform::{Level, Platform, within};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::time::Timestamp;

/// How long a request waits, all in all, that has no living token. Longer than the lease that it waits for, so
/// that it takes a dead owner's place.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// How long the one request waits for the refresh that has a living token, and could as well go on with it.
const MAX_WAIT_WITH_VALID_TOKEN: Duration = Duration::from_secs(3);

/// How often a request looks whether another one of its isolate is done.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many generations one request runs through: somebody comes back with a cookie of days ago whose
/// successors nobody got either.
const MAX_GENERATIONS: usize = 8;

/// A session, and whether the browser is to hear of it.
pub(crate) struct FreshSession {
    pub(crate) session: Session,
    cookie_update: CookieUpdate,
}

/// What a session says that the browser's does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CookieUpdate {
    /// Nothing: its cookie is renewed where it has become old.
    IfStale,
    /// Nothing, and another request may be about to write a newer cookie.
    Skip,
    /// Other tokens, or that there are none any more.
    Write,
}

/// Why a session cannot be used.
pub(crate) enum RefreshError {
    /// The provider gives no more tokens: it is over. The session that says so.
    Ended(FreshSession),
    /// It was signed out while this request was under way.
    SignedOut,
    /// The access token has ended and there is no other now; when to come back.
    Unavailable(Duration),
    /// The access token has ended, and only that host can get another.
    OnlyAtLoginHost(Origin),
}

impl FreshSession {
    /// As the browser sent it.
    pub(crate) fn unchanged(session: Session) -> Self {
        Self { session, cookie_update: CookieUpdate::IfStale }
    }

    /// Whether the browser has not heard of it.
    pub(crate) fn has_changed(&self) -> bool {
        self.cookie_update == CookieUpdate::Write
    }

    /// The cookies that bring it to the browser.
    pub(crate) fn cookies<P: Platform>(&self, context: &RequestContext<'_, P>) -> Vec<SetCookie> {
        match self.cookie_update {
            CookieUpdate::IfStale => context.renewal_cookies(&self.session),
            CookieUpdate::Skip => Vec::new(),
            CookieUpdate::Write => context.session_cookies(&self.session).unwrap_or_else(|too_large| {
                // The browser keeps the old tokens, with which the new ones are found.
                context.log(Level::Error, "session_not_renewed", &too_large.to_string());
                Vec::new()
            }),
        }
    }
}

impl<'a, P: Platform> RequestContext<'a, P> {
    /// The session with an access token that lives, where this request needs one.
    pub(crate) async fn fresh_session(&self, session: Session) -> Result<FreshSession, RefreshError> {
        let Some((provider, mut name, mut token_is_valid)) = self.needs_refresh(&session) else {
            return match self.login_host_to_refresh_at(&session) {
                Some(login) => Err(RefreshError::OnlyAtLoginHost(login.clone())),
                None => Ok(FreshSession::unchanged(session)),
            };
        };
        let as_it_is = |session, token_is_valid, cookie_update, retry| {
            if token_is_valid {
                Ok(FreshSession { session, cookie_update })
            } else {
                Err(RefreshError::Unavailable(retry))
            }
        };
        if self.request.is_prefetch() {
            // Nobody may ever look at its answer.
            return as_it_is(session, token_is_valid, CookieUpdate::Skip, Duration::from_secs(1));
        }
        let deadline = self.platform.now().plus(MAX_WAIT);
        let (mut session, mut cookie_update) = (session, CookieUpdate::Skip);
        for _ in 0..MAX_GENERATIONS {
            if self.vestibule.refreshes.is_signed_out(&name.sid) {
                return Err(RefreshError::SignedOut);
            }
            match self.refresh_outcome(provider, &session, &name, token_is_valid, deadline).await {
                RefreshOutcome::Renewed(tokens) => {
                    session = session.with_refreshed_tokens(&tokens, self.platform.now());
                    cookie_update = CookieUpdate::Write;
                }
                RefreshOutcome::InvalidGrant { is_final: is_certain } => {
                    // Where somebody elsewhere may have used the token, the browser may hold better already.
                    let cookie_update = if is_certain { CookieUpdate::Write } else { CookieUpdate::Skip };
                    return Err(RefreshError::Ended(FreshSession {
                        session: session.without_tokens(),
                        cookie_update,
                    }));
                }
                RefreshOutcome::SignedOut => return Err(RefreshError::SignedOut),
                RefreshOutcome::Unavailable { until } | RefreshOutcome::HeldElsewhere { until } => {
                    let retry = until.since(self.platform.now()).max(Duration::from_secs(1));
                    return as_it_is(session, token_is_valid, cookie_update, retry);
                }
            }
            match self.needs_refresh(&session) {
                Some((_, next, alive)) => (name, token_is_valid) = (next, alive),
                None => return Ok(FreshSession { session, cookie_update }),
            }
        }
        as_it_is(session, token_is_valid, cookie_update, BACKOFF)
    }

    /// Of those cookies, the ones to send when the answer is there: none where the session was signed out
    /// meanwhile, or has gone on to newer tokens.
    pub(crate) async fn cookies_still_valid(
        &self,
        session: Option<&Session>,
        cookies: Vec<SetCookie>,
    ) -> Vec<SetCookie> {
        let Some((session, sid)) = session.and_then(|session| Some((session, session.sid()?))) else {
            return cookies;
        };
        let refreshes = &self.vestibule.refreshes;
        if cookies.is_empty()
            || refreshes.is_outdated(sid, session.generation())
            || refreshes.is_signed_out(sid)
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
            SessionCookie::Valid(sent) => sent.generation() != session.generation(),
            SessionCookie::Absent | SessionCookie::Conflict | SessionCookie::Invalid(_) => false,
        }
    }

    /// Remembers that a session ends here, so that no refresh under way brings it back.
    pub(crate) async fn record_sign_out(&self, session: &Session) {
        let Some(name) = RefreshId::of(session) else { return };
        self.vestibule.refreshes.sign_out(&name.sid, self.now);
        let lease = self.lease();
        if let Err(error) = lease.sign_out(&name.sid).await {
            self.log(Level::Warn, "sign_out_not_remembered", &error.to_string());
        }
    }

    /// Whether the session's access token ends soon, or has ended: its provider, the refresh, and whether the token
    /// still lives. `None` too where nothing can renew it.
    fn needs_refresh(&self, session: &Session) -> Option<(&'a Provider, RefreshId, bool)> {
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
        Some((provider, RefreshId::of(session)?, now < expires_at))
    }

    /// The login host, where only that one can renew this session's access token, which has ended.
    fn login_host_to_refresh_at(&self, session: &Session) -> Option<&'a Origin> {
        let HostRole::Member(login) = self.host_role else { return None };
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
        name: &RefreshId,
        token_is_valid: bool,
        deadline: Timestamp,
    ) -> RefreshOutcome {
        let platform = self.platform;
        loop {
            match self.vestibule.refreshes.join(name, token_is_valid, platform) {
                Joined::Completed(outcome) => return outcome,
                Joined::Leader(slot) => {
                    let attempt = RefreshAttempt {
                        vestibule: self.vestibule.clone(),
                        platform: platform.clone(),
                        request: self.request.clone(),
                        provider: provider.id.clone(),
                        session: session.clone(),
                        name: name.clone(),
                        token_is_valid,
                        deadline,
                    };
                    // In a box: every guarded request would carry the room for it.
                    let completed = platform.run_to_completion(Box::pin(attempt.run(slot)));
                    // It flies on where the request goes on without it; from one that crashed nobody hears.
                    let time = if token_is_valid { MAX_WAIT_WITH_VALID_TOKEN } else { MAX_WAIT * 3 };
                    let elsewhere = || RefreshOutcome::HeldElsewhere {
                        until: platform.now().plus(Duration::from_secs(1)),
                    };
                    return within(platform, time, pin!(completed)).await.unwrap_or_else(elsewhere);
                }
                Joined::InFlight if token_is_valid || platform.now() >= deadline => {
                    return RefreshOutcome::HeldElsewhere {
                        until: platform.now().plus(Duration::from_secs(1)),
                    };
                }
                Joined::InFlight => platform.sleep(POLL_INTERVAL).await,
            }
        }
    }
}
