//! What concerns the whole site: where the routes live, which hosts belong to it.

use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawAuth;
use crate::config::{DefaultAccess, Dialect};
use crate::http::origin::{CookieDomain, EndpointError, HostPattern, Origin, OriginError, is_loopback};

/// How access is written.
pub(super) const ACCESS: [(&str, DefaultAccess); 2] =
    [("signed-in", DefaultAccess::SignedIn), ("public", DefaultAccess::Public)];

/// Auth.js 5's own default; next-auth's is `/api/auth`.
const BASE_PATH: &str = "/auth";

pub(super) fn base_path(raw: &RawAuth<'_>, problems: &mut Problems) -> String {
    let text = raw.base_path.unwrap_or(BASE_PATH);
    let mut refuse = |why: &str, mend: &str| {
        problems.refuse_and_mend(&Place::root().key("base_path"), format!("{} {why}", quoted(text)), mend);
    };
    let bare = text.trim_matches('/');
    if bare.is_empty() {
        refuse("leaves no path to the site", "write for example \"/auth\"");
    } else if !is_plain_path(&format!("/{bare}")) {
        refuse(
            "is more than names between single slashes",
            "use letters, digits, \"-\", \"_\", \".\" and \"~\", for example \"/auth\"",
        );
    } else if text.strip_prefix('/') != Some(bare) {
        refuse("must begin with one slash and end with none", &format!("write \"/{bare}\""));
    }
    text.to_owned()
}

/// Whether `path` is written in unreserved characters (RFC 3986 section 2.3) and slashes only, so that it
/// has one spelling, and is no pattern either.
pub(super) fn is_plain_path(path: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    let segment_is_plain = |s: &str| s.bytes().all(is_plain) && !matches!(s, "." | "..");
    path.starts_with('/') && !path.contains("//") && path.split('/').all(segment_is_plain)
}

pub(super) fn dialect(raw: &RawAuth<'_>, problems: &mut Problems) -> Dialect {
    const DIALECTS: [(&str, Dialect); 2] =
        [("authjs-v5", Dialect::AuthJsV5), ("next-auth-v4", Dialect::NextAuthV4)];
    let place = Place::root().key("dialect");
    let dialect = raw.dialect.and_then(|text| problems.chosen(&place, text, &DIALECTS));
    dialect.unwrap_or(Dialect::AuthJsV5)
}

pub(super) fn default_access(raw: &RawAuth<'_>, problems: &mut Problems) -> DefaultAccess {
    let place = Place::root().key("default_access");
    let access = raw.default_access.and_then(|text| problems.chosen(&place, text, &ACCESS));
    // What nobody thought of is shut.
    access.unwrap_or(DefaultAccess::SignedIn)
}

pub(super) fn login_url(raw: &RawAuth<'_>, problems: &mut Problems) -> Option<Origin> {
    let text = raw.login_url?;
    let place = Place::root().key("login_url");
    let mut refuse = |why: &dyn std::fmt::Display, mend: &str| {
        problems.refuse_and_mend(&place, format!("{}: {why}", quoted(text)), mend);
        None
    };
    match Origin::parse(text) {
        Ok(origin) if !origin.secure() && !is_loopback(origin.host()) => refuse(&EndpointError::Insecure, ""),
        Ok(origin) if origin.host().ends_with('.') => {
            refuse(&"browsers keep other cookies for a host with a dot behind it", "leave the dot out")
        }
        Ok(origin) => Some(origin),
        Err(why @ OriginError::NotBare) => {
            refuse(&why, "the routes of that host are expected below this configuration's base_path")
        }
        Err(why) => refuse(&why, ""),
    }
}

/// Refuses a login host whose session would never reach the hosts that send people to it: they would send them
/// there again and again.
pub(super) fn refuse_login_url_out_of_reach(
    login_url: Option<&Origin>,
    domain: Option<&CookieDomain>,
    problems: &mut Problems,
) {
    let Some(host) = login_url.map(Origin::host) else { return };
    if domain.is_some_and(|domain| domain.covers(host)) || problems.concern(&cookie_domain_place()) {
        return;
    }
    let problem = match domain {
        Some(domain) => format!("{host} is not within cookies.domain, {:?}", domain.as_str()),
        None => format!("without cookies.domain a session stays on {host}, and no other host sees it"),
    };
    let shared = host.split_once('.').map(|(_, parent)| parent).filter(|parent| parent.contains('.'));
    let mend = match CookieDomain::parse(shared.unwrap_or(host)) {
        Ok(domain) => {
            format!("write for example `[vars.AUTH.cookies]`, `domain = \"{}\"`", domain.as_str())
        }
        Err(_) => "name a host whose domain the others share".to_owned(),
    };
    problems.refuse_and_mend(&Place::root().key("login_url"), problem, mend);
}

pub(super) fn trusted_hosts(raw: &RawAuth<'_>, problems: &mut Problems) -> Vec<HostPattern> {
    let place = Place::root().key("trusted_hosts");
    let hosts = raw.trusted_hosts.iter().flat_map(|hosts| hosts.iter(&place));
    hosts.filter_map(|(place, text)| problems.parsed(&place, text, HostPattern::parse(text))).collect()
}

pub(super) fn cookie_domain(raw: &RawAuth<'_>, problems: &mut Problems) -> Option<CookieDomain> {
    let text = raw.cookies.domain?;
    problems.parsed(&cookie_domain_place(), text, CookieDomain::parse(text))
}

fn cookie_domain_place() -> Place {
    Place::root().key("cookies").key("domain")
}
