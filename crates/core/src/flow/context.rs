//! One request, with what every flow asks of it. Each flow adds its own methods where it stands.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::config::{Config, Provider};
use crate::flow::host_role::HostRole;
use crate::flow::site_cache::Site;
use crate::flow::vestibule::Vestibule;
use crate::lease::AnyLease;
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::{self, SessionCookie, SessionTooLargeError};
use crate::session::names::CookieNames;
use crate::session::read::{self, SessionReading};
use vestibule_oidc::http::cookie::{Cookies, SetCookie};
use vestibule_oidc::http::origin::{CookieDomain, Origin};
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::return_to::ReturnPolicy;
use vestibule_oidc::time::Timestamp;

/// One request on its way through, with what every flow asks of it.
pub(crate) struct RequestContext<'a, P: Platform> {
    pub(crate) vestibule: &'a Vestibule,
    pub(crate) platform: &'a P,
    pub(crate) request: &'a Request,
    /// The origin that was asked.
    pub(crate) origin: Rc<Origin>,
    /// What that is to the site's sign-ins.
    pub(crate) host_role: HostRole<'a>,
    pub(crate) names: Rc<CookieNames>,
    pub(crate) cookies: Cookies,
    /// One reading of the clock for the whole request.
    pub(crate) now: Timestamp,
    /// The session in the cookies, once it was read.
    reading: OnceCell<SessionReading>,
}

impl<'a, P: Platform> RequestContext<'a, P> {
    /// `None` where the request's host is none that a browser can name: no answer would reach one.
    pub(crate) fn new(vestibule: &'a Vestibule, platform: &'a P, request: &'a Request) -> Option<Self> {
        let config = &vestibule.config;
        let Site { origin, names } =
            vestibule.site_cache.site(&config.cookie_naming, config.dialect, &request.url)?;
        Some(Self {
            vestibule,
            platform,
            request,
            host_role: HostRole::of(&vestibule.config, &origin),
            origin,
            names,
            cookies: Cookies::parse(request.headers.get_all("cookie")),
            now: platform.now(),
            reading: OnceCell::new(),
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

    /// The client's IP address, as the network in front says it.
    pub(crate) fn client_address(&self) -> Option<&'a str> {
        self.config().edge.client_address(&self.request.headers)
    }

    /// An absolute URL of one of our own routes, on the host that was asked: `route("signin")`.
    pub(crate) fn route(&self, route: &str) -> String {
        format!("{}{}/{route}", self.request.url.origin(), self.config().base_path)
    }

    /// The session in the request's cookies, where there is a good one. A foreign host has none, whatever was sent
    /// to it: no browser would.
    pub(crate) fn session(&self) -> SessionCookie {
        self.reading().session.clone()
    }

    fn reading(&self) -> &SessionReading {
        self.reading.get_or_init(|| {
            if let HostRole::Outside(_) = self.host_role {
                return SessionReading { session: SessionCookie::Absent, positions: Vec::new() };
            }
            let (sealing, cache) = (self.config().sealing(), &self.vestibule.session_cache);
            let reading = read::read(sealing, cache, &self.names, &self.cookies, self.now);
            if let SessionCookie::Conflict = reading.session {
                let message = "the request has session cookies of different users, so no one is signed in, and all \
                               of them are removed. They come from a former cookies.domain, or another host of the \
                               domain has set one: cookies.host_prefix prevents that";
                self.log(Level::Warn, "session_cookies_conflict", message);
            }
            reading
        })
    }

    /// The positions in the request of the cookies that an upstream may get that opens the session itself: those of one
    /// session only, which is the one that was decided about.
    pub(crate) fn session_positions(&self) -> Vec<usize> {
        let only = read::only_positions(self.config().dialect, &self.names, &self.cookies);
        only.unwrap_or_else(|| self.reading().positions.clone())
    }

    /// The cookies that remove the sessions of different users from the browser, if the request has such, except those
    /// that `written` replaces.
    pub(crate) fn erased_conflict(&self, written: &[SetCookie]) -> Vec<SetCookie> {
        let SessionCookie::Conflict = self.session() else { return Vec::new() };
        let mut erased = self.erased_session();
        let domain = self.cookie_domain();
        let is_replaced = |erased: &SetCookie| {
            written
                .iter()
                .any(|cookie| cookie == erased || *erased == SetCookie::expired(cookie.name()).domain(domain))
        };
        erased.retain(|erased| !is_replaced(erased));
        erased
    }

    /// The cookies that put `session` into the browser.
    pub(crate) fn session_cookies(&self, session: &Session) -> Result<Vec<SetCookie>, SessionTooLargeError> {
        let session = match self.config().session.absolute_max_age {
            Some(_) => &session.clone().with_sign_in_time(),
            None => session,
        };
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let domain = self.cookie_domain();
        cookie::write(self.config().sealing(), domain, &self.names, &self.cookies, session, self.now, random)
    }

    /// The cookies that take every trace of a session out of the browser. What does not open is removed for the
    /// configured domain only: it may be the session of another site, in whose domain this one is.
    pub(crate) fn erased_session(&self) -> Vec<SetCookie> {
        let domain = self.cookie_domain();
        match self.session() {
            SessionCookie::Valid(_) | SessionCookie::Conflict => {
                cookie::erase_everywhere(self.origin.host(), domain, &self.names, &self.cookies)
            }
            SessionCookie::Absent | SessionCookie::Invalid(_) => {
                cookie::erase(domain, &self.names, &self.cookies)
            }
        }
    }

    /// The domain whose hosts share the session. A developer's own machine is in none, and keeps its session.
    pub(crate) fn cookie_domain(&self) -> Option<&'a CookieDomain> {
        self.config().cookie_domain.as_ref().filter(|domain| domain.covers(self.origin.host()))
    }

    /// The cookies that renew `session` where `update_age` has passed since it was last sealed, or where it was
    /// sealed in the other dialect; none otherwise, so that a late response does not overwrite a newer cookie.
    pub(crate) fn renewal_cookies(&self, session: &Session) -> Vec<SetCookie> {
        if !session.needs_update(self.config().session.update_age, self.now) {
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
