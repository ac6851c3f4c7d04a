//! What every request passes that is not for an auth route.

use crate::flow::Exchange;
use crate::flow::guard::admission::{Refusal, Refused};
use crate::flow::responses::{self, with_cookies};
use crate::flow::standing::Standing;
use crate::guard::path::CanonicalPath;
use crate::platform::Platform;
use crate::reply::Reply;
use crate::session::claims::Session;
use vestibule_oidc::http::response::Response;

impl<P: Platform> Exchange<'_, P> {
    /// Forwards the request, or says why not.
    pub(crate) async fn protect(&self, path: &CanonicalPath, body: P::Body) -> Reply<P::Upstreamed> {
        self.guarded(path, body).await.unwrap_or_else(|refused| Reply::Own(self.refusal(refused)))
    }

    /// The guard's four steps.
    async fn guarded(&self, path: &CanonicalPath, body: P::Body) -> Result<Reply<P::Upstreamed>, Refused> {
        let access = self.access(path);
        let who = self.identify(&access).await;
        let permitted = self.authorize(&access, who)?;
        let admitted = self.ensure_token(access, permitted).await?;
        Ok(self.forward(admitted, body).await)
    }

    /// What a client gets who may not pass.
    pub(super) fn refusal(&self, refused: Refused) -> Response {
        let answer = match (refused.why, self.standing) {
            (Refusal::SignIn | Refusal::Forbidden, Standing::Foreign(domain)) => self.foreign_host(domain),
            (Refusal::SignIn, _) => self.to_sign_in(),
            (Refusal::Forbidden, _) => self.forbidden(refused.session.as_ref()),
            (Refusal::NotFound, _) => responses::not_found(),
            (Refusal::Elsewhere(login), _) => self.send_to_renew(&login),
            (Refusal::Token(why), _) => responses::of_token(why),
        };
        with_cookies(answer, refused.cookies)
    }

    /// The way to sign in: a redirect for a person, 401 with the address for a script.
    fn to_sign_in(&self) -> Response {
        let sign_in = self.sign_in_url();
        if self.request.is_navigation() {
            return Response::redirect(sign_in).with("cache-control", "private, no-store");
        }
        responses::unauthorized(&sign_in)
    }

    /// A page for a person, 403 for a script.
    fn forbidden(&self, session: Option<&Session>) -> Response {
        if self.request.is_navigation() {
            return self.show_forbidden(session);
        }
        responses::forbidden()
    }
}
