//! The keys that sign `X-Vestibule-Assertion`, derived from the secrets.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use vestibule_oidc::jose::crypto::{Crypto, KeyError};
use vestibule_oidc::jose::jws::Algorithm;
use vestibule_oidc::jose::kdf::p256_key;
use vestibule_oidc::jose::sign::PrivateKey;
use vestibule_oidc::secret::Secret;

/// The label that separates these keys from everything else that is derived from a secret.
const PURPOSE: &str = "vestibule assertion ES256";

/// The keys of this process. Each is derived when it is first used.
#[derive(Default)]
pub(crate) struct AssertionKeys(RefCell<Vec<Rc<AssertionKey>>>);

/// A signing key.
pub(super) struct AssertionKey {
    /// The position of its secret in the configuration.
    index: usize,
    pub(super) private: PrivateKey,
    pub(super) kid: String,
    /// The public key as a JWK (RFC 7517 section 4), as `/jwks.json` publishes it.
    pub(super) public: Value,
}

impl AssertionKeys {
    /// The key of the secret at this position.
    pub(super) async fn get_or_derive<C: Crypto>(
        &self,
        crypto: &C,
        index: usize,
        secret: &Secret,
    ) -> Result<Rc<AssertionKey>, KeyError> {
        let derived = self.0.borrow().iter().find(|key| key.index == index).map(Rc::clone);
        if let Some(key) = derived {
            return Ok(key);
        }
        let private = p256_key(secret, PURPOSE);
        let public = crypto.public_key(&private, Algorithm::Es256).await?;
        let kid = public.thumbprint();
        let mut public = public.to_public_json();
        let parameters = [("kid", kid.as_str()), ("use", "sig"), ("alg", "ES256")];
        if let Some(members) = public.as_object_mut() {
            members.extend(parameters.map(|(name, value)| (name.to_owned(), value.into())));
        }
        let key = Rc::new(AssertionKey { index, private, kid, public });
        self.0.borrow_mut().push(Rc::clone(&key));
        Ok(key)
    }
}
