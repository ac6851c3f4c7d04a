//! Refreshing a session's access token before it expires. Of many requests with the same session one refreshes it, and a
//! temporary failure logs no user out.
//!
//! The steps:
//! 1. Whether the token expires soon, and this deployment can refresh it ([`RequestContext::needs_refresh`]).
//! 2. One request of this process becomes the leader
//!    ([`InFlightRefreshes`](crate::lease::in_flight::InFlightRefreshes)); the others wait for its outcome.
//! 3. The leader acquires the [`Lease`], so that one process of all refreshes ([`RefreshAttempt`]).
//! 4. It redeems the refresh token ([`grant`]).
//! 5. It publishes the new tokens for every request that still has the old ones.

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
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, within};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::time::Timestamp;

/// How long a request without a valid access token waits in total. It is longer than a lease, so that the request can
/// take over from a process that died.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// How long the leader waits for its own refresh while the current access token is still valid.
const MAX_WAIT_WITH_VALID_TOKEN: Duration = Duration::from_secs(3);

/// How often a request checks whether the leader of its process is done.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many refreshes one request follows: a browser may come back after days with a cookie whose tokens were refreshed
/// several times, and whose new tokens have expired, too.
const MAX_GENERATIONS: usize = 8;

impl<'a, P: Platform> RequestContext<'a, P> {
    /// The session with a valid access token: refreshes the token if it expires soon.
    pub(crate) async fn fresh_session(&self, session: Session) -> Result<FreshSession, RefreshError> {
        let Some((provider, mut name, mut token_is_valid)) = self.needs_refresh(&session) else {
            return match self.login_host_to_refresh_at(&session) {
                Some(login) => Err(RefreshError::OnlyAtLoginHost(login.clone())),
                None => Ok(FreshSession::unchanged(session)),
            };
        };
        let without_refresh = |session, token_is_valid, cookie_update, retry| {
            if token_is_valid {
                Ok(FreshSession { session, cookie_update })
            } else {
                Err(RefreshError::Unavailable(retry))
            }
        };
        if self.request.is_prefetch() {
            // The user may never look at a prefetched page.
            return without_refresh(session, token_is_valid, CookieUpdate::Skip, Duration::from_secs(1));
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
                    if session.ends_at().is_some_and(|end| end <= self.platform.now()) {
                        // The provider set an earlier end while this browser was away.
                        let session = session.without_tokens();
                        return Err(RefreshError::Ended(FreshSession { session, cookie_update }));
                    }
                }
                RefreshOutcome::InvalidGrant { is_final } => {
                    // If another process may have redeemed the token, the browser may have a newer cookie already.
                    let cookie_update = if is_final { CookieUpdate::Write } else { CookieUpdate::Skip };
                    return Err(RefreshError::Ended(FreshSession {
                        session: session.without_tokens(),
                        cookie_update,
                    }));
                }
                RefreshOutcome::SignedOut => return Err(RefreshError::SignedOut),
                RefreshOutcome::Unavailable { until } | RefreshOutcome::HeldElsewhere { until } => {
                    let retry = until.since(self.platform.now()).max(Duration::from_secs(1));
                    return without_refresh(session, token_is_valid, cookie_update, retry);
                }
            }
            match self.needs_refresh(&session) {
                Some((_, next, is_valid)) => (name, token_is_valid) = (next, is_valid),
                None => return Ok(FreshSession { session, cookie_update }),
            }
        }
        without_refresh(session, token_is_valid, cookie_update, BACKOFF)
    }

    /// Whether the session's access token expires soon or has expired: the provider, the name of the refresh, and whether
    /// the token is still valid. `None` also if this deployment cannot refresh it.
    fn needs_refresh(&self, session: &Session) -> Option<(&'a Provider, RefreshId, bool)> {
        let expires_at = session.token_expires_at()?;
        // Otherwise a token whose lifetime is shorter than the leeway would be refreshed with every request.
        let lifetime = expires_at.since(session.issued_at().unwrap_or(Timestamp::from_millis(0)));
        let leeway = self.config().refresh.leeway.min(lifetime / 2);
        let now = self.platform.now();
        if now < expires_at.minus(leeway) {
            return None;
        }
        let provider = self.provider(session.provider()?)?;
        if !grant::can_refresh(provider, session) {
            return None;
        }
        Some((provider, RefreshId::of(session)?, now < expires_at))
    }

    /// The login host, if the session's access token has expired and only that host can refresh it.
    fn login_host_to_refresh_at(&self, session: &Session) -> Option<&'a Origin> {
        let HostRole::Member(login) = self.host_role else { return None };
        let has_expired = session.token_expires_at().is_some_and(|at| at <= self.now);
        let is_configured_here = session.provider().is_none_or(|id| self.provider(id).is_some());
        let has_grant = session.refresh_token().is_some() || !session.api_cookies().is_empty();
        (has_expired && !is_configured_here && has_grant).then_some(login)
    }

    /// The outcome of the refresh with this name, whichever request of this process runs it.
    async fn refresh_outcome(
        &self,
        provider: &Provider,
        session: &Session,
        name: &RefreshId,
        token_is_valid: bool,
        deadline: Timestamp,
    ) -> RefreshOutcome {
        let platform = self.platform;
        let in_progress =
            || RefreshOutcome::HeldElsewhere { until: platform.now().plus(Duration::from_secs(1)) };
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
                    // Boxed: otherwise the future of every guarded request would have its size.
                    let completed = platform.run_to_completion(Box::pin(attempt.run(slot)));
                    // The attempt goes on after the wait. The wait is bounded, because an attempt that crashed never
                    // completes.
                    let max_wait = if token_is_valid { MAX_WAIT_WITH_VALID_TOKEN } else { MAX_WAIT * 3 };
                    return within(platform, max_wait, pin!(completed)).await.unwrap_or_else(in_progress);
                }
                Joined::InFlight if token_is_valid || platform.now() >= deadline => return in_progress(),
                Joined::InFlight => platform.sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Those of the cookies that may still be sent with the response: none if the session was signed out meanwhile, or
    /// has newer tokens.
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
        // If the store fails, the cookies are sent: a lost refresh token is worse than a sign-out that is missed.
        if self.has_new_tokens(session) && lease.is_signed_out(sid).await.unwrap_or(false) {
            Vec::new()
        } else {
            cookies
        }
    }

    /// Whether the session has other tokens than the one in the request's cookies.
    pub(crate) fn has_new_tokens(&self, session: &Session) -> bool {
        match self.session() {
            SessionCookie::Valid(sent) => sent.generation() != session.generation(),
            SessionCookie::Absent | SessionCookie::Conflict | SessionCookie::Invalid(_) => false,
        }
    }

    /// Records that the user signed out, so that a refresh in progress does not bring the session back.
    pub(crate) async fn record_sign_out(&self, session: &Session) {
        let Some(name) = RefreshId::of(session) else { return };
        self.vestibule.refreshes.sign_out(&name.sid, self.now);
        let lease = self.lease();
        if let Err(error) = lease.sign_out(&name.sid).await {
            let message = format_args!("the sign-out could not be stored: {error}");
            self.log(Record::new(LogEvent::SignOutNotStored, message));
        }
    }
}

/// A session that can be used, and what to do about the browser's cookie.
pub(crate) struct FreshSession {
    pub(crate) session: Session,
    cookie_update: CookieUpdate,
}

impl FreshSession {
    /// The session as the browser sent it.
    pub(crate) fn unchanged(session: Session) -> Self {
        Self { session, cookie_update: CookieUpdate::IfStale }
    }

    /// Whether the session differs from the browser's cookie, which must be written.
    pub(crate) fn has_changed(&self) -> bool {
        self.cookie_update == CookieUpdate::Write
    }

    /// The cookies that store it in the browser.
    pub(crate) fn cookies<P: Platform>(&self, context: &RequestContext<'_, P>) -> Vec<SetCookie> {
        match self.cookie_update {
            CookieUpdate::IfStale => context.renewal_cookies(&self.session),
            CookieUpdate::Skip => Vec::new(),
            CookieUpdate::Write => context.session_cookies(&self.session).unwrap_or_else(|too_large| {
                // The browser keeps the old tokens, by which the next request finds the new ones.
                context.log(Record::new(LogEvent::SessionTooLarge, too_large));
                Vec::new()
            }),
        }
    }
}

/// What to do about the browser's session cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CookieUpdate {
    /// The session is unchanged: reseal the cookie only if `update_age` has passed.
    IfStale,
    /// Write no cookie: another request may be about to write a newer one.
    Skip,
    /// Write the cookie: the session has new tokens, or has lost its grant.
    Write,
}

/// Why a session has no valid access token.
pub(crate) enum RefreshError {
    /// The refresh token is no longer valid, so the session has ended. Holds the session without its tokens.
    Ended(FreshSession),
    /// The user signed out while the request was in progress.
    SignedOut,
    /// The access token has expired, and there is no new one at the moment. Holds how long to wait.
    Unavailable(Duration),
    /// The access token has expired, and only this login host can refresh it.
    OnlyAtLoginHost(Origin),
}
