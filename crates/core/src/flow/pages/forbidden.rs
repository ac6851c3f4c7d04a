//! The page for a user who may not see what they asked for: they are signed in without the permission, or a rule denies
//! everyone who is not signed in.

use maud::{Markup, html};

use super::account::signed_in_as;
use super::hidden_fields;
use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::flow::signin::switch_account::PROMPT;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::csrf::Csrf;
use crate::texts::Text;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// 403, with links to sign in and to the home page; or a redirect to the page that the configuration names.
    pub(crate) fn show_forbidden(&self, session: Option<&Session>) -> Response {
        if let Some(page) = &self.config().pages.forbidden {
            let location =
                with_parameters(&self.page_location(page), &[("callbackUrl", &self.return_address())]);
            return Response::redirect(location).with("cache-control", "private, no-store");
        }
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
        let language = self.language();
        let content = html! {
            (signed_in_as(language, session))
            p { (language.text(Text::Forbidden)) }
            form method="post" action=(self.route("signout")) {
                (hidden_fields(csrf.token(), &with_parameters(&self.sign_in_and_return(), &[PROMPT])))
                button type="submit" { (language.text(Text::OtherAccount)) }
            }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let cookie = csrf.new_cookie(keys).map(|value| SetCookie::new(name, &value));
        with_cookies(forbidden_page(content).respond(self), cookie.into_iter().collect())
    }

    fn forbidden_signed_out(&self) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::ForbiddenSignedOut)) }
            a.button href=(self.sign_in_and_return()) { (language.text(Text::SignIn)) }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        forbidden_page(content).respond(self)
    }

    /// The address of the sign-in page, from which the user comes back here. A POST has no page to come back to.
    fn sign_in_and_return(&self) -> String {
        match self.request.method {
            Method::Post => self.route("signin"),
            _ => self.sign_in_url(),
        }
    }
}

fn forbidden_page(content: Markup) -> Page {
    Page { status: 403, title: Text::ForbiddenTitle, icon: Icon::Lock, content, rules: String::new() }
}
