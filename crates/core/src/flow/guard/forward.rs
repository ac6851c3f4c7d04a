//! The guard's last step: an admitted request goes on to its upstream, with header fields that identify the user.

use crate::flow::RequestContext;
use crate::flow::guard::admission::Admitted;
use crate::flow::responses::with_cookies;
use crate::outcome::Outcome;
use crate::platform::{Forward, Platform};

impl<P: Platform> RequestContext<'_, P> {
    /// The fourth step: forwards the request.
    ///
    /// The upstream's response gets the session's new cookies, unless the session ended or got newer tokens while the
    /// upstream worked. The upstream sees a request in which the browser has these cookies already.
    pub(super) async fn forward(
        &self,
        Admitted { route, session, cookies: renewed, is_personal }: Admitted<'_>,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        let session = session.as_ref();
        let identity = match self.identity(&route, session).await {
            Ok(identity) => identity,
            Err(failed) => return Outcome::Response(with_cookies(failed, renewed)),
        };
        let (config, guarded) = (self.config(), &self.vestibule.guarded);
        let changes = route.changes(&config.rules, guarded, self.request, &identity, &renewed);
        let forward = Forward {
            target: route.target,
            request: self.request,
            changes,
            personal: is_personal,
            edge: config.edge,
        };
        if renewed.is_empty() {
            return self.platform.forward_streaming(forward, body).await;
        }
        match self.platform.forward(forward, body).await {
            Ok(response) => {
                let cookies = self.cookies_still_valid(session, renewed).await;
                Outcome::Forwarded { response, cookies }
            }
            Err(error) => {
                self.log(error.record());
                // Without new tokens nothing is lost: the next request renews the cookie.
                let has_new_tokens = session.is_some_and(|session| self.has_new_tokens(session));
                let cookies = if has_new_tokens { renewed } else { Vec::new() };
                let cookies = self.cookies_still_valid(session, cookies).await;
                Outcome::Response(with_cookies(error.answer(), cookies))
            }
        }
    }
}
