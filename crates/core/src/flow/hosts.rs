//! Addresses on the site's hosts: auth routes and pages, on the request's host or on the login host.

use crate::error::ADDRESS_TOO_LONG;
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::platform::Platform;

impl<P: Platform> RequestContext<'_, P> {
    /// The origin of the login host.
    pub(crate) fn login_origin(&self) -> String {
        self.page_view().login_origin()
    }

    /// Whether the request's host is one that signs users in.
    pub(crate) fn signs_users_in(&self) -> bool {
        matches!(self.host_role, HostRole::Login)
    }

    /// The absolute URL of an auth route on the login host: `login_route("signin")`.
    pub(crate) fn login_route(&self, route: &str) -> String {
        format!("{}{}/{route}", self.login_origin(), self.config().base_path)
    }

    /// The `redirect_uri` of a provider: its callback on the login host.
    pub(crate) fn redirect_uri(&self, provider_id: &str) -> String {
        self.login_route(&format!("callback/{provider_id}"))
    }

    /// The address of the sign-in page, with `return_to` as the return address. If that is too long, the address of the
    /// page that says so: nobody should sign in and then be somewhere else.
    pub(crate) fn sign_in_page(&self, return_to: &str) -> String {
        if let HostRole::Preview(login) = self.host_role {
            return self.preview_sign_in_page(login, return_to);
        }
        if self.return_policy().is_too_long(return_to) {
            let pages = &self.config().pages;
            let page =
                pages.error.as_ref().map_or_else(|| self.login_page("error"), |page| self.page_url(page));
            return with_parameters(&page, &[("error", ADDRESS_TOO_LONG)]);
        }
        let page = match &self.config().pages.sign_in {
            Some(page) => self.page_url(page),
            None => self.login_page("signin"),
        };
        with_parameters(&page, &[("callbackUrl", return_to)])
    }

    /// The address of one of Vestibule's pages on the login host, in the language that this page's address asks for.
    fn login_page(&self, route: &str) -> String {
        self.in_language(self.login_route(route))
    }

    /// The request's own address, as a return address. If the login host uses `https`, so does this address, because the
    /// session's cookie is then sent over `https` only.
    pub(crate) fn address(&self) -> String {
        let url = &self.request.url;
        match self.host_role {
            HostRole::Member(login) | HostRole::Preview(login)
                if login.secure() && url.authority == url.host() =>
            {
                format!("https://{}{}", url.authority, url.path_and_query())
            }
            _ => format!("{}{}", url.origin(), url.path_and_query()),
        }
    }

    /// The address of the sign-in page, with the return address of this request.
    pub(crate) fn sign_in_url(&self) -> String {
        self.sign_in_page(&self.return_address())
    }

    /// The URL of a page that the configuration names by a path or a URL. A path is on the login host.
    pub(crate) fn page_url(&self, page: &str) -> String {
        self.page_view().page_url(page)
    }

    /// The same as a redirect's `Location`. Like Auth.js, it leaves a path on the request's own host as it is written.
    pub(crate) fn page_location(&self, page: &str) -> String {
        match self.host_role {
            HostRole::Member(_) | HostRole::Preview(_) => self.page_url(page),
            HostRole::Login | HostRole::Outside(_) => page.to_owned(),
        }
    }
}

/// The address of a page with these parameters in its query, form-encoded.
pub(crate) fn with_parameters(page: &str, parameters: &[(&str, &str)]) -> String {
    let separator = if page.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{page}{separator}{query}")
}
