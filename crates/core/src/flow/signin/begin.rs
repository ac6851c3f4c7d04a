//! The start of a sign-in: a redirect to the provider with an authorization request, and a cookie with the
//! [`Transaction`], which binds the provider's response to this browser.

use std::borrow::Cow;

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::responses::with_cookies;
use crate::flow::signin::switch_account;
use crate::flow::{FormContext, RequestContext, provider};
use crate::platform::Platform;
use crate::session::csrf::CsrfVerified;
use crate::session::step_up::StepUpAttempt;
use crate::session::ticket::Ticket;
use crate::session::transaction::{self, Transaction};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::oauth::authorize::{self, AttemptValues, AuthorizationRequest};
use vestibule_oidc::oauth::provider::OAuthProvider;

impl<P: Platform> RequestContext<'_, P> {
    /// Redirects to the provider with an authorization request, and sets the transaction's cookie.
    ///
    /// Without a provider, or with one that is unknown or has its form on the sign-in page, it redirects to the sign-in
    /// page.
    pub(crate) async fn begin_sign_in(
        &self,
        provider_id: Option<&str>,
        query: &Params,
        form: FormContext,
        wishes: Wishes,
        _: Intent,
    ) -> Result<Response, Error> {
        form.refuse_long_address()?;
        let provider = provider_id.and_then(|id| self.provider(id));
        let Some((provider, ProviderKind::OAuth(oauth))) =
            provider.map(|provider| (provider, &provider.kind))
        else {
            return Ok(with_cookies(
                Response::redirect(self.in_language(self.route("signin"))),
                form.cookies,
            ));
        };

        let configured = if wishes.other_account {
            Cow::Owned(switch_account::parameters(oauth))
        } else {
            Cow::Borrowed(&oauth.authorization.params)
        };
        let parameters = authorize::parameters(&configured, query).map_err(ClientError::from)?;
        let Wishes { is_kept, other_account } = wishes;
        let purpose = Purpose::SignIn { is_kept, other_account };
        let response = self.authorization_redirect(provider, oauth, &parameters, &form.return_to, purpose);
        Ok(with_cookies(response.await?, form.cookies))
    }

    /// A redirect to the provider that no click began, with the marker of the page that it is for. `None`, and a line in
    /// the log, if there is none.
    pub(super) fn marked_redirect(
        &self,
        redirect: Result<Response, Error>,
        marker: SetCookie,
    ) -> Option<Response> {
        let redirect = redirect.map_err(|error| self.log(error.record())).ok()?;
        Some(with_cookies(redirect.with("cache-control", "private, no-store"), vec![marker]))
    }

    /// The redirect to the provider, with the cookie of a new transaction. `parameters` are further parameters of the
    /// authorization request.
    pub(super) async fn authorization_redirect(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        parameters: &[(String, String)],
        return_to: &TrustedUrl,
        purpose: Purpose<'_>,
    ) -> Result<Response, Error> {
        self.check_scheme();
        let metadata = self.metadata(provider, oauth).await?;
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let max_age = authorize::max_age(parameters);
        let transaction = Transaction::begin(&provider.id, return_to, max_age, self.now, random);
        let mut transaction = match purpose {
            Purpose::SignIn { is_kept, other_account } => {
                transaction.with_persistence(is_kept).for_other_account(other_account)
            }
            Purpose::Repeat { is_kept } => transaction.with_persistence(is_kept).repeating(),
            Purpose::Silent { subject } => transaction.silently_for(subject),
            Purpose::StepUp { attempt, is_kept } => {
                transaction.with_persistence(is_kept).stepping_up(attempt)
            }
        };
        let mut dpop_jkt = None;
        if oauth.dpop {
            provider::check_dpop(provider, &metadata)?;
            let key = self.new_dpop_key();
            dpop_jkt = Some(self.dpop_thumbprint(&key).await?);
            transaction.dpop_key = Some(key);
        }
        let redirect_uri = self.redirect_uri(&provider.id);
        let values = AttemptValues {
            verifier: &transaction.verifier,
            state: &transaction.state,
            nonce: &transaction.nonce,
        };
        let request = AuthorizationRequest {
            dpop_jkt: dpop_jkt.as_deref(),
            ..AuthorizationRequest::of(oauth, &metadata, &redirect_uri, parameters, values)
        };
        let address = self.authorization_address(provider, oauth, &metadata, &request).await?;

        let config = self.config();
        let names = &self.names;
        let sealed = transaction.seal(&config.keys, names, self.now, random);
        let surplus = transaction::surplus(&self.cookies, names, &sealed);
        let mut cookies: Vec<SetCookie> = surplus.into_iter().map(SetCookie::expired).collect();
        for (name, value) in sealed {
            let cookie = SetCookie::new(name, &value).max_age(transaction::LIFETIME);
            // The provider's site posts the response, and browsers send only `SameSite=None` cookies with it.
            cookies.push(if oauth.authorization.response_mode.is_posted() {
                cookie.cross_site()
            } else {
                cookie
            });
        }
        Ok(with_cookies(Response::redirect(address), cookies))
    }
}

/// What the person chose on the sign-in page.
#[derive(Clone, Copy)]
pub(crate) struct Wishes {
    /// Whether the session stays when the browser closes.
    pub(crate) is_kept: bool,
    /// Whether the provider asks for the account, although the browser is signed in there.
    pub(crate) other_account: bool,
}

/// Why the browser is sent to the provider.
pub(super) enum Purpose<'a> {
    /// The user signs in.
    SignIn {
        /// Whether the user wants the session to stay when the browser closes.
        is_kept: bool,
        /// Whether the user wants another account.
        other_account: bool,
    },
    /// The user has just signed in, and signs in once more ([`repeat`](super::repeat)).
    Repeat {
        /// As for a sign-in.
        is_kept: bool,
    },
    /// The provider confirms the user of a session without asking.
    Silent {
        /// The session's subject.
        subject: &'a str,
    },
    /// The user of a session proves more, or again.
    StepUp {
        /// What they have to prove, and who they are.
        attempt: StepUpAttempt,
        /// Whether the session stays when the browser closes.
        is_kept: bool,
    },
}

/// The proof that the user wants to sign in, and that no page of another site began it (login CSRF).
pub(crate) enum Intent {
    /// The user sent a form of this host, with its CSRF token.
    Form(CsrfVerified),
    /// The user sent a form of another host of the site, which sealed a ticket.
    Ticket(Ticket),
}
