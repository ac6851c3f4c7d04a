//! When the provider has to confirm a session's user, whether or not anything needs the access token.
//!
//! With `session.revalidate` it is asked at the first request after that time, and the request waits. Without it, it is
//! asked when the session is renewed. A provider that does not answer signs no one out by that: a session goes on, and is
//! also renewed, for [`MAX_OUTAGE`]. After that it is not renewed, so nobody whom the provider has disabled is renewed
//! for ever, and ends `max_age` later at the latest.

use std::time::Duration;

use crate::config::refresh::RenewalTime;
use crate::config::{Provider, ProviderKind};
use crate::flow::RequestContext;
use crate::flow::refresh::grant;
use crate::flow::refresh::reason::{Need, Reason};
use crate::lease::RefreshId;
use crate::lease::kind::LeaseKind;
use crate::platform::Platform;
use crate::session::claims::Session;

/// The shortest time between two confirmations where `session.revalidate` is not set: with an `update_age` of zero every
/// request renews the session.
const MIN_INTERVAL: Duration = Duration::from_hours(1);

/// How long sessions are renewed while the provider does not confirm their users. Longer than an outage takes.
const MAX_OUTAGE: Duration = Duration::from_hours(24);

/// How recent a confirmation must be that another host asks for. Any page can send a browser to ask for it.
const MIN_AGE_FOR_MEMBER: Duration = Duration::from_mins(1);

impl<P: Platform> RequestContext<'_, P> {
    /// Whether the provider has to confirm the session's user, and how urgently. A session for one request, which a bearer
    /// token made, needs no confirmation.
    pub(super) fn revalidation(&self, session: &Session, need: Need) -> Option<Reason> {
        let (config, now) = (&self.config().session, self.platform.now());
        let age = now.since(session.revalidated_at()?);
        if need == Need::Confirmation && age >= MIN_AGE_FOR_MEMBER {
            return Some(Reason::RevalidationOverdue);
        }
        match config.revalidate {
            Some(limit) if age >= limit * 2 => Some(Reason::RevalidationOverdue),
            Some(limit) => (age >= limit).then_some(Reason::RevalidationDue),
            None => {
                let is_renewed = need == Need::Update || session.needs_update(config.update_age, now);
                let is_due = age >= self.interval() && is_renewed;
                is_due.then_some(Reason::Renewal)
            }
        }
    }

    /// Whether a request with this need wants a valid access token.
    pub(super) fn wants_token(&self, need: Need) -> bool {
        match need {
            Need::User => false,
            Need::Update => self.config().uses_tokens(),
            Need::AccessToken | Need::Confirmation => true,
        }
    }

    /// Whether the provider has to confirm the session's user, and only the browser can ask it: there is no refresh token.
    pub(crate) fn only_browser_can_confirm(&self, session: &Session) -> bool {
        self.config().session.revalidate.is_some()
            && self.request.is_navigation()
            && self.revalidation(session, Need::User).is_some()
            && self.needs_refresh(session, Need::User).is_none()
    }

    /// Whether the provider has to confirm the user of a session that a page changes.
    pub(crate) fn is_confirmation_due(&self, session: &Session) -> bool {
        self.revalidation(session, Need::Update).is_some()
    }

    /// Whether the provider's last word about the user is recent enough to renew the session: it is not if the provider
    /// could have confirmed the user since, and has not for long.
    pub(crate) fn was_confirmed(&self, session: &Session) -> bool {
        let Some(confirmed) = session.revalidated_at() else { return true };
        let can_be_asked = match session.provider().map(|id| self.provider(id)) {
            None => false,
            // At a host that has the provider.
            Some(None) => session.has_grant(),
            Some(Some(provider)) => {
                grant::can_refresh(provider, session)
                    && RefreshId::of(session).is_some()
                    && self.may_revalidate_unasked(provider, session)
            }
        };
        !can_be_asked || self.platform.now() < confirmed.plus(self.interval() + MAX_OUTAGE)
    }

    /// Whether sessions of this provider are refreshed at their renewal, although nothing needs the tokens. Without a
    /// lease, that could end sessions of a provider that revokes them when a refresh token is used twice.
    pub(super) fn may_revalidate_unasked(&self, provider: &Provider, session: &Session) -> bool {
        let config = self.config();
        let is_strict = match &provider.kind {
            ProviderKind::OAuth(oauth) => oauth.strict_rotation,
            ProviderKind::Credentials(api) => api.strict_rotation,
        };
        // The requests that are on their way would lose their token.
        let ends_token = provider.renewal == RenewalTime::AtEnd && !self.has_expired_token(session);
        config.session.revalidate.is_some()
            || !ends_token && (!is_strict || config.refresh.lease != LeaseKind::None)
    }

    fn interval(&self) -> Duration {
        let config = &self.config().session;
        config.revalidate.unwrap_or(config.update_age.max(MIN_INTERVAL))
    }
}
