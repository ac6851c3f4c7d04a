//! Pages of the app's own. They are where people are sent who may not pass, so they must not be guarded.

use super::site::is_plain_path;
use crate::config::Pages;
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawPages;
use crate::guard::matcher::Pattern;
use crate::guard::path::CanonicalPath;
use crate::guard::rules::{Access, Rule, RuleSet};
use crate::http::headers::Headers;
use crate::http::origin::{CookieDomain, HostPattern, Origin, endpoint, is_loopback};
use crate::http::request::{Method, Request, RequestUrl};

/// What a page is judged by.
pub(super) struct Site<'a> {
    pub(super) base_path: &'a str,
    pub(super) trusted_hosts: &'a [HostPattern],
    pub(super) cookie_domain: Option<&'a CookieDomain>,
    pub(super) login_url: Option<&'a Origin>,
}

pub(super) fn pages(raw: &RawPages<'_>, site: &Site<'_>, problems: &mut Problems) -> Pages {
    let place = Place::root().key("pages");
    let mut page = |key, text: Option<&str>| {
        let text = text?;
        let good = site.check_page(text);
        good.map_err(|why| problems.refuse(&place.key(key), format!("{}: {why}", quoted(text)))).ok()?;
        Some(text.to_owned())
    };
    Pages {
        sign_in: page("sign_in", raw.sign_in),
        sign_out: page("sign_out", raw.sign_out),
        error: page("error", raw.error),
    }
}

/// The rules that open the sign-in and error pages to everybody. They come behind all others: what a rule of
/// the configuration says about such a page holds.
pub(super) fn public_rules(pages: &Pages, site: &Site<'_>) -> Vec<Rule> {
    let open = |(key, page)| {
        let Page { authority, path } = site.split(page);
        let place = Place::root().key("pages").key(key);
        let mut rule = Rule::new(place.to_string(), vec![Pattern::parse(path).ok()?], Access::Public);
        if let Some(authority) = authority {
            rule.host = Some(HostPattern::parse(authority).ok()?);
        }
        Some(rule)
    };
    must_be_open(pages).filter_map(open).collect()
}

/// Refuses a page that a rule guards: whoever is sent there would be sent there again, for ever.
pub(super) fn refuse_guarded(pages: &Pages, site: &Site<'_>, rules: &RuleSet, problems: &mut Problems) {
    // Where a rule could not be read, the others say nothing.
    if problems.concern(&Place::root().key("rules")) {
        return;
    }
    for (key, page) in must_be_open(pages) {
        let Page { authority, path } = site.split(page);
        // Plain paths are canonical.
        let Ok(canonical) = CanonicalPath::new(path) else { continue };
        // A path is on every host: rules for single hosts are not looked at.
        let url = RequestUrl {
            secure: true,
            authority: authority.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: None,
        };
        let request = Request { method: Method::Get, url, headers: Headers::new() };
        let decided = rules.decide(&request, &canonical);
        if !decided.is_public() {
            problems.refuse_and_mend(
                &Place::root().key("pages").key(key),
                format!("{} is guarded by a rule, so nobody who is sent there arrives", quoted(page)),
                format!("before that rule, add one with match = \"{path}\" and access = \"public\""),
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
    fn check_page(&self, text: &str) -> Result<(), String> {
        const HOW: &str = "write a path like \"/login\", or an https URL, with letters, digits, \"-\", \"_\", \".\" \
                           and \"~\" between single slashes";
        let Page { authority, path } = Page::split(text);
        if authority.is_some() {
            let url = endpoint(text).map_err(|why| why.to_string())?;
            let origin = Origin::of(&url);
            if !self.trusts(&origin) {
                return Err(format!("{} is none of trusted_hosts", origin.host()));
            }
        }
        let is_visible = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '\\');
        if !is_plain_path(path) || !text.chars().all(is_visible) {
            return Err(HOW.to_owned());
        }
        let below = path.strip_prefix(self.base_path);
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(format!(
                "it lies below base_path ({}), where Vestibule answers itself",
                self.base_path
            ));
        }
        Ok(())
    }

    /// Where a page is: a path is one of the login host's, where there is one.
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

/// A page's text, split.
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
