//! From what is written to what was checked. Everything is looked at, whatever was found wrong before.

mod pages;
mod providers;
mod rules;
mod secrets;
mod session;
mod site;
mod upstreams;
mod verify;

pub(super) use providers::lay_presets_under;

use super::Config;
use super::error::{ConfigErrors, Place, Problems};
use super::raw::RawAuth;
use crate::guard::rules::RuleSet;
use crate::jose::kdf::Keyring;

/// Secrets and variables by name.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Checks `raw`, of which `problems` holds what could not even be read.
pub(super) fn check(raw: &RawAuth<'_>, env: Env<'_>, mut problems: Problems) -> Result<Config, ConfigErrors> {
    let root = Place::root();
    let found = &mut problems;

    let base_path = site::base_path(raw, found);
    let dialect = site::dialect(raw, found);
    let default_access = site::default_access(raw, found);
    let login_url = site::login_url(raw, found);
    let trusted_hosts = site::trusted_hosts(raw, found);
    let cookie_domain = site::cookie_domain(raw, found);
    site::refuse_login_url_out_of_reach(login_url.as_ref(), cookie_domain.as_ref(), found);
    let session = session::session(&raw.session, &root.key("session"), found);
    let claims = session::claims(raw.claims.as_deref().unwrap_or_default(), &root.key("claims"), found);
    let providers = providers::providers(&raw.providers, env, found);
    providers::refuse_none(raw, found);
    providers::refuse_refresh_tokens(&claims, &providers, found);
    let refresh = session::refresh(&raw.refresh, &root.key("refresh"), found);
    let mut rules = rules::rules(&raw.rules, found);
    let upstreams = upstreams::upstreams(&raw.upstreams, found);
    session::refuse_updatable(&session, &rules, &upstreams, found);

    let site = pages::Site {
        base_path: &base_path,
        trusted_hosts: &trusted_hosts,
        cookie_domain: cookie_domain.as_ref(),
        login_url: login_url.as_ref(),
    };
    let pages = pages::pages(&raw.pages, &site, found);
    rules.extend(pages::public_rules(&pages, &site));
    let rules = RuleSet::new(rules, default_access);
    pages::refuse_guarded(&pages, &site, &rules, found);

    let secrets = secrets::session_secrets(raw, env, found);
    let verify = verify::verify(&raw.verify, &secrets, env, found);
    let Some(keys) = Keyring::new(secrets) else {
        return Err(problems.ending_with(
            &Place::env("AUTH_SECRET"),
            "missing: it seals the sessions",
            "make one with `openssl rand -base64 33` and set it with `wrangler secret put AUTH_SECRET`",
        ));
    };
    problems.unless_any(Config {
        base_path,
        dialect,
        default_access,
        login_url,
        trusted_hosts,
        cookie_domain,
        session,
        refresh,
        claims,
        providers,
        rules,
        upstreams,
        pages,
        verify,
        keys,
    })
}
