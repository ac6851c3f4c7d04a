//! What somebody sees who may not go where they wanted to: signed in as somebody who may not, or, where a
//! rule says so, not signed in.

use maud::html;

use super::account::signed_in_as;
use super::hidden;
use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::csrf::Csrf;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Says so, and offers the ways onward.
    pub(crate) fn show_forbidden(&self, session: Option<&Session>) -> Response {
        match session {
            Some(session) => self.forbidden_signed_in(session),
            None => self.forbidden_signed_out(),
        }
    }

    fn forbidden_signed_in(&self, session: &Session) -> Response {
        let keys = &self.config().keys;
        let name = self.names.csrf();
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let csrf = Csrf::from_cookies(self.cookies.get_all(name), keys, random);
        let content = html! {
            (signed_in_as(session))
            p { "You are signed in, but this page is not open to your account." }
            form method="post" action=(self.route("signout")) {
                (hidden(csrf.token(), &self.way_to_sign_in()))
                button type="submit" { "Sign in with a different account" }
            }
            a.button.quiet href={ (self.request.url.origin()) "/" } { "Go to the home page" }
        };
        let page = Page { status: 403, title: "No access", icon: Icon::Lock, content, rules: String::new() };
        let cookie = csrf.new_cookie(keys).map(|value| SetCookie::new(name, &value));
        with_cookies(page.respond(self), cookie.into_iter().collect())
    }

    fn forbidden_signed_out(&self) -> Response {
        let content = html! {
            p { "This page is open only to people who are signed in, and may see it." }
            a.button href=(self.way_to_sign_in()) { "Sign in" }
            a.button.quiet href={ (self.request.url.origin()) "/" } { "Go to the home page" }
        };
        let page = Page { status: 403, title: "No access", icon: Icon::Lock, content, rules: String::new() };
        page.respond(self)
    }

    /// The way to sign in, and from there back here; what a form was sent to is nothing to come back to.
    fn way_to_sign_in(&self) -> String {
        match self.request.method {
            Method::Post => self.route("signin"),
            _ => self.sign_in_url(),
        }
    }
}
