//! Makes a [`Config`] of a configuration that fits the schema. Every check runs, also after one that found a mistake, so
//! that the operator sees all mistakes at once.

mod audit;
mod authorization;
mod bearer;
mod cookies;
mod dpop;
mod health;
mod metrics;
pub(super) mod names;
mod origins;
mod pages;
mod previews;
mod providers;
mod refresh;
mod resources;
mod revocation;
mod rules;
pub(super) mod secrets;
pub(super) mod session;
mod shown;
mod site;
mod texts;
mod theme;
mod tokens;
mod transmitters;
mod updatable;
mod upstreams;
mod verify;

pub(super) use providers::with_preset_defaults;

use super::place::refuse;
use super::table::Table;
use super::{Config, Provider, SiteConfig};
use crate::guard::headers::GuardedNames;
use crate::guard::rules::RuleSet;
use crate::session::names::SiteCookieNames;
use vestibule_oidc::http::origin::{CookieDomain, Origin};
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::secret::Secret;

/// Checks everything but the site's secrets. A value must not be used where a mistake was noted.
pub(super) fn without_secrets(auth: &Table<'_>) -> SiteConfig {
    let base_path = site::base_path(auth);
    let dialect = site::dialect(auth);
    let default_access = site::default_access(auth);
    let login_url = site::login_url(auth);
    let trusted_hosts = site::trusted_hosts(auth);
    let origin = site::origin(auth);
    let edge_headers = site::edge_headers(auth);
    let cookie_domain = cookies::cookie_domain(&auth.table("cookies"));
    let cookie_naming = cookies::cookie_naming(&auth.table("cookies"));
    let own_host = cookie_domain.as_ref().map(CookieDomain::as_str);
    let own_host = own_host.or(login_url.as_ref().or(origin.as_ref()).map(Origin::host));
    let trusted_origins = origins::trusted_origins(auth, own_host);
    site::refuse_login_url_out_of_reach(auth, login_url.as_ref(), cookie_domain.as_ref());
    let preview_hosts = previews::preview_hosts(auth, cookie_domain.as_ref());
    let updatable = updatable::updatable(&auth.table("session"));
    let session = session::session(&auth.table("session"), updatable);
    let token_origins = origins::token_origins(auth, &trusted_origins, &session);
    let claims = session::claims(&auth.table("claims"));
    let providers = providers::providers(auth);
    providers::refuse_none(auth);
    providers::refuse_refresh_tokens(auth, &claims, &providers);
    let refresh = refresh::refresh(&auth.table("refresh"));
    let mut rules = rules::rules(auth, &cookie_naming);
    let upstreams = upstreams::upstreams(auth, &cookie_naming);
    site::refuse_hosts_behind_origin(auth, origin.as_ref());
    updatable::refuse_updatable(auth);
    dpop::refuse_useless_tokens(auth, &session, &providers);
    tokens::refuse_missing_tokens(auth, &session, &providers);
    authorization::refuse_impossible(auth, &providers);
    let resources = resources::resources(auth, &base_path, &providers, &rules);
    bearer::refuse_unshown(auth, &claims, &providers, &rules, &resources);
    bearer::refuse_several_introspections(auth, &providers);
    bearer::refuse_rules_for_clients(auth, &providers, &rules, &resources);

    let site = pages::Site {
        base_path: &base_path,
        trusted_hosts: &trusted_hosts,
        cookie_domain: cookie_domain.as_ref(),
        login_url: login_url.as_ref(),
    };
    let pages = pages::pages(&auth.table("pages"), &site);
    let theme = theme::theme(&auth.table("theme"), &site);
    let languages = texts::languages(auth);
    pages::open(auth, &site, &mut rules);
    let rules = RuleSet::new(rules, default_access);
    pages::refuse_guarded(auth, &site, &rules);
    let edge = auth.place.loading.runtime.edge;
    let guarded =
        GuardedNames::of(&upstreams, &rules, edge, &edge_headers).with_cookies(cookie_naming.clone());
    let cookie_names = SiteCookieNames::new(&cookie_naming, dialect);
    pages::refuse_no_straight_way(auth, &pages, &providers);
    providers::refuse_straight_way(auth);

    SiteConfig {
        base_path,
        dialect,
        default_access,
        login_url,
        trusted_hosts,
        preview_hosts,
        trusted_origins,
        token_origins,
        origin,
        cookie_domain,
        cookie_naming,
        cookie_names,
        session,
        refresh,
        resources,
        claims,
        providers,
        rules,
        upstreams,
        guarded,
        pages,
        theme,
        languages,
        edge_headers,
    }
}

/// Reads the clients that [`without_secrets`] has left.
pub(super) fn set_clients(auth: &Table<'_>, checked: &mut SiteConfig) {
    providers::set_clients(auth, &mut checked.providers);
}

/// Reads and checks the site's secrets, and what they belong to. It returns `None`, or a value that must not be used, where a
/// mistake was noted.
pub(super) fn with_secrets(auth: &Table<'_>, checked: SiteConfig) -> Option<Config> {
    let SiteConfig { origin, login_url, providers, .. } = &checked;
    let secrets = secrets::session_secrets(auth);
    let sealing: Vec<&Secret> = secrets.iter().collect();
    let verify = verify::verify(&auth.table("verify"), &sealing);
    let others: Vec<&Secret> = secrets.iter().chain(&verify.secret).collect();
    let revocation = revocation::revocation(&auth.table("revocation"), &others);
    let of_operator = revocation.operator.one.iter().chain(&revocation.operator.everything);
    let health_others: Vec<&Secret> = others.iter().copied().chain(of_operator).collect();
    let health_secrets = health::health_secrets(auth, providers, &health_others);
    let audit_others: Vec<&Secret> = health_others.iter().copied().chain(&health_secrets).collect();
    let audit = audit::audit(&auth.table("audit"), providers, &audit_others);
    let metrics = metrics::metrics(&auth.table("metrics"), &[origin.as_ref(), login_url.as_ref()]);
    let event_transmitters = transmitters::transmitters(auth, providers, &others);
    let keys = Keyring::new(secrets);
    if keys.is_none() {
        let set = auth.place.set_secret("AUTH_SECRET");
        refuse!(
            auth.place.variable("AUTH_SECRET"),
            "this secret is missing; it seals the sessions",
            "create one with `openssl rand -base64 33` and set it {set}",
        );
    }
    let takes_tokens = !checked.resources.is_empty() || providers.iter().any(Provider::accepts_bearer);
    Some(Config {
        site: checked,
        revocation,
        health_secrets,
        audit,
        metrics,
        event_transmitters,
        takes_tokens,
        verify,
        edge: auth.place.loading.runtime.edge,
        keys: keys?,
    })
}
