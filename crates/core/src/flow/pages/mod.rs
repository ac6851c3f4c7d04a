//! The pages that Vestibule shows itself, one file each, and the two small answers that Auth.js's client asks
//! for beside them.

mod account;
mod credentials;
mod error;
mod forbidden;
mod foreign;
mod layout;
mod sign_in;
mod sign_out;

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
    /// `GET /providers`: what Auth.js's client asks before it signs in. In the order of the configuration, in which
    /// pages of an app's own show them.
    pub(crate) fn list_providers(&self) -> Response {
        let providers = self.config().providers.iter().map(|provider| self.describe(provider));
        Response::json(200, &InOrder(providers.collect()))
    }

    fn describe<'a>(&self, provider: &'a Provider) -> Described<'a> {
        let id = &provider.id;
        // Where a form is sent, any host takes it; a provider sends people back to one alone.
        let callback = format!("callback/{id}");
        let callback_url = if let ProviderKind::Credentials(_) = provider.kind {
            self.route(&callback)
        } else {
            self.login_route(&callback)
        };
        Described {
            id,
            name: &provider.name,
            kind: provider.kind.name(self.config().dialect),
            signin_url: self.route(&format!("signin/{id}")),
            callback_url,
        }
    }

    /// `GET /csrf`: the token to send along with a POST.
    pub(crate) fn csrf_token(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let answer = Response::json(200, &json!({ "csrfToken": form.csrf.token() })).uncached();
        Ok(with_cookies(answer, form.cookies))
    }
}

/// A provider, as `GET /providers` tells of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    signin_url: String,
    callback_url: String,
}

/// An object of all of them by their id, in this order.
struct InOrder<'a>(Vec<Described<'a>>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|provider| (provider.id, provider)))
    }
}

/// What every form carries beside its own: that it is ours, and where it leads in the end.
fn hidden(csrf_token: &str, return_to: &str) -> Markup {
    html! {
        input type="hidden" name="csrfToken" value=(csrf_token);
        input type="hidden" name="callbackUrl" value=(return_to);
    }
}
