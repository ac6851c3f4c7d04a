//! What somebody gets on a host that the site's session does not reach.

use maud::html;
use serde_json::json;

use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::http::origin::CookieDomain;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// The answer of a host on which nobody can be signed in: no redirect, nothing to sign in with, no session.
    pub(crate) fn foreign_host(&self, domain: &CookieDomain) -> Response {
        let (host, domain) = (self.request.url.host(), domain.as_str());
        let message = format_args!(
            "{host} is outside of cookies.domain, {domain:?}, so no one can sign in there: let only hosts of {domain} \
             reach this deployment, give {host} a deployment of its own, or add a rule that makes public what everyone \
             may see there"
        );
        self.log(Record::new(LogEvent::HostOutsideSite, message));
        if self.request.is_navigation() {
            return self.foreign_host_page();
        }
        Response::json(403, &json!({ "error": "foreign_host" })).with("cache-control", "private, no-store")
    }

    /// There is no way onward from here that would not be a guess.
    fn foreign_host_page(&self) -> Response {
        let content = html! {
            p { "Nobody can sign in at this address. The site has another one: please go there." }
        };
        let title = "No sign-in here";
        Page { status: 403, title, icon: Icon::Lock, content, rules: String::new() }.respond(self)
    }
}
