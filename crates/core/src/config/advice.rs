//! Advice for configurations that are valid but probably not what the operator wants.

use super::{Config, Provider, ProviderKind, Runtime};
use crate::guard::rules::{Requirement, Rule};
use crate::texts::Text;
use vestibule_oidc::credentials::refusal::{GRAPHQL_REFUSALS, Refusals};
use vestibule_oidc::data::DataPath;

impl Config {
    /// Advice about this configuration. It is logged once, when the configuration is loaded.
    pub fn advice(&self, runtime: &Runtime) -> Vec<String> {
        let mut advice = self.lease_advice(runtime);
        advice.extend(self.revocation_advice(runtime));
        advice.extend(self.subject_advice());
        advice.extend(self.email_advice());
        advice.extend(self.refresh_token_advice());
        advice.extend(self.refusal_advice());
        advice.extend(self.texts_advice());
        advice
    }

    /// A page in two languages is hard to read.
    fn texts_advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        for language in self.languages.iter() {
            let missing: Vec<&str> = language.missing().map(Text::key).collect();
            if !missing.is_empty() {
                let (tag, count, names) = (&language.tag, missing.len(), missing.join(", "));
                advice.push(format!(
                    "AUTH.texts.{tag}: {count} texts are missing, and in English there: {names}"
                ));
            }
        }
        advice
    }

    /// Which errors of a GraphQL API refuse, only its operator knows.
    fn refusal_advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        for Provider { id, kind, .. } in &self.providers {
            let ProviderKind::Credentials(api) = kind else { continue };
            let requests = [
                ("login", Some(&api.login.refusals)),
                ("refresh", api.refresh.as_ref().map(|r| &r.refusals)),
            ];
            let usual = |refusals: &Refusals| {
                refusals.error.as_ref().is_some_and(Refusals::is_of_graphql)
                    && refusals.errors.as_ref().is_some_and(|errors| errors.iter().eq(GRAPHQL_REFUSALS))
            };
            let names: Vec<&str> =
                requests.iter().filter(|(_, r)| r.is_some_and(usual)).map(|(name, _)| *name).collect();
            if !names.is_empty() {
                advice.push(format!(
                    "provider {id}: of the errors that its GraphQL API sends, only {} refuse ({}): write those that do \
                     into refused_errors; any other is taken for a failure that passes",
                    GRAPHQL_REFUSALS.join(", "),
                    names.join(", "),
                ));
            }
        }
        advice
    }

    /// Without a refresh token, users sign in again whenever the access token expires.
    fn refresh_token_advice(&self) -> Vec<String> {
        if !self.uses_tokens() {
            return Vec::new();
        }
        let mut advice = Vec::new();
        for Provider { id, kind, .. } in &self.providers {
            let ProviderKind::OAuth(oauth) = kind else { continue };
            if let Some(missing) = oauth.missing_for_refresh_token() {
                advice.push(format!(
                    "provider {id}: the site uses the access token, and a refresh token comes only with {missing}; \
                     without one, users sign in again whenever the access token expires"
                ));
            }
        }
        advice
    }

    /// `sub` is unique for one provider only. With several providers, two users can have the same one.
    fn subject_advice(&self) -> Vec<String> {
        if self.providers.len() < 2 {
            return Vec::new();
        }
        let mut places = Vec::new();
        for rule in self.rules.rules() {
            let asked: Vec<&DataPath> = rule.access.requirements().iter().filter_map(claim).collect();
            if is_ambiguous(&asked) {
                places.push(format!("{}.require", rule.place));
            }
        }
        let mut forwarded = Vec::new();
        for (i, upstream) in self.upstreams.iter().enumerate() {
            let place = format!("AUTH.upstreams[{i}]");
            forwarded.push((format!("{place}.headers"), &upstream.headers));
            forwarded.push((format!("{place}.cookies"), &upstream.cookies));
        }
        for rule in self.rules.rules() {
            let (place, forwarding) = (&rule.place, &rule.forwarding);
            forwarded.extend(forwarding.headers.iter().map(|it| (format!("{place}.headers"), it)));
            forwarded.extend(forwarding.cookies.iter().map(|it| (format!("{place}.cookies"), it)));
        }
        for (place, values) in forwarded {
            if is_ambiguous(&values.iter().flat_map(|(_, value)| value.paths()).collect::<Vec<_>>()) {
                places.push(place);
            }
        }
        let advise = |place| {
            format!(
                "{place}: sub is unique for one provider, and there are several: use account (PROVIDER:SUB), or \
                 provider and sub together"
            )
        };
        places.into_iter().map(advise).collect()
    }

    /// Users of a provider that never verifies addresses cannot meet `email_domain`.
    fn email_advice(&self) -> Vec<String> {
        let asks = |rule: &&Rule| {
            rule.access.requirements().iter().any(|asked| matches!(asked, Requirement::EmailDomain(_)))
        };
        let Some(rule) = self.rules.rules().iter().find(asks) else { return Vec::new() };
        let never = self.providers.iter().filter(|provider| provider.email.statements.are_never_verified());
        let names: Vec<&str> = never.map(|provider| provider.id.as_str()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let (place, names) = (&rule.place, names.join(", "));
        vec![format!(
            "{place}.email_domain: no user of {names} passes, because it verifies no e-mail addresses"
        )]
    }
}

fn claim(asked: &Requirement) -> Option<&DataPath> {
    match asked {
        Requirement::Claim(asked) => Some(&asked.claim),
        Requirement::EmailDomain(_) => None,
    }
}

/// Whether `sub` is among these paths, without the provider.
fn is_ambiguous(paths: &[&DataPath]) -> bool {
    let has = |root: &str| paths.iter().any(|path| path.root() == root);
    has("sub") && !has("provider") && !has("account")
}
