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
use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::Error;
use crate::flow::Exchange;
use crate::flow::responses::with_cookies;
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

impl<P: Platform> Exchange<'_, P> {
    /// `GET /providers`: what Auth.js's client asks before it signs in.
    pub(crate) fn list_providers(&self) -> Response {
        let describe = |provider: &Provider| {
            let id = &provider.id;
            // Where a form is sent, any host takes it; a provider sends people back to one alone.
            let callback = format!("callback/{id}");
            let callback_url = if let ProviderKind::Credentials(_) = provider.kind {
                self.route(&callback)
            } else {
                self.login_route(&callback)
            };
            json!({
                "id": id,
                "name": provider.name,
                "type": provider.kind.name(self.config().dialect),
                "signinUrl": self.route(&format!("signin/{id}")),
                "callbackUrl": callback_url,
            })
        };
        let mut all = Map::new();
        for provider in &self.config().providers {
            all.insert(provider.id.clone(), describe(provider));
        }
        Response::json(200, &Value::Object(all))
    }

    /// `GET /csrf`: the token to send along with a POST.
    pub(crate) fn csrf_token(&self, query: &Params) -> Result<Response, Error> {
        let visit = self.visit(query, None)?;
        let answer = Response::json(200, &json!({ "csrfToken": visit.csrf.token() })).uncached();
        Ok(with_cookies(answer, visit.cookies))
    }
}

/// What every form carries beside its own: that it is ours, and where it leads in the end.
fn hidden(csrf_token: &str, return_to: &str) -> Markup {
    html! {
        input type="hidden" name="csrfToken" value=(csrf_token);
        input type="hidden" name="callbackUrl" value=(return_to);
    }
}
