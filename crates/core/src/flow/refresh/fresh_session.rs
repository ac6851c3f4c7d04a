//! The result of a refresh for the request that needs it.

use std::time::Duration;

use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::claims::Session;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::secret::Secret;

/// A session that can be used, and what to do about the browser's cookie.
pub(crate) struct FreshSession {
    pub(crate) session: Session,
    pub(super) cookie_update: CookieUpdate,
    /// The ID token that a refresh brought.
    pub(super) id_token: Option<Secret>,
}

impl FreshSession {
    /// The session as the browser sent it.
    pub(crate) fn unchanged(session: Session) -> Self {
        Self::new(session, CookieUpdate::IfStale)
    }

    /// A session without a new ID token.
    pub(super) fn new(session: Session, cookie_update: CookieUpdate) -> Self {
        Self { session, cookie_update, id_token: None }
    }

    /// Whether the session differs from the browser's cookie, which must be written.
    pub(crate) fn has_changed(&self) -> bool {
        self.cookie_update == CookieUpdate::Write
    }

    /// Whether another request or process may be about to write a newer cookie.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.cookie_update == CookieUpdate::Skip
    }

    /// The same with another version of the session that the cookie does not hold: with its tokens from the store.
    pub(crate) fn with_session(self, session: Session) -> Self {
        Self { session, ..self }
    }

    /// The same session after a `later` refresh.
    pub(crate) fn then(self, later: Self) -> Self {
        Self {
            session: later.session,
            cookie_update: self.cookie_update.max(later.cookie_update),
            id_token: later.id_token.or(self.id_token),
        }
    }

    /// The cookies that store it in the browser.
    pub(crate) fn cookies<P: Platform>(&self, context: &RequestContext<'_, P>) -> Vec<SetCookie> {
        match self.cookie_update {
            CookieUpdate::IfStale => context.renewal_cookies(&self.session),
            CookieUpdate::Skip => Vec::new(),
            CookieUpdate::Write => {
                let (session, hint) = context.with_logout_hint(self.session.clone(), self.id_token.as_ref());
                match context.session_cookies(&session) {
                    Ok(cookies) => cookies.into_iter().chain(hint).collect(),
                    Err(too_large) => {
                        // The browser keeps the old tokens, by which the next request finds the new ones.
                        context.log(Record::new(LogEvent::SessionTooLarge, too_large));
                        Vec::new()
                    }
                }
            }
        }
    }
}

/// What to do about the browser's session cookie. Of two updates, the later one in this order counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CookieUpdate {
    /// The session is unchanged: reseal the cookie only if `update_age` has passed.
    IfStale,
    /// Write no cookie: another request may be about to write a newer one.
    Skip,
    /// Write the cookie: the session has new tokens, or has lost its grant.
    Write,
}

/// Why a session does not have what the request needs.
pub(crate) enum RefreshError {
    /// The refresh token is no longer valid, or its user is no longer allowed, so the session has ended. Holds the session
    /// without its tokens.
    Ended(FreshSession),
    /// The user signed out while the request was in progress.
    SignedOut,
    /// The access token has expired, and there is no new one at the moment. Holds how long to wait.
    Unavailable(Duration),
    /// The access token has expired, or the user was not confirmed for too long, and only this login host can refresh the
    /// session.
    OnlyAtLoginHost(Origin),
    /// The provider has not confirmed the user for twice `session.revalidate`. Holds how long to wait if it does not
    /// answer at the moment; `None` if it cannot be asked, so that only a new sign-in helps.
    NotConfirmed(Option<Duration>),
    /// The access token has expired for good: no one can refresh it. Holds the session with the token.
    Expired(FreshSession),
}
