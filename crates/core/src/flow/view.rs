//! What a page takes from the site and from the head of the request: its language, its looks, and addresses. It needs no
//! platform, so there is a page also where the runtime learns of a failure after the flow.

use crate::config::Config;
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::platform::Platform;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Request;

/// The site as a request sees it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) config: &'a Config,
    pub(crate) request: &'a Request,
    host_role: HostRole<'a>,
}

impl<'a> View<'a> {
    pub(crate) fn new(config: &'a Config, request: &'a Request) -> Self {
        // A host that is none in a URL is no host of the site, and has no origin of its own to link to.
        let origin = Origin::parse(&request.url.origin()).ok();
        let host_role = origin.map_or(HostRole::Login, |origin| HostRole::of(config, &origin));
        Self { config, request, host_role }
    }

    /// The origin of the login host.
    pub(crate) fn login_origin(&self) -> String {
        match self.host_role {
            HostRole::Member(login) | HostRole::Preview(login) => login.as_str().to_owned(),
            HostRole::Login | HostRole::Outside(_) => self.request.url.origin(),
        }
    }

    /// The URL of a page that the configuration names by a path or a URL. A path is on the login host.
    pub(crate) fn page_url(&self, page: &str) -> String {
        if page.starts_with('/') { format!("{}{page}", self.login_origin()) } else { page.to_owned() }
    }
}

impl<'a, P: Platform> RequestContext<'a, P> {
    /// What this request's pages are made of.
    pub(crate) fn page_view(&self) -> View<'a> {
        View { config: self.config(), request: self.request, host_role: self.host_role }
    }
}
