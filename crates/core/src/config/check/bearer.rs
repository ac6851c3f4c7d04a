//! Refuses configurations that depend on values which an access token of a client does not have.
//!
//! A sign-in also has the ID token, userinfo and the token response. If a value is only there, an access token lacks it,
//! and a test that a missing value passes would let everyone in.

use crate::config::place::{Place, refuse};
use crate::config::table::Table;
use crate::config::{Provider, ProviderKind, by_id};
use crate::guard::principals::Principals;
use crate::guard::resource::Resources;
use crate::guard::rules::{ClaimRequirement, Requirement, Rule};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::provider::{AcceptBearer, FetchUserinfo, OAuthProvider};

/// The members of `account` that a session from an access token has.
const ACCOUNT: [&str; 7] =
    ["access_token", "expires_at", "provider", "providerAccountId", "scope", "token_type", "type"];

/// Refuses to ask several providers about tokens: each would get the tokens of the others, which do not say whose they are.
pub(super) fn refuse_several_introspections(auth: &Table<'_>, providers: &[Provider]) {
    let by_id = by_id(providers);
    let introspects = |id: Option<&str>| {
        let provider = id.and_then(|id| by_id.get(id)).and_then(|at| providers.get(*at));
        accepted(provider).is_some_and(|accepted| accepted.introspection.is_some())
    };
    let mut first: Option<String> = None;
    for table in auth.tables("providers") {
        if !introspects(table.str("id")) {
            continue;
        }
        let bearer = table.table("accept_bearer");
        match &first {
            Some(first) => {
                refuse!(
                    bearer.at("introspection"),
                    "{first} has it already, and a token that is no JWT does not say which provider it is of: one provider would \
                     get the tokens of another",
                    "keep it at one provider"
                );
            }
            None => first = Some(bearer.at("introspection").to_string()),
        }
    }
}

/// Refuses rules for clients where no client can have a token.
pub(super) fn refuse_rules_for_clients(
    auth: &Table<'_>,
    providers: &[Provider],
    rules: &[Rule],
    resources: &Resources,
) {
    // A host without providers gets its sessions from the login host, but tokens are accepted by each host itself.
    if !resources.is_empty() || providers.iter().any(|provider| accepted(Some(provider)).is_some()) {
        return;
    }
    for (table, rule) in auth.tables("rules").iter().zip(rules) {
        if rule.principals != Principals::Users {
            refuse!(
                table.at("access"),
                "no provider has accept_bearer, so no client can send a token of its own",
                "add accept_bearer = {{ audience = \"…\" }} to the provider (docs/apis.md)"
            );
        }
    }
}

fn accepted(provider: Option<&Provider>) -> Option<&AcceptBearer> {
    match &provider?.kind {
        ProviderKind::OAuth(oauth) => oauth.openid.as_ref()?.accept_bearer.as_ref(),
        ProviderKind::Credentials(_) => None,
    }
}

/// Refuses configurations whose `accept_bearer` would accept users whom a sign-in does not.
pub(super) fn refuse_unshown(
    auth: &Table<'_>,
    sources: &[(String, DataPath)],
    providers: &[Provider],
    rules: &[Rule],
    resources: &Resources,
) {
    let by_id = by_id(providers);
    let mut are_of_resources = vec![false; providers.len()];
    for at in resources.iter().filter_map(|resource| by_id.get(&resource.provider)) {
        if let Some(is_of_resource) = are_of_resources.get_mut(*at) {
            *is_of_resource = true;
        }
    }
    for table in auth.tables("providers") {
        let Some(at) = table.str("id").and_then(|id| by_id.get(id)) else { continue };
        let Some(provider) = providers.get(*at) else { continue };
        let ProviderKind::OAuth(oauth) = &provider.kind else { continue };
        let is_of_resource = are_of_resources.get(*at) == Some(&true);
        if !is_of_resource && oauth.openid.as_ref().is_none_or(|openid| openid.accept_bearer.is_none()) {
            continue;
        }
        refuse_in_provider(&table, oauth, &provider.allow, sources);
        refuse_in_claims(auth, oauth, sources);
        refuse_in_rules(auth, &provider.id, oauth, sources, rules);
    }
}

fn refuse_in_provider(
    provider: &Table<'_>,
    oauth: &OAuthProvider,
    requirements: &[ClaimRequirement],
    sources: &[(String, DataPath)],
) {
    if provider.has("emails") {
        refuse!(
            provider.at("emails"),
            "an access token does not show the list of addresses, and accept_bearer accepts access tokens",
            "remove one of the two"
        );
    }
    let user = provider.table("user");
    for (key, source) in
        [("name", &oauth.user.name), ("email", &oauth.user.email), ("image", &oauth.user.image)]
            .into_iter()
            .chain(oauth.user.id.as_ref().map(|id| ("id", id)))
    {
        if let Some(path) = source.paths().into_iter().find(|path| path.root() == "account") {
            refuse_path(user.at(key), path);
        }
    }
    let allow = provider.table("allow");
    for ClaimRequirement { claim: path, test } in requirements {
        let source = source_of(path, sources).unwrap_or(path);
        let asked = path.to_string();
        let place = allow.at(&asked);
        if is_unshown(source, oauth) {
            refuse_path(place, source);
        } else if test.passes_without_claim() && may_be_missing(source) {
            refuse_missing(place, source);
        }
    }
}

/// `claims` applies to all providers, so a claim may be missing for one of them. But sign-ins at this provider have it.
fn refuse_in_claims(auth: &Table<'_>, oauth: &OAuthProvider, sources: &[(String, DataPath)]) {
    let places = auth.table("claims");
    for (claim, source) in sources {
        if source.root() != "login" && is_unshown(source, oauth) {
            let place = places.at(claim);
            if !place.is_refused() {
                refuse_path(place, source);
            }
        }
    }
}

fn refuse_in_rules(
    auth: &Table<'_>,
    provider: &str,
    oauth: &OAuthProvider,
    sources: &[(String, DataPath)],
    rules: &[Rule],
) {
    for (table, rule) in auth.tables("rules").iter().zip(rules) {
        let require = table.table("require");
        for requirement in rule.access.requirements() {
            let Requirement::Claim(ClaimRequirement { claim, test }) = requirement else { continue };
            if !test.passes_without_claim() {
                continue;
            }
            let asked = claim.to_string();
            let place = require.at(&asked);
            if place.is_refused() {
                continue;
            }
            let configured = sources.iter().find(|(name, _)| name == claim.root());
            let (key, paths) = match (configured, claim.root()) {
                (Some((name, source)), _) => (format!("claims.{name}"), vec![source]),
                (None, "name") => ("user.name".to_owned(), oauth.user.name.paths()),
                (None, "email") => ("user.email".to_owned(), oauth.user.email.paths()),
                (None, "picture") => ("user.image".to_owned(), oauth.user.image.paths()),
                (None, _) => continue,
            };
            if let Some(source) = paths.into_iter().find(|source| may_be_missing(source)) {
                let member = last_name(source);
                refuse!(
                    place,
                    "an access token of provider {provider:?} (accept_bearer) passes if it lacks what a sign-in finds at \
                     {source}",
                    "write {key} = \"access_token.{member}\", or remove accept_bearer"
                );
            }
        }
    }
}

/// The source of the configured claim that a path in `allow` names, if it names one.
fn source_of<'a>(path: &DataPath, sources: &'a [(String, DataPath)]) -> Option<&'a DataPath> {
    let claim = path.rest().next().filter(|_| path.root() == "user")?;
    let is_own = matches!(claim, "id" | "name" | "email" | "email_verified" | "image");
    sources.iter().find(|(name, _)| name == claim && !is_own).map(|(_, source)| source)
}

/// Whether no access token has a value there.
fn is_unshown(path: &DataPath, oauth: &OAuthProvider) -> bool {
    match path.root() {
        "account" => path.rest().next().is_none_or(|member| !ACCOUNT.contains(&member)),
        "login" => true,
        // The operator configured that the profile comes from the userinfo endpoint.
        "profile" => oauth.userinfo.fetch == FetchUserinfo::Always,
        _ => false,
    }
}

/// Whether a sign-in may find a value there that the access token does not have.
fn may_be_missing(path: &DataPath) -> bool {
    match path.root() {
        "access_token" => false,
        "user" => path.rest().next() != Some("id"),
        "account" => path.rest().next().is_none_or(|member| matches!(member, "scope" | "token_type")),
        _ => true,
    }
}

fn refuse_path(place: Place<'_>, path: &DataPath) {
    let member = last_name(path);
    refuse!(
        place,
        "no access token shows {path}, and accept_bearer accepts access tokens",
        "write \"access_token.{member}\", or remove accept_bearer"
    );
}

fn refuse_missing(place: Place<'_>, path: &DataPath) {
    let member = last_name(path);
    refuse!(
        place,
        "an access token that accept_bearer accepts passes if it lacks what a sign-in finds at {path}",
        "write \"access_token.{member}\", or remove accept_bearer"
    );
}

fn last_name(path: &DataPath) -> String {
    path.rest().last().unwrap_or("NAME").to_owned()
}
