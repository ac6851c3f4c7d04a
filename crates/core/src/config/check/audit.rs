//! `[vars.AUTH.audit]`: which lines the audit log has, and where they go.

use super::secrets::{AUDIT_SECRET, IN_A_FILE, check_header_secret, variable};
use crate::config::Provider;
use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::log::{AuditConfig, AuditKind, Sink};
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::secret::Secret;

/// A provider with this id has a client secret of the same name as the endpoint.
const PROVIDER: &str = "audit";

/// What each of them costs a request is small; more are a mistake.
const MAX_SINKS: usize = 4;

/// Checks the table. `other_secrets` are those which the endpoint's must differ from.
pub(super) fn audit(audit: &Table<'_>, providers: &[Provider], other_secrets: &[&Secret]) -> AuditConfig {
    if audit.has("secret") {
        let set = audit.place.set_secret(AUDIT_SECRET);
        refuse!(
            audit.at("secret"),
            "{IN_A_FILE}",
            "remove it, create a new one with `openssl rand -hex 32` and set it {set}",
        );
    }
    let sinks = sinks(audit);
    let has_endpoint = sinks.iter().any(|sink| matches!(sink, Sink::Http(_)));
    if has_endpoint && providers.iter().any(|provider| provider.id == PROVIDER) {
        refuse!(
            audit.at("sinks"),
            "the client secret of the provider {PROVIDER:?} has the name of the endpoint's, and would be sent there",
            "give that provider another id"
        );
    }
    let secret = variable(audit.place.loading.env, AUDIT_SECRET).filter(|_| has_endpoint);
    if let Some(secret) = &secret {
        check_header_secret(
            secret,
            &audit.place.variable(AUDIT_SECRET),
            other_secrets,
            "this secret has another purpose too, so anyone who runs the endpoint of audit.sinks could use it for that",
        );
    }
    AuditConfig { sinks, kinds: kinds(audit), secret: secret.map(Secret::new) }
}

fn sinks(audit: &Table<'_>) -> Vec<Sink> {
    if !audit.has("sinks") {
        return vec![Sink::Log];
    }
    let texts = audit.texts("sinks");
    if let [only] = texts.as_slice()
        && only.text == "none"
    {
        return Vec::new();
    }
    let mut sinks = Vec::new();
    for text in &texts {
        let Some(sink) = sink(text) else { continue };
        if sinks.contains(&sink) {
            refuse!(text, "{text} is there twice");
        }
        sinks.push(sink);
    }
    if sinks.len() > MAX_SINKS {
        refuse!(audit.at("sinks"), "there are more than {MAX_SINKS}");
    }
    sinks
}

fn sink(text: &Text<'_>) -> Option<Sink> {
    let bound = text.place.loading.runtime.sinks.iter();
    let mut known = vec!["log"];
    known.extend(bound.clone().map(|sink| sink.value));
    if text.text == "log" {
        return Some(Sink::Log);
    }
    if let Some(sink) = bound.clone().find(|sink| sink.value == text.text) {
        return Some(Sink::Bound(sink.kind));
    }
    if !text.text.contains("://") {
        let hint = suggestion(text.text, &known);
        refuse!(text, "{text} is neither a known value nor a URL; {hint}");
        return None;
    }
    text.parsed(endpoint).map(Sink::Http)
}

fn kinds(audit: &Table<'_>) -> Vec<AuditKind> {
    if !audit.has("kinds") {
        return AuditKind::usual();
    }
    let mut kinds = Vec::new();
    for text in audit.texts("kinds") {
        match AuditKind::NAMES.iter().find(|(name, _)| *name == text.text) {
            Some((_, kind)) => kinds.push(*kind),
            None => text.refuse_unknown(&AuditKind::NAMES.map(|(name, _)| name)),
        }
    }
    kinds
}
