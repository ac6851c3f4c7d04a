//! Which providers and transmitters may end sessions by themselves, and advice where that cannot be stored.

use super::{Config, Provider, ProviderKind};
use crate::revocation::kind::RevocationStore;
use vestibule_oidc::oauth::provider::{OAuthProvider, OpenId};
use vestibule_oidc::oauth::transmitter::EventTransmitter;

impl Config {
    /// The providers whose logout tokens end sessions.
    pub(crate) fn backchannel_providers(&self) -> impl Iterator<Item = (&Provider, &OAuthProvider, &OpenId)> {
        self.openid_providers().filter(|(.., openid)| openid.backchannel_logout && self.has_revocations())
    }

    /// The providers whose logout page ends sessions by a frame.
    pub(crate) fn frontchannel_providers(
        &self,
    ) -> impl Iterator<Item = (&Provider, &OAuthProvider, &OpenId)> {
        self.openid_providers().filter(|(.., openid)| openid.frontchannel_logout && self.has_revocations())
    }

    /// Who may send security events.
    pub(crate) fn transmitters(&self) -> impl Iterator<Item = &EventTransmitter> {
        self.event_transmitters.iter().filter(|_| self.has_revocations())
    }

    /// Whether someone may end a session by the provider's name of it, so that a session has to have that name. Each process
    /// then reads one fact more for it.
    pub(crate) fn keeps_provider_session(&self, provider: &str) -> bool {
        let is_it = |(found, ..): (&Provider, &OAuthProvider, &OpenId)| found.id == provider;
        self.revocation.operator.are_set()
            || self.backchannel_providers().any(is_it)
            || self.frontchannel_providers().any(is_it)
            || self.transmitters().any(|transmitter| transmitter.provider == provider)
    }

    /// Whether the provider may end all sessions of a user, by its own name and clock. The same.
    pub(crate) fn keeps_provider_user(&self, provider: &str) -> bool {
        self.backchannel_providers().any(|(found, ..)| found.id == provider)
    }

    /// Without a store, what providers say cannot be kept, so nothing is listened to.
    pub(super) fn logout_advice(&self) -> Vec<String> {
        if self.has_revocations() {
            return Vec::new();
        }
        let base_path = &self.base_path;
        let without_effect = |place: String, route: &str| {
            format!(
                "{place} has no effect, and {base_path}/{route} does not exist, because there is no store of revocations: set \
                 AUTH.revocation.store (docs/logout.md)"
            )
        };
        let mut advice = Vec::new();
        for (provider, _, openid) in self.openid_providers() {
            let id = &provider.id;
            if openid.backchannel_logout {
                advice
                    .push(without_effect(format!("provider {id}: backchannel_logout"), "backchannel-logout"));
            }
            if openid.frontchannel_logout {
                advice.push(without_effect(
                    format!("provider {id}: frontchannel_logout"),
                    "frontchannel-logout",
                ));
            }
        }
        if !self.event_transmitters.is_empty() {
            advice.push(without_effect("AUTH.event_transmitters".to_owned(), "security-events"));
        }
        advice
    }

    fn has_revocations(&self) -> bool {
        self.revocation.store != RevocationStore::None
    }

    fn openid_providers(&self) -> impl Iterator<Item = (&Provider, &OAuthProvider, &OpenId)> {
        self.providers.iter().filter_map(|provider| {
            let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
            Some((provider, &**oauth, oauth.openid.as_ref()?))
        })
    }
}
