//! Values that all requests to one origin share, computed once.

use std::cell::RefCell;
use std::rc::Rc;

use crate::session::names::{CookieNames, SiteCookieNames};
use crate::upstream::Upstream;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::RequestUrl;

/// A request's origin, the names of its cookies, and its upstream's place in the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) origin: Rc<Origin>,
    pub(crate) names: Rc<CookieNames>,
    pub(crate) upstream: Option<usize>,
}

/// The origin of the last request. One entry is enough: a site has few origins, and requests to one come in groups.
#[derive(Debug, Default)]
pub(crate) struct SiteCache(RefCell<Option<Entry>>);

#[derive(Debug)]
struct Entry {
    secure: bool,
    authority: String,
    site: Site,
}

impl SiteCache {
    /// The site of a request; `None` if its host is not a valid host in a URL. `own` is the site's configured origin.
    pub(crate) fn site(
        &self,
        names: &SiteCookieNames,
        upstreams: &[Upstream],
        own: Option<&Origin>,
        url: &RequestUrl,
    ) -> Option<Site> {
        let mut last = self.0.borrow_mut();
        if let Some(known) = &*last
            && known.secure == url.secure
            && known.authority == url.authority
        {
            return Some(known.site.clone());
        }
        let is_of = |own: &&Origin| own.secure() == url.secure && own.authority() == url.authority;
        let origin = match own.filter(is_of) {
            Some(own) => own.clone(),
            None => Origin::parse(&url.origin()).ok()?,
        };
        let (origin, names) = (Rc::new(origin), Rc::clone(names.of(url.secure)));
        let upstream = Upstream::position(upstreams, &url.authority);
        let site = Site { origin, names, upstream };
        *last = Some(Entry { secure: url.secure, authority: url.authority.clone(), site: site.clone() });
        Some(site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::dialect::Dialect;
    use crate::session::names::CookieNaming;

    #[test]
    fn an_origin_gets_its_own_cookie_names_after_a_request_to_another_origin() {
        let names = SiteCookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5);
        let (sites, own) = (SiteCache::default(), Origin::parse("https://a.example").unwrap());
        let urls = [
            ("https://a.example/x", "https://a.example", "__Secure-authjs.session-token"),
            ("https://a.example/y?z", "https://a.example", "__Secure-authjs.session-token"),
            ("http://a.example/", "http://a.example", "authjs.session-token"),
            ("https://a.example:8443/", "https://a.example:8443", "__Secure-authjs.session-token"),
            ("https://a.example:443/", "https://a.example", "__Secure-authjs.session-token"),
            ("https://b.example/", "https://b.example", "__Secure-authjs.session-token"),
        ];
        for (url, origin, name) in urls.iter().chain(urls.iter().rev()) {
            let url = RequestUrl::parse(url).unwrap();
            let site = sites.site(&names, &[], Some(&own), &url).unwrap();
            assert_eq!((site.origin.as_str(), site.names.session()), (*origin, *name), "{url:?}");
        }
        let no_host = RequestUrl::parse("https://a.1.2/").unwrap();
        assert!(sites.site(&names, &[], Some(&own), &no_host).is_none());
    }
}
