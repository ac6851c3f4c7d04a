//! A sign-in on a preview host: a host of another domain, which gets a session of its own from the login host. The module
//! [`preview`](crate::session::preview) says what protects the way.
//!
//! The preview host does not sign users in itself: no provider knows its address, and no one should have to type a password
//! there. Where the user is signed in at the login host already, no page is shown.

use std::time::Duration;

use crate::error::{ClientError, Error};
use crate::flow::host_role::HostRole;
use crate::flow::hosts::with_parameters;
use crate::flow::refresh::{FreshSession, Need};
use crate::flow::responses::with_cookies;
use crate::flow::session::refresh_at_login_host::SessionForHost;
use crate::flow::signin::switch_account::PROMPT;
use crate::flow::{FormContext, RequestContext};
use crate::lease::lock::use_once;
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, StoreError};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::session::preview::{self, PreviewCode, PreviewCodeError, PreviewNonce, PreviewSignOut};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::{ReturnPolicy, TrustedUrl};
use vestibule_oidc::http::url::Url;

/// The longest address, in bytes, that goes through the login host: a sign-in there keeps it in a cookie, encoded and sealed.
const MAX_ADDRESS: usize = 2048;

/// How many cookies with a return address are read.
const MAX_DUPLICATES: usize = 8;

/// How long a session of a preview host is valid at least.
const MIN_SESSION: Duration = Duration::from_hours(1);

impl<P: Platform> RequestContext<'_, P> {
    /// Whether the request's host gets its sessions from the login host.
    pub(crate) fn is_preview_host(&self) -> bool {
        matches!(self.host_role, HostRole::Preview(_))
    }

    /// The start page of the login host.
    pub(crate) fn login_home(&self) -> TrustedUrl {
        self.return_policy().resolve_or_default(&self.login_origin())
    }

    /// The address on this preview host at which a sign-in begins. If the login host uses `https`, so does the address.
    pub(crate) fn preview_sign_in_page(&self, login: &Origin, return_to: &str) -> String {
        let page = format!("{}{}/signin", self.preview_origin(login), self.config().base_path);
        with_parameters(&page, &[("callbackUrl", return_to)])
    }

    fn preview_origin(&self, login: &Origin) -> String {
        let url = &self.request.url;
        if login.secure() && url.authority == url.host() {
            return format!("https://{}", url.authority);
        }
        url.origin()
    }

    /// `GET /signin`, and a sign-in form, on a preview host: gives the browser a nonce, and sends it to the login host.
    /// Who asks for another account sees the sign-in page there.
    pub(crate) fn request_preview_session(
        &self,
        login: &Origin,
        form: FormContext,
        other_account: bool,
    ) -> Response {
        if login.secure() && !self.origin.secure() {
            // Over http no cookie is bound to the host, and others could read the code.
            let origin = self.preview_origin(login);
            if !origin.starts_with("https:") {
                let message = "the preview host is reached over http, on a port of its own";
                self.log(Record::new(LogEvent::PreviewHostRejected, message));
                return self.no_sign_in_here();
            }
            let address = match self.request.method {
                Method::Post => self.preview_sign_in_page(login, &origin),
                _ => self.address(),
            };
            return Response::redirect(address).with("cache-control", "private, no-store");
        }
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let nonce = PreviewNonce::generate(self.now, random);
        let on_this_host = self.own_policy().resolve(form.return_to.as_str());
        let return_to = on_this_host.unwrap_or_else(|| self.own_policy().default());
        let request = |return_to: &str| {
            let address = self.in_language(self.preview_request(return_to, nonce.challenge()));
            if other_account { with_parameters(&address, &[PROMPT]) } else { address }
        };
        let mut address = request(return_to.as_str());
        if address.len() > MAX_ADDRESS {
            // It stays in this host's cookie.
            address = request(self.origin.as_str());
        }
        let mut cookies: Vec<SetCookie> =
            preview::surplus(&self.cookies, &self.names).into_iter().map(SetCookie::expired).collect();
        let name = nonce.cookie_name(&self.names);
        cookies.push(SetCookie::new(name, nonce.value()).max_age(preview::NONCE_LIFETIME));
        let response = Response::redirect(address).with("referrer-policy", "no-referrer");
        with_cookies(with_cookies(response, form.cookies), cookies)
    }

    /// The address of `GET /preview` on the login host.
    fn preview_request(&self, return_to: &str, challenge: &str) -> String {
        with_parameters(&self.login_route("preview"), &[("callbackUrl", return_to), ("challenge", challenge)])
    }

    /// The addresses on this host.
    fn own_policy(&self) -> ReturnPolicy<'_> {
        ReturnPolicy { own_origin: &self.origin, trusted_hosts: &[], cookie_domain: None }
    }

    /// `GET /preview` on the login host: signs the user in where necessary, and sends the browser back with a code.
    ///
    /// It needs no CSRF token: a page of another site that sends the browser here gets it to a preview host that signs no
    /// one in, because the browser has no nonce.
    pub(crate) async fn give_preview_session(&self, query: &Params) -> Result<Response, Error> {
        let parameter = |name| query.one(name).map_err(ClientError::from);
        let challenge = parameter("challenge")?.unwrap_or_default();
        let requested = parameter("callbackUrl")?.unwrap_or_default();
        let is_from_preview_host = self.request.is_navigation() && preview::is_challenge(challenge);
        let Some((host, address)) = self.preview_address(requested).filter(|_| is_from_preview_host) else {
            let message =
                "the address is not on a host of preview_hosts, or the browser does not come from one";
            self.log(Record::new(LogEvent::PreviewHostRejected, message));
            return Ok(self.no_sign_in_here());
        };
        let here = self.preview_request(address.as_str(), challenge);
        if parameter(PROMPT.0)?.is_some() {
            return Ok(Response::redirect(self.switch_account_page(&here)).uncached());
        }
        let need = if self.config().uses_tokens() { Need::AccessToken } else { Need::User };
        let (fresh, cookies) = match Box::pin(self.session_for_host(need, &here)).await {
            SessionForHost::Found(fresh, cookies) => (fresh, cookies),
            SessionForHost::Answer(response, cookies) => {
                return Ok(with_cookies(response, cookies).uncached());
            }
        };
        if matches!(self.was_revoked_meanwhile(&fresh.session).await, Ok(true)) {
            // Who signed out a moment ago, on a preview host, is not signed in again by the next click there.
            let answer = Response::redirect(self.sign_in_page(&here));
            return Ok(with_cookies(answer, self.erased_session()).uncached());
        }
        let code = self.preview_code(&fresh, &host, challenge, &address)?;
        let callback = format!("{}{}/preview/callback", host.as_str(), self.config().base_path);
        let response = Response::redirect(with_parameters(&callback, &[("code", &code)]));
        Ok(with_cookies(response.with("referrer-policy", "no-referrer"), cookies).uncached())
    }

    /// The preview host that an address of this host's `GET /preview` is for.
    pub(crate) fn preview_of(&self, address: &Url) -> Option<String> {
        if address.origin() != self.origin.as_str() || address.path() != self.path_of_preview() {
            return None;
        }
        let query = Params::from_urlencoded(address.query()?.as_bytes());
        let (host, _) = self.preview_address(query.one("callbackUrl").ok()??)?;
        Some(host.host().to_owned())
    }

    fn path_of_preview(&self) -> String {
        format!("{}/preview", self.config().base_path)
    }

    /// An address on a preview host, as a browser parses it, and its origin.
    fn preview_address(&self, requested: &str) -> Option<(Origin, TrustedUrl)> {
        let host = Origin::of(&Url::parse(requested).ok()?);
        if !self.config().accepts_preview_host(&host) {
            return None;
        }
        let policy = ReturnPolicy { own_origin: &host, trusted_hosts: &[], cookie_domain: None };
        let address = policy.resolve(requested)?;
        Some((host, address))
    }

    fn preview_code(
        &self,
        fresh: &FreshSession,
        host: &Origin,
        challenge: &str,
        address: &TrustedUrl,
    ) -> Result<String, Error> {
        let config = self.config();
        // After that the browser comes here again, unnoticed: so what changes for the user here, changes there.
        let lifetime = config.session.update_age.max(MIN_SESSION).min(config.session.max_age);
        let session = fresh.session.clone().with_sign_in_time();
        let session = session.for_preview_host(host, self.now.plus(lifetime));
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let code = PreviewCode::seal(&session, challenge, address, &config.keys, self.now, random);
        if code.len() > preview::MAX_CODE {
            return Err(Error::Configuration(format!(
                "the session has {} characters on its way to {}, and {} fit into a URL: keep fewer or smaller claims in \
                 the session (AUTH.claims)",
                code.len(),
                host.as_str(),
                preview::MAX_CODE,
            )));
        }
        Ok(code)
    }

    /// `GET /preview/callback` on a preview host: makes the session of the code that the login host gave this browser.
    ///
    /// Whatever the answer is, it is a redirect to an address without the code, so no page can read the code.
    pub(crate) async fn take_preview_session(&self, query: &Params) -> Result<Response, Error> {
        let code = query.one("code").map_err(ClientError::from)?.unwrap_or_default();
        let response = match PreviewCode::open(code, &self.config().keys, self.now) {
            Ok(code) => match self.accept_preview_code(&code).await {
                Ok(nonce) => self.preview_session(&code, nonce).await?,
                Err(error) => self.preview_code_rejected(&error, Some(&code)).await,
            },
            Err(error) => self.preview_code_rejected(&error.into(), None).await,
        };
        Ok(response.with("referrer-policy", "no-referrer").uncached())
    }

    /// Checks that the code is for this host and this browser, and was not used. The result is the name of the nonce's
    /// cookie.
    async fn accept_preview_code(&self, code: &PreviewCode) -> Result<String, CodeError> {
        if !self.config().accepts_preview_host(&self.origin) {
            return Err(PreviewCodeError::Insecure.into());
        }
        code.check_host(&self.origin)?;
        let nonce = code.check_browser(&self.cookies, &self.names)?;
        let config = self.config();
        if config.has_single_use_codes()
            && !use_once(self.platform, config.sealing(), &code.id, preview::CODE_RETENTION).await?
        {
            return Err(PreviewCodeError::Used.into());
        }
        Ok(nonce)
    }

    /// The redirect to the return address, with the session. Nothing of an earlier session goes into it.
    async fn preview_session(&self, code: &PreviewCode, nonce: String) -> Result<Response, Error> {
        // What the login host has in the store, this host may not reach.
        let session = self.store_tokens(code.session.clone(), None).await;
        let cookies = self
            .session_cookies(&session)
            .map_err(|too_large| Error::Configuration(too_large.to_string()))?;
        self.audit(LogEvent::SignedIn, &session, "this preview host got a session of the login host");
        let mut all = self.erased_conflict(&cookies);
        all.extend(cookies);
        all.push(SetCookie::expired(nonce));
        Ok(with_cookies(Response::redirect(self.own_address(code).as_str()), all))
    }

    /// The redirect of a browser whose code is not valid: to where it wanted to go if it is signed in already, as after the
    /// second of two equal requests, and otherwise to the error page.
    async fn preview_code_rejected(&self, error: &CodeError, code: Option<&PreviewCode>) -> Response {
        let event = match error {
            CodeError::Code(_) => LogEvent::PreviewCodeRejected,
            CodeError::Lock(_) => LogEvent::PreviewCodeNotChecked,
        };
        self.log(Record::new(event, error));
        let of_this_host = code.filter(|code| code.check_host(&self.origin).is_ok());
        if let Some(code) = of_this_host
            && let Ok(SessionCookie::Valid(_)) = self.live_session().await
        {
            return Response::redirect(self.own_address(code).as_str());
        }
        let page = match &self.config().pages.error {
            Some(page) => self.page_url(page),
            None => self.route("error"),
        };
        Response::redirect(with_parameters(&page, &[("error", "Verification")]))
    }

    /// The address on the login host that ends the session there, too, and then leads to `next`.
    pub(crate) fn sign_out_at_login_host(&self, session: &Session, next: String) -> String {
        let Some(sid) = session.sid().map(str::to_owned) else { return next };
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let provider = session.provider().map(str::to_owned);
        let code = PreviewSignOut { sid, provider, next }.seal(&self.config().keys, self.now, random);
        with_parameters(&self.login_route("signout/preview"), &[("code", &code)])
    }

    /// `GET /signout/preview` on the login host: removes the session that was signed out on a preview host, and revokes the
    /// refresh token, which only this host has; and goes on to the provider, for whose logout only this host has the hint. The
    /// session has ended already; another one stays, here and at the provider.
    pub(crate) async fn end_preview_session(&self, query: &Params) -> Result<Response, Error> {
        let code = query.one("code").map_err(ClientError::from)?.unwrap_or_default();
        let signed_out = match PreviewSignOut::open(code, &self.config().keys, self.now) {
            Ok(signed_out) => signed_out,
            Err(error) => {
                self.log(Record::new(LogEvent::PreviewCodeRejected, error));
                return Ok(Response::redirect(self.return_policy().default().as_str()).uncached());
            }
        };
        let is_it = |session: &Session| session.sid() == Some(signed_out.sid.as_str());
        let is_another = matches!(self.session(), SessionCookie::Valid(session) if !is_it(&session));
        // Also one that does not count, next to another of its browser's cookies.
        let session = self.all_sessions().into_iter().find(is_it);
        let mut cookies = Vec::new();
        let mut next = signed_out.next;
        if let Some(provider) = signed_out.provider.filter(|_| !is_another) {
            let preview = self.preview_address(&next).map(|(_, address)| address);
            let return_to = preview.unwrap_or_else(|| self.return_policy().resolve_or_default(&next));
            if let Some(logout) = self.provider_logout(&provider, session.as_ref(), &return_to).await {
                next = logout.url;
                cookies.push(logout.cookie);
            }
        }
        if let Some(session) = session {
            let session = self.with_newest_tokens(session).await;
            let session = self.with_tokens(&session).await.unwrap_or(session);
            self.revoke_refresh_token_of(&session);
            self.delete_tokens(&session).await;
            self.delete_exchanged(&session).await;
            if !is_another {
                cookies.extend(self.erased_session());
            }
        }
        let response = Response::redirect(next).with("referrer-policy", "no-referrer");
        Ok(with_cookies(response, cookies).uncached())
    }

    /// The return address: that in the code. If it was too long for its way, it is in the cookie that every form has.
    fn own_address(&self, code: &PreviewCode) -> TrustedUrl {
        let policy = self.own_policy();
        let address = policy.resolve_or_default(&code.address);
        if address != policy.default() {
            return address;
        }
        let mut kept = self.cookies.get_all(self.names.callback_url()).take(MAX_DUPLICATES);
        kept.find_map(|kept| policy.resolve(kept)).unwrap_or(address)
    }
}

/// Why a code was not accepted.
#[derive(Debug, thiserror::Error)]
enum CodeError {
    /// It is not valid here.
    #[error(transparent)]
    Code(#[from] PreviewCodeError),
    /// Whether it was used is unknown.
    #[error("it is unknown whether the code was used before: {0}")]
    Lock(#[from] StoreError),
}
