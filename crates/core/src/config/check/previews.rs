//! `preview_hosts`: the hosts of other domains that get sessions from the login host.

use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use vestibule_oidc::http::origin::{
    CookieDomain, CookieDomainError, HostPattern, HostPatternError, is_loopback,
};

pub(super) fn preview_hosts(auth: &Table<'_>, domain: Option<&CookieDomain>) -> Vec<HostPattern> {
    let texts = auth.texts("preview_hosts");
    if let Some(text) = texts.first()
        && !auth.has("login_url")
    {
        refuse!(
            text,
            "preview hosts get their sessions from the login host, and there is none",
            "write for example `login_url = \"https://app.example.com\"`, and `domain = \"app.example.com\"` in the \
             table cookies",
        );
    }
    texts.iter().filter_map(|text| preview_host(text, domain)).collect()
}

fn preview_host(text: &Text<'_>, domain: Option<&CookieDomain>) -> Option<HostPattern> {
    let pattern = match HostPattern::parse(text.text) {
        Ok(pattern) if pattern.covers_several_sites() => {
            text.refuse_because(&HostPatternError::TooWide);
            return None;
        }
        Ok(pattern) if pattern.exact().is_some_and(is_public_suffix) => {
            refuse!(
                text,
                "{text} is a public suffix: unrelated sites share this name",
                "write a host of your own below it"
            );
            return None;
        }
        Ok(pattern) => pattern,
        Err(why) => {
            text.refuse_because(&why);
            return None;
        }
    };
    let name = pattern.exact().or(pattern.parent())?;
    if let Some(domain) = domain.filter(|domain| domain.covers(name)) {
        let domain = domain.as_str();
        refuse!(
            text,
            "{text} is within cookies.domain, {domain:?}, so it has the site's session anyway",
            "leave it out",
        );
    }
    Some(pattern)
}

fn is_public_suffix(name: &str) -> bool {
    !is_loopback(name) && CookieDomain::parse(name) == Err(CookieDomainError::Shared)
}
