//! The public half of the keys for which providers encrypt, computed once for a process.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

/// The keys as JWKs (RFC 7517 section 4), once they are computed.
#[derive(Default)]
pub(crate) struct EncryptionKeys(RefCell<Option<Rc<[Value]>>>);

impl EncryptionKeys {
    pub(super) fn known(&self) -> Option<Rc<[Value]>> {
        self.0.borrow().as_ref().map(Rc::clone)
    }

    pub(super) fn keep(&self, keys: &Rc<[Value]>) {
        self.0.replace(Some(Rc::clone(keys)));
    }
}
