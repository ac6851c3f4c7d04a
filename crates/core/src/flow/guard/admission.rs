//! The guard's first three steps: who makes a request, whether they may pass, and with which tokens.
//! [`protect`](super::protect) forwards what comes of them, [`forward_auth`](super::forward_auth) tells it to another proxy.
//!
//! Each step takes what the one before leaves behind, so none can be left out.

use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, RefreshError};
use crate::flow::responses::TokenDenied;
use crate::guard::cross_origin::{self, CrossOriginError, RequestSource};
use crate::guard::decision::Decision;
use crate::guard::path::CanonicalPath;
use crate::guard::readings::PathReadings;
use crate::guard::route::Route;
use crate::guard::rules::{RuleDecisions, TooMuchWorkError};
use crate::guard::server_function;
use crate::platform::{Level, Platform};
use crate::session::claims::{REFRESH_TOKEN_ERROR, Session};
use crate::session::cookie::SessionCookie;
use crate::upstream::{Framework, Upstream};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::{Method, Request};

/// What is asked for: where that leads, and who may go there.
pub(super) struct Access<'a> {
    route: Route<'a>,
    policy: Policy<'a>,
    /// The framework of the upstream, where that is known.
    framework: Option<Framework>,
}

/// Who may pass.
enum Policy<'a> {
    /// A preflight, whoever sends it. It carries no credentials and is answered by whoever knows the API's rules; the
    /// request that follows is guarded.
    Preflight {
        /// Whether the rules restrict the path, for this request or the one that it announces.
        is_guarded: bool,
    },
    /// Whom the first rule that matches lets pass.
    Rules(RuleDecisions<'a>),
    /// Whoever is signed in, whatever they ask for.
    SignedIn,
}

/// Who makes a request.
pub(super) enum Principal {
    /// A browser in which somebody signed in.
    SignedIn(Session),
    /// A client that brought an access token.
    Bearer(Session),
    Anonymous,
    /// A browser with a session, in which a page of another origin made the request.
    CrossOrigin(CrossOriginError),
    /// A client that brought something else.
    Invalid(TokenDenied),
}

/// Somebody who may pass.
pub(super) struct Authorized(Principal);

/// A request that may pass.
pub(crate) struct Admitted<'a> {
    pub(crate) route: Route<'a>,
    /// Who makes it, where that is known and of interest.
    pub(crate) session: Option<Session>,
    /// What brings news of the session to the browser.
    pub(crate) cookies: Vec<SetCookie>,
    /// Whether the answer is said to one person, so that it is nobody else's. A public page that differs from person to
    /// person says so itself.
    pub(crate) is_personal: bool,
    /// Whether it is a preflight on a path that is not public: nothing but CORS goes to the upstream and comes back.
    pub(crate) is_guarded_preflight: bool,
}

/// A request that may not.
pub(crate) struct Denied {
    pub(crate) reason: DenialReason,
    /// Who made it.
    pub(crate) session: Option<Session>,
    /// What tells the browser that its session is over.
    pub(crate) cookies: Vec<SetCookie>,
}

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DenialReason {
    /// Nobody is signed in.
    SignIn,
    /// Somebody is who may not, or nobody needs to know that one could sign in.
    Forbidden,
    /// Nobody needs to know that there is something.
    NotFound,
    /// A page of another origin made the browser send the request.
    CrossOrigin,
    /// The request calls a server function on a public path, and there is no session.
    ServerFunction,
    /// To decide about such a long path would cost more work than a request may.
    PathTooLong,
    /// The access token has ended, and only that host can get another.
    RefreshAtLoginHost(Origin),
    /// There is an access token, the session's or one that the client brought, and it does not do.
    Token(TokenDenied),
}

impl<'a, P: Platform> RequestContext<'a, P> {
    /// What the request asks for: by the first rule that matches it.
    pub(super) fn access(&self, path: &CanonicalPath) -> Result<Access<'a>, Denied> {
        let config = self.config();
        let upstream = Upstream::of_host(&config.upstreams, &self.request.url.authority);
        let readings = PathReadings::of_upstream(upstream);
        let decided = config.rules.decide(self.request, path, &readings)?;
        let route = Route::new(&config.upstreams, &self.request.url.authority, decided.rule());
        let policy = if self.request.is_preflight() {
            Policy::Preflight { is_guarded: !decided.is_public() || !self.announces_public(path, &readings)? }
        } else {
            Policy::Rules(decided)
        };
        Ok(Access { route, policy, framework: upstream.and_then(|upstream| upstream.framework) })
    }

    /// Whether the request that a preflight announces is one to a public path.
    fn announces_public(&self, path: &CanonicalPath, readings: &PathReadings) -> Result<bool, Denied> {
        let method = self.request.headers.get("access-control-request-method").unwrap_or_default();
        let announced = Request { method: Method::new(method), ..self.request.clone() };
        Ok(self.config().rules.decide(&announced, path, readings)?.is_public())
    }

    /// The first step. Nobody is looked for where nobody asks who it is.
    pub(super) async fn identify(&self, access: &Access<'_>) -> Principal {
        let may_act = access.policy.is_for_any_method() || cross_origin::may_act(self.request);
        let is_asked_for = match access.policy {
            Policy::Preflight { .. } => false,
            Policy::Rules(_) | Policy::SignedIn => {
                !access.is_public()
                    || self.vestibule.hooks.session_on_public_paths()
                    || access.route.wants_session()
                    || may_act && access.route.tells_who()
                    || access.is_for_server_function(self.request)
            }
        };
        if !is_asked_for {
            return Principal::Anonymous;
        }
        let session = self.usable_session();
        let source = if may_act && session.is_some() && !access.allows_cross_origin() {
            self.source()
        } else {
            RequestSource::Trusted
        };
        match (session, source) {
            (Some(session), RequestSource::Trusted) => Principal::SignedIn(session),
            // A browser adds cookies to what another page makes it send; it never adds a token.
            (session, source) => match (self.bearer_session().await, source) {
                (Ok(Some(session)), _) => Principal::Bearer(session),
                (_, RequestSource::CrossOrigin(origin)) if session.is_some() => {
                    Principal::CrossOrigin(CrossOriginError { origin })
                }
                (Ok(None), _) => Principal::Anonymous,
                (Err(denied), _) => Principal::Invalid(denied),
            },
        }
    }

    /// The second step.
    pub(super) fn authorize(&self, access: &Access<'_>, principal: Principal) -> Result<Authorized, Denied> {
        let why = match (self.decision(access, principal.session()), &principal) {
            (Decision::Pass, _)
                if access.is_for_server_function(self.request) && principal.session().is_none() =>
            {
                DenialReason::ServerFunction
            }
            (Decision::Pass, _) => return Ok(Authorized(principal)),
            (_, Principal::CrossOrigin(error)) => {
                self.log(Level::Info, "cross_origin_refused", &error.to_string());
                DenialReason::CrossOrigin
            }
            (Decision::SignIn, Principal::Invalid(denied)) => DenialReason::Token(*denied),
            (Decision::SignIn, _) => DenialReason::SignIn,
            (Decision::Forbidden, Principal::Bearer(_)) => DenialReason::Token(TokenDenied::Insufficient),
            (Decision::Forbidden, _) => DenialReason::Forbidden,
            (Decision::NotFound, _) => DenialReason::NotFound,
        };
        Err(Denied { session: principal.into_session(), ..Denied::new(why) })
    }

    /// The third step: where the upstream gets an access token, one that lives. A session that turns out to be over
    /// is nobody's, who may pass or not.
    pub(super) async fn ensure_token<'r>(
        &self,
        access: Access<'r>,
        Authorized(principal): Authorized,
    ) -> Result<Admitted<'r>, Denied> {
        // On a public path nothing is renewed: its responses may be for caches. Nor is what a client brought.
        let session = match principal {
            Principal::SignedIn(session) if !access.is_public() => session,
            Principal::CrossOrigin(_) => return Ok(access.without_identity()),
            principal => return Ok(access.admitted(principal.into_session(), Vec::new())),
        };
        let wants_token = access.route.wants_token();
        let fresh = if wants_token {
            self.fresh_session(session).await
        } else {
            Ok(FreshSession::unchanged(session))
        };
        let (anonymous, cookies) = match fresh {
            Ok(fresh) => {
                let mut cookies = fresh.cookies(self);
                cookies.extend(self.clear_refresh_marker().filter(|_| wants_token));
                return Ok(access.admitted(Some(fresh.session), cookies));
            }
            Err(RefreshError::Unavailable(retry)) => {
                return Err(Denied::new(DenialReason::Token(TokenDenied::Unavailable(retry))));
            }
            Err(RefreshError::OnlyAtLoginHost(login)) => {
                return Err(Denied::new(DenialReason::RefreshAtLoginHost(login)));
            }
            Err(RefreshError::SignedOut) => (self.authorize(&access, Principal::Anonymous), Vec::new()),
            Err(RefreshError::Ended(ended)) => {
                (self.authorize(&access, Principal::Anonymous), ended.cookies(self))
            }
        };
        match anonymous {
            Ok(_) => Ok(access.admitted(None, cookies)),
            Err(denied) => Err(Denied { cookies, ..denied }),
        }
    }

    /// The session that the browser sent, where a request can be made with it.
    fn usable_session(&self) -> Option<Session> {
        match self.session() {
            // Its grant is gone: only a new sign-in helps.
            SessionCookie::Valid(session) if session.error() == Some(REFRESH_TOKEN_ERROR) => None,
            SessionCookie::Valid(session) => Some(session),
            SessionCookie::Absent => None,
            SessionCookie::Invalid(reason) => {
                self.log(Level::Info, "session_refused", &reason);
                None
            }
        }
    }

    /// What the policy says of somebody with this session, and an app's own hook.
    fn decision(&self, access: &Access<'_>, session: Option<&Session>) -> Decision {
        let decision = match &access.policy {
            Policy::Preflight { .. } => return Decision::Pass,
            Policy::Rules(decided) => decided.decision(session.map(Session::claims)),
            Policy::SignedIn if session.is_some() => Decision::Pass,
            Policy::SignedIn => Decision::SignIn,
        };
        self.vestibule.hooks.authorized(self.request, session, decision)
    }
}

impl Policy<'_> {
    /// Whether what is decided holds for requests of every method, of which none is known.
    fn is_for_any_method(&self) -> bool {
        matches!(self, Self::SignedIn)
    }
}

impl<'a> Access<'a> {
    /// That somebody is signed in.
    pub(super) fn signed_in(route: Route<'a>) -> Self {
        Self { route, policy: Policy::SignedIn, framework: None }
    }

    /// Whether everybody may pass.
    fn is_public(&self) -> bool {
        match &self.policy {
            Policy::Preflight { .. } => true,
            Policy::Rules(decided) => decided.is_public(),
            Policy::SignedIn => false,
        }
    }

    /// Whether pages of other origins may send the request with a session.
    fn allows_cross_origin(&self) -> bool {
        match &self.policy {
            Policy::Rules(decided) => decided.rule().is_some_and(|rule| rule.allows_cross_origin),
            Policy::Preflight { .. } | Policy::SignedIn => false,
        }
    }

    /// Whether the request may call a function of a guarded page at a public path.
    fn is_for_server_function(&self, request: &Request) -> bool {
        let Policy::Rules(decided) = &self.policy else { return false };
        self.framework == Some(Framework::NextJs)
            && self.is_public()
            && !decided.rule().is_some_and(|rule| rule.has_public_server_functions)
            && server_function::is_call(request)
    }

    /// A public path, asked for by a page that must not act as the user.
    fn without_identity(mut self) -> Admitted<'a> {
        self.route.forward_session = false;
        self.admitted(None, Vec::new())
    }

    fn admitted(self, session: Option<Session>, cookies: Vec<SetCookie>) -> Admitted<'a> {
        let is_personal = !self.is_public() && session.is_some() && self.route.tells_who();
        let is_guarded_preflight = matches!(self.policy, Policy::Preflight { is_guarded: true });
        Admitted { route: self.route, session, cookies, is_personal, is_guarded_preflight }
    }
}

impl Principal {
    fn session(&self) -> Option<&Session> {
        match self {
            Self::SignedIn(session) | Self::Bearer(session) => Some(session),
            Self::Anonymous | Self::CrossOrigin(_) | Self::Invalid(_) => None,
        }
    }

    fn into_session(self) -> Option<Session> {
        match self {
            Self::SignedIn(session) | Self::Bearer(session) => Some(session),
            Self::Anonymous | Self::CrossOrigin(_) | Self::Invalid(_) => None,
        }
    }
}

impl From<TooMuchWorkError> for Denied {
    fn from(_: TooMuchWorkError) -> Self {
        Self::new(DenialReason::PathTooLong)
    }
}

impl Denied {
    fn new(why: DenialReason) -> Self {
        Self { reason: why, session: None, cookies: Vec::new() }
    }
}
