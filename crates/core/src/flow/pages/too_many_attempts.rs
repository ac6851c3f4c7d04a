//! The page after too many attempts to sign in with a form.

use maud::html;

use super::layout::{Icon, Page};
use crate::flow::responses::with_cookies;
use crate::flow::{RequestContext, RouteParams};
use crate::platform::Platform;
use crate::texts::Text;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// 429. It says nothing about the account, and leads back to the form with the same return address.
    pub(crate) fn too_many_attempts_page(&self, params: &RouteParams) -> Response {
        let form = self.form_context(&params.query, Some(&params.form));
        let (cookies, sign_in) = match form {
            Ok(form) => (form.cookies, self.sign_in_page(form.return_to.as_str())),
            Err(_) => (Vec::new(), self.route("signin")),
        };
        let language = self.language();
        let content = html! {
            p role="alert" { (language.text(Text::TooManyAttempts)) }
            a.button href=(sign_in) { (language.text(Text::SignInAgain)) }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let title = Text::TooManyAttemptsTitle;
        let page = Page { status: 429, title, icon: Icon::Trouble, content, rules: String::new() };
        with_cookies(page.respond(self), cookies)
    }
}
