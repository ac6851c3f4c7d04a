//! The guard's first three steps: who makes a request, whether they may pass, and a valid access token if the upstream
//! needs one. [`protect`](super::protect) forwards an admitted request, [`forward_auth`](super::forward_auth) answers
//! another proxy.
//!
//! Each step takes the value that the step before it returns, so no step can be left out.

use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, RefreshError};
use crate::flow::responses::TokenDenied;
use crate::guard::decision::Decision;
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::guard::rules::RuleDecisions;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::claims::{REFRESH_TOKEN_ERROR, Session};
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;

impl<'a, P: Platform> RequestContext<'a, P> {
    /// What the request needs to pass, by the first rule that matches it.
    pub(super) fn access(&self, path: &CanonicalPath) -> Access<'a> {
        let config = self.config();
        let decided = config.rules.decide(self.request, path);
        let route = Route::new(&config.upstreams, &self.request.url.authority, decided.rule());
        let policy = if self.request.is_preflight() { Policy::Preflight } else { Policy::Rules(decided) };
        Access { route, policy }
    }

    /// The first step: who makes the request. It reads no session if neither the policy, a hook nor the upstream needs
    /// one.
    pub(super) async fn identify(&self, access: &Access<'_>) -> Principal {
        let is_needed = match access.policy {
            Policy::Preflight => false,
            Policy::Rules(_) | Policy::SignedIn => {
                !access.is_public()
                    || self.vestibule.hooks.session_on_public_paths()
                    || access.route.needs_session()
            }
        };
        if !is_needed {
            return Principal::Anonymous;
        }
        if let Some(session) = self.usable_session() {
            return Principal::SignedIn(session);
        }
        match self.bearer_session().await {
            Ok(Some(session)) => Principal::Bearer(session),
            Ok(None) => Principal::Anonymous,
            Err(denied) => Principal::Invalid(denied),
        }
    }

    /// The second step: whether the principal may pass.
    pub(super) fn authorize(&self, access: &Access<'_>, principal: Principal) -> Result<Authorized, Denied> {
        let reason = match (self.decision(access, principal.session()), &principal) {
            (Decision::Pass, _) => return Ok(Authorized(principal)),
            (Decision::SignIn, Principal::Invalid(denied)) => DenialReason::Token(*denied),
            (Decision::SignIn, _) => DenialReason::SignIn,
            (Decision::Forbidden, Principal::Bearer(_)) => DenialReason::Token(TokenDenied::Insufficient),
            (Decision::Forbidden, _) => DenialReason::Forbidden,
            (Decision::NotFound, _) => DenialReason::NotFound,
        };
        Err(Denied { session: principal.into_session(), ..Denied::new(reason) })
    }

    /// The third step: if the upstream gets the session's access token, refreshes an expired one.
    ///
    /// If the session turns out to have ended, the request is anonymous: the policy decides again.
    pub(super) async fn ensure_token<'r>(
        &self,
        access: Access<'r>,
        Authorized(principal): Authorized,
    ) -> Result<Admitted<'r>, Denied> {
        // A public path's response may be cacheable, so no cookie is renewed there. A bearer token cannot be refreshed.
        let session = match principal {
            Principal::SignedIn(session) if !access.is_public() => session,
            principal => return Ok(access.admitted(principal.into_session(), Vec::new())),
        };
        let wants_token = access.route.needs_access_token();
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

    /// The session in the request's cookies, unless its refresh token is no longer valid.
    fn usable_session(&self) -> Option<Session> {
        match self.session() {
            // Only a new sign-in helps.
            SessionCookie::Valid(session) if session.error() == Some(REFRESH_TOKEN_ERROR) => None,
            SessionCookie::Valid(session) => Some(session),
            SessionCookie::Absent => None,
            SessionCookie::Invalid(reason) => {
                self.log(Record::new(LogEvent::SessionCookieInvalid, reason));
                None
            }
        }
    }

    /// The policy's decision about a user with this session, which the app's hook may change.
    fn decision(&self, access: &Access<'_>, session: Option<&Session>) -> Decision {
        let decision = match &access.policy {
            Policy::Preflight => return Decision::Pass,
            Policy::Rules(decided) => decided.decision(session.map(Session::claims)),
            Policy::SignedIn if session.is_some() => Decision::Pass,
            Policy::SignedIn => Decision::SignIn,
        };
        self.vestibule.hooks.authorized(self.request, session, decision)
    }
}

/// What a request needs to pass: the route to its upstream, and the policy that decides.
pub(super) struct Access<'a> {
    route: Route<'a>,
    policy: Policy<'a>,
}

/// Who may pass.
enum Policy<'a> {
    /// Everyone: the request is a CORS preflight. It carries no credentials, and the upstream answers it; the request
    /// that follows is guarded.
    Preflight,
    /// The users that the first matching rule lets pass.
    Rules(RuleDecisions<'a>),
    /// Every user who is signed in, whatever the rules say.
    SignedIn,
}

impl<'a> Access<'a> {
    /// The access of every user who is signed in.
    pub(super) fn signed_in(route: Route<'a>) -> Self {
        Self { route, policy: Policy::SignedIn }
    }

    /// Whether everyone may pass.
    fn is_public(&self) -> bool {
        match &self.policy {
            Policy::Preflight => true,
            Policy::Rules(decided) => decided.is_public(),
            Policy::SignedIn => false,
        }
    }

    fn admitted(self, session: Option<Session>, cookies: Vec<SetCookie>) -> Admitted<'a> {
        let is_personal = !self.is_public() && session.is_some() && self.route.sends_identity();
        Admitted { route: self.route, session, cookies, is_personal }
    }
}

/// Who makes a request.
pub(super) enum Principal {
    /// A user with a valid session cookie.
    SignedIn(Session),
    /// A client with a valid access token (RFC 6750). The session lasts for this request only.
    Bearer(Session),
    /// A client that sends neither.
    Anonymous,
    /// A client whose access token is not accepted.
    Invalid(TokenDenied),
}

impl Principal {
    fn session(&self) -> Option<&Session> {
        match self {
            Self::SignedIn(session) | Self::Bearer(session) => Some(session),
            Self::Anonymous | Self::Invalid(_) => None,
        }
    }

    fn into_session(self) -> Option<Session> {
        match self {
            Self::SignedIn(session) | Self::Bearer(session) => Some(session),
            Self::Anonymous | Self::Invalid(_) => None,
        }
    }
}

/// A principal who may pass.
pub(super) struct Authorized(Principal);

/// A request that may pass.
pub(crate) struct Admitted<'a> {
    pub(crate) route: Route<'a>,
    /// The user's session, if there is one and something needs it.
    pub(crate) session: Option<Session>,
    /// The cookies that update the session in the browser.
    pub(crate) cookies: Vec<SetCookie>,
    /// Whether the response depends on the user, so that no shared cache may store it. A public page whose content
    /// depends on the user must say so itself.
    pub(crate) is_personal: bool,
}

/// A request that may not pass.
pub(crate) struct Denied {
    pub(crate) reason: DenialReason,
    /// The user's session, if there is one.
    pub(crate) session: Option<Session>,
    /// The cookies that end the session in the browser.
    pub(crate) cookies: Vec<SetCookie>,
}

impl Denied {
    fn new(reason: DenialReason) -> Self {
        Self { reason, session: None, cookies: Vec::new() }
    }
}

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DenialReason {
    /// No one is signed in.
    SignIn,
    /// The user may not pass, or the rule does not offer anonymous clients to sign in.
    Forbidden,
    /// The rule hides that the path exists.
    NotFound,
    /// The session's access token has expired, and only this login host can refresh it.
    RefreshAtLoginHost(Origin),
    /// The access token, of the session or of the client, does not allow this.
    Token(TokenDenied),
}
