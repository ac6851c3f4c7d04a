//! `[[vars.AUTH.event_transmitters]]`: who may send security events.

use super::providers::provider_variable;
use super::secrets::{IN_A_FILE, check_header_secret};
use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::Table;
use crate::config::{Provider, ProviderKind};
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::transmitter::{EventTransmitter, TransmitterKeys};
use vestibule_oidc::secret::Secret;

/// More than any audience has.
const MAX_AUDIENCE: usize = 512;

/// Checks the tables. `other_secrets` are those which a transmitter's must differ from.
pub(super) fn transmitters(
    auth: &Table<'_>,
    providers: &[Provider],
    other_secrets: &[&Secret],
) -> Vec<EventTransmitter> {
    let mut transmitters: Vec<EventTransmitter> = Vec::new();
    for table in auth.tables("event_transmitters") {
        let Some(transmitter) = transmitter(&table, providers, other_secrets) else { continue };
        let is_twin = |other: &EventTransmitter| {
            other.issuer == transmitter.issuer
                && other.audiences.iter().any(|audience| transmitter.audiences.contains(audience))
        };
        if transmitters.iter().any(is_twin) {
            refuse!(
                table.at("audience"),
                "another transmitter has the same issuer and audience, so it is unclear whose users its events are about"
            );
        }
        transmitters.push(transmitter);
    }
    transmitters
}

fn transmitter(
    table: &Table<'_>,
    providers: &[Provider],
    other_secrets: &[&Secret],
) -> Option<EventTransmitter> {
    let audiences = audiences(table);
    let provider = provider(table, providers)?;
    let oauth = match &provider.kind {
        ProviderKind::OAuth(oauth) => Some(&**oauth),
        ProviderKind::Credentials(_) => None,
    };
    // Events name the user as the provider's ID tokens do, and sessions would have another name.
    if oauth.is_some_and(|oauth| oauth.openid.is_some() && oauth.user.id.is_some()) {
        let id = &provider.id;
        refuse!(
            table.at("provider"),
            "the events name users by the \"sub\" of {id:?}, and its users have another id here (user.id)",
            "remove user.id of that provider"
        );
    }
    let (issuer, keys) = issuer_and_keys(table, oauth)?;
    Some(EventTransmitter {
        issuer,
        keys,
        audiences,
        authorization: authorization(table, &provider.id, other_secrets),
        provider: provider.id.clone(),
        may_revoke: table.flag("global_token_revocation").unwrap_or(false),
    })
}

fn audiences(table: &Table<'_>) -> Vec<String> {
    let audiences = table.texts("audience");
    if audiences.is_empty() {
        refuse!(
            table.at("audience"),
            "the audience is missing; without it, events for other receivers would be accepted",
            "write the \"aud\" of events for this site, as the transmitter says it",
        );
    }
    for text in audiences {
        let is_good = (1..=MAX_AUDIENCE).contains(&text.text.len())
            && !text.text.contains(|c: char| c.is_control() || c.is_whitespace());
        if !is_good {
            refuse!(text, "an audience must have 1 to 512 characters without white space");
        }
    }
    table.strings("audience")
}

/// The provider whose users the events are about.
fn provider<'a>(table: &Table<'_>, providers: &'a [Provider]) -> Option<&'a Provider> {
    let Some(text) = table.text("provider") else {
        if let [only] = providers {
            return Some(only);
        }
        refuse!(
            table.at("provider"),
            "it is unclear whose users the events are about",
            "write the id of one of the providers"
        );
        return None;
    };
    let found = providers.iter().find(|provider| provider.id == text.text);
    if found.is_none() {
        let ids: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
        let hint = suggestion(text.text, &ids);
        refuse!(text, "no provider has the id {text}; {hint}");
    }
    found
}

fn issuer_and_keys(table: &Table<'_>, oauth: Option<&OAuthProvider>) -> Option<(String, TransmitterKeys)> {
    let of_provider = oauth.filter(|oauth| oauth.openid.is_some()).and_then(|oauth| oauth.issuer.as_deref());
    let issuer = if let Some(text) = table.text("issuer") {
        if text.parsed(endpoint)?.query().is_some() {
            refuse!(text, "{text}: an issuer cannot have a query; remove \"?\" and what follows it");
        }
        text.text.to_owned()
    } else if let Some(issuer) = of_provider {
        issuer.to_owned()
    } else {
        refuse!(table.at("issuer"), "the issuer is missing; write the \"iss\" of the events");
        return None;
    };
    let keys = match table.text("jwks") {
        Some(jwks) => TransmitterKeys::At(jwks.parsed(endpoint)?),
        None if of_provider == Some(issuer.as_str()) => TransmitterKeys::OfProvider,
        None => TransmitterKeys::Discovered,
    };
    Some((issuer, keys))
}

fn authorization(table: &Table<'_>, provider: &str, others: &[&Secret]) -> Option<Secret> {
    let (name, secret) = provider_variable(provider, "events_secret", table.place.loading.env);
    if table.has("secret") {
        let set = table.place.set_secret(&name);
        refuse!(
            table.at("secret"),
            "{IN_A_FILE}",
            "remove it, create a new one with `openssl rand -hex 32` and set it {set}",
        );
    }
    let secret = secret?;
    check_header_secret(
        &secret,
        &table.place.variable(&name),
        others,
        "this secret has another purpose too, so the transmitter could use it for that",
    );
    Some(Secret::new(secret))
}
