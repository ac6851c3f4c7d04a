//! Checks that the runtime has what the configured lease needs, and advises a better lease.

use super::error::ConfigErrors;
use super::place::{Loading, Place, refuse};
use super::runtime::Runtime;
use super::{Config, forwarded_paths};
use crate::lease::kind::LeaseKind;
use crate::revocation::kind::RevocationStore;
use crate::session::claims::is_access_token_claim;
use crate::session::tokens::TokenStorage;

impl Config {
    /// Checks that the runtime has what the lease needs; `is_available` says so for a kind of lease. Where the
    /// configuration chooses no lease and the default is not available, there is no lease. Where nothing uses access
    /// tokens, they are refreshed about once a day only, so a chosen lease may be unavailable.
    ///
    /// # Errors
    /// The chosen lease is needed and not available.
    pub fn check_lease(
        mut self,
        runtime: &Runtime,
        is_available: &dyn Fn(LeaseKind) -> bool,
    ) -> Result<Self, ConfigErrors> {
        let kind = self.refresh.lease;
        if kind == LeaseKind::None || is_available(kind) {
            return Ok(self);
        }
        if !self.refresh.lease_is_chosen {
            self.site.refresh.lease = LeaseKind::None;
            return Ok(self);
        }
        let Some(lease) = runtime.lease(kind).filter(|_| self.refreshes_often()) else {
            self.site.refresh.lease = LeaseKind::None;
            return Ok(self);
        };
        let loading = Loading::new(&|_| None, runtime);
        let root = Place::root(&loading);
        let refresh = root.key("refresh");
        let (value, missing, add) = (lease.value, lease.missing, lease.add);
        refuse!(refresh.key("lease"), "\"{value}\" {missing}", "{add}");
        loading.problems.unless_any(None)
    }

    /// Advice about the lease.
    pub(super) fn lease_advice(&self, runtime: &Runtime) -> Vec<String> {
        let strict = self.providers.iter().filter(|provider| provider.is_strict());
        let names: Vec<&str> = strict.map(|provider| provider.id.as_str()).collect();
        let mut advice = Vec::new();
        if !self.refreshes_often() || self.providers.is_empty() {
            return advice;
        }
        let wanted = runtime.lease(runtime.default_lease());
        if let (LeaseKind::None, false, Some(wanted)) =
            (self.refresh.lease, self.refresh.lease_is_chosen, wanted)
        {
            advice.push(format!("AUTH.refresh.lease: {}", wanted.advice));
        }
        let lock = runtime.lease(LeaseKind::Lock).filter(|_| self.refresh.lease != LeaseKind::Lock);
        if let (Some(lock), false) = (lock, names.is_empty()) {
            advice.push(format!(
                "AUTH.refresh.lease: {} ends the sign-in when a refresh token is used twice; {}",
                names.join(", "),
                lock.advice,
            ));
        }
        advice
    }

    /// Whether the site refreshes tokens at short intervals: it uses access tokens, or has the provider confirm its users.
    fn refreshes_often(&self) -> bool {
        self.session.revalidate.is_some() || self.uses_tokens()
    }

    /// Whether a sign-out is told to the lease. The facts about revoked sessions say it, too; but a lock answers at once, and
    /// without facts no one else says it.
    pub(crate) fn lease_learns_of_sign_outs(&self) -> bool {
        self.revocation.store == RevocationStore::None || self.refresh.lease == LeaseKind::Lock
    }

    /// Whether an upstream gets the access token in the session that it opens.
    pub(crate) fn forwards_tokens_in_session(&self) -> bool {
        self.session.tokens == TokenStorage::Cookie
            && self.upstreams.iter().any(|upstream| upstream.forward_session)
    }

    /// Whether the site uses access tokens: shows them in the session, or forwards them or their expiry.
    pub(crate) fn uses_tokens(&self) -> bool {
        self.session.exposes_token()
            || self.forwards_tokens_in_session()
            || forwarded_paths(&self.upstreams, self.rules.rules()).into_iter().any(is_access_token_claim)
    }
}
