//! `[vars.AUTH.pages]`: the app's own pages. Users who may not pass are redirected to some of them, so no rule may guard
//! those.

use super::site::is_plain_path;
use crate::config::Pages;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
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

/// The pages to which people are redirected who may not pass.
const REDIRECTED_TO: [&str; 3] = ["sign_in", "error", "forbidden"];

/// What the pages show or link to: of `theme` and of `theme.links`.
const SHOWN: [&str; 2] = ["logo", "logo_dark"];
const LINKED: [&str; 4] = ["forgot_password", "sign_up", "privacy", "support"];

/// What browsers and crawlers ask for on every site, signed in or not.
const ASKED_OF_EVERY_SITE: [&str; 2] = ["/favicon.ico", "/robots.txt"];

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
        forbidden: page("forbidden"),
    }
}

/// Adds rules that make public what everyone has to see: the pages to which people are redirected, what Vestibule's pages
/// show and link to, `/favicon.ico` and `/robots.txt`. They come after all other rules, so a rule of the configuration
/// that matches such a path decides first.
pub(super) fn open(auth: &Table<'_>, site: &Site<'_>, rules: &mut Vec<Rule>) {
    must_be_open(auth, |page, _| {
        let Page { authority, path } = site.split(page.text);
        let Ok(pattern) = Pattern::parse(path) else { return };
        let mut rule = Rule::new(page.place.to_string(), vec![pattern], Access::Public);
        if let Some(authority) = authority {
            let Ok(host) = HostPattern::parse(authority) else { return };
            rule.host = Some(host);
        }
        rules.push(rule);
    });
    for path in ASKED_OF_EVERY_SITE {
        let Ok(pattern) = Pattern::parse(path) else { continue };
        rules.push(Rule::new("built in", vec![pattern], Access::Public));
    }
}

/// Refuses an address that a rule guards, of those that everyone has to see.
pub(super) fn refuse_guarded(auth: &Table<'_>, site: &Site<'_>, rules: &RuleSet) {
    // With a rule missing, the others could decide differently: the mistake in the rule is enough for now.
    if auth.at("rules").is_refused() {
        return;
    }
    must_be_open(auth, |page, use_| {
        let Page { authority, path } = site.split(page.text);
        // A plain path is canonical; any other page was refused before.
        let Ok(canonical) = CanonicalPath::new(path) else { return };
        // A path without a login host is on every host: the empty authority matches no rule that names a host.
        let url = RequestUrl {
            secure: true,
            authority: authority.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: None,
        };
        let request = Request { method: Method::Get, url, headers: Headers::new() };
        let decided = rules.decide(&request, &canonical, &PathReadings::default());
        if decided.is_ok_and(|decided| decided.is_public()) || page.place.is_refused() {
            return;
        }
        let problem = match use_ {
            Use::Redirect => "a user who is sent there is sent there again and again",
            Use::Page => "people who are not signed in do not get it",
        };
        refuse!(
            page,
            "a rule guards {page}, so {problem}",
            "before that rule, add one with match = \"{path}\" and access = \"public\"",
        );
    });
}

/// What an address is for.
enum Use {
    /// People are redirected to it.
    Redirect,
    /// Vestibule's pages show it, or link to it.
    Page,
}

/// Calls `check` with each address that everyone has to see. What Vestibule's pages show may also be a URL anywhere else,
/// which no rule decides about.
fn must_be_open(auth: &Table<'_>, mut check: impl FnMut(&Text<'_>, Use)) {
    let (pages, theme) = (auth.table("pages"), auth.table("theme"));
    let links = theme.table("links");
    for key in REDIRECTED_TO {
        if let Some(page) = pages.text(key) {
            check(&page, Use::Redirect);
        }
    }
    let shown = SHOWN.map(|key| (&theme, key)).into_iter().chain(LINKED.map(|key| (&links, key)));
    for (table, key) in shown {
        if let Some(address) = table.text(key).filter(|address| address.text.starts_with('/')) {
            check(&address, Use::Page);
        }
    }
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
