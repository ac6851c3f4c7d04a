//! `GET /signin`: every provider, and what went wrong before.

use std::fmt::Write;

use maud::{Markup, html};

use super::layout::{Icon, Page};
use super::{credentials, hidden};
use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::host_role::HostRole;
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::flow::{FormContext, RequestContext};
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::url::Url;

/// The id of what went wrong.
const SAID: &str = "said";

impl<P: Platform> RequestContext<'_, P> {
    /// Shows the providers, or sends the browser to the page that the configuration names.
    pub(crate) fn show_sign_in(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let error = query.one("error").map_err(ClientError::from)?;
        let code = query.one("code").map_err(ClientError::from)?;
        let config = self.config();
        let elsewhere = match (&config.pages.sign_in, self.host_role) {
            (Some(page), _) => Some(self.page_location(page)),
            (None, HostRole::Member(_)) => Some(self.login_route("signin")),
            (None, _) => None,
        };
        if let Some(page) = elsewhere {
            let mut parameters = vec![("callbackUrl", form.return_to.as_str())];
            parameters.extend(error.map(|error| ("error", error)));
            // A page of one's own knows the error; ours says more where there is more.
            parameters.extend(code.filter(|_| config.pages.sign_in.is_none()).map(|code| ("code", code)));
            return Ok(with_cookies(Response::redirect(with_parameters(&page, &parameters)), form.cookies));
        }
        if config.providers.is_empty() {
            return Err(Error::Configuration(
                "AUTH.login_url is this very host, and no provider is configured here: add [[vars.AUTH.providers]], or \
                 let login_url name the host that signs people in"
                    .to_owned(),
            ));
        }
        let content = html! {
            @if let Some(host) = self.other_host(&form) {
                p.lead { "to continue to " strong { (host) } }
            }
            @if let Some(error) = error {
                p.alert id=(SAID) role="alert" { (in_words(error, code)) }
            }
            @for (i, provider) in config.providers.iter().enumerate() {
                @if i > 0 && (is_form(provider) || config.providers.get(i - 1).is_some_and(is_form)) {
                    p.or { "or" }
                }
                (self.way_in(provider, &form, error))
            }
        };
        let rules = brand_rules(&config.providers);
        let page = Page { status: 200, title: "Sign in", icon: Icon::Enter, content, rules };
        Ok(with_cookies(page.respond(self), form.cookies))
    }

    /// One provider: a button that leads there, or the fields that an API of one's own asks for.
    fn way_in(&self, provider: &Provider, form: &FormContext, error: Option<&str>) -> Markup {
        let providers = &self.config().providers;
        let (route, content) = match &provider.kind {
            ProviderKind::Credentials(credentials) => {
                // With one form on the page there is nothing to tell it from.
                let is_only = providers.iter().filter(|provider| is_form(provider)).count() == 1;
                let label = html! { "Sign in" @if !is_only { " with " bdi { (provider.name) } } };
                let said = error.filter(|error| *error == "CredentialsSignin").map(|_| SAID);
                ("callback", credentials::inputs(&provider.id, credentials, &label, said))
            }
            ProviderKind::OAuth(_) => ("signin", button(provider, providers.len() == 1)),
        };
        html! {
            form method="post" action=(self.route(&format!("{route}/{}", provider.id))) {
                (hidden(form.csrf.token(), form.return_to.as_str()))
                (content)
            }
        }
    }

    /// Where the person goes from here, if that is not the host whose page this is.
    fn other_host(&self, form: &FormContext) -> Option<String> {
        let return_to = Url::parse(form.return_to.as_str()).ok()?;
        let host = return_to.host();
        (host != self.request.url.host()).then(|| host.to_owned())
    }
}

fn is_form(provider: &Provider) -> bool {
    matches!(provider.kind, ProviderKind::Credentials(_))
}

/// Auth.js's codes in words. An unknown one, which anybody can put into a link, says nothing of its own; so
/// does an unknown `code`, with which a sign-in by password says more.
pub(super) fn in_words(error: &str, code: Option<&str>) -> &'static str {
    match error {
        "OAuthCallbackError" | "OAuthCallback" | "OAuthSignin" | "Signin" | "Callback" => {
            "The sign-in was cancelled or refused. Please try again, or with a different account."
        }
        "OAuthAccountNotLinked" => {
            "To confirm that it is you, sign in with the same account that you used originally."
        }
        "AccessDenied" => "You do not have permission to sign in.",
        "CredentialsSignin" => refusal_in_words(code.unwrap_or_default()),
        "SessionRequired" => "Please sign in to see this page.",
        "RefreshTokenError" => "Your session has ended. Please sign in again.",
        "MissingCSRF" => "The page was open for too long, or cookies are blocked. Please try again.",
        _ => "Signing in did not work. Please try again.",
    }
}

/// What sign-in APIs commonly answer, however they spell it: `account_locked`, `ACCOUNT-LOCKED`.
fn refusal_in_words(code: &str) -> &'static str {
    match code.to_ascii_lowercase().replace('-', "_").as_str() {
        "locked" | "account_locked" | "disabled" | "account_disabled" => {
            "This account is locked. Please contact the people who run this site."
        }
        "expired" | "password_expired" | "credentials_expired" => {
            "Your password has expired. Please set a new one, then sign in again."
        }
        "unverified" | "email_not_verified" | "email_unverified" => {
            "Please confirm your e-mail address first, with the link that was sent to you."
        }
        "otp_required" | "mfa_required" => "Please enter your one-time code as well.",
        "otp_invalid" | "invalid_otp" | "mfa_invalid" => {
            "The one-time code is wrong or too old. Please enter a new one."
        }
        "rate_limited" | "too_many_attempts" | "too_many_requests" => {
            "Too many attempts. Please wait a few minutes, then try again."
        }
        _ => "Sign-in failed. Check that the details you gave are correct.",
    }
}

/// The only way to sign in has a button that stands out.
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

/// The colours of those that have some.
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
