//! Where a user comes back to after signing in, if a script found that they are signed out: to the page, not to the data
//! that the script requested.

use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::http::url::Url;

impl<P: Platform> RequestContext<'_, P> {
    /// The return address of a request that was denied: its own for a navigation, and for what a browser prefetches,
    /// because the user wants to go there. For a script it is the page's, if that is known and trusted.
    pub(crate) fn return_address(&self) -> String {
        if self.request.is_navigation() || self.request.is_prefetch() {
            return self.address();
        }
        self.page().map_or_else(|| self.address(), |page| page.as_str().to_owned())
    }

    /// The page whose script sent the request, by `Referer` (RFC 9110 section 10.1.3). Browsers tell another origin only
    /// the page's origin there; if they tell nothing, `Origin` says as much. The policy for return addresses decides
    /// whether a browser is sent there.
    pub(crate) fn page(&self) -> Option<TrustedUrl> {
        let one = |name: &'static str| {
            let mut values = self.request.headers.get_all(name);
            values.next().filter(|_| values.next().is_none())
        };
        let text = match (one("referer"), one("origin")) {
            (Some(referer), _) => referer.to_owned(),
            (None, Some(origin)) => format!("{origin}/"),
            (None, None) => return None,
        };
        let url = Url::parse(&text).ok()?;
        let origin = Origin::of(&url);
        let is_trusted = origin == *self.origin
            || self.config().trusted_origins.iter().any(|trusted| trusted.covers(&origin));
        if !is_trusted || self.is_page_of_sign_in(&url) {
            return None;
        }
        self.return_policy().resolve(&text)
    }

    /// Whether an address is one of these pages.
    pub(crate) fn is_own_page(&self, address: &str) -> bool {
        Url::parse(address).is_ok_and(|url| self.is_page_of_sign_in(&url))
    }

    /// Whether it is a page to sign in, or another page of Vestibule. Nobody wants to come back there.
    fn is_page_of_sign_in(&self, url: &Url) -> bool {
        let config = self.config();
        let is_ours = url.path().strip_prefix(config.base_path.as_str());
        let is_ours = is_ours.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_ours
            || config.pages.sign_in.as_deref().is_some_and(|page| {
                let page = self.page_url(page);
                page.split(['?', '#']).next() == Some(&*format!("{}{}", url.origin(), url.path()))
            })
    }
}
