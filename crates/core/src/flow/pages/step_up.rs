//! The pages for a user who is signed in, and did not prove what a page asks for. Neither is a redirect: only a click goes on.

use maud::html;

use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::platform::Platform;
use crate::texts::Text;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// 403: the provider did not give what was asked, or another user did. The button opens `return_to`, which asks again.
    pub(crate) fn step_up_page(&self, text: Text, return_to: &str) -> Response {
        let language = self.language();
        let content = html! {
            p role="alert" { (language.text(text)) }
            a.button href=(return_to) { (language.text(Text::TryAgain)) }
            @if text == Text::StepUpOtherUser {
                a.button.quiet href=(self.switch_account_page(return_to)) { (language.text(Text::OtherAccount)) }
            }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let title = Text::StepUpTitle;
        Page { status: 403, title, icon: Icon::Lock, content, rules: String::new() }.respond(self)
    }

    /// 403: no one who signed in like this can prove it.
    pub(crate) fn no_step_up_page(&self) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::NoStepUp)) }
            a.button href=(self.switch_account_page(&self.return_address())) {
                (language.text(Text::OtherAccount))
            }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let title = Text::ForbiddenTitle;
        Page { status: 403, title, icon: Icon::Lock, content, rules: String::new() }.respond(self)
    }
}
