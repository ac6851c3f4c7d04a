//! The answer to a request that this deployment itself forwarded: the address of an upstream leads back here.

use maud::html;
use serde_json::json;

use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::texts::Text;
use crate::upstream::Target;
use vestibule_oidc::http::origin::is_loopback;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// 508 (RFC 5842 section 7.2): a page for a navigation, JSON for a script.
    pub(crate) fn forwarding_loop(&self, target: &Target) -> Response {
        let host = self.request.url.host();
        let is_development = is_loopback(host);
        let to = match target {
            Target::Origin => "origin".to_owned(),
            Target::Service(name) => format!("service:{name}"),
            Target::Url(url) => url.origin().to_owned(),
        };
        let fix = if is_development {
            "write the address of your app, for example to = \"http://localhost:3000\""
        } else {
            "write the address of the server that runs the app, which must not be a host of this deployment"
        };
        let problem = format!("an upstream's to = {to:?} leads from {host} back to this deployment");
        self.log(Record::new(LogEvent::ForwardingLoop, format_args!("{problem}: {fix}")));
        if !self.request.is_navigation() {
            return Response::json(508, &json!({ "error": "forwarding_loop" }))
                .with("cache-control", "private, no-store");
        }
        let content = html! {
            p { (self.language().text(Text::ForwardingLoop)) }
            @if is_development {
                p { (problem) ": " (fix) "." }
            }
        };
        let title = Text::OurFaultTitle;
        Page { status: 508, title, icon: Icon::Trouble, content, rules: String::new() }.respond(self)
    }
}
