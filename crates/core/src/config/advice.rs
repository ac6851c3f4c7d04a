//! Advice for configurations that are valid but probably not what the operator wants.

use std::collections::BTreeSet;

use super::check::session::CLAIM_ROOTS;
use super::{Config, Provider, ProviderKind, Runtime};
use crate::guard::rules::{Requirement, Rule};
use crate::session::own_claims::is_own_claim;
use crate::session::scope::SCOPE;
use crate::texts::Text;
use crate::upstream::value::UpstreamValue;
use vestibule_oidc::credentials::refusal::{GRAPHQL_REFUSALS, Refusals};
use vestibule_oidc::data::DataPath;

impl Config {
    /// Advice about this configuration. It is logged once, when the configuration is loaded.
    pub fn advice(&self, runtime: &Runtime) -> Vec<String> {
        let mut advice = self.lease_advice(runtime);
        advice.extend(self.revocation_advice(runtime));
        advice.extend(self.logout_advice());
        advice.extend(self.claim_advice());
        advice.extend(self.preview_advice(runtime));
        advice.extend(self.subject_advice());
        advice.extend(self.email_advice());
        advice.extend(self.refresh_token_advice());
        advice.extend(self.refusal_advice());
        advice.extend(self.texts_advice());
        advice.extend(self.client_key_advice());
        advice.extend(self.dpop_advice());
        advice.extend(self.step_up_advice());
        advice.extend(self.tokens_advice());
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

    /// A claim that no sign-in collects is in no session, so a rule that requires it refuses everyone.
    fn claim_advice(&self) -> Vec<String> {
        // Without a provider, another deployment signs users in, and its configuration says which claims there are.
        if self.providers.is_empty() {
            return Vec::new();
        }
        let mut advice = Vec::new();
        let configured = self.claims.iter().map(|(claim, _)| claim).chain(&self.session.updatable);
        let configured: BTreeSet<&str> = configured.map(String::as_str).collect();
        let mut check = |place: &str, path: &DataPath, effect: &str| {
            let claim = path.root();
            if !configured.contains(claim) && !self.is_collected(claim) {
                // A path such as `profile.roles` is what the provider says.
                let said = path.rest().next().filter(|_| CLAIM_ROOTS.contains(&claim));
                let fix = match said {
                    Some(said) => {
                        format!("add {said} = \"{claim}.{said}\" to claims, and write {said:?} here")
                    }
                    None => format!("add it to claims, for example {claim} = \"profile.{claim}\""),
                };
                advice.push(format!(
                    "{place}: no sign-in puts the claim {claim:?} into the session, so {effect}: {fix}; or use one \
                     that is there"
                ));
            }
        };
        for rule in self.rules.rules() {
            for asked in rule.access.requirements().iter().filter_map(claim) {
                check(&format!("{}.require", rule.place), asked, "the rule finds nothing there");
            }
        }
        for (place, values) in self.forwarded_values() {
            for (name, value) in values {
                for from in value.paths() {
                    check(&place, from, &format!("{name} is never sent"));
                }
            }
        }
        for (to, from) in &self.session.expose {
            check("AUTH.session.expose", from, &format!("{to} is never shown"));
        }
        advice
    }

    /// Whether a session can have a claim of this name, if the configuration names none. What a hook adds is not known here.
    fn is_collected(&self, claim: &str) -> bool {
        const OF_EVERY_SIGN_IN: [&str; 4] = ["name", "email", "picture", "email_verified"];
        OF_EVERY_SIGN_IN.contains(&claim) || is_own_claim(claim) || claim == SCOPE && self.takes_tokens
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
        for (place, values) in self.forwarded_values() {
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

    /// What upstreams get of sessions, each with its place in the configuration.
    pub(super) fn forwarded_values(&self) -> Vec<(String, &Vec<(String, UpstreamValue)>)> {
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
        forwarded
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
