//! Advice about tokens that are bound to a key (`dpop`), and sent where they are of no use.

use super::Config;
use vestibule_oidc::data::DataPath;

impl Config {
    /// A bound access token works only with a proof, which upstreams get with `Authorization` only.
    pub(super) fn dpop_advice(&self) -> Vec<String> {
        let bound = self.providers.iter().filter(|provider| provider.binds_tokens());
        let bound: Vec<&str> = bound.map(|provider| provider.id.as_str()).collect();
        if bound.is_empty() {
            return Vec::new();
        }
        let ids = bound.join(", ");
        let mut advice = Vec::new();
        let mut warn_of = |place: &str, what: &str| {
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
                    warn_of(&place, &format!("{name} has"));
                }
            }
        }
        for (i, upstream) in self.upstreams.iter().enumerate() {
            if upstream.forward_session {
                warn_of(&format!("AUTH.upstreams[{i}].forward_session"), "the forwarded session has");
            }
        }
        let is_sent = self.upstreams.iter().any(|upstream| {
            upstream.authorization.is_some()
                || upstream.headers.iter().any(|(name, _)| name == "authorization")
        });
        if is_sent && self.verify.secret.is_some() {
            warn_of("AUTH.verify", "a proxy's answer may have");
        }
        if self.session.expose.iter().any(|(_, from)| from.root() == "access_token") {
            warn_of("AUTH.session.expose", "pages see");
        }
        advice
    }
}
