//! A sign-in begins: the browser is sent to the provider, with a transaction that only it can bring back.

use crate::config::ProviderKind;
use crate::error::{ClientError, Error};
use crate::flow::responses::with_cookies;
use crate::flow::{FormContext, RequestContext};
use crate::platform::Platform;
use crate::session::csrf::CsrfVerified;
use crate::session::ticket::Ticket;
use crate::session::transaction::{self, Transaction};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize::{self, AuthorizationRequest};

/// What shows that the person in front of this browser wants to sign in, and no page of somebody else's.
pub(crate) enum Intent {
    /// They sent our form.
    Form(CsrfVerified),
    /// They sent it to another host of the site.
    Ticket(Ticket),
}

impl<P: Platform> RequestContext<'_, P> {
    /// The authorization request and the transaction's cookie. An unknown provider, none, or one that people do not go
    /// to is the sign-in page.
    pub(crate) async fn begin_sign_in(
        &self,
        provider_id: Option<&str>,
        query: &Params,
        form: FormContext,
        _: Intent,
    ) -> Result<Response, Error> {
        let provider = provider_id.and_then(|id| self.provider(id));
        // An API of one's own has its form on that page.
        let Some((provider, ProviderKind::OAuth(oauth))) =
            provider.map(|provider| (provider, &provider.kind))
        else {
            return Ok(with_cookies(Response::redirect(self.route("signin")), form.cookies));
        };

        let metadata = self.metadata(provider, oauth).await?;
        let parameters =
            authorize::parameters(&oauth.authorization.params, query).map_err(ClientError::from)?;
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let max_age = authorize::max_age(&parameters);
        let transaction = Transaction::begin(&provider.id, &form.return_to, max_age, self.now, random);
        let request = AuthorizationRequest {
            endpoint: metadata.authorization_endpoint(),
            client_id: &oauth.client.id,
            client_id_param: &oauth.client.id_param,
            response_type: &oauth.authorization.response_type,
            form_post: oauth.authorization.form_post,
            fragment: oauth.authorization.fragment.as_deref(),
            redirect_uri: &self.redirect_uri(&provider.id),
            parameters: &parameters,
            scope: oauth.scope.as_deref(),
            verifier: oauth.authorization.pkce.then_some(&transaction.verifier),
            state: &transaction.state,
            nonce: oauth.openid.as_ref().filter(|openid| openid.nonce).map(|_| &transaction.nonce),
        };

        let config = self.config();
        let names = &self.names;
        let surplus = transaction::surplus(&self.cookies, names);
        let sealed = transaction.seal(&config.keys, names, self.now, random);
        let mut begun =
            SetCookie::new(transaction.cookie_name(names), &sealed).max_age(transaction::LIFETIME);
        if oauth.authorization.form_post {
            // The provider's form is another site's: no other cookie comes along with it.
            begun = begun.cross_site();
        }
        let mut cookies = form.cookies;
        for name in surplus {
            cookies.push(SetCookie::expired(name));
        }
        cookies.push(begun);
        Ok(with_cookies(Response::redirect(request.url()), cookies))
    }
}
