//! The keys that sign `X-Vestibule-Assertion`, made from the secrets.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use vestibule_oidc::jose::crypto::{Crypto, KeyError};
use vestibule_oidc::jose::jws::Algorithm;
use vestibule_oidc::jose::kdf::p256_key;
use vestibule_oidc::jose::sign::PrivateKey;
use vestibule_oidc::secret::Secret;

/// The purpose of the keys among all that is made from a secret.
const PURPOSE: &str = "vestibule assertion ES256";

/// The keys that were made in this isolate, each when it was first asked for.
#[derive(Default)]
pub(crate) struct AssertionKeys(RefCell<Vec<Rc<AssertionKey>>>);

/// One of them.
pub(super) struct AssertionKey {
    /// Which of the secrets it is made from.
    index: usize,
    pub(super) private: PrivateKey,
    pub(super) kid: String,
    /// As the set shows it.
    pub(super) public: Value,
}

impl AssertionKeys {
    pub(super) async fn of<C: Crypto>(
        &self,
        crypto: &C,
        index: usize,
        secret: &Secret,
    ) -> Result<Rc<AssertionKey>, KeyError> {
        let known = self.0.borrow().iter().find(|key| key.index == index).map(Rc::clone);
        if let Some(known) = known {
            return Ok(known);
        }
        let private = p256_key(secret, PURPOSE);
        let public = crypto.public_key(&private, Algorithm::Es256).await?;
        let kid = public.thumbprint();
        let mut public = public.to_public_json();
        let named = [("kid", kid.as_str()), ("use", "sig"), ("alg", "ES256")];
        if let Some(members) = public.as_object_mut() {
            members.extend(named.map(|(name, value)| (name.to_owned(), value.into())));
        }
        let key = Rc::new(AssertionKey { index, private, kid, public });
        self.0.borrow_mut().push(Rc::clone(&key));
        Ok(key)
    }
}
