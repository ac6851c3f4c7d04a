//! Advice about tokens that are bound to a key (`dpop`), and sent where they are of no use.

use super::{Config, Provider, ProviderKind};
use vestibule_oidc::data::DataPath;

impl Config {
    /// A bound access token works only with a proof, which upstreams get with `Authorization` only.
    pub(super) fn dpop_advice(&self) -> Vec<String> {
        let is_bound =
            |provider: &&Provider| matches!(&provider.kind, ProviderKind::OAuth(oauth) if oauth.dpop);
        let bound: Vec<&str> =
            self.providers.iter().filter(is_bound).map(|provider| provider.id.as_str()).collect();
        if bound.is_empty() {
            return Vec::new();
        }
        let ids = bound.join(", ");
        let mut advice = Vec::new();
        let mut advise = |place: &str, what: &str| {
            advice.push(format!(
                "{place}: {what} the access token of {ids}, which is bound to a key (dpop) and works only with a proof; an \
                 upstream with authorization = \"access_token\" gets both (docs/upstreams.md)"
            ));
        };
        for (place, values) in self.forwarded_values() {
            for (name, value) in values {
                let is_token = |path: &&DataPath| path.root() == "access_token";
                if value.paths().iter().any(is_token)
                    && !(name == "authorization" && place.ends_with(".headers"))
                {
                    advise(&place, &format!("{name} has"));
                }
            }
        }
        for (i, upstream) in self.upstreams.iter().enumerate() {
            if upstream.forward_session {
                advise(&format!("AUTH.upstreams[{i}].forward_session"), "the forwarded session has");
            }
        }
        let is_sent = self.upstreams.iter().any(|upstream| {
            upstream.authorization.is_some()
                || upstream.headers.iter().any(|(name, _)| name == "authorization")
        });
        if is_sent && self.verify.secret.is_some() {
            advise("AUTH.verify", "a proxy's answer may have");
        }
        if self.session.expose.iter().any(|(_, from)| from.root() == "access_token") {
            advise("AUTH.session.expose", "pages see");
        }
        advice
    }
}
