//! What auth routes read from a request: its parameters ([`RouteParams`]), and the CSRF token and return address of
//! their forms ([`FormContext`]).

use crate::error::ClientError;
use crate::flow::RequestContext;
use crate::platform::Platform;
use crate::session::csrf::{Csrf, CsrfVerified};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::return_to::TrustedUrl;

/// The parameters of a request to an auth route.
pub(crate) struct RouteParams {
    pub(crate) query: Params,
    /// The body of a POST; empty for other methods.
    pub(crate) form: Params,
}

impl RouteParams {
    pub(crate) fn from_query(request: &Request) -> Self {
        let query = request.url.query.as_deref().unwrap_or_default();
        Self { query: Params::from_urlencoded(query.as_bytes()), form: Params::default() }
    }

    /// Keeps the parameters of the body, and returns those of the query and of the body.
    pub(crate) fn with_form(&mut self, form: Params) -> (&Params, &Params) {
        self.form = form;
        (&self.query, &self.form)
    }
}

/// What all auth routes with pages and forms share, as in Auth.js: a CSRF token and a return address, each in a cookie.
pub(crate) struct FormContext {
    pub(crate) csrf: Csrf,
    /// Where the browser goes at the end of the flow.
    pub(crate) return_to: TrustedUrl,
    /// The cookies that the browser does not have yet.
    pub(crate) cookies: Vec<SetCookie>,
    /// Whether the browser asked for an address that is too long to come back to, so that `return_to` is another one.
    is_too_long: bool,
}

/// The cookie with the return address; `None` if browsers would drop it.
pub(crate) fn callback_url_cookie(name: &str, return_to: &str) -> Option<SetCookie> {
    let cookie = SetCookie::new(name, return_to);
    let fits = cookie.pair().is_some_and(|pair| pair.len() <= MAX_COOKIE);
    fits.then_some(cookie)
}

/// The most bytes of a cookie's name and value. Browsers keep 4,096.
const MAX_COOKIE: usize = 4000;

impl<P: Platform> RequestContext<'_, P> {
    /// `form` is the body of a POST. The return address is taken from the body, the query or the cookie, in this order.
    /// An address that [`ReturnPolicy`](vestibule_oidc::http::return_to::ReturnPolicy) does not trust is replaced by the
    /// default address.
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
        let in_form = match form {
            Some(form) => form.one("callbackUrl")?,
            None => None,
        };
        let requested = match in_form {
            Some(address) => Some(address),
            None => query.one("callbackUrl")?,
        };
        let requested = requested.filter(|address| !address.is_empty()).or(in_cookie).unwrap_or_default();
        let return_to = self.vestibule.hooks.redirect(requested, &policy);
        let is_too_long = return_to == policy.default() && policy.is_too_long(requested);

        let mut cookies = Vec::new();
        if let Some(value) = csrf.new_cookie(&config.keys) {
            cookies.push(SetCookie::new(names.csrf(), &value));
        }
        if in_cookie != Some(return_to.as_str()) {
            if let Some(cookie) = callback_url_cookie(names.callback_url(), return_to.as_str()) {
                cookies.push(cookie);
            } else if in_cookie.is_some() {
                // A browser would drop it and keep the address of another page.
                cookies.push(SetCookie::expired(names.callback_url()));
            }
        }
        Ok(FormContext { csrf, return_to, cookies, is_too_long })
    }
}

impl FormContext {
    /// An error if the browser asked for a return address that is too long: at the end of the sign-in it would be
    /// somewhere else.
    pub(crate) fn refuse_long_address(&self) -> Result<(), ClientError> {
        if self.is_too_long { Err(ClientError::ReturnAddressTooLong) } else { Ok(()) }
    }

    /// Verifies that a form comes from a page that Vestibule gave to this browser.
    pub(crate) fn verify_csrf(&self, form: &Params) -> Result<CsrfVerified, ClientError> {
        Ok(self.csrf.verify(form.one("csrfToken")?)?)
    }
}
