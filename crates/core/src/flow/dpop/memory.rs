//! What a process remembers for proofs: the newest nonce of each server, and public keys.

use std::cell::RefCell;
use std::rc::Rc;

use vestibule_oidc::jose::crypto::{Crypto, KeyError};
use vestibule_oidc::jose::jwk::Jwk;
use vestibule_oidc::jose::sign::PrivateKey;
use vestibule_oidc::oauth::dpop::{self, DpopKey};

/// The maximum number of servers whose nonce is remembered. Those of a configuration are few; where one origin serves many
/// hosts, each has its own.
const MAX_NONCES: usize = 64;

/// The maximum number of public keys that are remembered: one for each session that this process served last. Without its
/// copy, a key costs one multiplication on its curve.
const MAX_KEYS: usize = 64;

/// Which part of a server a nonce is for. The nonce of an authorization server says nothing about that of a resource at the
/// same origin (RFC 9449 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The token endpoint.
    Authorization,
    /// Userinfo, other resources of the provider, and upstreams.
    Resource,
}

/// The nonces and public keys, the last used first.
#[derive(Default)]
pub(crate) struct DpopMemory {
    nonces: RefCell<Vec<Remembered>>,
    keys: RefCell<Vec<(PrivateKey, Rc<Jwk>)>>,
}

struct Remembered {
    server: Server,
    origin: String,
    nonce: String,
}

impl DpopMemory {
    /// The newest nonce of the server at this origin.
    pub(super) fn nonce(&self, server: Server, origin: &str) -> Option<String> {
        let nonces = self.nonces.borrow();
        let known = nonces.iter().find(|known| known.server == server && known.origin == origin)?;
        Some(known.nonce.clone())
    }

    /// Remembers the newest nonce of the server at this origin.
    pub(super) fn remember(&self, server: Server, origin: String, nonce: &str) {
        let mut nonces = self.nonces.borrow_mut();
        nonces.retain(|known| known.server != server || known.origin != origin);
        nonces.truncate(MAX_NONCES - 1);
        nonces.insert(0, Remembered { server, origin, nonce: nonce.to_owned() });
    }

    /// The public key of `key`.
    pub(super) async fn public_key<C: Crypto>(&self, crypto: &C, key: &DpopKey) -> Result<Rc<Jwk>, KeyError> {
        if let Some(public) = self.known(key.private()) {
            return Ok(public);
        }
        let public = Rc::new(crypto.public_key(key.private(), dpop::ALGORITHM).await?);
        let mut keys = self.keys.borrow_mut();
        keys.truncate(MAX_KEYS - 1);
        keys.insert(0, (key.private().clone(), Rc::clone(&public)));
        Ok(public)
    }

    fn known(&self, key: &PrivateKey) -> Option<Rc<Jwk>> {
        let mut keys = self.keys.borrow_mut();
        let at = keys.iter().position(|(known, _)| known.matches(key))?;
        let used = keys.remove(at);
        let public = Rc::clone(&used.1);
        keys.insert(0, used);
        Some(public)
    }
}

#[cfg(test)]
mod tests {
    use vestibule_oidc::jose::software::SoftwareCrypto;

    use super::*;
    use crate::platform::ready;

    fn public_key(memory: &DpopMemory, key: &DpopKey) -> Rc<Jwk> {
        ready(memory.public_key(&SoftwareCrypto, key)).unwrap()
    }

    #[test]
    fn a_public_key_is_computed_once_and_those_used_last_are_kept() {
        let memory = DpopMemory::default();
        let key = |seed: usize| DpopKey::generate(&mut |bytes| bytes.fill(u8::try_from(seed).unwrap()));
        let first = public_key(&memory, &key(1));
        for seed in 1..=MAX_KEYS + 10 {
            public_key(&memory, &key(seed));
            assert!(Rc::ptr_eq(&first, &public_key(&memory, &key(1))), "{seed}");
            assert!(memory.keys.borrow().len() == seed.min(MAX_KEYS), "{seed}");
        }
        assert_ne!(first.thumbprint(), public_key(&memory, &key(2)).thumbprint());
    }

    #[test]
    fn a_server_keeps_its_nonce_while_others_get_theirs() {
        let memory = DpopMemory::default();
        for origin in ["https://a.example", "https://b.example", "https://c.example", "https://b.example"] {
            memory.remember(Server::Resource, origin.to_owned(), origin);
        }
        for origin in ["https://a.example", "https://b.example", "https://c.example"] {
            assert_eq!(memory.nonce(Server::Resource, origin).as_deref(), Some(origin));
        }
        assert_eq!(memory.nonces.borrow().len(), 3);
    }

    #[test]
    fn each_server_has_its_newest_nonce_and_any_number_of_others_leaves_the_memory_bounded() {
        let memory = DpopMemory::default();
        let remember = |server, origin: &str, nonce| memory.remember(server, origin.to_owned(), nonce);
        remember(Server::Authorization, "https://a.example", "1");
        remember(Server::Resource, "https://a.example", "2");
        remember(Server::Authorization, "https://a.example", "3");
        assert_eq!(memory.nonce(Server::Authorization, "https://a.example").as_deref(), Some("3"));
        assert_eq!(memory.nonce(Server::Resource, "https://a.example").as_deref(), Some("2"));
        assert_eq!(memory.nonce(Server::Resource, "https://b.example"), None);
        for n in 0..3 * MAX_NONCES {
            remember(Server::Resource, &format!("https://{n}.example"), "n");
            assert!(memory.nonces.borrow().len() <= MAX_NONCES);
        }
    }
}
