//! One file per flow, its effects in reading order. [`guard`] is what every page passes; the others are the auth
//! routes.

pub(crate) mod answer;
pub(crate) mod asked;
pub(crate) mod client_log;
pub(crate) mod guard;
pub(crate) mod hosts;
pub(crate) mod pages;
pub(crate) mod provider;
pub(crate) mod refresh;
pub(crate) mod responses;
pub(crate) mod session;
pub(crate) mod signin;
pub(crate) mod standing;
pub(crate) mod vestibule;

use std::rc::Rc;

use crate::config::{Config, Provider};
use crate::error::ClientError;
use crate::flow::asked::Site;
use crate::flow::standing::Standing;
use crate::flow::vestibule::Vestibule;
use crate::http::cookie::{Cookies, SetCookie};
use crate::http::form::Params;
use crate::http::origin::{CookieDomain, Origin};
use crate::http::request::Request;
use crate::http::return_to::{ReturnPolicy, TrustedUrl};
use crate::lease::AnyLease;
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::{self, Presented, TooLarge};
use crate::session::csrf::{Csrf, CsrfVerified};
use crate::session::names::CookieNames;
use crate::time::Timestamp;

/// One request on its way through, with what every flow asks of it.
pub(crate) struct Exchange<'a, P: Platform> {
    pub(crate) vestibule: &'a Vestibule,
    pub(crate) platform: &'a P,
    pub(crate) request: &'a Request,
    /// The origin that was asked.
    pub(crate) origin: Rc<Origin>,
    /// What that is to the site's sign-ins.
    pub(crate) standing: Standing<'a>,
    pub(crate) names: Rc<CookieNames>,
    pub(crate) cookies: Cookies,
    /// One reading of the clock for the whole request.
    pub(crate) now: Timestamp,
}

impl<'a, P: Platform> Exchange<'a, P> {
    /// `None` where the request's host is none that a browser can name: no answer would reach one.
    pub(crate) fn new(vestibule: &'a Vestibule, platform: &'a P, request: &'a Request) -> Option<Self> {
        let Site { origin, names } = vestibule.asked.site(vestibule.config.dialect, &request.url)?;
        Some(Self {
            vestibule,
            platform,
            request,
            standing: Standing::of(&vestibule.config, &origin),
            origin,
            names,
            cookies: Cookies::parse(request.headers.get_all("cookie")),
            now: platform.now(),
        })
    }

    pub(crate) fn config(&self) -> &'a Config {
        &self.vestibule.config
    }

    /// What keeps others from using a session's refresh token meanwhile.
    pub(crate) fn lease(&self) -> AnyLease<'a, P> {
        let config = self.config();
        AnyLease::new(config.refresh.lease, config.sealing(), self.platform)
    }

    pub(crate) fn provider(&self, id: &str) -> Option<&'a Provider> {
        self.config().providers.iter().find(|provider| provider.id == id)
    }

    /// An absolute URL of one of our own routes, on the host that was asked: `route("signin")`.
    pub(crate) fn route(&self, route: &str) -> String {
        format!("{}{}/{route}", self.request.url.origin(), self.config().base_path)
    }

    /// The session in the request's cookies, where there is a good one. A foreign host has none, whatever was sent
    /// to it: no browser would.
    pub(crate) fn session(&self) -> Presented {
        if let Standing::Foreign(_) = self.standing {
            return Presented::Nothing;
        }
        cookie::read(self.config().sealing(), &self.vestibule.opened, &self.names, &self.cookies, self.now)
    }

    /// The cookies that put `session` into the browser.
    pub(crate) fn session_cookies(&self, session: &Session) -> Result<Vec<SetCookie>, TooLarge> {
        let session = match self.config().session.absolute_max_age {
            Some(_) => &session.clone().with_sign_in_time(),
            None => session,
        };
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let domain = self.cookie_domain();
        cookie::write(self.config().sealing(), domain, &self.names, &self.cookies, session, self.now, random)
    }

    /// The cookies that take every trace of a session out of the browser.
    pub(crate) fn erased_session(&self) -> Vec<SetCookie> {
        cookie::erase(self.cookie_domain(), &self.names, &self.cookies)
    }

    /// The domain whose hosts share the session. A developer's own machine is in none, and keeps its session.
    pub(crate) fn cookie_domain(&self) -> Option<&'a CookieDomain> {
        self.config().cookie_domain.as_ref().filter(|domain| domain.covers(self.origin.host()))
    }

    /// The cookies that renew `session` where `update_age` has passed since it was last sealed, or where it was
    /// sealed in the other dialect; none otherwise, so that a late response does not overwrite a newer cookie.
    pub(crate) fn renewal_cookies(&self, session: &Session) -> Vec<SetCookie> {
        if !session.is_due(self.config().session.update_age, self.now) {
            return Vec::new();
        }
        self.session_cookies(session).unwrap_or_else(|too_large| {
            // It was small enough when it was made: `max_age` or the claims changed since. It still works.
            self.log(Level::Warn, "session_not_renewed", &too_large.to_string());
            Vec::new()
        })
    }

    /// Where this request's browser may be sent.
    pub(crate) fn return_policy(&self) -> ReturnPolicy<'_> {
        let config = self.config();
        ReturnPolicy {
            own_origin: &self.origin,
            trusted_hosts: &config.trusted_hosts,
            cookie_domain: config.cookie_domain.as_ref(),
        }
    }

    pub(crate) fn log(&self, level: Level, event: &str, message: &str) {
        self.platform.log(level, &serde_json::json!({ "event": event, "message": message }));
    }
}

/// What a request to an auth route says beside its path.
pub(crate) struct Input {
    pub(crate) query: Params,
    /// A POST's body; nothing of any other request.
    pub(crate) form: Params,
}

impl Input {
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
pub(crate) struct Visit {
    pub(crate) csrf: Csrf,
    /// Where the browser goes when it is done here.
    pub(crate) return_to: TrustedUrl,
    /// The cookies that the browser does not have yet.
    pub(crate) cookies: Vec<SetCookie>,
}

impl<P: Platform> Exchange<'_, P> {
    /// `form` is a POST's body. The return address comes from the body, the query, the cookie, in this
    /// order; one that is not trusted is the default address.
    pub(crate) fn visit(&self, query: &Params, form: Option<&Params>) -> Result<Visit, ClientError> {
        let config = self.config();
        let names = &self.names;
        let csrf = Csrf::of(self.cookies.get(names.csrf()), &config.keys, &mut |bytes| {
            self.platform.fill_random(bytes);
        });
        let policy = self.return_policy();
        let in_cookie = self.cookies.get(names.callback_url());
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
        Ok(Visit { csrf, return_to, cookies })
    }
}

impl Visit {
    /// That a form comes from a page that this browser got from us.
    pub(crate) fn verify_csrf(&self, form: &Params) -> Result<CsrfVerified, ClientError> {
        Ok(self.csrf.verify(form.one("csrfToken")?)?)
    }
}
