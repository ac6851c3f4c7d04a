//! `pages.straight_to_provider`: a person who has to sign in goes to the only provider without a click on the sign-in page.
//!
//! No form begins it, so a link of another site can. That signs no one in as somebody else: the account is the one that
//! this browser has at the provider, and the transaction binds the answer to this browser. After a sign-out the sign-in
//! page is shown, so that no one is signed in again at once.

use crate::config::ProviderKind;
use crate::flow::signin::begin::Purpose;
use crate::flow::{FormContext, RequestContext};
use crate::platform::Platform;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// The redirect to the only provider. `None` if the sign-in page is to be shown: the configuration does not say
    /// otherwise; someone has just signed out; the page is in a frame; the same page was sent there within the last
    /// minute, which would be a redirect loop; or the provider is unavailable.
    pub(crate) async fn straight_to_provider(&self, form: &FormContext) -> Option<Response> {
        let config = self.config();
        let [provider] = config.providers.as_slice() else { return None };
        let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
        let is_in_frame = self.request.headers.get("sec-fetch-dest").is_some_and(|dest| dest != "document");
        if !config.pages.straight_to_provider || self.has_signed_out() || is_in_frame {
            return None;
        }
        let return_to = &form.return_to;
        let marker = self.mark_renewal(&format!("straight {return_to}"))?;
        let purpose = Purpose::SignIn { is_kept: true, other_account: false };
        let mut params = oauth.authorization.params.clone();
        if let Some((name, tags)) = self.wanted_languages() {
            params.retain(|(other, _)| other != name);
            params.push((name.to_owned(), tags));
        }
        let redirect = self.authorization_redirect(provider, oauth, &params, return_to, purpose).await;
        self.marked_redirect(redirect, marker)
    }

    /// Whether someone has signed out in this browser since the last sign-in.
    fn has_signed_out(&self) -> bool {
        self.cookies.get(self.names.signed_out()).is_some()
    }

    /// The cookie that says so; `None` where no one is sent straight to a provider. Another host of the site may have the
    /// key, so it is for the whole site.
    pub(crate) fn mark_signed_out(&self) -> Option<SetCookie> {
        let is_needed = self.config().pages.straight_to_provider || !self.signs_users_in();
        let cookie = || SetCookie::new(self.names.signed_out(), "1").domain(self.cookie_domain());
        is_needed.then(cookie)
    }

    /// The cookie that takes that back, after a sign-in.
    pub(crate) fn clear_signed_out(&self) -> Option<SetCookie> {
        let (name, domain) = (self.names.signed_out(), self.cookie_domain());
        // With an answer that the provider's page posts (`form_post`) the browser does not send it.
        let may_be_hidden = self.request.method == Method::Post
            && (self.config().pages.straight_to_provider || domain.is_some());
        (self.cookies.get(name).is_some() || may_be_hidden).then(|| SetCookie::expired(name).domain(domain))
    }
}
