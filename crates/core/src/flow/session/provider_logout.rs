//! Signing out at the provider (OpenID Connect RP-Initiated Logout 1.0): the redirect there, with the ID token as a hint, and
//! the way back, by one registered address for all.

use crate::config::{Provider, ProviderKind};
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::session::logout_hint::{self, LogoutHint};
use crate::session::logout_state::{self, LogoutState, LogoutStateError};
use crate::session::policy::Persistence;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::oauth::logout::{self, LogoutRequest};
use vestibule_oidc::oauth::provider::{LogoutConfig, OAuthProvider};
use vestibule_oidc::secret::Secret;

/// The redirect to the provider.
pub(crate) struct ProviderLogout {
    /// The logout endpoint, with the request.
    pub(crate) url: String,
    /// The cookie that leads from the registered address to where the person was going.
    pub(crate) cookie: SetCookie,
}

impl<P: Platform> RequestContext<'_, P> {
    /// The redirect that ends the session at the provider with this id, and then leads to `return_to`. `None` if the
    /// configuration has no logout. A provider whose endpoint is unknown does not prevent the sign-out here.
    ///
    /// `session` is what is known of who signs out.
    pub(crate) async fn provider_logout(
        &self,
        provider_id: &str,
        session: Option<&Session>,
        return_to: &TrustedUrl,
    ) -> Option<ProviderLogout> {
        let (provider, oauth, logout) = self.logout_of(provider_id)?;
        let endpoint = self.logout_endpoint(provider, oauth, logout).await?;
        let begun = LogoutState::begin(return_to, &mut |bytes| self.platform.fill_random(bytes));
        let begun = if logout.is_standard() { begun } else { begun.without_state() };
        let id_token =
            session.and_then(Session::sid).filter(|_| logout.is_standard()).and_then(|sid| self.hint_of(sid));
        let hint = match &id_token {
            Some(id_token) => Some(logout::LogoutHint::IdToken(id_token)),
            None if logout.is_standard() => session
                .and_then(|session| session.claims().get(&logout.hint_claim)?.as_str())
                .filter(|user| !user.is_empty())
                .map(logout::LogoutHint::User),
            None => None,
        };
        let registered = self.login_route("signout/callback");
        let request = LogoutRequest {
            client_id: &oauth.client.id,
            return_to: &registered,
            state: begun.state.as_ref(),
            hint,
        };
        let url = logout::url(&endpoint, logout, &request);
        Some(ProviderLogout { url, cookie: self.logout_state_cookie(begun) })
    }

    /// The same for the first of several sessions whose provider has a logout, with a preference for that of the hint: the last
    /// sign-in of this browser has left it.
    pub(crate) async fn first_provider_logout<'s>(
        &self,
        sessions: impl Iterator<Item = &'s Session>,
        return_to: &TrustedUrl,
    ) -> Option<ProviderLogout> {
        let mut sessions: Vec<&Session> = sessions.collect();
        if sessions.len() > 1 {
            sessions.sort_by_key(|session| session.sid().and_then(|sid| self.hint_of(sid)).is_none());
        }
        for session in sessions {
            if let Some(provider) = session.provider()
                && let Some(logout) = self.provider_logout(provider, Some(session), return_to).await
            {
                return Some(logout);
            }
        }
        None
    }

    /// The ID token of the session with this `sid`, if the browser has kept it.
    fn hint_of(&self, sid: &str) -> Option<Secret> {
        LogoutHint::find(&self.cookies, sid, &self.config().keys, &self.names, self.now)
    }

    /// `GET /signout/callback`: the browser comes back from the provider, and goes to where the person was going. Without the
    /// `state` that belongs to this browser's sign-out it goes to the start page.
    pub(crate) fn finish_provider_logout(&self, query: &Params) -> Response {
        let cookies = self.cookies.get_all(self.names.logout_state());
        let opened = match query.one("state") {
            Ok(state) => LogoutState::open(cookies, state, &self.config().keys, &self.names, self.now),
            Err(_) => Err(LogoutStateError::Other),
        };
        let response = match opened {
            Ok(return_to) => {
                let finished = self.at_sign_out(SetCookie::expired(self.names.logout_state()));
                with_cookies(Response::redirect(return_to), vec![finished])
            }
            Err(error) => {
                self.log(Record::new(LogEvent::LogoutReturnRejected, error));
                Response::redirect(self.return_policy().default().as_str())
            }
        };
        response.uncached()
    }

    /// The session as it is when the browser has the hint for its provider, and the cookies with that hint. They replace those
    /// of an earlier one. Without an ID token the browser keeps what it has.
    pub(crate) fn with_logout_hint(
        &self,
        session: Session,
        id_token: Option<&Secret>,
    ) -> (Session, Vec<SetCookie>) {
        let logout = session.provider().and_then(|provider| self.logout_of(provider));
        let takes_hint = logout.is_some_and(|(_, _, logout)| logout.is_standard());
        let Some(id_token) = id_token.filter(|_| takes_hint) else { return (session, Vec::new()) };
        let lifetime = logout_hint::lifetime(self.config().sealing(), &session, self.now);
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let (keys, names) = (&self.config().keys, &self.names);
        let sealed = LogoutHint::of(&session, id_token)
            .and_then(|hint| hint.seal(keys, names, lifetime, self.now, random))
            .unwrap_or_default();
        let session = session.with_hint_chunks((!sealed.is_empty()).then_some(sealed.len()));
        // The browser sends no session with a provider's form post, and may have one all the same.
        let is_form_post =
            self.request.method == Method::Post && matches!(self.session(), SessionCookie::Absent);
        let mut cookies = if is_form_post { self.erased_hint(Some(1)) } else { self.erased_logout_hint() };
        cookies.retain(|erased| !sealed.iter().any(|(name, _)| name == erased.name()));
        let is_persistent =
            self.config().session.persistence != Persistence::UntilBrowserCloses && session.is_persistent();
        for (name, value) in &sealed {
            let cookie = self.at_sign_out(SetCookie::new(name, value));
            cookies.push(if is_persistent { cookie.expires(self.now.plus(lifetime)) } else { cookie });
        }
        (session, cookies)
    }

    /// The cookies that remove the hint of the request's session, or of its sessions, from the browser.
    pub(crate) fn erased_logout_hint(&self) -> Vec<SetCookie> {
        match self.session() {
            SessionCookie::Valid(session) => self.erased_hint(session.hint_chunks()),
            SessionCookie::Conflict => {
                self.erased_hint(self.all_sessions().iter().filter_map(Session::hint_chunks).max())
            }
            SessionCookie::Absent | SessionCookie::Revoked | SessionCookie::Invalid(_) => {
                self.erased_hint(None)
            }
        }
    }

    fn erased_hint(&self, chunks: Option<usize>) -> Vec<SetCookie> {
        let erased = logout_hint::names_to_erase(&self.names, &self.cookies, chunks);
        erased.into_iter().map(|name| self.at_sign_out(SetCookie::expired(name))).collect()
    }

    /// Whether signing out of this session goes on to the provider's logout.
    pub(crate) fn has_provider_logout(&self, session: &Session) -> bool {
        session.provider().is_some_and(|provider| self.logout_of(provider).is_some())
    }

    /// The provider with this id, if the configuration has a logout for it.
    fn logout_of(&self, provider_id: &str) -> Option<(&Provider, &OAuthProvider, &LogoutConfig)> {
        let provider = self.provider(provider_id)?;
        let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
        Some((provider, oauth, oauth.logout.as_ref()?))
    }

    async fn logout_endpoint(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        logout: &LogoutConfig,
    ) -> Option<Url> {
        if let Some(endpoint) = &logout.endpoint {
            return Some(endpoint.clone());
        }
        let metadata = match self.metadata(provider, oauth).await {
            Ok(metadata) => metadata,
            Err(error) => {
                self.log(error.record_as(LogEvent::ProviderLogoutFailed));
                return None;
            }
        };
        let endpoint = metadata.end_session_endpoint();
        if endpoint.is_none() {
            let id = &provider.id;
            let message = format_args!(
                "provider {id} publishes no end_session_endpoint: set `logout` to the URL of its logout endpoint"
            );
            let record = Record::new(LogEvent::ProviderLogoutFailed, message).provider(id);
            self.log(record.caused_by(ErrorSource::Configuration));
        }
        endpoint.cloned()
    }

    /// The cookie that leads to where the person was going. If that address is too long, it leads to the start page of the
    /// login host.
    fn logout_state_cookie(&self, begun: LogoutState) -> SetCookie {
        let (keys, name) = (&self.config().keys, self.names.logout_state());
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = begun.seal(keys, &self.names, self.now, random).unwrap_or_else(|| {
            let home = LogoutState { return_to: self.login_home().as_str().to_owned(), ..begun };
            home.seal(keys, &self.names, self.now, random).unwrap_or_default()
        });
        self.at_sign_out(SetCookie::new(name, &sealed).max_age(logout_state::LIFETIME))
    }

    /// The same cookie, for the sign-out route of all hosts that share the session.
    fn at_sign_out(&self, cookie: SetCookie) -> SetCookie {
        cookie.domain(self.cookie_domain()).path(&format!("{}/signout", self.config().base_path))
    }
}
