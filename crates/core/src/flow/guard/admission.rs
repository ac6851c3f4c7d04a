//! The guard's first three steps: who makes a request, whether they may pass, and with which tokens.
//! [`protect`](super::protect) forwards what comes of them, [`verify`](super::verify) tells it to another proxy.
//!
//! Each step takes what the one before leaves behind, so none can be left out.

use crate::flow::Exchange;
use crate::flow::refresh::{NotReady, Ready};
use crate::flow::responses::TokenRefused;
use crate::guard::decision::Decision;
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::guard::rules::Decided;
use crate::platform::{Level, Platform};
use crate::session::claims::{GRANT_IS_GONE, Session};
use crate::session::cookie::Presented;
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
    Rules(Decided<'a>),
    /// Whoever is signed in, whatever they ask for.
    SignedIn,
}

/// Who makes a request.
pub(super) enum Who {
    /// A browser in which somebody signed in.
    SignedIn(Session),
    /// A client that brought an access token.
    Bearer(Session),
    Nobody,
    /// A client that brought something else.
    Doubtful(TokenRefused),
}

/// Somebody who may pass.
pub(super) struct Permitted(Who);

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
pub(crate) struct Refused {
    pub(crate) why: Refusal,
    /// Who made it.
    pub(crate) session: Option<Session>,
    /// What tells the browser that its session is over.
    pub(crate) cookies: Vec<SetCookie>,
}

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody is signed in.
    SignIn,
    /// Somebody is who may not, or nobody needs to know that one could sign in.
    Forbidden,
    /// Nobody needs to know that there is something.
    NotFound,
    /// The access token has ended, and only that host can get another.
    Elsewhere(Origin),
    /// There is an access token, the session's or one that the client brought, and it does not do.
    Token(TokenRefused),
}

impl<'a, P: Platform> Exchange<'a, P> {
    /// What the request asks for: by the first rule that matches it.
    pub(super) fn access(&self, path: &CanonicalPath) -> Access<'a> {
        let config = self.config();
        let decided = config.rules.decide(self.request, path);
        let route = Route::new(&config.upstreams, &self.request.url.authority, decided.rule());
        let policy = if self.request.is_preflight() { Policy::Preflight } else { Policy::Rules(decided) };
        Access { route, policy }
    }

    /// The first step. Nobody is looked for where nobody asks who it is.
    pub(super) async fn identify(&self, access: &Access<'_>) -> Who {
        let is_asked_for = match access.policy {
            Policy::Preflight => false,
            Policy::Rules(_) | Policy::SignedIn => {
                !access.is_public()
                    || self.vestibule.hooks.session_on_public_paths()
                    || access.route.wants_session()
            }
        };
        if !is_asked_for {
            return Who::Nobody;
        }
        if let Some(session) = self.usable_session() {
            return Who::SignedIn(session);
        }
        match self.bearer_session().await {
            Ok(Some(session)) => Who::Bearer(session),
            Ok(None) => Who::Nobody,
            Err(refused) => Who::Doubtful(refused),
        }
    }

    /// The second step.
    pub(super) fn authorize(&self, access: &Access<'_>, who: Who) -> Result<Permitted, Refused> {
        let why = match (self.decision(access, who.session()), &who) {
            (Decision::Pass, _) => return Ok(Permitted(who)),
            (Decision::SignIn, Who::Doubtful(refused)) => Refusal::Token(*refused),
            (Decision::SignIn, _) => Refusal::SignIn,
            (Decision::Forbidden, Who::Bearer(_)) => Refusal::Token(TokenRefused::Insufficient),
            (Decision::Forbidden, _) => Refusal::Forbidden,
            (Decision::NotFound, _) => Refusal::NotFound,
        };
        Err(Refused { session: who.into_session(), ..Refused::new(why) })
    }

    /// The third step: where the upstream gets an access token, one that lives. A session that turns out to be over
    /// is nobody's, who may pass or not.
    pub(super) async fn ensure_token<'r>(
        &self,
        access: Access<'r>,
        Permitted(who): Permitted,
    ) -> Result<Admitted<'r>, Refused> {
        // On a public path nothing is renewed: its responses may be for caches. Nor is what a client brought.
        let session = match who {
            Who::SignedIn(session) if !access.is_public() => session,
            who => return Ok(access.admitted(who.into_session(), Vec::new())),
        };
        let wants_token = access.route.wants_token();
        let ready = if wants_token { self.ready(session).await } else { Ok(Ready::as_sent(session)) };
        let (nobody, cookies) = match ready {
            Ok(ready) => {
                let mut cookies = ready.cookies(self);
                cookies.extend(self.renewal_done().filter(|_| wants_token));
                return Ok(access.admitted(Some(ready.session), cookies));
            }
            Err(NotReady::Unavailable(retry)) => {
                return Err(Refused::new(Refusal::Token(TokenRefused::Unavailable(retry))));
            }
            Err(NotReady::Elsewhere(login)) => return Err(Refused::new(Refusal::Elsewhere(login))),
            Err(NotReady::SignedOut) => (self.authorize(&access, Who::Nobody), Vec::new()),
            Err(NotReady::Ended(over)) => (self.authorize(&access, Who::Nobody), over.cookies(self)),
        };
        match nobody {
            Ok(_) => Ok(access.admitted(None, cookies)),
            Err(refused) => Err(Refused { cookies, ..refused }),
        }
    }

    /// The session that the browser sent, where a request can be made with it.
    fn usable_session(&self) -> Option<Session> {
        match self.session() {
            // Its grant is gone: only a new sign-in helps.
            Presented::Good(session) if session.error() == Some(GRANT_IS_GONE) => None,
            Presented::Good(session) => Some(session),
            Presented::Nothing => None,
            Presented::Refused(reason) => {
                self.log(Level::Info, "session_refused", &reason);
                None
            }
        }
    }

    /// What the policy says of somebody with this session, and an app's own hook.
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

impl Who {
    fn session(&self) -> Option<&Session> {
        match self {
            Self::SignedIn(session) | Self::Bearer(session) => Some(session),
            Self::Nobody | Self::Doubtful(_) => None,
        }
    }

    fn into_session(self) -> Option<Session> {
        match self {
            Self::SignedIn(session) | Self::Bearer(session) => Some(session),
            Self::Nobody | Self::Doubtful(_) => None,
        }
    }
}

impl Refused {
    fn new(why: Refusal) -> Self {
        Self { why, session: None, cookies: Vec::new() }
    }
}
