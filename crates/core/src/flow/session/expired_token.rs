//! The answer to a request that needs the session's access token after the token has expired for good, because there is
//! no refresh token or no one here can use it: the user signs in again, silently where the provider allows it.

use serde_json::json;

use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::{self, with_cookies};
use crate::flow::session::renewal_marker::RETRY_AFTER;
use crate::platform::Platform;
use crate::session::claims::Session;
use std::time::Duration;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Sends a navigation to sign in again, first silently; anything else gets 401.
    pub(crate) async fn sign_in_again(&self, session: Option<&Session>) -> Response {
        if let Some(session) = session.filter(|_| self.request.is_navigation())
            && let Some(redirect) = self.sign_in_silently(session, &self.return_address()).await
        {
            return redirect;
        }
        self.sign_in_again_response()
    }

    /// The same without the silent sign-in, which needs a cookie in the browser: another proxy that asks on behalf of the
    /// browser may drop it. On a host that is not the login host, a navigation goes to the login host, which tries that.
    pub(crate) fn sign_in_again_response(&self) -> Response {
        // The user may never look at a prefetched page.
        if self.request.is_prefetch() {
            return responses::token_unavailable(Duration::from_secs(1));
        }
        let return_to = self.return_address();
        if !self.request.is_navigation() {
            return self.token_expired(&return_to);
        }
        if let HostRole::Member(login) | HostRole::Preview(login) = self.host_role
            && let Some(marker) = self.mark_renewal(&return_to)
        {
            return with_cookies(Response::redirect(self.renewal_url(login, &return_to)), vec![marker]);
        }
        if let HostRole::Preview(_) = self.host_role {
            // The sign-in page would send the browser back with the same session.
            return responses::token_unavailable(RETRY_AFTER);
        }
        Response::redirect(self.sign_in_page(&return_to)).with("cache-control", "private, no-store")
    }

    /// 401 for a script: a user who opens `signInUrl` gets a token and comes back to `return_to`.
    pub(crate) fn token_expired(&self, return_to: &str) -> Response {
        let there = match self.host_role {
            HostRole::Member(login) | HostRole::Preview(login) => self.renewal_url(login, return_to),
            HostRole::Login | HostRole::Outside(_) => self.sign_in_page(return_to),
        };
        Response::json(401, &json!({ "error": "token_expired", "signInUrl": there }))
            .with("www-authenticate", "Bearer error=\"invalid_token\"")
            .with("cache-control", "private, no-store")
    }

    /// The address of `GET /renew` on the login host, with the return address. A preview host gets a new session instead.
    pub(crate) fn renewal_url(&self, login: &Origin, return_to: &str) -> String {
        if let HostRole::Preview(_) = self.host_role {
            return self.preview_sign_in_page(login, return_to);
        }
        let route = format!("{}{}/renew", login.as_str(), self.config().base_path);
        with_parameters(&route, &[("callbackUrl", return_to)])
    }
}
