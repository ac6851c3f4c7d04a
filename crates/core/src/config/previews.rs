//! Which hosts are preview hosts, and what the operator should know about their codes.

use super::Config;
use super::runtime::Runtime;
use crate::lease::kind::LeaseKind;
use crate::revocation::kind::RevocationStore;
use vestibule_oidc::http::origin::Origin;

impl Config {
    /// Whether `preview_hosts` names the host of this origin.
    pub(crate) fn is_preview_host(&self, origin: &Origin) -> bool {
        // A pattern with a port needs the port even if it is the scheme's default.
        let authority = if origin.authority() == origin.host() {
            format!("{}:{}", origin.host(), if origin.secure() { 443 } else { 80 })
        } else {
            origin.authority().to_owned()
        };
        // A host with a trailing dot is the same host, but browsers keep separate cookies for it.
        !origin.host().ends_with('.')
            && !self.cookie_domain.as_ref().is_some_and(|domain| domain.covers(origin.host()))
            && self.preview_hosts.iter().any(|pattern| pattern.matches(&authority))
    }

    /// Whether the login host gives sessions to this origin: not over http if it uses https itself.
    pub(crate) fn accepts_preview_host(&self, origin: &Origin) -> bool {
        self.is_preview_host(origin)
            && self.login_url.as_ref().is_some_and(|login| origin.secure() || !login.secure())
    }

    /// Whether a code for a preview host can be used once only.
    pub(crate) fn has_single_use_codes(&self) -> bool {
        self.refresh.lease == LeaseKind::Lock || self.revocation.store == RevocationStore::Lock
    }

    /// Without a lock, nothing knows whether a code was used.
    pub(super) fn preview_advice(&self, runtime: &Runtime) -> Vec<String> {
        if self.preview_hosts.is_empty() || self.has_single_use_codes() || self.refresh.lease_is_chosen {
            return Vec::new();
        }
        let Some(lock) = runtime.lease(LeaseKind::Lock) else { return Vec::new() };
        vec![format!(
            "AUTH.preview_hosts: for a minute, a browser can use the code that signs it in on a preview host more than \
             once: {}",
            lock.advice
        )]
    }
}
