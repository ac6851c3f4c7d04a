//! Vestibule's own pages, one file each, and two JSON answers that Auth.js's client needs to sign in.

mod account;
pub(crate) mod configuration;
mod credentials;
mod error;
mod forbidden;
mod kept_form;
mod language;
mod layout;
mod looped;
mod outside;
mod sign_in;
mod sign_out;
mod step_up;
mod theme;
mod too_many_attempts;
pub(crate) mod trouble;
mod typed;

use maud::{Markup, html};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::config::{Provider, ProviderKind};
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// `GET /providers`: the providers for Auth.js's client, in the order of the configuration. An app's own pages show
    /// them in this order.
    pub(crate) fn list_providers(&self) -> Response {
        let providers = self.config().providers.iter().map(|provider| self.describe(provider));
        Response::json(200, &ProviderList(providers.collect()))
    }

    fn describe<'a>(&self, provider: &'a Provider) -> ProviderDescription<'a> {
        let id = &provider.id;
        // Every host accepts a form with credentials. An OAuth provider redirects to the login host only.
        let callback = format!("callback/{id}");
        let callback_url = if let ProviderKind::Credentials(_) = provider.kind {
            self.route(&callback)
        } else {
            self.login_route(&callback)
        };
        ProviderDescription {
            id,
            name: &provider.name,
            kind: provider.kind.name(self.config().dialect),
            signin_url: self.route(&format!("signin/{id}")),
            callback_url,
        }
    }

    /// `GET /csrf`: the CSRF token, which a POST must repeat.
    pub(crate) fn csrf_token(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let answer = Response::json(200, &json!({ "csrfToken": form.csrf.token() })).uncached();
        Ok(with_cookies(answer, form.cookies))
    }
}

/// A provider in the answer to `GET /providers`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProviderDescription<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    signin_url: String,
    callback_url: String,
}

/// A JSON object with the providers by their id, in the order of the list.
struct ProviderList<'a>(Vec<ProviderDescription<'a>>);

impl Serialize for ProviderList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|provider| (provider.id, provider)))
    }
}

/// The hidden fields of every form: the CSRF token and the return address.
fn hidden_fields(csrf_token: &str, return_to: &str) -> Markup {
    html! {
        input type="hidden" name="csrfToken" value=(csrf_token);
        input type="hidden" name="callbackUrl" value=(return_to);
    }
}
