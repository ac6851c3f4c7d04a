//! `[[vars.AUTH.resources]]`: parts of the site whose clients send access tokens for exactly that part.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::check::names::is_scope;
use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::config::{Provider, ProviderKind};
use crate::guard::challenge::scopes_of;
use crate::guard::cross_origin::TrustedOrigin;
use crate::guard::path::CanonicalPath;
use crate::guard::resource::{
    Resource, ResourceDocuments, ResourceIdentifier, ResourceIdentifierError, Resources, WELL_KNOWN,
};
use crate::guard::rules::Rule;
use vestibule_oidc::http::origin::{EndpointError, HostPattern, HostPatternError, endpoint};
use vestibule_oidc::oauth::provider::{OAuthProvider, OpenId};

/// More than any audience or name has, in bytes.
const MAX_LENGTH: usize = 512;

/// Checks the tables.
pub(super) fn resources(
    auth: &Table<'_>,
    base_path: &str,
    providers: &[Provider],
    rules: &[Rule],
) -> Resources {
    let mut resources: Vec<Resource> = Vec::new();
    let scoped = ScopedRules::of(rules);
    let mut earlier = Earlier::of_providers(providers);
    for table in auth.tables("resources") {
        let Some(resource) = resource(&table, base_path, providers, &scoped) else { continue };
        earlier.refuse_shared_audience(&table, &resource);
        earlier.add(&resource);
        resources.push(resource);
    }
    Resources::new(resources)
}

fn resource(
    table: &Table<'_>,
    base_path: &str,
    providers: &[Provider],
    rules: &ScopedRules<'_>,
) -> Option<Resource> {
    let identifier = identifier(table, base_path);
    let provider = provider(table, providers);
    let audiences = audiences(table);
    let scopes = scopes(table);
    let origins = origins(table);
    let about = ResourceDocuments {
        name: name(table),
        documentation: url(table, "documentation"),
        policy: url(table, "policy"),
        terms: url(table, "terms"),
    };
    let (identifier, (provider, openid)) = (identifier?, provider?);
    let mut accepted = openid.accept_bearer.clone().unwrap_or_default();
    accepted.audiences = if audiences.is_empty() { identifier.audiences() } else { audiences };
    Some(Resource {
        provider: provider.id.clone(),
        issuer: openid.issuer.clone(),
        accepted,
        scopes: scopes.unwrap_or_else(|| rules.scopes(&identifier)),
        about,
        origins,
        takes_sessions: table.flag("session").unwrap_or(false),
        identifier,
    })
}

fn identifier(table: &Table<'_>, base_path: &str) -> Option<ResourceIdentifier> {
    let Some(text) = table.text("resource") else {
        refuse!(
            table.at("resource"),
            "the URL of the resource is missing",
            "write for example \"https://app.example.com/mcp\""
        );
        return None;
    };
    let identifier = match ResourceIdentifier::parse(text.text) {
        Ok(identifier) => identifier,
        Err(ResourceIdentifierError::NotExact(exact)) => {
            refuse!(text, "{text}: clients compare it as a text, and write it otherwise", "write {exact:?}");
            return None;
        }
        Err(why) => {
            text.refuse_because(&why);
            return None;
        }
    };
    let path = CanonicalPath::new(&format!("/{}", identifier.segments().join("/"))).ok();
    for own in [base_path, WELL_KNOWN] {
        if path.as_ref().is_none_or(|path| path.may_be_below(own)) {
            refuse!(text, "{text}: Vestibule itself answers below {own}", "write another path");
            return None;
        }
    }
    Some(identifier)
}

/// The provider whose tokens are accepted, with its settings of OpenID Connect.
fn provider<'a>(table: &Table<'_>, providers: &'a [Provider]) -> Option<(&'a Provider, &'a OpenId)> {
    let with_openid = |provider: &'a Provider| Some((provider, openid(provider)?));
    let Some(text) = table.text("provider") else {
        let mut all = providers.iter().filter_map(with_openid);
        match (all.next(), all.next()) {
            (Some(only), None) => return checked(table, only, None),
            (None, _) => refuse!(
                table.place,
                "no provider has type = \"oidc\", and tokens are checked with the keys that such a provider publishes",
                "add the provider that issues the tokens"
            ),
            (Some(_), Some(_)) => refuse!(
                table.at("provider"),
                "it is unclear which provider issues the tokens",
                "write the id of one of the providers"
            ),
        }
        return None;
    };
    let Some(found) = providers.iter().find(|provider| provider.id == text.text) else {
        let ids: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
        let hint = suggestion(text.text, &ids);
        refuse!(text, "no provider has the id {text}; {hint}");
        return None;
    };
    let Some(found) = with_openid(found) else {
        refuse!(
            text,
            "{text} has no published keys to check tokens with",
            "write the id of a provider with type = \"oidc\""
        );
        return None;
    };
    checked(table, found, Some(text))
}

fn checked<'a>(
    table: &Table<'_>,
    found: (&'a Provider, &'a OpenId),
    text: Option<Text<'_>>,
) -> Option<(&'a Provider, &'a OpenId)> {
    let (provider, openid) = found;
    let place = text.map_or(table.place, |text| text.place);
    let id = &provider.id;
    if oauth(provider).is_some_and(|oauth| oauth.profile.is_some()) {
        refuse!(
            place,
            "the access tokens of {id:?} are bound to a key (profile), and clients would send them without a proof",
            "write the id of another provider, or remove the profile"
        );
        return None;
    }
    if openid.accepts_any_tenant() {
        refuse!(
            place,
            "{id:?} has an issuer for each tenant, and a token of every tenant would pass",
            "write the issuer of one tenant"
        );
        return None;
    }
    Some(found)
}

fn oauth(provider: &Provider) -> Option<&OAuthProvider> {
    match &provider.kind {
        ProviderKind::OAuth(oauth) => Some(oauth),
        ProviderKind::Credentials(_) => None,
    }
}

fn openid(provider: &Provider) -> Option<&OpenId> {
    oauth(provider)?.openid.as_ref()
}

fn audiences(table: &Table<'_>) -> Vec<String> {
    if table.has("audience") && table.texts("audience").is_empty() {
        refuse!(table.at("audience"), "the list is empty, so no token would be accepted", "write a value");
    }
    for text in table.texts("audience") {
        let is_good = (1..=MAX_LENGTH).contains(&text.text.len())
            && !text.text.contains(|c: char| c.is_control() || c.is_whitespace());
        if !is_good {
            refuse!(text, "an audience must have 1 to 512 characters without white space");
        }
    }
    table.strings("audience")
}

/// What is compared with a resource: the resources before it, and what is accepted everywhere.
#[derive(Default)]
struct Earlier {
    /// Issuers and audiences of the resources before.
    audiences: BTreeSet<String>,
    /// Their origins and paths.
    urls: BTreeSet<String>,
    /// Issuers and audiences that `accept_bearer` names.
    everywhere: BTreeSet<String>,
}

impl Earlier {
    fn of_providers(providers: &[Provider]) -> Self {
        let mut earlier = Self::default();
        for openid in providers.iter().filter_map(openid) {
            let accepted = openid.accept_bearer.as_ref().map(|accepted| accepted.audiences.as_slice());
            for audience in accepted.unwrap_or_default() {
                earlier.everywhere.insert(of_issuer(&openid.issuer, audience));
            }
        }
        earlier
    }

    fn add(&mut self, resource: &Resource) {
        for audience in &resource.accepted.audiences {
            self.audiences.insert(of_issuer(&resource.issuer, audience));
        }
        self.urls.insert(url_of(resource));
    }

    /// Refuses an audience by which a token for one resource would pass at another, or everywhere.
    fn refuse_shared_audience(&self, table: &Table<'_>, resource: &Resource) {
        let place = table.at(if table.has("audience") { "audience" } else { "resource" });
        let is_in = |known: &BTreeSet<String>| {
            let mut audiences = resource.accepted.audiences.iter();
            audiences.any(|audience| known.contains(&of_issuer(&resource.issuer, audience)))
        };
        if is_in(&self.audiences) {
            refuse!(
                place,
                "another resource has the same audience, so a token for one would pass at the other",
                "give each resource an audience of its own"
            );
        }
        if self.urls.contains(&url_of(resource)) && !place.is_refused() {
            refuse!(table.at("resource"), "another resource has the same URL", "remove one of the two");
        }
        if is_in(&self.everywhere) {
            refuse!(
                place,
                "accept_bearer of the provider has the same audience, so a token for this resource would pass everywhere",
                "remove it from accept_bearer"
            );
        }
    }
}

/// An audience of an issuer. Neither has a space.
fn of_issuer(issuer: &str, audience: &str) -> String {
    format!("{issuer} {audience}")
}

/// Its origin and path.
fn url_of(resource: &Resource) -> String {
    let identifier = &resource.identifier;
    format!("{}/{}", identifier.origin().as_str(), identifier.segments().join("/"))
}

/// The written scopes; `None` if none is.
fn scopes(table: &Table<'_>) -> Option<Vec<String>> {
    for text in table.texts("scopes") {
        if !is_scope(text.text) {
            refuse!(
                text,
                "{text} is not one scope: scopes have printable ASCII characters without spaces, `\"` and `\\`",
                "write each scope as a text of its own"
            );
        }
    }
    table.has("scopes").then(|| table.strings("scopes"))
}

/// A rule that asks for scopes.
struct ScopedRule<'a> {
    host: Option<&'a HostPattern>,
    patterns: Vec<Beginning>,
    scopes: Vec<&'a str>,
}

/// Those of all rules that do, in their order, so that a resource is only compared with rules that begin as it does.
#[derive(Default)]
struct ScopedRules<'a> {
    rules: Vec<ScopedRule<'a>>,
    by_first_segment: BTreeMap<String, Vec<usize>>,
    /// Those that match more than one first segment.
    anywhere: Vec<usize>,
}

impl<'a> ScopedRules<'a> {
    fn of(rules: &'a [Rule]) -> Self {
        let mut scoped = Self::default();
        for rule in rules {
            let asked = rule.access.requirements().iter().filter_map(scopes_of).flatten();
            let names: Vec<&str> = asked.filter_map(Value::as_str).filter(|scope| is_scope(scope)).collect();
            if names.is_empty() {
                continue;
            }
            let at = scoped.rules.len();
            let patterns = rule.patterns.iter().map(|pattern| Beginning::of(&pattern.to_string()));
            let patterns: Vec<Beginning> = patterns.collect();
            for pattern in &patterns {
                match pattern.literal.first() {
                    Some(first) => scoped.by_first_segment.entry(first.clone()).or_default().push(at),
                    None => scoped.anywhere.push(at),
                }
            }
            scoped.rules.push(ScopedRule { host: rule.host.as_ref(), patterns, scopes: names });
        }
        scoped
    }

    /// The scopes that rules for paths of the resource ask for, in the order of the rules.
    fn scopes(&self, identifier: &ResourceIdentifier) -> Vec<String> {
        let candidates: Vec<usize> = match identifier.segments().first() {
            Some(first) => {
                let mut own = self.by_first_segment.get(first).cloned().unwrap_or_default();
                own.extend(&self.anywhere);
                own.sort_unstable();
                own
            }
            None => (0..self.rules.len()).collect(),
        };
        let mut scopes: Vec<String> = Vec::new();
        for rule in candidates.into_iter().filter_map(|at| self.rules.get(at)) {
            if !rule.may_be_for(identifier) {
                continue;
            }
            for scope in &rule.scopes {
                if !scopes.iter().any(|known| known == scope) {
                    scopes.push((*scope).to_owned());
                }
            }
        }
        scopes
    }
}

impl ScopedRule<'_> {
    fn may_be_for(&self, identifier: &ResourceIdentifier) -> bool {
        self.patterns.iter().any(|pattern| pattern.may_overlap(identifier))
            && self.host.is_none_or(|own| own.matches(identifier.origin().authority()))
    }
}

/// The segments with which a pattern begins, as far as they are literal.
struct Beginning {
    literal: Vec<String>,
    /// Whether more follows.
    is_open: bool,
}

impl Beginning {
    fn of(pattern: &str) -> Self {
        let is_literal =
            |segment: &&str| !segment.contains([':', '(', ')', '{', '}', '*', '+', '?', '\\', '%']);
        let segments = || pattern.split('/').skip(1).filter(|segment| !segment.is_empty());
        let literal: Vec<String> = segments().take_while(is_literal).map(str::to_owned).collect();
        let is_open = literal.len() < segments().count();
        Self { literal, is_open }
    }

    /// Whether the pattern may match a path of the resource, as far as its beginning says it.
    fn may_overlap(&self, identifier: &ResourceIdentifier) -> bool {
        let own = identifier.segments();
        self.literal.iter().zip(own).all(|(one, other)| one == other)
            && (self.is_open || self.literal.len() >= own.len())
    }
}

fn origins(table: &Table<'_>) -> Vec<TrustedOrigin> {
    let mut origins = Vec::new();
    for text in table.texts("origins") {
        match TrustedOrigin::parse(text.text) {
            Ok(origin) if !origin.secure() && !origin.is_loopback() => {
                text.refuse_because(&EndpointError::Insecure);
            }
            Ok(TrustedOrigin::Subdomains { hosts, .. }) if hosts.covers_several_sites() => {
                text.refuse_because(&HostPatternError::TooWide);
            }
            Ok(origin) => origins.push(origin),
            Err(why) => refuse!(
                text,
                "{text}: {why}",
                "write an origin, for example \"https://inspector.example.com\" or \"https://*.example.com\""
            ),
        }
    }
    origins
}

fn name(table: &Table<'_>) -> Option<String> {
    let text = table.text("name")?;
    if !(1..=MAX_LENGTH).contains(&text.text.len()) || text.text.contains(char::is_control) {
        refuse!(text, "a name must have 1 to 512 bytes without control characters");
    }
    table.string("name")
}

fn url(table: &Table<'_>, key: &str) -> Option<String> {
    let text = table.text(key)?;
    text.parsed(endpoint)?;
    table.string(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_of_a_resource_if_its_beginning_may_be() {
        let mcp = ResourceIdentifier::parse("https://app.example.com/v1/mcp").unwrap();
        for (pattern, expected) in [
            ("/v1/mcp", true),
            ("/v1/mcp/:path*", true),
            ("/v1/mcp/admin", true),
            ("/v1/:path*", true),
            ("/:path*", true),
            ("/(.*)", true),
            ("/v1/mcp-:id", true),
            ("/", false),
            ("/v1", false),
            ("/v1/mcpx", false),
            ("/v2/:path*", false),
        ] {
            assert_eq!(Beginning::of(pattern).may_overlap(&mcp), expected, "{pattern}");
        }
        let host = ResourceIdentifier::parse("https://app.example.com").unwrap();
        assert!(["/", "/anything"].iter().all(|pattern| Beginning::of(pattern).may_overlap(&host)));
    }
}
