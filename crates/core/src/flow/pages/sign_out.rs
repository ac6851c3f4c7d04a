//! `GET /signout`: asks the user to confirm, and says so if a sign-out did not reach every copy of the session.

use maud::html;

use super::account::signed_in_as;
use super::hidden_fields;
use super::layout::{Icon, Page};
use super::sign_in::error_text;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use crate::revocation::kind::RevocationStore;
use crate::session::cookie::SessionCookie;
use crate::texts::Text;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::TrustedUrl;

/// The error of a sign-out that other processes do not learn of.
const INCOMPLETE: &str = "SignOutIncomplete";

impl<P: Platform> RequestContext<'_, P> {
    /// Shows the confirmation, or redirects to the sign-out page that the configuration names.
    pub(crate) async fn show_sign_out(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        if query.one("error") == Ok(Some(INCOMPLETE)) {
            return Ok(with_cookies(self.sign_out_incomplete_page(form.return_to.as_str()), form.cookies));
        }
        if let Some(page) = &self.config().pages.sign_out {
            return Ok(with_cookies(Response::redirect(self.page_location(page)), form.cookies));
        }
        let has_old_form =
            query.one("error") == Ok(Some("MissingCSRF")) || query.one("csrf") == Ok(Some("true"));
        let session = self.live_session().await;
        // The page that they signed in for would send them to the provider at once to sign in again.
        let is_asked_for = query.one("callbackUrl").is_ok_and(|asked| asked.is_some_and(|it| !it.is_empty()));
        // What an earlier sign-in left behind may be a page of Vestibule's, which would ask to sign in again.
        let back = if !is_asked_for && self.is_own_page(form.return_to.as_str()) {
            self.return_policy().default()
        } else {
            form.return_to
        };
        let return_to = match &session {
            Ok(SessionCookie::Valid(session)) if !is_asked_for && self.has_provider_logout(session) => {
                self.return_policy().default()
            }
            _ => back.clone(),
        };
        let is_nobody =
            matches!(session, Ok(SessionCookie::Absent | SessionCookie::Revoked | SessionCookie::Invalid(_)));
        let language = self.language();
        let content = html! {
            @if has_old_form { p.alert role="alert" { (language.text(error_text("MissingCSRF", None))) } }
            @if let Ok(SessionCookie::Valid(session)) = &session { (signed_in_as(language, session)) }
            p { (language.text(Text::SignOutQuestion)) }
            form method="post" action=(self.route_in_language("signout")) {
                (hidden_fields(form.csrf.token(), return_to.as_str()))
                button type="submit" { (language.text(Text::SignOut)) }
                @if !is_nobody && self.config().revocation.store != RevocationStore::None {
                    button.quiet type="submit" name="everywhere" value="true" { (language.text(Text::SignOutEverywhere)) }
                }
            }
            a.button.quiet href=(back) { (language.text(Text::Cancel)) }
        };
        let page =
            Page { status: 200, title: Text::SignOut, icon: Icon::Leave, content, rules: String::new() };
        Ok(with_cookies(page.respond(self), form.cookies))
    }

    /// The answer to a sign-out that only reached this browser: the page that says so, from which it goes on to `next`, or for
    /// a script the page's address. That has `return_to` only, because `next` may be the provider's address with a token.
    pub(crate) fn sign_out_incomplete(&self, body: &Params, next: &str, return_to: &TrustedUrl) -> Response {
        if self.is_sent_by_script(body) {
            let parameters = [("error", INCOMPLETE), ("callbackUrl", return_to.as_str())];
            return Response::redirect(with_parameters(&self.route_in_language("signout"), &parameters));
        }
        self.sign_out_incomplete_page(next)
    }

    fn sign_out_incomplete_page(&self, next: &str) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::SignOutIncomplete)) }
            a.button href=(next) { (language.text(Text::GoOn)) }
        };
        let page = Page {
            status: 200,
            title: Text::SignedOutTitle,
            icon: Icon::Leave,
            content,
            rules: String::new(),
        };
        page.respond(self)
    }
}
