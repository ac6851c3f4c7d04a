//! `GET /signout`: asks the user to confirm.

use maud::html;

use super::account::signed_in_as;
use super::hidden_fields;
use super::layout::{Icon, Page};
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Shows the confirmation, or redirects to the sign-out page that the configuration names.
    pub(crate) fn show_sign_out(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        if let Some(page) = &self.config().pages.sign_out {
            return Ok(with_cookies(Response::redirect(self.page_location(page)), form.cookies));
        }
        let content = html! {
            @if let SessionCookie::Valid(session) = self.session() { (signed_in_as(&session)) }
            p { "Are you sure you want to sign out?" }
            form method="post" action=(self.route("signout")) {
                (hidden_fields(form.csrf.token(), form.return_to.as_str()))
                button type="submit" { "Sign out" }
            }
            a.button.quiet href=(form.return_to) { "Cancel" }
        };
        let page = Page { status: 200, title: "Sign out", icon: Icon::Leave, content, rules: String::new() };
        Ok(with_cookies(page.respond(self), form.cookies))
    }
}
