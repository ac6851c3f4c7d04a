//! Refreshing a session: its access token before it expires, and what the provider says of its user. Of many requests
//! with the same session one refreshes it, and a temporary failure logs no user out.
//!
//! The steps:
//! 1. Whether the token expires soon, or the provider has to confirm the user ([`revalidation`]), and this deployment can
//!    refresh the session ([`RequestContext::needs_refresh`]).
//! 2. One request of this process becomes the leader
//!    ([`InFlightRefreshes`](crate::lease::in_flight::InFlightRefreshes)); the others wait for its outcome.
//! 3. The leader acquires the [`Lease`], so that one process of all refreshes ([`RefreshAttempt`]).
//! 4. It redeems the refresh token ([`grant`]).
//! 5. It publishes the new tokens for every request that still has the old ones.

mod attempt;
mod claims;
mod fresh_session;
mod grant;
mod granted;
mod newest;
mod reason;
mod revalidation;
mod upstream;

use std::pin::pin;
use std::time::Duration;

use crate::config::Provider;
use crate::config::refresh::RenewalTime;
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::flow::refresh::attempt::{BACKOFF, RefreshAttempt};
use crate::flow::refresh::fresh_session::CookieUpdate;
pub(crate) use crate::flow::refresh::fresh_session::{FreshSession, RefreshError};
pub(crate) use crate::flow::refresh::reason::Need;
use crate::flow::refresh::reason::Reason;
pub(crate) use crate::flow::refresh::upstream::{DroppedCookies, UpstreamChange};
use crate::lease::in_flight::{Joined, RefreshOutcome};
use crate::lease::{Lease, RefreshId};
use crate::platform::{Platform, StoreError, within};
use crate::revocation::kind::RevocationStore;
use crate::revocation::status::{RevocationStatus, RevocationUnavailable};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::time::Timestamp;

/// At a provider that ends the old access token when it gives a new one: how long before its end a token is no longer
/// used.
const END_MARGIN: Duration = Duration::from_secs(2);

/// How long the requests that are on their way with such a token get before it is renewed; the clocks of two processes may
/// differ by as much. It is renewed before its end, because some providers end the refresh token at the same time.
const IN_FLIGHT_TIME: Duration = Duration::from_secs(1);

/// How often a request checks whether the leader of its process is done.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many refreshes one request follows: a browser may come back after days with a cookie whose tokens were refreshed
/// several times, and whose new tokens have expired, too.
const MAX_GENERATIONS: usize = 8;

/// How long a response may rely on the lease's answer that the session is not signed out. The upstream may take longer.
const CONFIRMATION_VALIDITY: Duration = Duration::from_secs(1);

/// How long after a refresh a request that comes with the old cookie leaves the new one to the requests that waited. With
/// the next request after that the browser gets it, if it has missed those responses.
const OTHERS_SET_COOKIE: Duration = Duration::from_secs(5);

impl<'a, P: Platform> RequestContext<'a, P> {
    /// The session with what the request needs: refreshes it if the access token expires soon, or if the provider has to
    /// confirm the user.
    pub(crate) async fn fresh_session(
        &self,
        session: Session,
        need: Need,
    ) -> Result<FreshSession, RefreshError> {
        let Some(mut due) = self.needs_refresh(&session, need) else {
            return self.without_refresh_here(FreshSession::unchanged(session), need);
        };
        match self.revocation_status(&session).await {
            RevocationStatus::Accepted => {}
            RevocationStatus::Revoked => return Err(RefreshError::SignedOut),
            // A refresh also renews the session.
            RevocationStatus::Unconfirmed | RevocationStatus::Unavailable => {
                let retry = RevocationUnavailable::RETRY_AFTER;
                return without_refresh(session, due.reason, CookieUpdate::Skip, retry);
            }
        }
        if self.request.is_prefetch() {
            // The user may never look at a prefetched page.
            return without_refresh(session, due.reason, CookieUpdate::Skip, Duration::from_secs(1));
        }
        let begun = self.platform.now();
        let (mut session, mut cookie_update, mut id_token) = (session, CookieUpdate::Skip, None);
        for _ in 0..MAX_GENERATIONS {
            if self.vestibule.refreshes.is_signed_out(&due.name.sid) {
                return Err(RefreshError::SignedOut);
            }
            if due.reason == Reason::TokenExpired {
                self.wait_for_requests_in_flight(due.provider, &session).await;
            }
            let deadline = begun.plus(due.reason.max_wait());
            let outcome = self.refresh_outcome(&session, &due, deadline).await;
            let is_of_now = match outcome {
                RefreshOutcome::Renewed(tokens) => {
                    session = session.with_refreshed_tokens(&tokens, self.platform.now());
                    cookie_update = CookieUpdate::Write;
                    id_token = tokens.id_token.clone().or(id_token);
                    if session.ends_at().is_some_and(|end| end <= self.platform.now()) {
                        // The provider set an earlier end while this browser was away.
                        let session = session.without_tokens();
                        return Err(RefreshError::Ended(FreshSession::new(session, cookie_update)));
                    }
                    tokens.issued_at >= begun
                }
                RefreshOutcome::InvalidGrant { is_final } => {
                    // If another process may have redeemed the token, the browser may have a newer cookie already.
                    let cookie_update = if is_final { CookieUpdate::Write } else { CookieUpdate::Skip };
                    let session = session.without_tokens();
                    return Err(RefreshError::Ended(FreshSession::new(session, cookie_update)));
                }
                RefreshOutcome::SignedOut => return Err(RefreshError::SignedOut),
                RefreshOutcome::TokensLost => {
                    let reason = self.reason_after(&session, need, due.reason);
                    // As where the provider does not answer: the session is renewed for a while.
                    if cookie_update == CookieUpdate::Skip && reason.is_optional() {
                        cookie_update = CookieUpdate::IfStale;
                    }
                    return without_refresh_token(FreshSession { session, cookie_update, id_token }, reason);
                }
                outcome @ (RefreshOutcome::Unavailable { until }
                | RefreshOutcome::HeldElsewhere { until }) => {
                    let reason = self.reason_after(&session, need, due.reason);
                    let is_held = matches!(outcome, RefreshOutcome::HeldElsewhere { .. });
                    if is_held && due.reason.goes_on_meanwhile() && !reason.goes_on_meanwhile() {
                        due.reason = reason;
                        continue;
                    }
                    // A provider that does not answer keeps no session from being renewed for a while.
                    if !is_held && cookie_update == CookieUpdate::Skip {
                        cookie_update = CookieUpdate::IfStale;
                    }
                    let retry = until.since(self.platform.now()).max(Duration::from_secs(1));
                    return without_refresh(session, reason, cookie_update, retry);
                }
            };
            let Some(next) = self.needs_refresh(&session, need) else {
                let fresh = FreshSession { session, cookie_update, id_token };
                return self.without_refresh_here(fresh, need);
            };
            due = next;
            // What is due again at once would be so after every refresh.
            if is_of_now {
                break;
            }
        }
        without_refresh(session, due.reason, cookie_update, BACKOFF)
    }

    /// Why a session needs a refresh that brought nothing. The access token may have ended meanwhile; then the request cannot
    /// go on with it.
    fn reason_after(&self, session: &Session, need: Need, before: Reason) -> Reason {
        self.needs_refresh(session, need).map_or(before, |now| now.reason.max(before))
    }

    /// The session that this deployment cannot refresh: an error if it lacks what the request needs.
    fn without_refresh_here(&self, fresh: FreshSession, need: Need) -> Result<FreshSession, RefreshError> {
        if let Some(login) = self.login_host_to_refresh_at(&fresh.session, need) {
            return Err(RefreshError::OnlyAtLoginHost(login.clone()));
        }
        if self.revalidation(&fresh.session, need) == Some(Reason::RevalidationOverdue) {
            return Err(RefreshError::NotConfirmed(None));
        }
        if self.wants_token(need) && self.has_expired_token(&fresh.session) {
            return Err(RefreshError::Expired(fresh));
        }
        Ok(fresh)
    }

    /// The refresh that the session needs. `None` also if this deployment cannot refresh it.
    fn needs_refresh(&self, session: &Session, need: Need) -> Option<Refresh<'a>> {
        let provider = self.provider(session.provider()?)?;
        let of_token = if self.wants_token(need) { self.token_expiry(provider, session) } else { None };
        let reason = of_token.max(self.revalidation(session, need))?;
        if !grant::can_refresh(provider, session) {
            return None;
        }
        if reason == Reason::Renewal && !self.may_revalidate_unasked(provider, session) {
            return None;
        }
        Some(Refresh { provider, name: RefreshId::of(session)?, reason })
    }

    /// Whether the session's access token expires soon, or has expired.
    fn token_expiry(&self, provider: &Provider, session: &Session) -> Option<Reason> {
        let expires_at = session.token_expires_at()?;
        let leeway = self.config().refresh.leeway;
        let now = self.platform.now();
        // Otherwise a token whose lifetime is shorter than the leeway would be refreshed with every request.
        let lifetime = expires_at.since(session.issued_at().unwrap_or(Timestamp::from_millis(0)));
        let is_due = |leeway: Duration| now >= expires_at.minus(leeway.min(lifetime / 2));
        match provider.renewal {
            RenewalTime::Early if is_due(leeway) => {
                Some(if now < expires_at { Reason::TokenExpires } else { Reason::TokenExpired })
            }
            RenewalTime::AtEnd if is_due(END_MARGIN) => Some(Reason::TokenExpired),
            RenewalTime::Early | RenewalTime::AtEnd => None,
        }
    }

    /// At a provider that ends the old access token when it gives a new one, waits while requests may still be on their way
    /// with it that another process forwarded a moment ago.
    async fn wait_for_requests_in_flight(&self, provider: &Provider, session: &Session) {
        let Some(end) = session.token_expires_at().filter(|_| provider.renewal == RenewalTime::AtEnd) else {
            return;
        };
        let left = end.minus(END_MARGIN.saturating_sub(IN_FLIGHT_TIME)).since(self.platform.now());
        if !left.is_zero() {
            self.platform.sleep(left.min(IN_FLIGHT_TIME)).await;
        }
    }

    /// Whether the session's access token has expired. A token without a known expiry has not.
    pub(crate) fn has_expired_token(&self, session: &Session) -> bool {
        session.token_expires_at().is_some_and(|end| end <= self.platform.now())
    }

    /// Whether the session's access token has expired for good: neither this deployment nor its login host can renew it.
    pub(crate) fn has_dead_token(&self, session: &Session) -> bool {
        self.has_expired_token(session)
            && self.needs_refresh(session, Need::AccessToken).is_none()
            && self.login_host_to_refresh_at(session, Need::AccessToken).is_none()
    }

    /// Whether the session is to be refreshed now, if the request needs its access token.
    pub(crate) fn is_refresh_due(&self, session: &Session) -> bool {
        self.needs_refresh(session, Need::AccessToken).is_some()
    }

    /// The login host, if the session's access token has expired, or its user was not confirmed for too long, and only
    /// that host can refresh it.
    fn login_host_to_refresh_at(&self, session: &Session, need: Need) -> Option<&'a Origin> {
        let (login, is_preview) = match self.host_role {
            HostRole::Member(login) => (login, false),
            HostRole::Preview(login) => (login, true),
            HostRole::Login | HostRole::Outside(_) => return None,
        };
        let has_expired = self.wants_token(need) && self.has_expired_token(session)
            || self.revalidation(session, need) == Some(Reason::RevalidationOverdue);
        let is_configured_here = session.provider().is_none_or(|id| self.provider(id).is_some());
        // A preview host's session has no grant, whether or not the login host's has one.
        (has_expired && (is_preview || !is_configured_here && session.has_grant())).then_some(login)
    }

    /// The outcome of the refresh, whichever request of this process runs it.
    async fn refresh_outcome(
        &self,
        session: &Session,
        Refresh { provider, name, reason }: &Refresh<'_>,
        deadline: Timestamp,
    ) -> RefreshOutcome {
        let platform = self.platform;
        let goes_on = reason.goes_on_meanwhile();
        let in_progress =
            || RefreshOutcome::HeldElsewhere { until: platform.now().plus(Duration::from_secs(1)) };
        loop {
            match self.vestibule.refreshes.join(name, goes_on, platform) {
                Joined::Completed(outcome) => return outcome,
                Joined::Leader(slot) => {
                    let attempt = RefreshAttempt {
                        vestibule: self.vestibule.clone(),
                        platform: platform.clone(),
                        request: self.request.clone(),
                        provider: provider.id.clone(),
                        session: session.clone(),
                        name: name.clone(),
                        token_is_valid: goes_on,
                        deadline,
                    };
                    // Boxed: otherwise the future of every guarded request would have its size.
                    let completed = platform.run_to_completion(Box::pin(attempt.run(slot)));
                    // The attempt goes on after the wait.
                    let max_wait = reason.max_wait_as_leader();
                    return within(platform, max_wait, pin!(completed)).await.unwrap_or_else(in_progress);
                }
                Joined::InFlight if goes_on || platform.now() >= deadline => return in_progress(),
                Joined::InFlight => platform.sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Those of the cookies that may still be sent with the response: none if the session was signed out meanwhile, or
    /// has newer tokens. None either if only the lock could say that, and the request came after a refresh, but with the
    /// old cookie: the responses to the requests that waited for the refresh set the new one, and to ask the lock for each
    /// late request is not worth it.
    pub(crate) async fn cookies_still_valid(
        &self,
        session: Option<&Session>,
        cookies: Vec<SetCookie>,
    ) -> Vec<SetCookie> {
        let asks_the_lock =
            self.config().revocation.store == RevocationStore::None && self.lease().sees_all_writes();
        let is_late = asks_the_lock
            && session.and_then(Session::sid).is_some_and(|sid| {
                let confirmed = self.vestibule.refreshes.confirmed_at(sid);
                let is_recent =
                    |at: Timestamp| at < self.now && self.platform.now() < at.plus(OTHERS_SET_COOKIE);
                confirmed.is_some_and(is_recent)
            });
        if is_late && session.is_some_and(|session| self.has_new_tokens(session)) {
            return Vec::new();
        }
        self.cookies_unless_signed_out(session, cookies).await
    }

    /// Like [`cookies_still_valid`](Self::cookies_still_valid), for a response whose only purpose is the cookie.
    pub(crate) async fn cookies_unless_signed_out(
        &self,
        session: Option<&Session>,
        cookies: Vec<SetCookie>,
    ) -> Vec<SetCookie> {
        let Some((session, sid)) = session.and_then(|session| Some((session, session.sid()?))) else {
            return cookies;
        };
        let (refreshes, now) = (&self.vestibule.refreshes, self.platform.now());
        if cookies.is_empty()
            || refreshes.is_outdated(sid, session.generation())
            || refreshes.is_signed_out(sid)
            || self.vestibule.revocations.is_revoked(session)
        {
            return Vec::new();
        }
        // The lease has just answered while this request waited for the tokens.
        let is_confirmed = |at: Timestamp| at >= self.now && now < at.plus(CONFIRMATION_VALIDITY);
        if !self.has_new_tokens(session) || refreshes.confirmed_at(sid).is_some_and(is_confirmed) {
            return cookies;
        }
        match self.was_signed_out_meanwhile(session, sid).await {
            Ok(true) => {
                refreshes.sign_out(sid, now);
                Vec::new()
            }
            Ok(false) => {
                refreshes.confirm(sid, now);
                cookies
            }
            // A lost refresh token is worse than a sign-out that is missed.
            Err(_) => cookies,
        }
    }

    /// Whether the session has ended since this request began, in another process too, as far as the stores show it.
    async fn was_signed_out_meanwhile(&self, session: &Session, sid: &str) -> Result<bool, StoreError> {
        let lease = self.lease();
        if lease.sees_all_writes() || self.config().revocation.store == RevocationStore::None {
            return lease.is_signed_out(sid).await;
        }
        self.was_revoked_meanwhile(session).await
    }

    /// Whether the session has other tokens than the one in the request's cookies.
    pub(crate) fn has_new_tokens(&self, session: &Session) -> bool {
        match self.session() {
            SessionCookie::Valid(sent) => sent.generation() != session.generation(),
            SessionCookie::Absent
            | SessionCookie::Conflict
            | SessionCookie::Revoked
            | SessionCookie::Invalid(_) => false,
        }
    }
}

/// The result of a request that goes on without its refresh, if it may.
fn without_refresh(
    session: Session,
    reason: Reason,
    cookie_update: CookieUpdate,
    retry: Duration,
) -> Result<FreshSession, RefreshError> {
    match reason {
        reason if reason.is_optional() => Ok(FreshSession::new(session, cookie_update)),
        Reason::RevalidationOverdue => Err(RefreshError::NotConfirmed(Some(retry))),
        _ => Err(RefreshError::Unavailable(retry)),
    }
}

/// The result of a request whose session can no longer be refreshed, because the store has lost its tokens. No one is signed
/// out by that: only what needs a token, or the provider's word, needs a new sign-in.
fn without_refresh_token(fresh: FreshSession, reason: Reason) -> Result<FreshSession, RefreshError> {
    match reason {
        reason if reason.is_optional() => Ok(fresh),
        Reason::RevalidationOverdue => Err(RefreshError::NotConfirmed(None)),
        _ => Err(RefreshError::Expired(fresh)),
    }
}

/// A refresh that a session needs.
struct Refresh<'a> {
    provider: &'a Provider,
    name: RefreshId,
    reason: Reason,
}
