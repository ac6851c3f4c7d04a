//! Advice about the limits of attempts to sign in.

use super::{Config, ProviderKind, Runtime};

impl Config {
    /// What it means that the runtime does not count attempts to sign in with a form, where there is such a form.
    pub fn login_limit_advice(&self, runtime: &Runtime, are_bound: bool) -> Option<String> {
        let is_form = |kind: &ProviderKind| matches!(kind, ProviderKind::Credentials(_));
        let provider = self.providers.iter().find(|provider| is_form(&provider.kind))?;
        (!are_bound).then(|| {
            format!(
                "provider {}: each process counts attempts to guess a password by itself, so anyone who reaches several \
                 processes has as many times more: {}",
                provider.id, runtime.login_limits
            )
        })
    }
}
