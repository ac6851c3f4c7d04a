//! What the auth routes read of a request: parameters, and what their pages and forms have in common.

use crate::error::ClientError;
use crate::flow::RequestContext;
use crate::platform::Platform;
use crate::session::csrf::{Csrf, CsrfVerified};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::return_to::TrustedUrl;

/// What a request to an auth route says beside its path.
pub(crate) struct RouteParams {
    pub(crate) query: Params,
    /// A POST's body; nothing of any other request.
    pub(crate) form: Params,
}

impl RouteParams {
    pub(crate) fn of_query(request: &Request) -> Self {
        let query = request.url.query.as_deref().unwrap_or_default();
        Self { query: Params::from_urlencoded(query.as_bytes()), form: Params::default() }
    }

    /// Keeps the body, and gives both.
    pub(crate) fn with(&mut self, form: Params) -> (&Params, &Params) {
        self.form = form;
        (&self.query, &self.form)
    }
}

/// What the auth routes with pages and forms have in common, as in Auth.js: a csrf token and a return
/// address, each in a cookie.
pub(crate) struct FormContext {
    pub(crate) csrf: Csrf,
    /// Where the browser goes when it is done here.
    pub(crate) return_to: TrustedUrl,
    /// The cookies that the browser does not have yet.
    pub(crate) cookies: Vec<SetCookie>,
}

impl<P: Platform> RequestContext<'_, P> {
    /// `form` is a POST's body. The return address comes from the body, the query, the cookie, in this
    /// order; one that is not trusted is the default address.
    pub(crate) fn form_context(
        &self,
        query: &Params,
        form: Option<&Params>,
    ) -> Result<FormContext, ClientError> {
        let config = self.config();
        let names = &self.names;
        let csrf = Csrf::from_cookies(self.cookies.get_all(names.csrf()), &config.keys, &mut |bytes| {
            self.platform.fill_random(bytes);
        });
        let policy = self.return_policy();
        // The cookie of another host of the domain may come first.
        let is_trusted = |value: &&str| policy.resolve(value).is_some();
        let mut in_cookies = self.cookies.get_all(names.callback_url());
        let first = in_cookies.next();
        let in_cookie = first.into_iter().chain(in_cookies).find(is_trusted).or(first);
        let asked = match form {
            Some(form) => form.one("callbackUrl")?,
            None => None,
        };
        let asked = match asked {
            Some(asked) => Some(asked),
            None => query.one("callbackUrl")?,
        };
        let wanted = asked.filter(|asked| !asked.is_empty()).or(in_cookie).unwrap_or_default();
        let return_to = self.vestibule.hooks.redirect(wanted, &policy);

        let mut cookies = Vec::new();
        if let Some(value) = csrf.new_cookie(&config.keys) {
            cookies.push(SetCookie::new(names.csrf(), &value));
        }
        if in_cookie != Some(return_to.as_str()) {
            cookies.push(SetCookie::new(names.callback_url(), return_to.as_str()));
        }
        Ok(FormContext { csrf, return_to, cookies })
    }
}

impl FormContext {
    /// That a form comes from a page that this browser got from us.
    pub(crate) fn verify_csrf(&self, form: &Params) -> Result<CsrfVerified, ClientError> {
        Ok(self.csrf.verify(form.one("csrfToken")?)?)
    }
}
