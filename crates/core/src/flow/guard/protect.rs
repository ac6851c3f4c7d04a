//! The guard: every request whose path is not an auth route passes its steps, or is denied.

use crate::flow::RequestContext;
use crate::flow::guard::access::Admitted;
use crate::flow::guard::admission::Browser;
use crate::flow::guard::denied::{DenialReason, Denied};
use crate::flow::host_role::HostRole;
use crate::flow::path_memory::KnownPath;
use crate::flow::responses::{self, with_cookies};
use crate::outcome::Outcome;
use crate::platform::Platform;
use crate::session::claims::Session;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Forwards the request, or answers why it may not pass.
    pub(crate) async fn protect(&self, path: &KnownPath, body: P::Body) -> Outcome<P::UpstreamResponse> {
        let denied = match self.run_guard(path).await {
            Ok(admitted) => return self.forward(admitted, body).await,
            Err(denied) => denied,
        };
        // Without a way to prove more, a form would be kept for nothing.
        let may_keep = match &denied.reason {
            DenialReason::StepUp(step_up) => {
                !step_up.is_bearer && self.has_way_to_step_up(denied.session.as_ref())
            }
            _ => true,
        };
        // Boxed: otherwise the future of every guarded request would have its size.
        if self.request.method == Method::Post
            && may_keep
            && let Some(page) = Box::pin(self.keep_form(&denied.reason, body)).await
        {
            return Outcome::Response(with_cookies(page, denied.cookies));
        }
        match denied {
            Denied { reason: DenialReason::StepUp(denial), session, cookies } => {
                let response = Box::pin(self.step_up(session.as_ref(), &denial)).await;
                Outcome::Response(self.readable_denial(with_cookies(response, cookies)))
            }
            Denied { reason: DenialReason::TokenExpired, session, .. } => {
                // Boxed: otherwise the future of every guarded request would have its size.
                let response = Box::pin(self.sign_in_again(session.as_ref())).await;
                Outcome::Response(self.readable_denial(response))
            }
            denied => Outcome::Response(self.denied_response(denied)),
        }
    }

    /// The steps before the last one, which forwards: identify, confirm, authorize, ensure a token.
    async fn run_guard(&self, path: &KnownPath) -> Result<Admitted<'_>, Denied> {
        let access = self.access(path).inspect_err(|denied| self.count_early_denial(denied))?;
        self.admit(access, Browser::Direct).await
    }

    /// The response to a request that may not pass.
    pub(super) fn denied_response(&self, denied: Denied) -> Response {
        let answer = match (denied.reason, self.host_role) {
            (DenialReason::SignIn | DenialReason::Forbidden, HostRole::Outside(domain)) => {
                self.host_outside_site(domain)
            }
            (DenialReason::SignIn, _) => self.sign_in_response(),
            (DenialReason::Forbidden, _) => self.forbidden(denied.session.as_ref()),
            (DenialReason::ClientsOnly, _) => responses::clients_only(),
            (DenialReason::NotFound, _) => responses::not_found(),
            (DenialReason::CrossOrigin, _) => responses::cross_origin(),
            (DenialReason::ServerFunction, _) => responses::server_function(&self.sign_in_url()),
            (DenialReason::PathTooLong, _) => responses::uri_too_long(),
            (DenialReason::RefreshAtLoginHost(login), _) => self.redirect_to_refresh(&login),
            (DenialReason::TokenExpired, _) => self.sign_in_again_response(),
            (DenialReason::AskProvider(redirect), _) => *redirect,
            (DenialReason::Token(denied), _) => self.token_denied(denied),
            (DenialReason::Resource(answer), _) => *answer,
            (DenialReason::StepUp(step_up), _) => self.step_up_response(denied.session.as_ref(), &step_up),
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
