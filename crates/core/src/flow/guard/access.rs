//! What a request needs to pass: where it goes, and who decides.

use std::rc::Rc;

use crate::flow::guard::bearer;
use crate::guard::resource::ResourceRequest;
use crate::guard::route::Route;
use crate::guard::rules::RuleDecisions;
use crate::guard::server_function;
use crate::session::claims::Session;
use crate::session::names::CookieNaming;
use crate::session::proven::ProvenClaims;
use crate::session::step_up::StepUp;
use crate::session::tokens::exchanged::TokenForUpstream;
use crate::upstream::Framework;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::time::Timestamp;

/// What a request needs to pass: the route to its upstream, and the policy that decides.
pub(super) struct Access<'a> {
    pub(super) route: Route<'a>,
    pub(super) policy: Policy<'a>,
    /// The upstream's framework, if it is configured.
    pub(super) framework: Option<Framework>,
    /// How the session's cookies are named.
    pub(super) naming: &'a CookieNaming,
    /// The protected resource that the request is for.
    pub(super) resource: Option<ResourceRequest<'a>>,
}

/// Who may pass.
#[derive(Clone)]
pub(super) enum Policy<'a> {
    /// Everyone: the request is a CORS preflight. It carries no credentials, and the upstream answers it; the request
    /// that follows is guarded.
    Preflight {
        /// Whether the rules restrict the path, for this request or for the one that it announces.
        is_guarded: bool,
    },
    /// The users that the first matching rule lets pass.
    Rules(RuleDecisions<'a>),
    /// Every user who is signed in, whatever the rules say.
    SignedIn,
}

impl Policy<'_> {
    /// Whether the decision is about requests of every method: the request itself is unknown.
    pub(super) fn is_for_any_method(&self) -> bool {
        matches!(self, Self::SignedIn)
    }
}

impl<'a> Access<'a> {
    /// The access of every user who is signed in.
    pub(super) fn signed_in(route: Route<'a>, naming: &'a CookieNaming) -> Self {
        Self { route, policy: Policy::SignedIn, framework: None, naming, resource: None }
    }

    /// Whether the upstream gets cookies that are made of the session.
    pub(super) fn sets_cookies(&self) -> bool {
        !self.route.cookies.is_empty()
    }

    /// Whether everyone may pass.
    pub(super) fn is_public(&self) -> bool {
        match &self.policy {
            Policy::Preflight { .. } => true,
            Policy::Rules(decided) => decided.is_public(),
            Policy::SignedIn => false,
        }
    }

    /// What the rules ask of the user's authentication, in addition to who the user is.
    pub(super) fn step_up(&self, claims: Option<ProvenClaims<'_>>, now: Timestamp) -> Option<StepUp> {
        let (Policy::Rules(decided), Some(claims)) = (&self.policy, claims) else { return None };
        decided.step_up(&claims, now)
    }

    /// Whether pages of other origins may send the request with a session.
    pub(super) fn allows_cross_origin(&self) -> bool {
        match &self.policy {
            Policy::Rules(decided) => decided.allows_cross_origin(),
            Policy::Preflight { .. } | Policy::SignedIn => false,
        }
    }

    /// Whether only clients without a user may pass.
    pub(super) fn is_for_clients_only(&self) -> bool {
        matches!(&self.policy, Policy::Rules(decided) if decided.is_for_clients_only())
    }

    /// Whether the request may call a server function of a guarded page on a public path.
    pub(super) fn may_call_server_function(&self, request: &Request) -> bool {
        let Policy::Rules(decided) = &self.policy else { return false };
        self.framework == Some(Framework::NextJs)
            && self.is_public()
            && !decided.rule().is_some_and(|rule| rule.has_public_server_functions)
            && server_function::is_call(request)
    }

    /// A public path, requested by a page that must not act as the user.
    pub(super) fn without_identity(mut self, request: &Request) -> Admitted<'a> {
        self.route.forward_session = false;
        self.admitted(request, None, Vec::new())
    }

    /// A request with an access token, whose session cookies are not its identity.
    pub(super) fn without_cookies(mut self, request: &Request, session: Session) -> Admitted<'a> {
        self.route.forward_session = false;
        let has_used_proof = bearer::is_proven(request);
        Admitted { has_used_proof, ..self.admitted(request, Some(session), Vec::new()) }
    }

    pub(super) fn admitted(
        self,
        request: &Request,
        session: Option<Session>,
        cookies: Vec<SetCookie>,
    ) -> Admitted<'a> {
        // An upstream that gets the sealed session opens it, also where nothing here had to.
        let is_personal = session.is_some() && self.route.sends_identity()
            || self.route.forward_session && has_session_cookie(request, self.naming);
        let no_store = match &self.policy {
            Policy::Rules(decided) => decided.forbids_storing(),
            Policy::Preflight { .. } | Policy::SignedIn => false,
        };
        let is_guarded_preflight = matches!(self.policy, Policy::Preflight { is_guarded: true });
        let has_used_proof = false;
        Admitted {
            route: self.route,
            session,
            token: None,
            cookies,
            is_personal,
            no_store,
            is_guarded_preflight,
            has_used_proof,
        }
    }
}

/// Whether the request has a cookie that an upstream could open as a session.
pub(super) fn has_session_cookie(request: &Request, naming: &CookieNaming) -> bool {
    let fields = request.headers.get_all("cookie").flat_map(|field| field.split(';'));
    fields.filter_map(|pair| pair.split('=').next()).any(|name| naming.is_session(name.trim()))
}

/// A request that may pass.
#[expect(clippy::struct_excessive_bools, reason = "each says another thing about the request")]
pub(crate) struct Admitted<'a> {
    pub(crate) route: Route<'a>,
    /// The user's session, if there is one and something needs it.
    pub(crate) session: Option<Session>,
    /// The token of the upstream's own, if it gets one.
    pub(crate) token: Option<Rc<TokenForUpstream>>,
    /// The cookies that update the session in the browser.
    pub(crate) cookies: Vec<SetCookie>,
    /// Whether the upstream learns who the user is, on a public path as well: its response may depend on the user, so no
    /// shared cache may answer or store it.
    pub(crate) is_personal: bool,
    /// Whether no cache at all may store the response.
    pub(crate) no_store: bool,
    /// Whether it is a preflight for a path that is not public: only CORS headers reach the upstream and the client.
    pub(crate) is_guarded_preflight: bool,
    /// Whether the client's token is bound to a key, and its proof was for this hop: upstreams get neither.
    pub(crate) has_used_proof: bool,
}

impl Admitted<'_> {
    /// The same with a token of the upstream's own.
    pub(super) fn with_token(self, token: Option<Rc<TokenForUpstream>>) -> Self {
        Self { token, ..self }
    }
}
