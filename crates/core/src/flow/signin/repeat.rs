//! A sign-in that the provider's logout overtook: the session would be over before the browser has it.
//!
//! Tokens say their time in whole seconds. So where someone signs in within the second of a logout, it cannot be seen which
//! of both came first, and the logout counts. The provider knows it: a second later it is asked once more. Who signed in
//! after the logout comes back without a question, and is signed in; who did not sees the provider's login.

use std::time::Duration;

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::signin::begin::Purpose;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::subject::Subject;
use crate::session::claims::Session;
use crate::session::transaction::Transaction;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::provider::OAuthProvider;

/// The times of two tokens that are this far apart differ.
const RESOLUTION: Duration = Duration::from_secs(1);

impl<P: Platform> RequestContext<'_, P> {
    /// Whether a logout of the provider that is known already ends the session. [`Self::sign_in_time`] has read it.
    pub(super) fn is_ended_by_provider(&self, session: &Session) -> bool {
        self.vestibule.revocations.is_ended_by(&Subject::of_provider(session), session)
    }

    /// Sends the browser to the provider once more, a second after `ended`, which gave a session that is over already. If
    /// that attempt was the second one, to the sign-in page.
    pub(super) async fn repeat_sign_in(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        ended: &Transaction,
    ) -> Result<Response, Error> {
        let return_to = self.return_policy().resolve(&ended.return_to);
        let Some(return_to) = return_to.filter(|_| !ended.is_repeated) else {
            let message = "the provider had ended the session before it began";
            self.log(Record::new(LogEvent::SessionRevoked, message));
            return Ok(Response::redirect(self.sign_in_page(&ended.return_to)));
        };
        self.platform.sleep(RESOLUTION).await;
        let configured = oauth.authorization.params.iter();
        // The user has answered already. Where there is no login any more, the provider asks by itself.
        let parameters: Vec<_> = configured.filter(|(name, _)| name != "prompt").cloned().collect();
        let purpose = Purpose::Repeat { is_kept: ended.is_persistent };
        self.authorization_redirect(provider, oauth, &parameters, &return_to, purpose).await
    }
}
