//! The provider's side of a token exchange (RFC 8693), and of Microsoft's on-behalf-of flow.

use std::cell::RefCell;

use serde_json::{Value, json};
use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::form::Params;

use crate::dpop::DpopServer;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What it was asked for, in order.
#[derive(Default)]
pub struct ExchangeServer {
    requests: RefCell<Vec<Vec<(String, String)>>>,
}

impl ExchangeServer {
    /// Whether a request to the token endpoint is one of these.
    pub(crate) fn is_asked(request: &FetchRequest) -> bool {
        let form = form_of(request);
        form.iter()
            .any(|(name, value)| name == "grant_type" && [TOKEN_EXCHANGE, JWT_BEARER].contains(&&**value))
    }

    /// The parameters of each request so far.
    pub fn requests(&self) -> Vec<Vec<(String, String)>> {
        self.requests.borrow().clone()
    }

    /// The values of a parameter in each request so far.
    pub fn asked_for(&self, name: &str) -> Vec<String> {
        let all = self.requests.borrow();
        all.iter().flatten().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    }

    /// Gives a token that says for whom it is: `exchanged-1-for-orders`.
    pub(crate) fn exchange(&self, request: &FetchRequest, dpop: &DpopServer) -> (u16, Value) {
        let form = form_of(request);
        let field =
            |name: &str| form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let is_standard = field("grant_type") == Some(TOKEN_EXCHANGE);
        let subject = if is_standard {
            assert_eq!(field("subject_token_type"), Some(ACCESS_TOKEN));
            assert_eq!(field("requested_token_type"), Some(ACCESS_TOKEN));
            field("subject_token")
        } else {
            assert_eq!(field("requested_token_use"), Some("on_behalf_of"));
            assert!(field("audience").is_none() && field("resource").is_none());
            field("assertion")
        };
        let subject = subject.expect("a subject token").to_owned();
        let user = subject.strip_prefix("access-").map(|rest| rest.split('~').next().unwrap_or_default());
        if user.is_some_and(|user| !dpop.is_bound_to(user)) {
            return (400, json!({ "error": "invalid_grant", "error_description": "bound to another key" }));
        }
        let for_whom = field("audience").or(field("resource")).or(field("scope")).unwrap_or_default();
        let for_whom: String = for_whom.chars().filter(char::is_ascii_alphanumeric).collect();
        let scope = field("scope").map(str::to_owned);
        self.requests.borrow_mut().push(form.clone());
        let number = self.requests.borrow().len();
        let mut answer = json!({
            "access_token": format!("exchanged-{number}-for-{for_whom}"),
            "token_type": if dpop.is_on() { "DPoP" } else { "Bearer" },
            "expires_in": 600,
        });
        if is_standard {
            answer["issued_token_type"] = json!(ACCESS_TOKEN);
        }
        if let Some(scope) = scope {
            answer["scope"] = json!(scope);
        }
        (200, answer)
    }
}

fn form_of(request: &FetchRequest) -> Vec<(String, String)> {
    let params = Params::from_urlencoded(&request.body);
    params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
