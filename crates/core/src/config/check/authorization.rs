//! `authorization` of upstreams and rules: which token goes out as `Authorization: Bearer`.

use super::names::is_scope;
use super::session::session_source;
use super::tokens::needs_token;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::config::{Provider, ProviderKind};
use crate::upstream::bearer_token::BearerToken;
use vestibule_oidc::oauth::provider::ExchangeDialect;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token_exchange::ExchangeTarget;

/// The longest name of a service, in bytes.
const MAX_NAME: usize = 1024;

/// What the table around the key says: a path of the session, or what its access token is exchanged for.
pub(super) fn authorization(around: &Table<'_>) -> Option<BearerToken> {
    if let Some(text) = around.text("authorization") {
        return session_source(&text).map(BearerToken::Claim);
    }
    let authorization = around.table("authorization");
    if !authorization.is_written() {
        return None;
    }
    let exchange = authorization.table("exchange");
    if !exchange.is_written() {
        refuse!(
            authorization.at("exchange"),
            "what the access token is exchanged for is missing",
            "write exchange = {{ audience = \"orders\" }}, or authorization = \"access_token\" for the session's own"
        );
        return None;
    }
    let target = ExchangeTarget {
        audiences: named(
            &exchange,
            "audience",
            is_name,
            "a name without white space, for example \"orders\"",
        ),
        resources: named(
            &exchange,
            "resource",
            is_resource,
            "an absolute URI without a fragment, for example \"https://orders.example.com\"",
        ),
        scopes: scopes(&exchange),
    };
    if !["audience", "resource", "scope"].iter().any(|key| exchange.has(key)) {
        refuse!(
            exchange.place,
            "the token is for nobody: audience, resource and scope are missing",
            "write audience = \"orders\", as the provider calls the service"
        );
    }
    refuse_own_token(around);
    Some(BearerToken::for_target(target))
}

/// Refuses what no provider of the configuration can do. Without providers, another deployment signs users in, and this one
/// has no client that could ask for a token.
pub(super) fn refuse_impossible(auth: &Table<'_>, providers: &[Provider]) {
    let oauth: Vec<(&str, &OAuthProvider)> = providers.iter().filter_map(of_oauth).collect();
    let is_microsoft = |provider: &OAuthProvider| provider.exchange_dialect == ExchangeDialect::OnBehalfOf;
    let microsoft = oauth.iter().find(|(_, provider)| is_microsoft(provider)).map(|(id, _)| *id);
    let are_all_microsoft = oauth.iter().all(|(_, provider)| is_microsoft(provider));
    for around in auth.tables("upstreams").iter().chain(&auth.tables("rules")) {
        let authorization = around.table("authorization");
        let exchange = authorization.table("exchange");
        if !exchange.is_written() {
            continue;
        }
        if oauth.is_empty() && !auth.place.key("providers").is_refused() {
            refuse!(
                exchange.place,
                "no provider of this configuration can exchange tokens: none is of type \"oidc\" or \"oauth2\"",
                "add the provider that signs users in, with its client's credentials"
            );
        }
        let Some(id) = microsoft else { continue };
        if !exchange.has("scope") {
            refuse!(
                exchange.at("scope"),
                "the scope is missing, by which the provider {id} knows whom the token is for (token_exchange = \"on-behalf-of\")",
                "write scope = \"api://CLIENT_ID/.default\""
            );
        }
        for key in ["audience", "resource"] {
            if are_all_microsoft && exchange.has(key) {
                refuse!(
                    exchange.at(key),
                    "the provider {id} does not know this parameter (token_exchange = \"on-behalf-of\")",
                    "write scope = \"api://CLIENT_ID/.default\", with the client id of the service"
                );
            }
        }
    }
}

fn of_oauth(provider: &Provider) -> Option<(&str, &OAuthProvider)> {
    match &provider.kind {
        ProviderKind::OAuth(oauth) => Some((&provider.id, oauth)),
        ProviderKind::Credentials(_) => None,
    }
}

/// The texts of a key, all of which are what `is_good` accepts.
fn named(exchange: &Table<'_>, key: &str, is_good: fn(&str) -> bool, wanted: &str) -> Vec<String> {
    let texts = exchange.texts(key);
    if exchange.has(key) && texts.is_empty() {
        refuse!(exchange.at(key), "the list is empty", "write {wanted}, or remove the key");
    }
    for text in &texts {
        if !is_good(text.text) {
            refuse!(text, "{text} must be {wanted}");
        }
    }
    texts.iter().map(|text| text.text.to_owned()).collect()
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a text is an absolute URI without a fragment (RFC 8707 section 2).
fn is_resource(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme && is_name(text) && text.len() > scheme.len() + 1 && !text.contains('#')
}

fn scopes(exchange: &Table<'_>) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let texts = exchange.texts("scope");
    for text in &texts {
        for scope in text.text.split(' ').filter(|scope| !scope.is_empty()) {
            if !is_scope(scope) {
                let scope: Text<'_> = text.with(scope);
                refuse!(scope, "{scope} is not a valid scope");
            } else if !scopes.iter().any(|other| other == scope) {
                scopes.push(scope.to_owned());
            }
        }
    }
    if exchange.has("scope") && scopes.is_empty() && !exchange.at("scope").is_refused() {
        refuse!(exchange.at("scope"), "there is no scope in it", "write the scopes, or remove the key");
    }
    scopes
}

/// Refuses to send the session's own token beside the one for which it is exchanged.
fn refuse_own_token(around: &Table<'_>) {
    let (headers, cookies) = (around.table("headers"), around.table("cookies"));
    for from in headers.entries().into_iter().chain(cookies.entries()).filter(needs_token) {
        refuse!(
            from,
            "with `exchange` the server gets a token of its own, and never the session's",
            "remove this, or write authorization = \"access_token\""
        );
    }
}
