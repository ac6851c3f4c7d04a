//! What rules, header fields and assertions may see of a session, as the provider's entry says.

use serde_json::{Map, Value};

use super::email::EmailPolicy;
use super::{Config, Provider, ProviderKind};
use crate::session::proven::ProvenClaims;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::email::EmailVerification;

impl Config {
    /// What rules, header fields and assertions may see of a session with these claims. `None` if it names no user.
    pub fn proven_claims<'a>(&self, claims: &'a Map<String, Value>) -> Option<ProvenClaims<'a>> {
        let provider = claims.get("provider").and_then(Value::as_str);
        let provider = self.providers.iter().find(|known| Some(known.id.as_str()) == provider);
        let mut verification = match claims.get("email_verified") {
            // The claim is there, so the provider was asked.
            Some(Value::Null) => EmailVerification::Unverified,
            claim => EmailVerification::of_claim(claim),
        };
        // The session is older than this setting of the provider.
        if verification == EmailVerification::Unstated
            && provider.is_some_and(|provider| provider.email.statements.are_never_verified())
        {
            verification = EmailVerification::Unverified;
        }
        let is_withheld = match provider {
            Some(provider) => provider.email.withholds(verification),
            None => EmailPolicy::default().withholds(verification),
        };
        let mut withheld = if is_withheld { self.email_claims(provider) } else { Vec::new() };
        if is_withheld && has_email_as_name(claims) {
            withheld.push(DataPath::new("name", []));
        }
        let has_proven_email = match verification {
            EmailVerification::Verified => true,
            EmailVerification::Unverified => false,
            EmailVerification::Unstated => provider.is_some_and(|provider| provider.email.is_own),
        };
        ProvenClaims::new(claims, has_proven_email, &withheld)
    }

    /// Where a session has the e-mail address: the claim `email`, and what `claims` takes from the same places.
    fn email_claims(&self, provider: Option<&Provider>) -> Vec<DataPath> {
        let sources = email_sources(provider);
        let mut paths = vec![DataPath::new("email", [])];
        for (claim, from) in &self.claims {
            for source in &sources {
                if from.is_within(source) {
                    paths.push(DataPath::new(claim, []));
                } else if source.is_within(from) {
                    paths.push(DataPath::new(claim, source.rest().skip(from.rest().len())));
                }
            }
        }
        paths
    }

    /// Removes the e-mail address from the data of a sign-in.
    pub(crate) fn remove_email(&self, provider: &Provider, roots: &mut Map<String, Value>) {
        if roots.get("user").and_then(Value::as_object).is_some_and(has_email_as_name) {
            DataPath::new("user", ["name"]).remove(roots);
        }
        for source in email_sources(Some(provider)) {
            source.remove(roots);
        }
        for claim in self.email_claims(Some(provider)) {
            DataPath::new("user", std::iter::once(claim.root()).chain(claim.rest())).remove(roots);
        }
    }
}

/// Some presets take the address where there is no name.
fn has_email_as_name(user: &Map<String, Value>) -> bool {
    user.get("email").is_some_and(|email| user.get("name") == Some(email))
}

/// Where the data of a sign-in has the e-mail address.
fn email_sources(provider: Option<&Provider>) -> Vec<DataPath> {
    let mut sources: Vec<DataPath> = Vec::new();
    for root in ["user", "profile", "id_token", "access_token"] {
        sources.push(DataPath::new(root, ["email"]));
    }
    match provider.map(|provider| &provider.kind) {
        Some(ProviderKind::OAuth(oauth)) => {
            sources.extend(oauth.user.email.paths().into_iter().cloned());
            if let Some(list) = oauth.emails.as_ref().and_then(|emails| emails.list.as_ref()) {
                sources.push(DataPath::new("profile", std::iter::once(list.root()).chain(list.rest())));
            }
        }
        Some(ProviderKind::Credentials(api)) => {
            for path in api.user.email.iter().flat_map(|source| source.paths()) {
                let root = if path.root() == "body" { "login" } else { path.root() };
                sources.push(DataPath::new(root, path.rest()));
            }
        }
        None => {}
    }
    sources
}
