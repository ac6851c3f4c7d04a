//! `GET /signin`: all providers, and the error of the last attempt.

use std::fmt::Write;

use maud::{Markup, html};

use super::account::signed_in_as;
use super::credentials::Inputs;
use super::hidden_fields;
use super::layout::{Icon, Page};
use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error, INVALID_REQUEST, SIGN_IN_EXPIRED};
use crate::flow::host_role::HostRole;
use crate::flow::hosts::with_parameters;
use crate::flow::refresh::FreshSession;
use crate::flow::responses::with_cookies;
use crate::flow::signin::switch_account::{self, PROMPT};
use crate::flow::{FormContext, RequestContext};
use crate::platform::Platform;
use crate::session::policy::Persistence;
use crate::texts::Text;
use crate::texts::offered::Language;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::url::Url;

/// Adds the fragment of the address, which browsers keep over redirects and never send, to the return address. Without
/// scripts the user comes back without it.
const KEEP_FRAGMENT: &str = include_str!("sign_in.js");

/// The errors after which the provider may sign in the same account again, which was refused.
const ACCOUNT_ERRORS: [&str; 5] =
    ["OAuthCallbackError", "OAuthCallback", "Callback", "OAuthAccountNotLinked", "AccessDenied"];

/// The id of the element with the error message.
const ERROR_ID: &str = "error";

impl<P: Platform> RequestContext<'_, P> {
    /// Shows the providers, or redirects to the sign-in page that the configuration names. Who is signed in already goes
    /// on; who comes back from there at once sees the page, because something sends them here again.
    pub(crate) async fn show_sign_in(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        form.refuse_long_address()?;
        let one = |name| query.one(name).map_err(ClientError::from);
        let (error, code, prompt) = (one("error")?, one("code")?, one(PROMPT.0)?);
        if let HostRole::Preview(login) = self.host_role {
            return Ok(self.request_preview_session(login, form, prompt.is_some()));
        }
        let config = self.config();
        let other_page = match (&config.pages.sign_in, self.host_role) {
            (Some(page), _) => Some(self.page_location(page)),
            (None, HostRole::Member(_)) => Some(self.in_language(self.login_route("signin"))),
            (None, _) => None,
        };
        if let Some(page) = other_page {
            let mut parameters = vec![("callbackUrl", form.return_to.as_str())];
            parameters.extend(error.map(|error| ("error", error)));
            // As in Auth.js, a configured page gets only the error. Vestibule's own page also shows the code's text.
            parameters.extend(code.filter(|_| config.pages.sign_in.is_none()).map(|code| ("code", code)));
            parameters.extend(prompt.map(|_| PROMPT));
            return Ok(with_cookies(Response::redirect(with_parameters(&page, &parameters)), form.cookies));
        }
        if config.providers.is_empty() {
            return Err(Error::Configuration(
                "this host is the login host, but no provider is configured: add one to AUTH.providers, or set \
                 AUTH.login_url to the host that signs users in"
                    .to_owned(),
            ));
        }
        let is_person = self.request.is_navigation() && self.request.method != Method::Post;
        let session = if is_person { self.signed_in().await } else { None };
        // next-auth 4 says so of a form without a valid CSRF token.
        let has_old_form = query.one("csrf") == Ok(Some("true"));
        let error = error.or(has_old_form.then_some("MissingCSRF"));
        let may_skip = prompt.is_none() && matches!(error, None | Some(SIGN_IN_EXPIRED | "SessionRequired"));
        let session = match self.skip_page(session, is_person && may_skip, error, &form).await {
            Ok(redirect) => return Ok(with_cookies(redirect, form.cookies)),
            Err(session) => session,
        };
        // A provider that does not know how it was asked for the account is asked without it.
        let is_misunderstood = code == Some(INVALID_REQUEST);
        let may_be_refused = error.is_some_and(|error| ACCOUNT_ERRORS.contains(&error)) && !is_misunderstood;
        let page = SignInPage { form: &form, error, other_account: prompt.is_some() || may_be_refused };
        let language = self.language();
        let content = html! {
            @if let Some(host) = self.other_host(&form) {
                p.lead { (language.filled(Text::ContinueTo, &html! { strong { (host) } })) }
            }
            @if let Some(error) = error {
                p.alert id=(ERROR_ID) role="alert" { (language.text(error_text(error, code))) }
            }
            @if let Some(session) = &session {
                (signed_in_as(language, &session.session))
                @if !page.other_account {
                    a.button href=(form.return_to) { (language.text(Text::GoOn)) }
                    p.or { (language.text(Text::Or)) }
                }
            }
            @for (i, provider) in config.providers.iter().enumerate() {
                @if i > 0 && (is_form(provider) || config.providers.get(i - 1).is_some_and(is_form)) {
                    p.or { (language.text(Text::Or)) }
                }
                (self.provider_form(language, i, &page))
            }
            @if let Some(to) = &config.theme.links.sign_up {
                p.below { (self.page_view().link(language, Text::SignUp, to)) }
            }
        };
        let rules = brand_rules(&config.providers);
        let page = Page { status: 200, title: Text::SignInTitle, icon: Icon::Enter, content, rules };
        Ok(with_cookies(page.respond_with_script(self, KEEP_FRAGMENT), form.cookies))
    }

    /// Where a person goes without seeing the page; otherwise their session comes back.
    async fn skip_page(
        &self,
        session: Option<FreshSession>,
        may_skip: bool,
        error: Option<&str>,
        form: &FormContext,
    ) -> Result<Response, Option<FreshSession>> {
        if !may_skip {
            return Err(session);
        }
        let Some(session) = session else {
            // Who has to read something sees the page.
            let is_seen = error == Some(SIGN_IN_EXPIRED) || self.request.method != Method::Get;
            return if is_seen { Err(None) } else { self.straight_to_provider(form).await.ok_or(None) };
        };
        let return_to = form.return_to.as_str();
        let Some(marker) = self.mark_renewal(&format!("signed in {return_to}")) else {
            return Err(Some(session));
        };
        Ok(with_cookies(self.go_on_with(session, return_to).await, vec![marker]))
    }

    /// The form of one provider: a button that redirects to it, or the fields for your own API.
    fn provider_form(&self, language: &Language, at: usize, page: &SignInPage<'_>) -> Markup {
        let SignInPage { form, error, other_account } = *page;
        let providers = &self.config().providers;
        let Some(provider) = providers.get(at) else { return Markup::default() };
        let (route, content) = match &provider.kind {
            ProviderKind::Credentials(credentials) => {
                // The only form on the page needs no name.
                let is_only = providers.iter().filter(|provider| is_form(provider)).count() == 1;
                let label = if is_only {
                    html! { (language.text(Text::SignIn)) }
                } else {
                    language.filled(Text::SignInWith, &html! { bdi { (provider.name) } })
                };
                let refused = error.filter(|error| *error == "CredentialsSignin");
                let typed = refused.and_then(|_| self.typed());
                let is_first = !providers.iter().take(at).any(is_form);
                let has_cursor = match &typed {
                    Some(typed) => typed.provider == provider.id,
                    // Where a button comes first, the keyboard begins there.
                    None => is_first && (at == 0 || refused.is_some()),
                };
                let forgot = self.config().theme.links.forgot_password.as_deref();
                let inputs = Inputs {
                    provider_id: &provider.id,
                    fields: &credentials.fields,
                    typed: typed.filter(|typed| typed.provider == provider.id),
                    has_cursor,
                    asks_to_keep: self.config().session.persistence == Persistence::ByUser,
                    forgot: forgot.map(|to| self.page_view().link(language, Text::ForgotPassword, to)),
                    button: label,
                    error_id: refused.map(|_| ERROR_ID),
                };
                ("callback", inputs.markup(language))
            }
            ProviderKind::OAuth(_) => ("signin", button(language, provider, providers.len() == 1)),
        };
        html! {
            form method="post" action=(self.route_in_language(&format!("{route}/{}", provider.id))) {
                (hidden_fields(form.csrf.token(), form.return_to.as_str()))
                @if other_account && !is_form(provider) {
                    input type="hidden" name=(switch_account::FIELD.0) value=(switch_account::FIELD.1);
                }
                (content)
            }
        }
    }

    /// The host of the return address, if it is another host than this page's.
    fn other_host(&self, form: &FormContext) -> Option<String> {
        let return_to = Url::parse(form.return_to.as_str()).ok()?;
        let host = return_to.host();
        if let Some(preview) = self.preview_of(&return_to) {
            return Some(preview);
        }
        (host != self.request.url.host()).then(|| host.to_owned())
    }
}

/// What the forms of the page depend on.
struct SignInPage<'a> {
    form: &'a FormContext,
    error: Option<&'a str>,
    /// Whether people sign in with another account than the provider would choose.
    other_account: bool,
}

fn is_form(provider: &Provider) -> bool {
    matches!(provider.kind, ProviderKind::Credentials(_))
}

/// The text for one of Auth.js's error codes. `code` is the second code of a rejected sign-in with credentials.
///
/// Anyone can put an unknown code into a link, so the page never repeats the code itself.
pub(super) fn error_text(error: &str, code: Option<&str>) -> Text {
    match error {
        "OAuthCallbackError" | "OAuthCallback" | "OAuthSignin" | "Signin" | "Callback" => Text::SignInRefused,
        "OAuthAccountNotLinked" => Text::AccountNotLinked,
        "AccessDenied" => Text::SignInDenied,
        "CredentialsSignin" => credentials_error_text(code.unwrap_or_default()),
        "SessionRequired" => Text::SessionRequired,
        "RefreshTokenError" => Text::SessionEnded,
        SIGN_IN_EXPIRED => Text::SignInExpired,
        "MissingCSRF" => Text::PageTooOld,
        _ => Text::SignInFailed,
    }
}

/// The text for codes that sign-in APIs commonly use, in any spelling: `account_locked`, `ACCOUNT-LOCKED`.
fn credentials_error_text(code: &str) -> Text {
    match code.to_ascii_lowercase().replace('-', "_").as_str() {
        "locked" | "account_locked" | "disabled" | "account_disabled" => Text::AccountLocked,
        "expired" | "password_expired" | "credentials_expired" => Text::PasswordExpired,
        "unverified" | "email_not_verified" | "email_unverified" => Text::EmailUnconfirmed,
        "otp_required" | "mfa_required" => Text::CodeRequired,
        "otp_invalid" | "invalid_otp" | "mfa_invalid" => Text::CodeWrong,
        "rate_limited" | "too_many_attempts" | "too_many_requests" => Text::TooManyAttempts,
        _ => Text::CredentialsWrong,
    }
}

/// The button of a provider. It is highlighted if it is the only way to sign in.
fn button(language: &Language, provider: &Provider, is_only: bool) -> Markup {
    let brand = provider.brand.map(|_| format!(" {}", class_of(&provider.id)));
    html! {
        button type="submit" class={ "provider" @if is_only { " only" } (brand.unwrap_or_default()) } {
            @if let Some(icon) = provider.icon {
                span.badge aria-hidden="true" { svg viewBox="0 0 24 24" { path d=(icon) {} } }
            } @else if let Some(initial) = provider.name.trim_start().chars().next() {
                span.badge aria-hidden="true" { (initial) }
            }
            span { (language.filled(Text::SignInWith, &html! { bdi { (provider.name) } })) }
        }
    }
}

/// The style rules with the providers' brand colours.
fn brand_rules(providers: &[Provider]) -> String {
    let brands = providers.iter().filter_map(|provider| Some((class_of(&provider.id), provider.brand?)));
    brands.fold(String::new(), |mut rules, (class, brand)| {
        // Writing to a String does not fail.
        let _ = write!(rules, ".{class}{{--brand:{};--on-brand:{}}}", brand.background, brand.text);
        rules
    })
}

fn class_of(provider_id: &str) -> String {
    format!("is-{provider_id}")
}
