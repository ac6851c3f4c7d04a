//! The page after too many attempts to sign in with a form.

use maud::html;

use super::layout::{Icon, Page};
use crate::flow::responses::with_cookies;
use crate::flow::{RequestContext, RouteParams};
use crate::platform::Platform;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// 429. It says nothing about the account, and leads back to the form with the same return address.
    pub(crate) fn too_many_attempts_page(&self, params: &RouteParams) -> Response {
        let form = self.form_context(&params.query, Some(&params.form));
        let (cookies, sign_in) = match form {
            Ok(form) => (form.cookies, self.sign_in_page(form.return_to.as_str())),
            Err(_) => (Vec::new(), self.route("signin")),
        };
        let content = html! {
            p role="alert" { "There were too many attempts to sign in. Please wait a minute, then try again." }
            a.button href=(sign_in) { "Sign in again" }
            a.button.quiet href={ (self.request.url.origin()) "/" } { "Go to the home page" }
        };
        let title = "Too many attempts";
        let page = Page { status: 429, title, icon: Icon::Trouble, content, rules: String::new() };
        with_cookies(page.respond(self), cookies)
    }
}
