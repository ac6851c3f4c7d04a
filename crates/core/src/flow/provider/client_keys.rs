//! The public half of the keys with which clients authenticate and sign requests.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use vestibule_oidc::jose::crypto::{Crypto, KeyError};
use vestibule_oidc::oauth::provider::{ClientKey, KeyId};

/// The published keys of this process. Each is computed when it is first needed.
#[derive(Default)]
pub(crate) struct ClientKeys(RefCell<Vec<(ClientKey, Rc<PublishedKey>)>>);

/// The public half of a client's key.
pub(super) struct PublishedKey {
    pub(super) kid: String,
    /// As a JWK (RFC 7517 section 4).
    pub(super) public: Value,
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
            KeyId::Thumbprint | KeyId::Unpublished => public.thumbprint(),
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

#[cfg(test)]
mod tests {
    use vestibule_oidc::jose::software::SoftwareCrypto;
    use vestibule_oidc::oauth::dpop::{self, DpopKey};

    use super::*;
    use crate::platform::ready;

    #[test]
    fn each_key_is_computed_once_for_each_of_its_names() {
        let keys = ClientKeys::default();
        let published = |seed: u8, name: &str| {
            let key = DpopKey::generate(&mut |bytes| bytes.fill(seed)).private().clone();
            let key = ClientKey { key, algorithm: dpop::ALGORITHM, id: KeyId::Named(name.to_owned()) };
            ready(keys.published(&SoftwareCrypto, &key)).unwrap()
        };
        for (seed, name) in [(1, "a"), (1, "b"), (2, "a")] {
            let first = published(seed, name);
            assert_eq!(first.kid, name);
            assert!(Rc::ptr_eq(&first, &published(seed, name)), "{seed} {name}");
        }
        assert_eq!(published(1, "a").public["x"], published(1, "b").public["x"]);
        assert_ne!(published(1, "a").public["x"], published(2, "a").public["x"]);
        assert_eq!(keys.0.borrow().len(), 3);
    }
}
