//! The guard's first three steps: who makes a request, whether they may pass, and with which tokens.
//! [`protect`](super::protect) forwards what comes of them, [`forward_auth`](super::forward_auth) tells it to another proxy.
//!
//! Each step takes what the one before leaves behind, so none can be left out.

use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, RefreshError};
use crate::flow::responses::TokenDenied;
use crate::guard::decision::Decision;
use crate::guard::path::CanonicalPath;
use crate::guard::readings::PathReadings;
use crate::guard::route::Route;
use crate::guard::rules::{RuleDecisions, TooMuchWorkError};
use crate::platform::{Level, Platform};
use crate::session::claims::{REFRESH_TOKEN_ERROR, Session};
use crate::session::cookie::SessionCookie;
use crate::session::proven::ProvenClaims;
use crate::upstream::Upstream;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::origin::Origin;

/// What is asked for: where that leads, and who may go there.
pub(super) struct Access<'a> {
    route: Route<'a>,
    policy: Policy<'a>,
}

/// Who may pass.
enum Policy<'a> {
    /// A preflight, whoever sends it. It carries no credentials and is answered by whoever knows the API's rules; the
    /// request that follows is guarded.
    Preflight,
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
        let decided = config.rules.decide(self.request, path, &PathReadings::of_upstream(upstream));
        let decided = decided.map_err(|TooMuchWorkError| Denied::new(DenialReason::PathTooLong))?;
        let route = Route::new(&config.upstreams, &self.request.url.authority, decided.rule());
        let policy = if self.request.is_preflight() { Policy::Preflight } else { Policy::Rules(decided) };
        Ok(Access { route, policy })
    }

    /// The first step. Nobody is looked for where nobody asks who it is.
    pub(super) async fn identify(&self, access: &Access<'_>) -> Principal {
        let is_asked_for = match access.policy {
            Policy::Preflight => false,
            Policy::Rules(_) | Policy::SignedIn => {
                !access.is_public()
                    || self.vestibule.hooks.session_on_public_paths()
                    || access.route.wants_session()
            }
        };
        if !is_asked_for {
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

    /// The second step.
    pub(super) fn authorize(&self, access: &Access<'_>, principal: Principal) -> Result<Authorized, Denied> {
        let why = match (self.decision(access, principal.session()), &principal) {
            (Decision::Pass, _) => return Ok(Authorized(principal)),
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
            SessionCookie::Valid(session) if !session.names_user() => {
                self.log(Level::Info, "session_refused", "the session has no sub, so it names no user");
                None
            }
            SessionCookie::Valid(session) => Some(session),
            SessionCookie::Absent => None,
            SessionCookie::Invalid(reason) => {
                self.log(Level::Info, "session_refused", &reason);
                None
            }
        }
    }

    /// What rules, header fields and assertions may see of a session.
    pub(super) fn proven<'s>(&self, session: Option<&'s Session>) -> Option<ProvenClaims<'s>> {
        self.config().proven_claims(session?.claims())
    }

    /// What the policy says of somebody with this session, and an app's own hook.
    fn decision(&self, access: &Access<'_>, session: Option<&Session>) -> Decision {
        let decision = match &access.policy {
            Policy::Preflight => return Decision::Pass,
            Policy::Rules(decided) => decided.decision(self.proven(session).as_ref()),
            Policy::SignedIn if session.is_some() => Decision::Pass,
            Policy::SignedIn => Decision::SignIn,
        };
        self.vestibule.hooks.authorized(self.request, session, decision)
    }
}

impl<'a> Access<'a> {
    /// That somebody is signed in.
    pub(super) fn signed_in(route: Route<'a>) -> Self {
        Self { route, policy: Policy::SignedIn }
    }

    /// Whether everybody may pass.
    fn is_public(&self) -> bool {
        match &self.policy {
            Policy::Preflight => true,
            Policy::Rules(decided) => decided.is_public(),
            Policy::SignedIn => false,
        }
    }

    fn admitted(self, session: Option<Session>, cookies: Vec<SetCookie>) -> Admitted<'a> {
        let is_personal = !self.is_public() && session.is_some() && self.route.tells_who();
        Admitted { route: self.route, session, cookies, is_personal }
    }
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

impl Denied {
    fn new(why: DenialReason) -> Self {
        Self { reason: why, session: None, cookies: Vec::new() }
    }
}
