//! [`RequestContext`]: one request, with everything that flows need to answer it. Each flow adds its own methods in its
//! own file.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use crate::config::{Config, Provider};
use crate::flow::host_role::HostRole;
use crate::flow::site_cache::Site;
use crate::flow::vestibule::Vestibule;
use crate::guard::cross_origin::RequestSource;
use crate::lease::AnyLease;
use crate::log::{LogEvent, Record, RequestDetails};
use crate::platform::Platform;
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::cookie::{self, SessionCookie, SessionTooLargeError};
use crate::session::names::{CookieNames, CookieNaming};
use crate::session::policy::{Sealing, SessionConfig};
use crate::session::read::{self, SessionReading};
use crate::upstream::Upstream;
use vestibule_oidc::http::cookie::{Cookies, SetCookie};
use vestibule_oidc::http::origin::{CookieDomain, Origin};
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::return_to::ReturnPolicy;
use vestibule_oidc::time::Timestamp;

/// One request, with everything that flows need to answer it.
pub(crate) struct RequestContext<'a, P: Platform> {
    pub(crate) vestibule: &'a Vestibule,
    pub(crate) platform: &'a P,
    pub(crate) request: &'a Request,
    /// The origin in the request's URL.
    pub(crate) origin: Rc<Origin>,
    /// The role of that host in the site's sign-ins.
    pub(crate) host_role: HostRole<'a>,
    pub(crate) names: Rc<CookieNames>,
    upstream: Option<&'a Upstream>,
    pub(crate) cookies: Cookies,
    /// One reading of the clock for the whole request.
    pub(crate) now: Timestamp,
    /// The session in the cookies, once it was read.
    reading: OnceCell<SessionReading>,
    /// The name in the log of a user who may not sign in.
    pub(super) refused_subject: OnceCell<String>,
    /// Whether that session was revoked, once it was looked up.
    pub(super) revocation_status: Cell<Option<RevocationStatus>>,
    /// Whether another proxy asks, without saying the method, so that the answer may be about a request that changes something.
    pub(super) is_about_any_method: Cell<bool>,
}

impl<'a, P: Platform> RequestContext<'a, P> {
    /// `None` if no browser can send the request's host, because it is not a valid host in a URL.
    pub(crate) fn new(vestibule: &'a Vestibule, platform: &'a P, request: &'a Request) -> Option<Self> {
        let config = &vestibule.config;
        let Site { origin, mut names, upstream } = vestibule.site_cache.site(
            &config.cookie_names,
            &config.upstreams,
            config.origin.as_ref(),
            &request.url,
        )?;
        let host_role = HostRole::of(config, &origin);
        if let HostRole::Preview(_) = host_role {
            // Another preview of the same domain must not set this one's session.
            let naming = CookieNaming { host_prefix: true, ..config.cookie_naming.clone() };
            names = Rc::new(CookieNames::new(&naming, config.dialect, request.url.secure));
        }
        if let Some(meter) = platform.meter() {
            meter.name_host(|| host_role.metric_name(&origin));
        }
        Some(Self {
            vestibule,
            platform,
            request,
            host_role,
            origin,
            names,
            upstream: upstream.and_then(|at| config.upstreams.get(at)),
            cookies: Cookies::parse(request.headers.get_all("cookie")),
            now: platform.now(),
            reading: OnceCell::new(),
            refused_subject: OnceCell::new(),
            revocation_status: Cell::new(None),
            is_about_any_method: Cell::new(false),
        })
    }

    pub(crate) fn config(&self) -> &'a Config {
        &self.vestibule.config
    }

    /// The upstream of the request's host. `None` where there is none, and the zone's own origin answers.
    pub(crate) fn upstream(&self) -> Option<&'a Upstream> {
        self.upstream
    }

    /// The lease that keeps other processes from using a session's refresh token at the same time.
    pub(crate) fn refresh_lease(&self, provider: &Provider) -> AnyLease<'a, P> {
        let config = self.config();
        let learns = config.lease_learns_of_sign_outs();
        AnyLease::new(config.refresh.lease, config.sealing(), self.platform, !provider.is_strict(), learns)
    }

    /// The lease where no refresh token is used: it knows who signed out.
    pub(crate) fn lease(&self) -> AnyLease<'a, P> {
        let config = self.config();
        let learns = config.lease_learns_of_sign_outs();
        AnyLease::new(config.refresh.lease, config.sealing(), self.platform, false, learns)
    }

    pub(crate) fn provider(&self, id: &str) -> Option<&'a Provider> {
        self.config().providers.iter().find(|provider| provider.id == id)
    }

    /// The client's IP address, as the network in front of this process reports it.
    pub(crate) fn client_address(&self) -> Option<&'a str> {
        self.config().edge.client_address(&self.request.headers)
    }

    /// The absolute URL of an auth route on the request's own host: `route("signin")`.
    pub(crate) fn route(&self, route: &str) -> String {
        format!("{}{}/{route}", self.request.url.origin(), self.config().base_path)
    }

    /// The session in the request's cookies, also one that was [revoked](Self::live_session). A host outside the site never
    /// has one: no browser sends the session's cookies there.
    pub(crate) fn session(&self) -> SessionCookie {
        self.reading().session.clone()
    }

    fn reading(&self) -> &SessionReading {
        self.reading.get_or_init(|| {
            if let HostRole::Outside(_) = self.host_role {
                return SessionReading { session: SessionCookie::Absent, positions: Vec::new() };
            }
            let (sealing, cache) = (self.config().sealing(), &self.vestibule.session_cache);
            self.check_size_of_cookies();
            let reading =
                read::read(sealing, cache, &self.names, &self.cookies, self.preview_host(), self.now);
            if let SessionCookie::Conflict = reading.session {
                let message = "the request has session cookies of different users, so no one is signed in, and all \
                               of them are removed. Either cookies.domain was changed, or another host of the domain \
                               has set one: cookies.host_prefix = true prevents that";
                self.log(Record::new(LogEvent::SessionCookiesConflict, message));
            }
            reading
        })
    }

    /// Every session in the request's cookies, the one that counts first, if one does: what a sign-out ends.
    pub(crate) fn all_sessions(&self) -> Vec<Session> {
        let counting = match self.session() {
            SessionCookie::Absent | SessionCookie::Invalid(_) => return Vec::new(),
            SessionCookie::Valid(session) => Some(session),
            SessionCookie::Conflict | SessionCookie::Revoked => None,
        };
        let (sealing, cache) = (self.config().sealing(), &self.vestibule.session_cache);
        read::all(counting, sealing, cache, &self.names, &self.cookies, self.preview_host(), self.now)
    }

    /// The request's origin, if it is that of a preview host, which opens its own sessions only.
    fn preview_host(&self) -> Option<&str> {
        match self.host_role {
            HostRole::Preview(_) => Some(self.origin.as_str()),
            HostRole::Login | HostRole::Member(_) | HostRole::Outside(_) => None,
        }
    }

    /// The positions in the request of the cookies that an upstream may get that opens the session itself: those of one
    /// session only, which is the one that was decided about.
    pub(crate) fn session_positions(&self) -> Vec<usize> {
        if !self.may_forward_session() {
            return Vec::new();
        }
        // An upstream that opens a session does not see that it belongs to a preview host.
        let has_previews = !self.config().preview_hosts.is_empty();
        let only = || read::only_positions(self.config().dialect, &self.names, &self.cookies);
        let only = if has_previews { None } else { only() };
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

    /// The cookies that store `session` in the browser. An error if it does not fit into cookies.
    pub(crate) fn session_cookies(&self, session: &Session) -> Result<Vec<SetCookie>, SessionTooLargeError> {
        self.sealed_cookies(session, self.config().sealing())
    }

    /// The same for a session that lasts so long at most.
    pub(crate) fn session_cookies_for(
        &self,
        session: &Session,
        max_age: Duration,
    ) -> Result<Vec<SetCookie>, SessionTooLargeError> {
        let config = SessionConfig { max_age, ..self.config().session.clone() };
        self.sealed_cookies(session, Sealing { session: &config, ..self.config().sealing() })
    }

    fn sealed_cookies(
        &self,
        session: &Session,
        sealing: Sealing<'_>,
    ) -> Result<Vec<SetCookie>, SessionTooLargeError> {
        let session = &self.for_cookie(session).with_sign_in_time();
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let domain = self.cookie_domain();
        let mut cookies =
            cookie::write(sealing, domain, &self.names, &self.cookies, session, self.now, random)?;
        cookies.extend(self.last_user_cookie(session));
        Ok(cookies)
    }

    /// The cookies that remove every piece of a session from the browser. A session that does not open is removed for the
    /// configured domain only: it may belong to another site, on a parent domain of this one.
    pub(crate) fn erased_session(&self) -> Vec<SetCookie> {
        let domain = self.cookie_domain();
        let mut erased = match self.session() {
            SessionCookie::Valid(_) | SessionCookie::Conflict => {
                cookie::erase_everywhere(self.origin.host(), domain, &self.names, &self.cookies)
            }
            SessionCookie::Absent | SessionCookie::Revoked | SessionCookie::Invalid(_) => {
                cookie::erase(domain, &self.names, &self.cookies)
            }
        };
        erased.extend(self.erased_logout_hint());
        erased
    }

    /// The domain whose hosts share the session. `None` on a developer's own machine, which is outside the configured
    /// domain and keeps the session for itself.
    pub(crate) fn cookie_domain(&self) -> Option<&'a CookieDomain> {
        self.config().cookie_domain.as_ref().filter(|domain| domain.covers(self.origin.host()))
    }

    /// The cookies that reseal `session` if `update_age` has passed since it was sealed, or if it was sealed in the
    /// other dialect. None if it is unknown whether the session was revoked, or if its provider has not confirmed the user
    /// for long; and otherwise none, so that a late response does not overwrite a newer cookie.
    pub(crate) fn renewal_cookies(&self, session: &Session) -> Vec<SetCookie> {
        let is_due = session.needs_update(self.config().session.update_age, self.now);
        if !is_due || !self.may_renew() || !self.was_confirmed(session) {
            return Vec::new();
        }
        self.session_cookies(session).unwrap_or_else(|too_large| {
            // It fitted when it was sealed; `max_age` or its claims changed since. The browser's cookie stays valid.
            self.log(Record::new(LogEvent::SessionTooLarge, too_large));
            Vec::new()
        })
    }

    /// The addresses to which this browser may be redirected.
    pub(crate) fn return_policy(&self) -> ReturnPolicy<'_> {
        let config = self.config();
        ReturnPolicy {
            own_origin: &self.origin,
            trusted_hosts: &config.trusted_hosts,
            cookie_domain: config.cookie_domain.as_ref(),
        }
    }

    /// Where the browser says that the request comes from.
    pub(crate) fn source(&self) -> RequestSource {
        RequestSource::of(self.request, &self.origin, &self.config().trusted_origins)
    }

    /// Writes it into the operator's log, with the request that it happened in.
    pub(crate) fn log(&self, record: Record) {
        self.vestibule.write(self.platform, record.in_request(&self.details()));
    }

    /// What the log says of this request.
    pub(crate) fn details(&self) -> RequestDetails {
        let details = RequestDetails::of(self.request, self.config().edge).at(self.platform.now());
        details.about(self.known_subject())
    }

    /// Whose request it is, by the name in the log: the user who was refused a sign-in, or whose session the request has, if it
    /// was read.
    fn known_subject(&self) -> Option<String> {
        if let Some(refused) = self.refused_subject.get() {
            return Some(refused.clone());
        }
        match &self.reading.get()?.session {
            SessionCookie::Valid(session) => self.subject_of(session),
            _ => None,
        }
    }
}
