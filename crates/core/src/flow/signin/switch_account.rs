//! A sign-in with another account than the one that the browser is signed in with at the provider. Without a word to the
//! provider, its single sign-on would bring back the same account, again and again.

use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::oauth::provider::OAuthProvider;

/// The parameter of the sign-in page that asks for another account, and its value: as `prompt` of OpenID Connect.
pub(crate) const PROMPT: (&str, &str) = ("prompt", "select_account");

/// The hidden field of such a page's forms.
pub(crate) const FIELD: (&str, &str) = ("switchAccount", "true");

/// Whether a form comes from such a page.
pub(crate) fn is_asked(form: &Params) -> bool {
    form.one(FIELD.0) == Ok(Some(FIELD.1))
}

/// The configured parameters of an authorization request, in which the provider asks for the account.
pub(super) fn parameters(oauth: &OAuthProvider) -> Vec<(String, String)> {
    let mut parameters = oauth.authorization.params.clone();
    for (name, value) in &oauth.authorization.switch_account_params {
        parameters.retain(|(other, _)| other != name);
        parameters.push((name.clone(), value.clone()));
    }
    parameters
}

impl<P: Platform> RequestContext<'_, P> {
    /// The address of the sign-in page, from which people sign in with another account and come to `return_to`.
    pub(crate) fn switch_account_page(&self, return_to: &str) -> String {
        with_parameters(&self.sign_in_page(return_to), &[PROMPT])
    }
}
