//! Whether a request may pass, as whom, and with which tokens: what [`protect`](super::protect) forwards by and
//! [`verify`](super::verify) tells another proxy.

use crate::flow::Exchange;
use crate::flow::guard::bearer::{self, TokenRefused};
use crate::flow::refresh::{self, NotReady, Ready};
use crate::flow::session::renew;
use crate::guard::decision::Decision;
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::http::cookie::SetCookie;
use crate::http::origin::Origin;
use crate::platform::{Level, Platform};
use crate::session::claims::{GRANT_IS_GONE, Session};
use crate::session::cookie::Presented;

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

/// By the first rule that matches the request.
pub(crate) async fn admit<'a, P: Platform>(
    exchange: &Exchange<'a, P>,
    path: &CanonicalPath,
) -> Result<Admitted<'a>, Refused> {
    let request = exchange.request;
    let decided = exchange.config().rules.decide(request, path);
    let route = Route::new(&exchange.config().upstreams, &request.url.authority, decided.rule());
    if request.is_preflight() {
        // It carries no credentials and is answered by whoever knows the API's rules; the request that
        // follows is guarded.
        return Ok(Admitted { route, session: None, cookies: Vec::new(), is_personal: false });
    }
    let judge = |session: Option<&Session>| {
        let decision = decided.decision(session.map(Session::claims));
        exchange.vestibule.hooks.authorized(request, session, decision)
    };
    admit_by(exchange, route, decided.is_public(), &judge).await
}

/// Whoever is signed in, whatever they ask for.
pub(crate) async fn admit_anybody<'r, P: Platform>(
    exchange: &Exchange<'_, P>,
    route: Route<'r>,
) -> Result<Admitted<'r>, Refused> {
    let judge = |session: Option<&Session>| {
        let decision = if session.is_some() { Decision::Pass } else { Decision::SignIn };
        exchange.vestibule.hooks.authorized(exchange.request, session, decision)
    };
    admit_by(exchange, route, false, &judge).await
}

async fn admit_by<'r, P: Platform>(
    exchange: &Exchange<'_, P>,
    route: Route<'r>,
    is_public: bool,
    judge: &dyn Fn(Option<&Session>) -> Decision,
) -> Result<Admitted<'r>, Refused> {
    let is_asked_for =
        !is_public || exchange.vestibule.hooks.session_on_public_paths() || route.wants_session();
    let who = if is_asked_for { Who::of(exchange).await } else { Who::Nobody };
    let (mut session, is_borne, trouble) = match who {
        Who::SignedIn(session) => (Some(session), false, None),
        Who::Bearer(session) => (Some(session), true, None),
        Who::Nobody => (None, false, None),
        Who::Doubtful(trouble) => (None, false, Some(trouble)),
    };
    let mut decision = judge(session.as_ref());
    let mut cookies = Vec::new();
    // On a public path nothing is renewed: its responses may be for caches. Nor is what a client brought.
    if decision == Decision::Pass
        && !(is_public || is_borne)
        && let Some(good) = session.take()
    {
        match with_token(exchange, route, good).await {
            Ok(ready) => {
                cookies = ready.cookies(exchange);
                cookies.extend(renew::done(exchange).filter(|_| route.wants_token()));
                session = Some(ready.session);
            }
            Err(NotReady::Unavailable(retry)) => {
                return Err(Refused {
                    why: Refusal::Token(TokenRefused::Unavailable(retry)),
                    session,
                    cookies,
                });
            }
            Err(NotReady::Elsewhere(login)) => {
                return Err(Refused { why: Refusal::Elsewhere(login), session, cookies });
            }
            Err(NotReady::SignedOut) => decision = judge(None),
            Err(NotReady::Ended(over)) => (decision, cookies) = (judge(None), over.cookies(exchange)),
        }
    }
    let why = match decision {
        Decision::Pass => {
            let is_personal = !is_public && session.is_some() && route.tells_who();
            return Ok(Admitted { route, session, cookies, is_personal });
        }
        Decision::SignIn => trouble.map_or(Refusal::SignIn, Refusal::Token),
        Decision::Forbidden if is_borne => Refusal::Token(TokenRefused::Insufficient),
        Decision::Forbidden => Refusal::Forbidden,
        Decision::NotFound => Refusal::NotFound,
    };
    Err(Refused { why, session, cookies })
}

/// Who makes a request.
enum Who {
    /// A browser in which somebody signed in.
    SignedIn(Session),
    /// A client that brought an access token.
    Bearer(Session),
    Nobody,
    /// A client that brought something else.
    Doubtful(TokenRefused),
}

impl Who {
    async fn of<P: Platform>(exchange: &Exchange<'_, P>) -> Self {
        if let Some(session) = session(exchange) {
            return Self::SignedIn(session);
        }
        match bearer::session(exchange).await {
            Ok(Some(session)) => Self::Bearer(session),
            Ok(None) => Self::Nobody,
            Err(refused) => Self::Doubtful(refused),
        }
    }
}

fn session<P: Platform>(exchange: &Exchange<'_, P>) -> Option<Session> {
    match exchange.session() {
        // Its grant is gone: only a new sign-in helps.
        Presented::Good(session) if session.error() == Some(GRANT_IS_GONE) => None,
        Presented::Good(session) => Some(session),
        Presented::Nothing => None,
        Presented::Refused(reason) => {
            exchange.log(Level::Info, "session_refused", &reason);
            None
        }
    }
}

/// The session, with an access token that lives where the upstream gets one.
async fn with_token<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: Route<'_>,
    session: Session,
) -> Result<Ready, NotReady> {
    if route.wants_token() {
        return refresh::ready(exchange, session).await;
    }
    Ok(Ready::as_sent(session))
}
