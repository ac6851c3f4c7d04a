//! What a configuration needs of the runtime, and what is worth knowing about it.

use super::error::{ConfigErrors, Problems};
use super::place::{Loading, Place, refuse};
use super::{Config, Provider, ProviderKind, told};
use crate::lease::kind::{KV, LeaseKind};
use crate::session::claims::is_of_token;

impl Config {
    /// Sees that the Worker has the bindings that this configuration needs. A Worker in which nothing uses
    /// access tokens renews none and needs none; where no lease is chosen, it is the best that is bound.
    pub fn check_bindings(mut self, is_bound: &dyn Fn(&str) -> bool) -> Result<Self, ConfigErrors> {
        let Some(binding) = self.refresh.lease.binding().filter(|name| !is_bound(name)) else {
            return Ok(self);
        };
        if !self.refresh.lease_is_chosen {
            self.refresh.lease = LeaseKind::None;
            return Ok(self);
        }
        if !self.uses_tokens() {
            return Ok(self);
        }
        let loading = Loading { env: &|_| None, problems: Problems::default() };
        let root = Place::root(&loading);
        let refresh = root.key("refresh");
        let place = refresh.key("lease");
        if self.refresh.lease == LeaseKind::DurableObject {
            refuse!(
                place,
                "\"durable-object\" needs a Durable Object bound as {binding}, and there is none",
                "add to wrangler.toml: `[[durable_objects.bindings]]`, `name = \"AUTH_LEASE\"`, \
                 `class_name = \"RefreshLease\"`, and `[[migrations]]`, `tag = \"v1\"`, \
                 `new_sqlite_classes = [\"RefreshLease\"]`"
            );
        } else {
            refuse!(
                place,
                "\"kv\" needs a KV namespace bound as {binding}, and there is none",
                "add to wrangler.toml: `[[kv_namespaces]]`, `binding = \"AUTH_KV\"`; or write \"none\" where no \
                 provider here minds a refresh token that is used twice"
            );
        }
        loading.problems.unless_any(None)
    }

    /// What is allowed and still worth knowing: said once, when the configuration is loaded.
    pub fn advice(&self) -> Vec<String> {
        let is_strict = |provider: &&Provider| match &provider.kind {
            ProviderKind::OAuth(oauth) => oauth.strict_rotation,
            ProviderKind::Credentials(api) => api.refresh.is_some() && api.strict_rotation,
        };
        let strict = self.providers.iter().filter(is_strict);
        let names: Vec<&str> = strict.map(|provider| provider.id.as_str()).collect();
        let mut advice = Vec::new();
        if !self.uses_tokens() || self.providers.is_empty() {
            return advice;
        }
        if self.refresh.lease == LeaseKind::None && !self.refresh.lease_is_chosen {
            advice.push(format!(
                "AUTH.refresh.lease: no KV namespace is bound as {KV}, so only the requests of one isolate are kept \
                 from using a refresh token twice: add it, or write lease = \"none\" (docs/refresh.md)"
            ));
        }
        if self.refresh.lease != LeaseKind::DurableObject && !names.is_empty() {
            advice.push(format!(
                "AUTH.refresh.lease: {} ends a sign-in whose refresh token is used twice, and only a Durable Object \
                 keeps two locations from that: write lease = \"durable-object\" (docs/refresh.md)",
                names.join(", "),
            ));
        }
        advice
    }

    /// Whether anything is done with access tokens at all.
    fn uses_tokens(&self) -> bool {
        self.session.exposes_token()
            || self.upstreams.iter().any(|upstream| upstream.forward_session)
            || told(&self.upstreams, self.rules.rules()).into_iter().any(is_of_token)
    }
}
