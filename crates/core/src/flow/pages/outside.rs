//! The answer of a host outside the site, to which browsers do not send the session's cookie.

use maud::html;
use serde_json::json;

use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::texts::Text;
use vestibule_oidc::http::origin::CookieDomain;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// 403: no one can sign in on this host. A page for a navigation, JSON for a script; no redirect.
    pub(crate) fn host_outside_site(&self, domain: &CookieDomain) -> Response {
        let (host, domain) = (self.request.url.host(), domain.as_str());
        let message = format_args!(
            "{host} is outside of cookies.domain, {domain:?}, so no one can sign in there: let only hosts of {domain} \
             reach this deployment, give {host} a deployment of its own, or add a rule that makes public what everyone \
             may see there"
        );
        self.log(Record::new(LogEvent::HostOutsideSite, message));
        self.no_sign_in_here()
    }

    /// 403: this request's address is not one to sign in at. The log says why.
    pub(crate) fn no_sign_in_here(&self) -> Response {
        if self.request.is_navigation() {
            return self.host_outside_site_page();
        }
        Response::json(403, &json!({ "error": "foreign_host" })).with("cache-control", "private, no-store")
    }

    /// On a host outside of the site the page has no link, because it is unknown which host of the site the user wanted.
    fn host_outside_site_page(&self) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::ForeignHost)) }
            @if self.signs_users_in() {
                a.button href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
            }
        };
        let title = Text::ForeignHostTitle;
        Page { status: 403, title, icon: Icon::Lock, content, rules: String::new() }.respond(self)
    }
}
