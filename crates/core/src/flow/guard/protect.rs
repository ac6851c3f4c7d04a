//! The guard: every request whose path is not an auth route passes its steps, or is denied.

use crate::flow::RequestContext;
use crate::flow::guard::admission::{Browser, DenialReason, Denied};
use crate::flow::host_role::HostRole;
use crate::flow::responses::{self, with_cookies};
use crate::guard::path::CanonicalPath;
use crate::outcome::Outcome;
use crate::platform::Platform;
use crate::session::claims::Session;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Forwards the request, or answers why it may not pass.
    pub(crate) async fn protect(&self, path: &CanonicalPath, body: P::Body) -> Outcome<P::UpstreamResponse> {
        match self.run_guard(path, body).await {
            Ok(outcome) => outcome,
            Err(Denied { reason: DenialReason::TokenExpired, session, .. }) => {
                // Boxed: otherwise the future of every guarded request would have its size.
                let response = Box::pin(self.sign_in_again(session.as_ref())).await;
                Outcome::Response(self.readable_denial(response))
            }
            Err(denied) => Outcome::Response(self.denied_response(denied)),
        }
    }

    /// The steps: identify, confirm, authorize, ensure a token, forward.
    async fn run_guard(
        &self,
        path: &CanonicalPath,
        body: P::Body,
    ) -> Result<Outcome<P::UpstreamResponse>, Denied> {
        let access = self.access(path)?;
        let admitted = self.admit(access, Browser::Direct).await?;
        Ok(self.forward(admitted, body).await)
    }

    /// The response to a request that may not pass.
    pub(super) fn denied_response(&self, denied: Denied) -> Response {
        let answer = match (denied.reason, self.host_role) {
            (DenialReason::SignIn | DenialReason::Forbidden, HostRole::Outside(domain)) => {
                self.host_outside_site(domain)
            }
            (DenialReason::SignIn, _) => self.sign_in_response(),
            (DenialReason::Forbidden, _) => self.forbidden(denied.session.as_ref()),
            (DenialReason::NotFound, _) => responses::not_found(),
            (DenialReason::CrossOrigin, _) => responses::cross_origin(),
            (DenialReason::ServerFunction, _) => responses::server_function(&self.sign_in_url()),
            (DenialReason::PathTooLong, _) => responses::uri_too_long(),
            (DenialReason::RefreshAtLoginHost(login), _) => self.redirect_to_refresh(&login),
            (DenialReason::TokenExpired, _) => self.sign_in_again_response(),
            (DenialReason::AskProvider(redirect), _) => redirect,
            (DenialReason::Token(denied), _) => responses::token_denied(denied),
        };
        self.readable_denial(with_cookies(answer, denied.cookies))
    }

    /// Where to sign in: a redirect for a navigation, 401 with the address for a script.
    fn sign_in_response(&self) -> Response {
        let sign_in = self.sign_in_url();
        if self.request.is_navigation() {
            return Response::redirect(sign_in).with("cache-control", "private, no-store");
        }
        responses::unauthorized(&sign_in)
    }

    /// 403: with a page for a navigation, as JSON for a script.
    fn forbidden(&self, session: Option<&Session>) -> Response {
        if self.request.is_navigation() {
            return self.show_forbidden(session);
        }
        responses::forbidden()
    }
}
