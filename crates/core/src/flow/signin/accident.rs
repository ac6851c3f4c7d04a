//! The accidents of a sign-in, as a person meets them in a browser: a callback that was opened again, from the history or
//! from a bookmark, or after too long at the provider; a plain link to a provider; a form that was open over night. None of
//! them is the site's fault, so none leads to the error page.
//!
//! Who is signed in already goes on to where they wanted. Everyone else comes to the sign-in page, which says what
//! happened, and keeps the address. Scripts get the answers of Auth.js.

use crate::error::{ClientError, Error, ErrorPage, INVALID_REQUEST, ProviderError, SIGN_IN_EXPIRED};
use crate::flow::form_context::callback_url_cookie;
use crate::flow::hosts::with_parameters;
use crate::flow::refresh::{FreshSession, Need, RefreshError};
use crate::flow::responses::with_cookies;
use crate::flow::{RequestContext, RouteParams};
use crate::platform::Platform;
use crate::session::cookie::SessionCookie;
use crate::session::dialect::Dialect;
use crate::session::transaction::Transaction;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

/// Whether a person is signed in.
pub(crate) enum Visitor {
    /// They are, with this session.
    SignedIn(FreshSession),
    /// They have a session, or may have one, and what it needs is not there: its token has expired, or the provider or the
    /// store does not answer.
    Uncertain,
    /// No one is.
    SignedOut,
}

impl<P: Platform> RequestContext<'_, P> {
    /// The answer to an auth route that failed by an accident; `None` if it was another failure, or if no person waits for
    /// a page.
    pub(crate) async fn accident(
        &self,
        route: &[&str],
        params: &RouteParams,
        error: &Error,
    ) -> Option<Response> {
        if !self.request.is_navigation() || self.is_sent_by_script(&params.form) {
            return None;
        }
        let accident = Accident::of(&self.request.method, route, error)?;
        let return_to = self.wanted(route, params);
        match accident {
            Accident::NoPage => return Some(Response::empty(400)),
            // The person wants to sign out, and is asked once more.
            Accident::OldSignOut if self.config().dialect == Dialect::NextAuthV4 => return None,
            Accident::OldSignOut => {
                let parameters = [("error", error.code()), ("callbackUrl", return_to.as_str())];
                let page = self.in_language(self.route("signout"));
                return Some(Response::redirect(with_parameters(&page, &parameters)));
            }
            Accident::Expired | Accident::PlainLink | Accident::OldForm => {}
        }
        if let Some(there) = self.go_on(&return_to).await {
            return Some(there);
        }
        let page = self.sign_in_page(&return_to);
        Some(Response::redirect(match accident {
            Accident::Expired => with_parameters(&page, &[("error", SIGN_IN_EXPIRED)]),
            Accident::PlainLink => page,
            Accident::OldForm | Accident::OldSignOut | Accident::NoPage => return None,
        }))
    }

    /// The redirect to where a person wanted to go, if they are signed in already.
    async fn go_on(&self, return_to: &str) -> Option<Response> {
        let session = self.signed_in().await?;
        Some(self.go_on_with(session, return_to).await)
    }

    /// The redirect of a person who is signed in with this session.
    pub(crate) async fn go_on_with(&self, session: FreshSession, return_to: &str) -> Response {
        let redirect = Response::redirect(return_to).with("cache-control", "private, no-store");
        let cookies = session.cookies(self);
        with_cookies(redirect, self.cookies_unless_signed_out(Some(&session.session), cookies).await)
    }

    /// The session of a person who need not sign in: with a valid access token, where the site uses it. If it is to be
    /// refreshed, that happens now: otherwise the page that the person wanted might send them here again.
    pub(crate) async fn signed_in(&self) -> Option<FreshSession> {
        match self.visitor().await {
            Visitor::SignedIn(session) => Some(session),
            Visitor::Uncertain | Visitor::SignedOut => None,
        }
    }

    /// Whether a person is signed in.
    pub(crate) async fn visitor(&self) -> Visitor {
        let session = match self.live_session().await {
            Ok(SessionCookie::Valid(session)) => session,
            Ok(_) => return Visitor::SignedOut,
            Err(_) => return Visitor::Uncertain,
        };
        if session.error().is_some() || !session.names_user() {
            return Visitor::SignedOut;
        }
        let config = self.config();
        let uses_tokens = config.uses_tokens() || config.login_url.is_some();
        let need = if uses_tokens { Need::AccessToken } else { Need::User };
        match Box::pin(self.fresh_session(session, need)).await {
            Ok(fresh) => Visitor::SignedIn(fresh),
            Err(RefreshError::Ended(_) | RefreshError::SignedOut) => Visitor::SignedOut,
            Err(
                RefreshError::Unavailable(_)
                | RefreshError::OnlyAtLoginHost(_)
                | RefreshError::NotConfirmed(_)
                | RefreshError::Expired(_),
            ) => Visitor::Uncertain,
        }
    }

    /// The redirect to a page from which a sign-in begins again, where the address that the person wanted is kept: in the
    /// cookie, so that the page's address is Auth.js's, or in the address if the cookie would be too large. Only a
    /// navigation needs it. `cookies` are further ones of the answer.
    pub(crate) fn keep_wanted(
        &self,
        page: String,
        route: &[&str],
        params: &RouteParams,
        error: &Error,
        mut cookies: Vec<SetCookie>,
    ) -> (String, Vec<SetCookie>) {
        let is_person = self.request.is_navigation() && !self.is_sent_by_script(&params.form);
        if error.page() != ErrorPage::SignIn || !is_person {
            return (page, cookies);
        }
        let return_to = self.wanted(route, params);
        let name = self.names.callback_url();
        if self.cookies.get(name) == Some(return_to.as_str())
            || return_to == self.return_policy().default().as_str()
        {
            return (page, cookies);
        }
        let Some(cookie) = callback_url_cookie(name, &return_to) else {
            return (with_parameters(&page, &[("callbackUrl", &return_to)]), cookies);
        };
        cookies.retain(|cookie| cookie.name() != name);
        cookies.push(cookie);
        (page, cookies)
    }

    /// [`INVALID_REQUEST`], if the provider answered so where a page of Vestibule's own asked it for another account: then the
    /// next attempt goes without that. It stands in the page's address, where Auth.js, which asks for no account, has nothing.
    pub(crate) fn misunderstood_account(
        &self,
        route: &[&str],
        params: &RouteParams,
        error: &Error,
    ) -> Option<(&'static str, &'static str)> {
        let is_for_other_account =
            || self.transaction_of(route, params).is_some_and(|transaction| transaction.is_for_other_account);
        (error.is_misunderstood() && is_for_other_account()).then_some(("code", INVALID_REQUEST))
    }

    /// The attempt that a callback belongs to, if this browser has it.
    fn transaction_of(&self, route: &[&str], params: &RouteParams) -> Option<Transaction> {
        let ["callback", provider] = route else { return None };
        let state = self.state_of_response(provider, &params.query);
        let state = state.or_else(|| self.state_of_response(provider, &params.form));
        let keys = &self.config().keys;
        Transaction::open(state.as_deref(), provider, &self.cookies, keys, &self.names, self.now).ok()
    }

    /// Where the person wanted to go: as the sign-in says, if this browser has it, otherwise as the request says.
    fn wanted(&self, route: &[&str], params: &RouteParams) -> String {
        if let Some(transaction) = self.transaction_of(route, params) {
            return transaction.return_to;
        }
        let form = self.form_context(&params.query, Some(&params.form));
        form.map_or_else(
            |_| self.return_policy().default().as_str().to_owned(),
            |form| form.return_to.as_str().to_owned(),
        )
    }
}

/// What happened.
enum Accident {
    /// The callback belongs to no sign-in that can end here.
    Expired,
    /// A link leads to where a form belongs, or to no route at all.
    PlainLink,
    /// The form has no valid CSRF token. If no one is signed in, the usual answer says so.
    OldForm,
    /// The same to sign out.
    OldSignOut,
    /// There is nothing at this address.
    NoPage,
}

impl Accident {
    fn of(method: &Method, route: &[&str], error: &Error) -> Option<Self> {
        let is_callback = route.first() == Some(&"callback");
        match error {
            Error::Client(ClientError::Transaction(_)) => Some(Self::Expired),
            Error::Client(ClientError::UnsupportedAction(_)) if is_callback => Some(Self::Expired),
            // The first request took the code, but its answer did not arrive.
            Error::Provider { cause: ProviderError::Token(error), .. }
                if is_callback && error.is_invalid_grant() =>
            {
                Some(Self::Expired)
            }
            Error::Client(ClientError::PlainLink) => Some(Self::PlainLink),
            Error::Client(ClientError::UnknownAction { .. })
                if route.is_empty() && *method == Method::Get =>
            {
                Some(Self::PlainLink)
            }
            Error::Client(ClientError::UnsupportedAction(_)) => Some(Self::NoPage),
            Error::Client(ClientError::MissingCsrf(_)) => match route.first() {
                Some(&"signout") => Some(Self::OldSignOut),
                Some(&("signin" | "callback")) => Some(Self::OldForm),
                _ => None,
            },
            _ => None,
        }
    }
}
