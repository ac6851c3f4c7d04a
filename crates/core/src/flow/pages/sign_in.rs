//! `GET /signin`: all providers, and the error of the last attempt.

use std::fmt::Write;

use maud::{Markup, html};

use super::layout::{Icon, Page};
use super::{credentials, hidden_fields};
use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::host_role::HostRole;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::flow::{FormContext, RequestContext};
use crate::platform::Platform;
use crate::session::policy::Persistence;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::url::Url;

/// The id of the element with the error message.
const ERROR_ID: &str = "error";

impl<P: Platform> RequestContext<'_, P> {
    /// Shows the providers, or redirects to the sign-in page that the configuration names.
    pub(crate) fn show_sign_in(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        form.refuse_long_address()?;
        let error = query.one("error").map_err(ClientError::from)?;
        let code = query.one("code").map_err(ClientError::from)?;
        let config = self.config();
        let other_page = match (&config.pages.sign_in, self.host_role) {
            (Some(page), _) => Some(self.page_location(page)),
            (None, HostRole::Member(_)) => Some(self.login_route("signin")),
            (None, _) => None,
        };
        if let Some(page) = other_page {
            let mut parameters = vec![("callbackUrl", form.return_to.as_str())];
            parameters.extend(error.map(|error| ("error", error)));
            // As in Auth.js, a configured page gets only the error. Vestibule's own page also shows the code's text.
            parameters.extend(code.filter(|_| config.pages.sign_in.is_none()).map(|code| ("code", code)));
            return Ok(with_cookies(Response::redirect(with_parameters(&page, &parameters)), form.cookies));
        }
        if config.providers.is_empty() {
            return Err(Error::Configuration(
                "this host is the login host, but no provider is configured: add [[vars.AUTH.providers]], or set \
                 AUTH.login_url to the host that signs users in"
                    .to_owned(),
            ));
        }
        let content = html! {
            @if let Some(host) = self.other_host(&form) {
                p.lead { "to continue to " strong { (host) } }
            }
            @if let Some(error) = error {
                p.alert id=(ERROR_ID) role="alert" { (error_text(error, code)) }
            }
            @for (i, provider) in config.providers.iter().enumerate() {
                @if i > 0 && (is_form(provider) || config.providers.get(i - 1).is_some_and(is_form)) {
                    p.or { "or" }
                }
                (self.provider_form(provider, &form, error))
            }
        };
        let rules = brand_rules(&config.providers);
        let page = Page { status: 200, title: "Sign in", icon: Icon::Enter, content, rules };
        Ok(with_cookies(page.respond(self), form.cookies))
    }

    /// The form of one provider: a button that redirects to it, or the fields for your own API.
    fn provider_form(&self, provider: &Provider, form: &FormContext, error: Option<&str>) -> Markup {
        let providers = &self.config().providers;
        let (route, content) = match &provider.kind {
            ProviderKind::Credentials(credentials) => {
                // The only form on the page needs no name.
                let is_only = providers.iter().filter(|provider| is_form(provider)).count() == 1;
                let label = html! { "Sign in" @if !is_only { " with " bdi { (provider.name) } } };
                let error_id = error.filter(|error| *error == "CredentialsSignin").map(|_| ERROR_ID);
                let asks = self.config().session.persistence == Persistence::ByUser;
                ("callback", credentials::inputs(&provider.id, credentials, asks, &label, error_id))
            }
            ProviderKind::OAuth(_) => ("signin", button(provider, providers.len() == 1)),
        };
        html! {
            form method="post" action=(self.route(&format!("{route}/{}", provider.id))) {
                (hidden_fields(form.csrf.token(), form.return_to.as_str()))
                (content)
            }
        }
    }

    /// The host of the return address, if it is another host than this page's.
    fn other_host(&self, form: &FormContext) -> Option<String> {
        let return_to = Url::parse(form.return_to.as_str()).ok()?;
        let host = return_to.host();
        (host != self.request.url.host()).then(|| host.to_owned())
    }
}

fn is_form(provider: &Provider) -> bool {
    matches!(provider.kind, ProviderKind::Credentials(_))
}

/// The text for one of Auth.js's error codes. `code` is the second code of a rejected sign-in with credentials.
///
/// Anyone can put an unknown code into a link, so the page never repeats the code itself.
pub(super) fn error_text(error: &str, code: Option<&str>) -> &'static str {
    match error {
        "OAuthCallbackError" | "OAuthCallback" | "OAuthSignin" | "Signin" | "Callback" => {
            "The sign-in was cancelled or refused. Please try again, or use a different account."
        }
        "OAuthAccountNotLinked" => {
            "To confirm your identity, please sign in with the same account that you used originally."
        }
        "AccessDenied" => "You do not have permission to sign in.",
        "CredentialsSignin" => credentials_error_text(code.unwrap_or_default()),
        "SessionRequired" => "Please sign in to see this page.",
        "RefreshTokenError" => "Your session has ended. Please sign in again.",
        "MissingCSRF" => "The page was open for too long, or your browser blocks cookies. Please try again.",
        _ => "We could not sign you in. Please try again.",
    }
}

/// The text for codes that sign-in APIs commonly use, in any spelling: `account_locked`, `ACCOUNT-LOCKED`.
fn credentials_error_text(code: &str) -> &'static str {
    match code.to_ascii_lowercase().replace('-', "_").as_str() {
        "locked" | "account_locked" | "disabled" | "account_disabled" => {
            "This account is locked. Please contact the people who run this site."
        }
        "expired" | "password_expired" | "credentials_expired" => {
            "Your password has expired. Please set a new one, then sign in again."
        }
        "unverified" | "email_not_verified" | "email_unverified" => {
            "Please confirm your e-mail address first: open the link in the e-mail that you received."
        }
        "otp_required" | "mfa_required" => "Please enter your one-time code as well.",
        "otp_invalid" | "invalid_otp" | "mfa_invalid" => {
            "The one-time code is wrong or has expired. Please enter a new one."
        }
        "rate_limited" | "too_many_attempts" | "too_many_requests" => {
            "Too many attempts. Please wait a few minutes, then try again."
        }
        _ => "Sign-in failed. Please check that the details you entered are correct.",
    }
}

/// The button of a provider. It is highlighted if it is the only way to sign in.
fn button(provider: &Provider, is_only: bool) -> Markup {
    let brand = provider.brand.map(|_| format!(" {}", class_of(&provider.id)));
    html! {
        button type="submit" class={ "provider" @if is_only { " only" } (brand.unwrap_or_default()) } {
            @if let Some(initial) = provider.name.trim_start().chars().next() {
                span.badge aria-hidden="true" { (initial) }
            }
            span { "Sign in with " bdi { (provider.name) } }
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
