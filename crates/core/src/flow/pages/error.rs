//! `GET /error`: what went wrong, in words for the person in front of it. The status says who is to blame.

use maud::html;

use super::layout::{Icon, Page};
use super::sign_in::in_words;
use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use crate::session::dialect::Dialect;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

/// Codes that next-auth 4's error page leaves to the sign-in page.
const SIGN_IN_ERRORS_V4: [&str; 10] = [
    "Signin",
    "OAuthSignin",
    "OAuthCallback",
    "OAuthCreateAccount",
    "EmailCreateAccount",
    "Callback",
    "OAuthAccountNotLinked",
    "EmailSignin",
    "CredentialsSignin",
    "SessionRequired",
];

impl<P: Platform> RequestContext<'_, P> {
    /// Shows the error, or sends the browser to the page that the configuration names.
    pub(crate) fn show_error(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let code = query.one("error").map_err(ClientError::from)?;
        let dialect = self.config().dialect;
        if dialect == Dialect::NextAuthV4
            && let Some(code) = code.filter(|code| SIGN_IN_ERRORS_V4.contains(code))
        {
            let location = with_parameters(&self.route("signin"), &[("error", code)]);
            return Ok(with_cookies(Response::redirect(location), form.cookies));
        }
        if let Some(page) = &self.config().pages.error {
            // Auth.js writes the word where there is no error.
            let location =
                with_parameters(&self.page_location(page), &[("error", code.unwrap_or("undefined"))]);
            return Ok(with_cookies(Response::redirect(location), form.cookies));
        }
        let (status, title, text) = match canonical(dialect, code.unwrap_or_default()) {
            "Configuration" => (
                500,
                "Something is wrong on our side",
                "Signing in did not work. Please try again; if it happens again, tell the people who run this site.",
            ),
            "AccessDenied" => {
                (403, "Access denied", "You do not have permission to sign in. Another account may have it.")
            }
            "Verification" => (
                403,
                "This link no longer works",
                "It was used already, or is too old. Please sign in again to get a new one.",
            ),
            other => (200, "Something went wrong", in_words(other, None)),
        };
        let content = html! {
            p role="alert" { (text) }
            a.button href=(self.route("signin")) { "Sign in again" }
            a.button.quiet href={ (self.request.url.origin()) "/" } { "Go to the home page" }
        };
        let page = Page { status, title, icon: Icon::Trouble, content, rules: String::new() };
        Ok(with_cookies(page.respond(self), form.cookies))
    }
}

/// next-auth 4 does not mind how a code is capitalized.
fn canonical(dialect: Dialect, code: &str) -> &str {
    let known = ["Configuration", "AccessDenied", "Verification"];
    let same = |known: &&str| dialect == Dialect::NextAuthV4 && known.eq_ignore_ascii_case(code);
    known.into_iter().find(same).unwrap_or(code)
}
