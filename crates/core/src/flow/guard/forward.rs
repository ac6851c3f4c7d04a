//! A request that may pass goes on to its upstream, with what the upstream is to know of the person.

use crate::flow::RequestContext;
use crate::flow::guard::admission::Admitted;
use crate::flow::responses::with_cookies;
use crate::guard::headers::SessionCookies;
use crate::outcome::Outcome;
use crate::platform::{Forward, Platform};

impl<P: Platform> RequestContext<'_, P> {
    /// The fourth step: sends the request on. Its cookies are for the browser, added to the upstream's response unless
    /// the session ended, or went on elsewhere, while the upstream took its time; the upstream sees them as if the
    /// browser had them already.
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
        let positions = if route.forward_session { self.session_positions() } else { Vec::new() };
        let cookies = SessionCookies { positions: &positions, renewed: &renewed };
        let changes = route.changes(&config.rules, guarded, self.request, &identity, cookies);
        let forward = Forward { target: route.target, request: self.request, changes, personal: is_personal };
        if renewed.is_empty() {
            return self.platform.forward_streaming(forward, body).await;
        }
        match self.platform.forward(forward, body).await {
            Ok(response) => {
                let cookies = self.cookies_still_valid(session, renewed).await;
                Outcome::Forwarded { response, cookies }
            }
            Err(error) => {
                self.platform.log(error.level(), &error.log());
                // Only what would be lost: that the upstream does not answer is no reason for anything else.
                let has_news = session.is_some_and(|session| self.has_new_tokens(session));
                let news = if has_news { renewed } else { Vec::new() };
                let cookies = self.cookies_still_valid(session, news).await;
                Outcome::Response(with_cookies(error.answer(), cookies))
            }
        }
    }
}
