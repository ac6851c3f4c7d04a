//! A form that a person sends after their session has ended is not lost. The tab keeps it, sealed, while they sign in
//! again; then it is shown, and they send it with a click.
//!
//! It is never sent by itself, and it is kept only if a page of this very origin sent it. Otherwise a page of another site
//! could have its forged form carried past the protection of the cookie, which it does not reach (`SameSite`).

use crate::flow::RequestContext;
use crate::flow::guard::denied::DenialReason;
use crate::flow::host_role::HostRole;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::session::kept_form::{self, KeptForm, MAX_FORM, MAX_SEALED};
use crate::session::read::{self, LastUser};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::kdf::derive_id;

/// Below `base_path`: where a form that was kept is shown.
pub(crate) const ROUTE: &str = "form";

/// The name of the field with the sealed form.
pub(crate) const FIELD: &str = "form";

impl<P: Platform> RequestContext<'_, P> {
    /// The page that keeps the form, if this request was denied because a session has ended, and its form may be kept.
    pub(crate) async fn keep_form(&self, reason: &DenialReason, body: P::Body) -> Option<Response> {
        let is_over = matches!(
            reason,
            DenialReason::SignIn
                | DenialReason::TokenExpired
                | DenialReason::RefreshAtLoginHost(_)
                | DenialReason::StepUp(_)
        );
        if !is_over || !self.is_own_form() || matches!(self.host_role, HostRole::Outside(_)) {
            return None;
        }
        let config = self.config();
        let user = self.last_user()?;
        // A body that is larger is lost, as every body is that no one may read.
        let bytes = self.platform.read_body(body, MAX_FORM).await.ok()?;
        let body = String::from_utf8(bytes).ok().filter(|body| kept_form::can_be_kept(body.as_bytes()))?;
        let url = &self.request.url;
        let address = format!("{}{}", url.origin(), url.path_and_query());
        let step_up = match reason {
            DenialReason::StepUp(denial) => Some(&denial.needed),
            _ => None,
        };
        let kept = KeptForm { address, body, user, waits_for_step_up: step_up.is_some() };
        let sealed = kept.seal(&config.keys, self.now, &mut |bytes| self.platform.fill_random(bytes));
        let there = self.sign_in_for_form(reason);
        Some(match step_up {
            Some(asked) => self.step_up_for_form_page(&sealed, &there, asked),
            None => self.session_ended_page(&sealed, &there),
        })
    }

    /// `GET /form`: the page whose script sends what the tab keeps to [`show_kept_form`](Self::show_kept_form).
    pub(crate) async fn find_kept_form(&self) -> Response {
        match self.live_session().await {
            Ok(SessionCookie::Valid(_)) => self.find_kept_form_page(),
            _ => Response::redirect(self.sign_in_page(&self.route(ROUTE))).uncached(),
        }
    }

    /// `POST /form`: shows the form to the user whose session had ended, with a button that sends it.
    pub(crate) async fn show_kept_form(&self, body: P::Body) -> Response {
        let bytes = self.platform.read_body(body, MAX_SEALED + FIELD.len() + 1).await.unwrap_or_default();
        let params = Params::from_urlencoded(&bytes);
        let sealed = params.one(FIELD).ok().flatten().unwrap_or_default();
        let kept = KeptForm::open(sealed, &self.config().keys, self.now);
        // It was sealed for an address of this host: a form of another host's page is never sent from here.
        let is_of_this_host = |kept: &KeptForm| {
            Url::parse(&kept.address).is_ok_and(|address| Origin::of(&address) == *self.origin)
        };
        let Some(kept) = kept.ok().filter(is_of_this_host) else { return self.no_kept_form_page() };
        let Ok(SessionCookie::Valid(session)) = self.live_session().await else {
            return self.session_ended_page(sealed, &self.sign_in_page(&self.route(ROUTE)));
        };
        if self.user_of(&session).is_none_or(|user| user != kept.user) {
            return self.form_of_another_user_page();
        }
        self.kept_form_page(&kept)
    }

    /// The cookie that says whose session this browser has, if it does not say so yet. It stays when the session's cookie is
    /// gone, until the browser closes or the user signs out, and is of no use for anything else.
    pub(crate) fn last_user_cookie(&self, session: &Session) -> Option<SetCookie> {
        let (name, user) = (self.names.last_user(), self.user_of(session)?);
        let is_known = self.cookies.get_all(name).eq([user.as_str()]);
        (!is_known).then(|| SetCookie::new(name, &user).domain(self.cookie_domain()))
    }

    /// Removes that cookie, if the browser has it.
    pub(crate) fn forget_last_user(&self) -> Option<SetCookie> {
        let name = self.names.last_user();
        self.cookies.get_all(name).next().map(|_| SetCookie::expired(name).domain(self.cookie_domain()))
    }

    /// Whose session this browser has or had.
    fn last_user(&self) -> Option<String> {
        match read::last_user(self.config().sealing(), &self.names, &self.cookies) {
            LastUser::One(provider, subject) => Some(self.user_id(&provider, &subject)),
            LastUser::Ambiguous => None,
            LastUser::Unknown => {
                let mut values = self.cookies.get_all(self.names.last_user());
                values.next().filter(|value| !value.is_empty() && values.next().is_none()).map(str::to_owned)
            }
        }
    }

    fn user_of(&self, session: &Session) -> Option<String> {
        let subject = session.subject().filter(|subject| !subject.is_empty())?;
        Some(self.user_id(session.provider()?, subject))
    }

    fn user_id(&self, provider: &str, subject: &str) -> String {
        let user = format!("{provider}\0{subject}");
        derive_id(self.config().keys.newest_secret(), "Vestibule last user", user.as_bytes())
    }

    /// Whether it is a form that a page of this very origin sent, in the place of a page: the only one that is kept.
    fn is_own_form(&self) -> bool {
        let one = |name: &'static str| {
            let mut values = self.request.headers.get_all(name);
            (values.next(), values.next().is_some())
        };
        let is_own = match (one("sec-fetch-site"), one("origin")) {
            ((Some("same-origin"), false), _) => true,
            ((None, _), (Some(origin), false)) => {
                Origin::parse(origin).is_ok_and(|origin| origin == *self.origin)
            }
            _ => false,
        };
        is_own
            && self.request.method == Method::Post
            && self.request.is_navigation()
            && self.request.media_type() == "application/x-www-form-urlencoded"
    }

    /// Where the user gets a session again, and from there to the form.
    fn sign_in_for_form(&self, reason: &DenialReason) -> String {
        let form = self.route(ROUTE);
        match (reason, self.host_role) {
            (DenialReason::RefreshAtLoginHost(login), _)
            | (DenialReason::TokenExpired, HostRole::Member(login)) => self.renewal_url(login, &form),
            (DenialReason::StepUp(denial), _) => self.step_up_address(&denial.needed, &form),
            _ => self.sign_in_page(&form),
        }
    }
}
