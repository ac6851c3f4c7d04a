//! `[vars.AUTH.pages]`: the app's own pages. Users who may not pass are redirected to some of them, so no rule may guard
//! those.

use super::site::is_plain_path;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::config::{Pages, Provider, ProviderKind};
use crate::guard::matcher::Pattern;
use crate::guard::path::CanonicalPath;
use crate::guard::readings::PathReadings;
use crate::guard::rules::{Access, Rule, RuleSet};
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::origin::{CookieDomain, HostPattern, Origin, endpoint, is_loopback};
use vestibule_oidc::http::request::{Method, Request, RequestUrl};

/// The settings of the site that decide whether a page is allowed.
pub(super) struct Site<'a> {
    pub(super) base_path: &'a str,
    pub(super) trusted_hosts: &'a [HostPattern],
    pub(super) cookie_domain: Option<&'a CookieDomain>,
    pub(super) login_url: Option<&'a Origin>,
}

pub(super) fn pages(pages: &Table<'_>, site: &Site<'_>) -> Pages {
    let page = |key| {
        let text = pages.text(key)?;
        site.check_page(&text);
        Some(text.text.to_owned())
    };
    Pages {
        sign_in: page("sign_in"),
        sign_out: page("sign_out"),
        error: page("error"),
        straight_to_provider: pages.flag("straight_to_provider").unwrap_or(false),
    }
}

/// Refuses to send people straight to the provider where there is not exactly one to send them to, or where the app has a
/// page of its own to show first.
pub(super) fn refuse_no_straight_way(auth: &Table<'_>, pages: &Pages, providers: &[Provider]) {
    let table = auth.table("pages");
    let place = table.at("straight_to_provider");
    if !pages.straight_to_provider || auth.at("providers").is_refused() {
        return;
    }
    if pages.sign_in.is_some() {
        refuse!(place, "people go to pages.sign_in first, and that page decides", "remove one of the two");
    }
    match providers {
        [Provider { kind: ProviderKind::OAuth(_), .. }] => {}
        [Provider { id, .. }] => {
            refuse!(
                place,
                "{id} is a form on the sign-in page; there is no other place to go to",
                "remove it"
            );
        }
        [] => refuse!(place, "the host of login_url sends people to the provider", "write it there"),
        _ => refuse!(place, "there are several providers, and only the person knows which one", "remove it"),
    }
}

/// Adds rules that make the sign-in and error pages public. They come after all other rules, so a rule of the
/// configuration that matches such a page decides first.
pub(super) fn open(auth: &Table<'_>, pages: &Pages, site: &Site<'_>, rules: &mut Vec<Rule>) {
    let places = auth.table("pages");
    for (key, page) in must_be_open(pages) {
        let Page { authority, path } = site.split(page);
        let Ok(pattern) = Pattern::parse(path) else { continue };
        let mut rule = Rule::new(places.at(key).to_string(), vec![pattern], Access::Public);
        if let Some(authority) = authority {
            let Ok(host) = HostPattern::parse(authority) else { continue };
            rule.host = Some(host);
        }
        rules.push(rule);
    }
}

/// Refuses a page that a rule guards: a user who is redirected there would be redirected there again, without end.
pub(super) fn refuse_guarded(auth: &Table<'_>, pages: &Pages, site: &Site<'_>, rules: &RuleSet) {
    // With a rule missing, the others could decide differently: the mistake in the rule is enough for now.
    let places = auth.table("pages");
    if auth.at("rules").is_refused() {
        return;
    }
    for (key, page) in must_be_open(pages) {
        let page = Text { text: page, place: places.at(key) };
        let Page { authority, path } = site.split(page.text);
        // A plain path is canonical; any other page was refused before.
        let Ok(canonical) = CanonicalPath::new(path) else { continue };
        // A path without a login host is on every host: the empty authority matches no rule that names a host.
        let url = RequestUrl {
            secure: true,
            authority: authority.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: None,
        };
        let request = Request { method: Method::Get, url, headers: Headers::new() };
        let decided = rules.decide(&request, &canonical, &PathReadings::default());
        if !decided.is_ok_and(|decided| decided.is_public()) && !page.place.is_refused() {
            refuse!(
                page,
                "a rule guards {page}, so a user who is sent there is sent there again and again",
                "before that rule, add one with match = \"{path}\" and access = \"public\"",
            );
        }
    }
}

fn must_be_open(pages: &Pages) -> impl Iterator<Item = (&'static str, &str)> {
    [("sign_in", &pages.sign_in), ("error", &pages.error)]
        .into_iter()
        .filter_map(|(key, page)| Some((key, page.as_deref()?)))
}

impl Site<'_> {
    fn check_page(&self, text: &Text<'_>) {
        let Page { authority, path } = Page::split(text.text);
        if authority.is_some() {
            let Some(url) = text.parsed(endpoint) else { return };
            let origin = Origin::of(&url);
            if !self.trusts(&origin) {
                let host = origin.host();
                return refuse!(text, "{text}: the host {host} is not in trusted_hosts; add it there");
            }
        }
        let is_visible = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '\\');
        if !is_plain_path(path) || !text.text.chars().all(is_visible) {
            return refuse!(
                text,
                "{text} is not a plain path or URL; write a path like \"/login\" or an https URL, with letters, digits, \"-\", \"_\", \".\" and \
                 \"~\" between single slashes"
            );
        }
        let base_path = self.base_path;
        let below = path.strip_prefix(base_path);
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            refuse!(
                text,
                "{text} is below base_path ({base_path}), where Vestibule answers itself; choose another path"
            );
        }
    }

    /// The host and path of a page. A page without a host is on the login host, where there is one.
    fn split<'p>(&'p self, page: &'p str) -> Page<'p> {
        let Page { authority, path } = Page::split(page);
        Page { authority: authority.or(self.login_url.map(Origin::authority)), path }
    }

    fn trusts(&self, origin: &Origin) -> bool {
        self.trusted_hosts.iter().any(|pattern| pattern.matches(origin.authority()))
            || self.cookie_domain.is_some_and(|domain| domain.covers(origin.host()))
            || is_loopback(origin.host())
    }
}

/// The parts of a page's address.
struct Page<'a> {
    /// Host and port of an absolute URL.
    authority: Option<&'a str>,
    /// The path without the query; `/` where a URL has none.
    path: &'a str,
}

impl<'a> Page<'a> {
    fn split(text: &'a str) -> Self {
        let without_query = text.split('?').next().unwrap_or_default();
        match without_query.split_once("://") {
            None => Self { authority: None, path: without_query },
            Some((_, rest)) => match rest.find('/').and_then(|slash| rest.split_at_checked(slash)) {
                None => Self { authority: Some(rest), path: "/" },
                Some((authority, path)) => Self { authority: Some(authority), path },
            },
        }
    }
}
