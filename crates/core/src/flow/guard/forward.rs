//! A request that may pass goes on to its upstream, with what the upstream is to know of the person.

use crate::flow::RequestContext;
use crate::flow::guard::admission::Admitted;
use crate::flow::responses::with_cookies;
use crate::guard::route::Route;
use crate::outcome::Outcome;
use crate::platform::{Forward, Platform};
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// The fourth step: sends the request on. Its cookies are for the browser, added to the upstream's response unless
    /// the session ended, or went on elsewhere, while the upstream took its time; the upstream sees them as if the
    /// browser had them already.
    pub(super) async fn forward(
        &self,
        Admitted { route, session, cookies: renewed, is_personal, is_guarded_preflight }: Admitted<'_>,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        if is_guarded_preflight {
            return Outcome::Response(self.forward_preflight(&route).await);
        }
        let session = session.as_ref();
        let identity = match self.identity(&route, session).await {
            Ok(identity) => identity,
            Err(failed) => return Outcome::Response(with_cookies(failed, renewed)),
        };
        let (config, guarded) = (self.config(), &self.vestibule.guarded);
        let changes = route.changes(&config.rules, guarded, self.request, &identity, &renewed);
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

    /// Asks the upstream what a preflight asks (Fetch Standard, "CORS-preflight request"), on a path that is not public.
    /// It runs handlers of that path in many frameworks. So the upstream gets neither a body nor a query nor cookies, and
    /// whoever asks learns nothing but CORS from its response.
    async fn forward_preflight(&self, route: &Route<'_>) -> Response {
        let (config, guarded) = (self.config(), &self.vestibule.guarded);
        let mut changes = route.changes(&config.rules, guarded, self.request, &[], &[]);
        changes.remove("cookie");
        changes.remove("authorization");
        let forward = Forward { target: route.target, request: self.request, changes, personal: true };
        match self.platform.forward_head(forward).await {
            Ok(mut response) => {
                let is_cors = |name: &str| {
                    let name = name.to_ascii_lowercase();
                    name.starts_with("access-control-") || matches!(name.as_str(), "vary" | "allow")
                };
                response.headers.retain(|name, _| is_cors(name));
                response.body.clear();
                response.with("cache-control", "private, no-store")
            }
            Err(error) => {
                self.platform.log(error.level(), &error.log());
                error.answer()
            }
        }
    }
}
