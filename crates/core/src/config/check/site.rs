//! The keys of the whole site: the path of Vestibule's routes, and the hosts that belong to the site.

use super::upstreams::is_token;
use crate::config::place::refuse;
use crate::config::schema::{ACCESS, DIALECTS};
use crate::config::table::{Table, Text};
use crate::guard::client_headers::family;
use crate::guard::decision::DefaultAccess;
use crate::guard::headers::SET_BY_VESTIBULE;
use crate::session::dialect::Dialect;
use vestibule_oidc::http::origin::{
    CookieDomain, EndpointError, HostPattern, HostPatternError, Origin, OriginError, is_loopback,
};

/// Auth.js 5's own default; next-auth's is `/api/auth`.
const BASE_PATH: &str = "/auth";

pub(super) fn base_path(auth: &Table<'_>) -> String {
    let place = auth.at("base_path");
    let text = Text { text: auth.str("base_path").unwrap_or(BASE_PATH), place };
    let bare = text.text.trim_matches('/');
    if bare.is_empty() {
        refuse!(place, "{text} would leave no path for the site", "write for example \"/auth\"");
    } else if !is_plain_path(&format!("/{bare}")) {
        refuse!(
            place,
            "{text} must consist of names with single slashes between them",
            "use letters, digits, \"-\", \"_\", \".\" and \"~\", for example \"/auth\"",
        );
    } else if text.text.strip_prefix('/') != Some(bare) {
        refuse!(place, "{text} must begin with a slash and end without one", "write \"/{bare}\"");
    }
    text.text.to_owned()
}

/// Whether `path` has only unreserved characters ([RFC 3986 section
/// 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)) and slashes. Such a path has one spelling and is not a pattern.
pub(super) fn is_plain_path(path: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    let segment_is_plain = |s: &str| s.bytes().all(is_plain) && !matches!(s, "." | "..");
    path.starts_with('/') && !path.contains("//") && path.split('/').all(segment_is_plain)
}

pub(super) fn dialect(auth: &Table<'_>) -> Dialect {
    auth.chosen("dialect", &DIALECTS).unwrap_or(Dialect::AuthJsV5)
}

pub(super) fn default_access(auth: &Table<'_>) -> DefaultAccess {
    // A path that no rule mentions is closed.
    auth.chosen("default_access", &ACCESS).unwrap_or(DefaultAccess::SignedIn)
}

pub(super) fn login_url(auth: &Table<'_>) -> Option<Origin> {
    let text = auth.text("login_url")?;
    match Origin::parse(text.text) {
        Ok(origin) if !origin.secure() && !is_loopback(origin.host()) => {
            text.refuse_because(&EndpointError::Insecure);
        }
        Ok(origin) if origin.host().ends_with('.') => refuse!(
            text,
            "{text}: for browsers, a host with a dot at its end has other cookies",
            "remove the dot"
        ),
        Ok(origin) => return Some(origin),
        Err(why @ OriginError::NotBare) => refuse!(
            text,
            "{text}: {why}",
            "the routes of that host are below the base_path of this configuration"
        ),
        Err(why) => text.refuse_because(&why),
    }
    None
}

/// Refuses a login host whose session cookie the other hosts would not receive: they would redirect users to it again and
/// again.
pub(super) fn refuse_login_url_out_of_reach(
    auth: &Table<'_>,
    login_url: Option<&Origin>,
    domain: Option<&CookieDomain>,
) {
    let Some(host) = login_url.map(Origin::host) else { return };
    let cookies = auth.table("cookies");
    if domain.is_some_and(|domain| domain.covers(host)) || cookies.at("domain").is_refused() {
        return;
    }
    let problem = match domain.map(CookieDomain::as_str) {
        Some(domain) => format!("{host} is not covered by cookies.domain, {domain:?}"),
        None => {
            format!("without cookies.domain, the session stays on {host}, and other hosts do not receive it")
        }
    };
    let shared = host.split_once('.').map(|(_, parent)| parent).filter(|parent| parent.contains('.'));
    let place = auth.at("login_url");
    if let Ok(domain) = CookieDomain::parse(shared.unwrap_or(host)) {
        let domain = domain.as_str();
        refuse!(place, "{problem}", "write for example `domain = \"{domain}\"` in the table cookies");
    } else {
        refuse!(place, "{problem}", "use a host name whose domain the other hosts share");
    }
}

pub(super) fn trusted_hosts(auth: &Table<'_>) -> Vec<HostPattern> {
    auth.parsed("trusted_hosts", |text| match HostPattern::parse(text) {
        Ok(pattern) if pattern.covers_several_sites() => Err(HostPatternError::TooWide),
        parsed => parsed,
    })
}

/// Refuses a rule, or an upstream, for a host that no request has: with `origin` all of them count as requests for that.
pub(super) fn refuse_hosts_behind_origin(auth: &Table<'_>, origin: Option<&Origin>) {
    let Some(origin) = origin else { return };
    for table in auth.tables("rules").iter().chain(&auth.tables("upstreams")) {
        let Some(text) = table.text("host") else { continue };
        if HostPattern::parse(text.text).is_ok_and(|host| !host.matches(origin.authority())) {
            let origin = origin.as_str();
            refuse!(
                text,
                "no request is for {text}: origin says that every one is for {origin}",
                "remove this, or leave origin out"
            );
        }
    }
}

/// The origin under which browsers reach the deployment.
pub(super) fn origin(auth: &Table<'_>) -> Option<Origin> {
    let text = auth.text("origin")?;
    if auth.has("login_url") {
        refuse!(text, "{text} is one host, and with login_url the site has several", "leave origin out");
        return None;
    }
    match Origin::parse(text.text) {
        Ok(origin) if !origin.secure() && !is_loopback(origin.host()) => {
            text.refuse_because(&EndpointError::Insecure);
            None
        }
        Ok(origin) => Some(origin),
        Err(why) => {
            text.refuse_because(&why);
            None
        }
    }
}

/// The fields that the network in front is configured to set.
pub(super) fn edge_headers(auth: &Table<'_>) -> Vec<String> {
    let edge = auth.place.loading.runtime.edge;
    let mut names = Vec::new();
    for text in auth.texts("edge_headers") {
        let name = text.text.to_ascii_lowercase();
        let is_of_edge = edge.prefix.is_some_and(|prefix| name.starts_with(prefix));
        if !is_token(&name) || name.contains('_') {
            refuse!(text, "{text} cannot be the name of a header field that a network sets");
        } else if !is_of_edge && !family(&name, &name).is_some_and(|family| family.is_written_by_proxies) {
            refuse!(
                text,
                "{text} is not removed from requests, or is a field that no network sets",
                "leave it out"
            );
        } else if SET_BY_VESTIBULE.contains(&name.as_str()) {
            refuse!(text, "{text} is a field that Vestibule sets itself", "leave it out");
        }
        names.push(name);
    }
    names
}
