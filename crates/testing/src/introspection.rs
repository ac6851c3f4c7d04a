//! The provider's side of token introspection (RFC 7662): what it says of tokens that only it can read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::form::Params;

/// The tokens that the provider knows, and what it was asked.
#[derive(Default)]
pub struct IntrospectionServer {
    tokens: RefCell<BTreeMap<String, Value>>,
    requests: RefCell<Vec<FetchRequest>>,
}

impl IntrospectionServer {
    /// From now on the token is active, and this is what the provider says of it.
    pub fn knows(&self, token: &str, claims: &Value) {
        self.tokens.borrow_mut().insert(token.to_owned(), claims.clone());
    }

    /// From now on the token is not active.
    pub fn forgets(&self, token: &str) {
        self.tokens.borrow_mut().remove(token);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<FetchRequest> {
        self.requests.borrow().clone()
    }

    /// The answer to a request of the client.
    pub(crate) fn answer(&self, request: &FetchRequest) -> (u16, Value) {
        self.requests.borrow_mut().push(request.clone());
        let params = Params::from_urlencoded(&request.body);
        assert_eq!(params.one("token_type_hint").unwrap(), Some("access_token"));
        let token = params.one("token").unwrap().unwrap();
        match self.tokens.borrow().get(token) {
            Some(claims) => {
                let mut answer = json!({ "active": true });
                answer.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
                (200, answer)
            }
            None => (200, json!({ "active": false })),
        }
    }
}
