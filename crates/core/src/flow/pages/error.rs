//! `GET /error`: tells the user what went wrong. The status is 500 for an error on our side, and 403 for a denied user.

use maud::html;

use super::layout::{Icon, Page};
use super::sign_in::error_text;
use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use crate::session::dialect::Dialect;
use crate::texts::Text;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

/// The codes for which next-auth 4's error page redirects to the sign-in page.
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
    /// Shows the error, or redirects to the error page that the configuration names.
    pub(crate) fn show_error(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let code = query.one("error").map_err(ClientError::from)?;
        let dialect = self.config().dialect;
        if dialect == Dialect::NextAuthV4
            && let Some(code) = code.filter(|code| SIGN_IN_ERRORS_V4.contains(code))
        {
            let location = self.in_language(with_parameters(&self.route("signin"), &[("error", code)]));
            return Ok(with_cookies(Response::redirect(location), form.cookies));
        }
        if let Some(page) = &self.config().pages.error {
            // Auth.js writes "undefined" if there is no error code.
            let location =
                with_parameters(&self.page_location(page), &[("error", code.unwrap_or("undefined"))]);
            return Ok(with_cookies(Response::redirect(location), form.cookies));
        }
        let (status, title, text) = match canonical(dialect, code.unwrap_or_default()) {
            "Configuration" => (500, Text::OurFaultTitle, Text::OurFault),
            "AccessDenied" => (403, Text::DeniedTitle, Text::Denied),
            "Verification" => (403, Text::DeadLinkTitle, Text::DeadLink),
            other => (200, Text::ErrorTitle, error_text(other, None)),
        };
        let language = self.language();
        let content = html! {
            p role="alert" { (language.text(text)) }
            a.button href=(self.route_in_language("signin")) { (language.text(Text::SignInAgain)) }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let page = Page { status, title, icon: Icon::Trouble, content, rules: String::new() };
        Ok(with_cookies(page.respond(self), form.cookies))
    }
}

/// The code in its usual spelling: next-auth 4 ignores the case of these codes.
fn canonical(dialect: Dialect, code: &str) -> &str {
    let known = ["Configuration", "AccessDenied", "Verification"];
    let same = |known: &&str| dialect == Dialect::NextAuthV4 && known.eq_ignore_ascii_case(code);
    known.into_iter().find(same).unwrap_or(code)
}
