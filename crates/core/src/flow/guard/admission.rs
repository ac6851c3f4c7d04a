//! The guard's first four steps: who makes a request, whether the provider still knows them, whether they may pass, and a
//! valid access token if the upstream needs one. [`protect`](super::protect) forwards an admitted request, [`forward_auth`](super::forward_auth) answers
//! another proxy.
//!
//! Each step takes the value that the step before it returns, so no step can be left out.

use crate::flow::RequestContext;
use crate::flow::guard::access::{Access, Admitted, Policy, has_session_cookie};
use crate::flow::guard::denied::{DenialReason, Denied};
use crate::flow::path_memory::KnownPath;
use crate::flow::refresh::{FreshSession, Need, RefreshError};
use crate::flow::responses::TokenDenied;
use crate::flow::session::tokens::TokensError;
use crate::flow::signin::step_up::StepUpDenial;
use crate::guard::cross_origin::{self, CrossOriginError, RequestSource};
use crate::guard::decision::Decision;
use crate::guard::path::CanonicalPath;
use crate::guard::readings::PathReadings;
use crate::guard::route::Route;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::status::RevocationUnavailable;
use crate::session::claims::{REFRESH_TOKEN_ERROR, Session};
use crate::session::cookie::SessionCookie;
use crate::session::proven::ProvenClaims;
use vestibule_oidc::http::request::{Method, Request};

impl<'a, P: Platform> RequestContext<'a, P> {
    /// What the request needs to pass, by the first rule that matches it.
    pub(super) fn access(&self, known: &KnownPath) -> Result<Access<'a>, Denied> {
        let config = self.config();
        let upstream = self.upstream();
        let path = &known.path;
        let readings = || PathReadings::of_upstream(upstream);
        let decided = known.decisions(&config.rules, self.request, &readings).inspect_err(|error| {
            self.log(Record::new(LogEvent::PathRejected, error));
        })?;
        let mut route = Route::new(upstream, decided.rule());
        // The server knows no other path than those below its prefix. Without this, its own `/admin` would have two names.
        if route.strip_prefix.is_some_and(|prefix| prefix.strip(&self.request.url.path).is_none()) {
            return Err(Denied::new(DenialReason::NotFound));
        }
        let resource = self.requested_resource(path, &readings, decided.rule())?;
        // Of a preflight no session is opened, so a server that opens it itself would get one that was revoked.
        let is_preflight = self.request.is_preflight();
        if is_preflight || resource.is_some_and(|requested| !requested.resource.takes_sessions) {
            route.forward_session = false;
        }
        let policy = if is_preflight {
            Policy::Preflight {
                is_guarded: !decided.is_public() || !self.announces_public(path, &readings())?,
            }
        } else {
            Policy::Rules(decided)
        };
        Ok(Access {
            route,
            policy,
            framework: upstream.and_then(|upstream| upstream.framework),
            naming: &config.cookie_naming,
            resource,
        })
    }

    /// Whether the request that a preflight announces is for a public path.
    fn announces_public(&self, path: &CanonicalPath, readings: &PathReadings) -> Result<bool, Denied> {
        let method = self.request.headers.get("access-control-request-method").unwrap_or_default();
        let announced = Request { method: Method::new(method), ..self.request.clone() };
        Ok(self.config().rules.decide(&announced, path, readings)?.is_public())
    }

    /// All steps before the last one, which forwards the request or answers about it.
    pub(super) async fn take_steps<'r>(
        &self,
        access: Access<'r>,
        browser: Browser,
    ) -> Result<Admitted<'r>, Denied> {
        let challenge = access.challenge();
        let admitted = self.run_steps(access, browser).await;
        match challenge {
            None => admitted,
            Some(challenge) => admitted.map_err(|denied| self.challenged(denied, &challenge)),
        }
    }

    async fn run_steps<'r>(&self, access: Access<'r>, browser: Browser) -> Result<Admitted<'r>, Denied> {
        let principal = self.identify(&access).await;
        let principal = self.confirm(&access, principal, browser).await?;
        let permitted = self.authorize(&access, principal)?;
        self.ensure_token(access, permitted).await
    }

    /// The first step: who makes the request. It reads no session if neither the policy, a hook nor the upstream needs
    /// one.
    async fn identify(&self, access: &Access<'_>) -> Principal {
        let may_act = access.policy.is_for_any_method() || cross_origin::may_act(self.request);
        let is_needed = match access.policy {
            Policy::Preflight { .. } => false,
            Policy::Rules(_) | Policy::SignedIn => {
                !access.is_public()
                    || self.vestibule.hooks.session_on_public_paths()
                    || access.route.needs_session()
                    // A server that opens the session itself must not get a revoked one.
                    || access.route.forward_session && self.has_session_cookie()
                    || may_act && access.route.sends_identity()
                    || access.may_call_server_function(self.request)
                    || access.resource.is_some() && self.has_bearer_token()
            }
        };
        if !is_needed {
            return Principal::Anonymous;
        }
        let session = if self.takes_session(access) { self.usable_session().await } else { Ok(None) };
        let session = match session {
            Ok(session) => session,
            Err(RevocationUnavailable) => {
                return Principal::Invalid(TokenDenied::Unavailable(RevocationUnavailable::RETRY_AFTER));
            }
        };
        let source = if may_act && session.is_some() && !access.allows_cross_origin() {
            self.source()
        } else {
            RequestSource::Trusted
        };
        match (session, source) {
            (Some(session), RequestSource::Trusted) => Principal::SignedIn(FreshSession::unchanged(session)),
            // A browser adds cookies to a request of another page, but never an access token.
            (_, source) => match (self.bearer_session(access.resource).await, source) {
                (Ok(Some(session)), _) => Principal::Bearer(session),
                (_, RequestSource::CrossOrigin(origin)) => {
                    Principal::CrossOrigin(CrossOriginError { origin })
                }
                (Ok(None), _) => Principal::Anonymous,
                (Err(denied), _) => Principal::Invalid(denied),
            },
        }
    }

    /// The second step: asks the provider to confirm the session's user, if that is due, so that the rules decide by what
    /// it says now. Nothing is asked on public paths.
    async fn confirm(
        &self,
        access: &Access<'_>,
        principal: Principal,
        browser: Browser,
    ) -> Result<Principal, Denied> {
        match principal {
            Principal::SignedIn(known) if !access.is_public() => {
                if browser == Browser::Direct && self.only_browser_can_confirm(&known.session) {
                    // Boxed: otherwise the future of every guarded request would have its size.
                    let page = self.return_address();
                    if let Some(redirect) = Box::pin(self.sign_in_silently(&known.session, &page)).await {
                        return Err(Denied::new(DenialReason::AskProvider(redirect.into())));
                    }
                }
                match self.fresh_session(known.session, Need::User).await {
                    Ok(fresh) | Err(RefreshError::Expired(fresh)) => Ok(Principal::SignedIn(fresh)),
                    Err(error) => self.without_session(error),
                }
            }
            principal => Ok(principal),
        }
    }

    /// Who makes the request if the session cannot be used. An error if the request has to wait, or to take another way.
    fn without_session(&self, error: RefreshError) -> Result<Principal, Denied> {
        let reason = match error {
            RefreshError::SignedOut => return Ok(Principal::Anonymous),
            RefreshError::Ended(ended) => return Ok(Principal::Ended(ended)),
            RefreshError::Unavailable(retry) => DenialReason::Token(TokenDenied::Unavailable(retry)),
            RefreshError::OnlyAtLoginHost(login) => DenialReason::RefreshAtLoginHost(login),
            RefreshError::NotConfirmed(Some(retry))
                if self.request.is_navigation() || self.request.is_prefetch() =>
            {
                DenialReason::Token(TokenDenied::Unavailable(retry))
            }
            RefreshError::NotConfirmed(_) => DenialReason::SignIn,
            RefreshError::Expired(_) => DenialReason::TokenExpired,
        };
        Err(Denied::new(reason))
    }

    /// The third step: whether the principal may pass.
    fn authorize(&self, access: &Access<'_>, principal: Principal) -> Result<Authorized, Denied> {
        let reason = match (self.decision(access, principal.session()), &principal) {
            (Decision::Pass, _)
                if access.may_call_server_function(self.request)
                    && principal.session().is_none_or(|session| session.client().is_some()) =>
            {
                DenialReason::ServerFunction
            }
            // No token of another audience reaches the server of a resource, public or not.
            (Decision::Pass, Principal::Invalid(denied)) if access.resource.is_some() => {
                DenialReason::Token(*denied)
            }
            (Decision::Pass, _) => return Ok(Authorized(principal)),
            (_, Principal::CrossOrigin(error)) => {
                self.log(Record::new(LogEvent::CrossOriginRejected, error));
                DenialReason::CrossOrigin
            }
            (Decision::SignIn, Principal::Invalid(denied)) => DenialReason::Token(*denied),
            // To sign in would lead a user here again.
            (Decision::SignIn, _) if access.is_for_clients_only() => DenialReason::ClientsOnly,
            (Decision::SignIn, _) => DenialReason::SignIn,
            (Decision::StepUp, principal) => match access.step_up(self.proven(principal.session()), self.now)
            {
                Some(asked) => {
                    let is_bearer = matches!(principal, Principal::Bearer(_));
                    DenialReason::StepUp(Box::new(StepUpDenial { needed: asked, is_bearer }))
                }
                // A hook asks for what no rule says.
                None => DenialReason::Forbidden,
            },
            (Decision::Forbidden, Principal::Bearer(_)) => DenialReason::Token(TokenDenied::Insufficient),
            (Decision::Forbidden, _) => DenialReason::Forbidden,
            (Decision::NotFound, _) => DenialReason::NotFound,
        };
        self.audit_denial(access, &principal, &reason);
        let cookies = match &principal {
            Principal::SignedIn(fresh) | Principal::Ended(fresh) if fresh.has_changed() => {
                fresh.cookies(self)
            }
            _ => self.erased_conflict(&[]),
        };
        Err(Denied { session: principal.into_session(), cookies, ..Denied::new(reason) })
    }

    /// The fourth step: if the upstream gets the session's access token, refreshes an expired one.
    ///
    /// If the session turns out to have ended, the request is anonymous. Then, and if the refresh brought new claims, the
    /// policy decides again.
    async fn ensure_token<'r>(
        &self,
        access: Access<'r>,
        Authorized(principal): Authorized,
    ) -> Result<Admitted<'r>, Denied> {
        // A public path's response may be cacheable, so no cookie is renewed there. A bearer token cannot be refreshed.
        let known = match principal {
            Principal::SignedIn(session) if !access.is_public() => session,
            Principal::CrossOrigin(_) => return Ok(access.without_identity(self.request)),
            // The cookies that a browser added are of another identity, or of another page's user.
            Principal::Bearer(session) => {
                let token = self.token_for_upstream(&access, &session).await?;
                return Ok(access.without_cookies(self.request, session).with_token(token));
            }
            Principal::Ended(ended) => {
                return Ok(access.admitted(self.request, None, ended.cookies(self)));
            }
            principal => {
                let session = match principal.into_session() {
                    // The path is public: it is served without the token, too.
                    Some(session) => {
                        Some(self.with_tokens_for(&access.route, &session).await.unwrap_or(session))
                    }
                    None => None,
                };
                let session = session.map(|session| self.without_expired_token(session));
                let token = match &session {
                    Some(session) => self.token_for_upstream(&access, session).await?,
                    None => None,
                };
                return Ok(access.admitted(self.request, session, Vec::new()).with_token(token));
            }
        };
        let wants_token = access.route.needs_access_token()
            || access.route.forward_session && self.config().forwards_tokens_in_session();
        let principal = if wants_token {
            match self.fresh_session(known.session.clone(), Need::AccessToken).await {
                Ok(fresh) | Err(RefreshError::Expired(fresh)) if fresh.has_changed() => {
                    let refreshed = Principal::SignedIn(known.then(fresh));
                    let Authorized(principal) = self.authorize(&access, refreshed)?;
                    principal
                }
                Ok(fresh) | Err(RefreshError::Expired(fresh)) => Principal::SignedIn(known.then(fresh)),
                Err(error) => {
                    let Authorized(principal) = self.authorize(&access, self.without_session(error)?)?;
                    principal
                }
            }
        } else {
            Principal::SignedIn(known)
        };
        Ok(match principal {
            Principal::SignedIn(mut fresh) => {
                match self.with_tokens_for(&access.route, &fresh.session).await {
                    Ok(session) => fresh.session = session,
                    Err(error) => {
                        let session = Some(fresh.session);
                        return Err(Denied { session, ..Denied::new(error.into()) });
                    }
                }
                let is_dead = self.has_dead_token(&fresh.session);
                if is_dead && access.route.sends_access_token(&fresh.session) {
                    let session = Some(fresh.session);
                    return Err(Denied { session, ..Denied::new(DenialReason::TokenExpired) });
                }
                let mut cookies = fresh.cookies(self);
                cookies.extend(self.clear_renewal_marker().filter(|_| wants_token && !is_dead));
                let session = self.without_expired_token(fresh.session);
                match self.token_for_upstream(&access, &session).await {
                    Ok(token) => access.admitted(self.request, Some(session), cookies).with_token(token),
                    // The session goes on, with the tokens of a refresh.
                    Err(denied) => return Err(Denied { cookies, ..denied }),
                }
            }
            Principal::Ended(ended) => access.admitted(self.request, None, ended.cookies(self)),
            _ => access.admitted(self.request, None, Vec::new()),
        })
    }

    /// The session with its tokens from the store, if the upstream gets one of them.
    async fn with_tokens_for(&self, route: &Route<'_>, session: &Session) -> Result<Session, TokensError> {
        if route.lacks_any(session) { self.with_tokens(session).await } else { Ok(session.clone()) }
    }

    /// The session without its access token if that has expired: nothing forwards such a token.
    fn without_expired_token(&self, session: Session) -> Session {
        if self.has_expired_token(&session) { session.without_access_token() } else { session }
    }

    /// The session in the request's cookies, unless it was revoked or its refresh token is no longer valid.
    async fn usable_session(&self) -> Result<Option<Session>, RevocationUnavailable> {
        Ok(match self.live_session().await? {
            // Only a new sign-in helps.
            SessionCookie::Valid(session) if session.error() == Some(REFRESH_TOKEN_ERROR) => None,
            SessionCookie::Valid(session) if !session.names_user() => {
                let reason = "the session has no sub, so it names no user";
                self.log(Record::new(LogEvent::SessionCookieInvalid, reason));
                None
            }
            SessionCookie::Valid(session) => Some(session),
            SessionCookie::Absent | SessionCookie::Conflict | SessionCookie::Revoked => None,
            SessionCookie::Invalid(reason) => {
                self.log(Record::new(LogEvent::SessionCookieInvalid, reason));
                None
            }
        })
    }

    /// Whether the request has a cookie that an upstream could open as a session.
    fn has_session_cookie(&self) -> bool {
        has_session_cookie(self.request, &self.config().cookie_naming)
    }

    /// The claims that rules, headers and assertions may depend on.
    pub(super) fn proven<'s>(&self, session: Option<&'s Session>) -> Option<ProvenClaims<'s>> {
        self.config().proven_claims(session?.claims())
    }

    /// The policy's decision about a user with this session, which the app's hook may change.
    fn decision(&self, access: &Access<'_>, session: Option<&Session>) -> Decision {
        let decision = match &access.policy {
            Policy::Preflight { .. } => return Decision::Pass,
            Policy::Rules(decided) => {
                let claims = self.proven(session);
                match decided.decision(claims.as_ref()) {
                    Decision::Pass if access.step_up(claims, self.now).is_some() => Decision::StepUp,
                    decision => decision,
                }
            }
            Policy::SignedIn if session.is_some_and(|session| session.client().is_some()) => {
                Decision::Forbidden
            }
            Policy::SignedIn if session.is_some() => Decision::Pass,
            Policy::SignedIn => Decision::SignIn,
        };
        self.vestibule.hooks.authorized(self.request, session, decision)
    }
}

/// How an answer reaches the browser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Browser {
    /// It gets the answer as it is.
    Direct,
    /// Another proxy acts on the answer, and may drop its cookies.
    BehindProxy,
}

/// Who makes a request.
pub(super) enum Principal {
    /// A user with a valid session cookie.
    SignedIn(FreshSession),
    /// A client with a valid access token (RFC 6750). The session lasts for this request only.
    Bearer(Session),
    /// A client that sends neither.
    Anonymous,
    /// A user whose session has ended with this request.
    Ended(FreshSession),
    /// A user with a valid session cookie, but a page of another origin made the request.
    CrossOrigin(CrossOriginError),
    /// A client whose access token is not accepted.
    Invalid(TokenDenied),
}

impl Principal {
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Self::SignedIn(fresh) => Some(&fresh.session),
            Self::Bearer(session) => Some(session),
            Self::Anonymous | Self::Ended(_) | Self::CrossOrigin(_) | Self::Invalid(_) => None,
        }
    }

    fn into_session(self) -> Option<Session> {
        match self {
            Self::SignedIn(fresh) => Some(fresh.session),
            Self::Bearer(session) => Some(session),
            Self::Anonymous | Self::Ended(_) | Self::CrossOrigin(_) | Self::Invalid(_) => None,
        }
    }
}

/// A principal who may pass.
pub(super) struct Authorized(Principal);
