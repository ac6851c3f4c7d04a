//! `GET /client-keys.json`: the public half of the keys with which clients authenticate, sign requests and decrypt, for the
//! providers at which they are registered (`jwks_uri`, RFC 7591 section 2). The keys of assertions are another set.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::config::ProviderKind;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::crypto::{Crypto, KeyError};
use vestibule_oidc::oauth::provider::{ClientKey, KeyId};

/// The published keys of this process. Each is computed when it is first needed.
#[derive(Default)]
pub(crate) struct ClientKeys(RefCell<Vec<(ClientKey, Rc<PublishedKey>)>>);

/// The public half of a client's key.
pub(super) struct PublishedKey {
    pub(super) kid: String,
    /// As a JWK (RFC 7517 section 4).
    public: Value,
}

impl ClientKeys {
    /// The public half of a key.
    pub(super) async fn published<C: Crypto>(
        &self,
        crypto: &C,
        key: &ClientKey,
    ) -> Result<Rc<PublishedKey>, KeyError> {
        let is_it = |other: &ClientKey| {
            other.algorithm == key.algorithm && other.id == key.id && other.key.matches(&key.key)
        };
        let known = self.0.borrow().iter().find(|(other, _)| is_it(other)).map(|(_, known)| Rc::clone(known));
        if let Some(known) = known {
            return Ok(known);
        }
        let public = crypto.public_key(&key.key, key.algorithm).await?;
        let kid = match &key.id {
            KeyId::Named(name) => name.clone(),
            KeyId::Thumbprint | KeyId::Unnamed => public.thumbprint(),
        };
        let mut public = public.to_public_json();
        let parameters = [("kid", kid.as_str()), ("use", "sig"), ("alg", key.algorithm.name())];
        if let Some(members) = public.as_object_mut() {
            members.extend(parameters.map(|(name, value)| (name.to_owned(), value.into())));
        }
        let published = Rc::new(PublishedKey { kid, public });
        self.0.borrow_mut().push((key.clone(), Rc::clone(&published)));
        Ok(published)
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// `GET /client-keys.json`: the keys of all clients, where there are any. A provider that cached the set fetches it
    /// again when it meets an unknown `kid`.
    pub(crate) async fn client_keys(&self) -> Response {
        let answer = |status, body: Value| Response::json(status, &body);
        match self.client_key_set().await {
            Ok(keys) if keys.is_empty() => {
                answer(404, json!({ "error": "not_found" })).with("cache-control", "no-store")
            }
            Ok(keys) => {
                let mut response = answer(200, json!({ "keys": keys }));
                // RFC 7517 section 8.5.1.
                response.headers.set("content-type", "application/jwk-set+json");
                response.with("cache-control", "public, max-age=300")
            }
            Err(error) => {
                let message =
                    format!("the public half of a client's private key cannot be published: {error}");
                self.log(Error::Configuration(message).record());
                answer(500, json!({ "error": "server_error" })).with("cache-control", "no-store")
            }
        }
    }

    async fn client_key_set(&self) -> Result<Vec<Value>, KeyError> {
        let mut keys: Vec<Rc<PublishedKey>> = Vec::new();
        for provider in &self.config().providers {
            let ProviderKind::OAuth(oauth) = &provider.kind else { continue };
            for key in oauth.client.published_keys() {
                let key = self.vestibule.client_keys.published(self.platform, key).await?;
                // Two providers may know the same key.
                if !keys.iter().any(|other| other.public == key.public) {
                    keys.push(key);
                }
            }
        }
        let encryption = self.encryption_keys().await?;
        Ok(keys.iter().map(|key| key.public.clone()).chain(encryption.iter().cloned()).collect())
    }
}
