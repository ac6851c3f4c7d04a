//! Advice about rules with `acr`, `amr` or `max_age`.

use super::Config;

impl Config {
    /// Who signs in without an ID token can never show what such a rule asks for.
    pub(super) fn step_up_advice(&self) -> Vec<String> {
        let silent = self.providers.iter().filter(|provider| !provider.gives_id_tokens());
        let names: Vec<&str> = silent.map(|provider| provider.id.as_str()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let names = names.join(", ");
        let asking = self.rules.rules().iter().filter(|rule| !rule.step_up.is_empty());
        let advise = |place: &str| {
            format!(
                "{place}: acr, amr and max_age are of an ID token, and {names} gives none: its users get 403 there"
            )
        };
        asking.map(|rule| advise(&rule.place)).collect()
    }
}
