//! Addresses on the site's hosts: our own routes and pages, on the host that was asked or on the one that signs people
//! in.

use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::platform::Platform;

impl<P: Platform> RequestContext<'_, P> {
    /// The origin of the host that signs people in.
    pub(crate) fn login_origin(&self) -> String {
        match self.host_role {
            HostRole::Member(login) => login.as_str().to_owned(),
            HostRole::Login | HostRole::Outside(_) => self.request.url.origin(),
        }
    }

    /// An absolute URL of one of our routes on the host that signs people in: `login_route("signin")`.
    pub(crate) fn login_route(&self, route: &str) -> String {
        format!("{}{}/{route}", self.login_origin(), self.config().base_path)
    }

    /// `redirect_uri`: our callback for that provider, on the host that signs people in.
    pub(crate) fn redirect_uri(&self, provider_id: &str) -> String {
        self.login_route(&format!("callback/{provider_id}"))
    }

    /// The page on which people sign in, from which they come to `return_to`.
    pub(crate) fn sign_in_page(&self, return_to: &str) -> String {
        let page = match &self.config().pages.sign_in {
            Some(page) => self.page_url(page),
            None => self.login_route("signin"),
        };
        with_parameters(&page, &[("callbackUrl", return_to)])
    }

    /// The address that was asked for, as one to come back to. Where people sign in on `https`, only `https` has their
    /// session afterwards.
    pub(crate) fn address(&self) -> String {
        let url = &self.request.url;
        match self.host_role {
            HostRole::Member(login) if login.secure() && url.authority == url.host() => {
                format!("https://{}{}", url.authority, url.path_and_query())
            }
            _ => format!("{}{}", url.origin(), url.path_and_query()),
        }
    }

    /// The sign-in page, from which one comes back to what was asked for.
    pub(crate) fn sign_in_url(&self) -> String {
        self.sign_in_page(&self.address())
    }

    /// A page of the configuration's, a path or a URL, as a URL. A path is one of the host's that signs people in.
    pub(crate) fn page_url(&self, page: &str) -> String {
        if page.starts_with('/') { format!("{}{page}", self.login_origin()) } else { page.to_owned() }
    }

    /// The same as a redirect's location, where Auth.js leaves a path of the own host as it is written.
    pub(crate) fn page_location(&self, page: &str) -> String {
        match self.host_role {
            HostRole::Member(_) => self.page_url(page),
            HostRole::Login | HostRole::Outside(_) => page.to_owned(),
        }
    }
}

/// The address of a page with parameters added, encoded as a form's.
pub(crate) fn with_parameters(page: &str, parameters: &[(&str, &str)]) -> String {
    let separator = if page.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{page}{separator}{query}")
}
