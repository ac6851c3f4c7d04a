//! How providers treat a refresh token that was used.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// How a provider rotates refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It does not: the refresh token stays valid.
    None,
    /// The used token stays valid for so many milliseconds.
    Grace(u64),
    /// A second use of a token revokes the whole grant (RFC 9700 section 4.14.2).
    Strict,
}

/// A provider's grants.
pub struct Grants {
    /// The rotation from now on.
    pub rotation: Cell<Rotation>,
    /// How many refreshes were granted.
    pub given: Cell<u32>,
    /// How many refreshes were refused.
    pub refused: Cell<u32>,
    tokens: RefCell<BTreeMap<String, Issued>>,
    revoked: RefCell<BTreeSet<String>>,
    serial: Cell<u32>,
}

struct Issued {
    grant: String,
    /// Milliseconds.
    used: Option<u64>,
}

impl Grants {
    /// No grants yet.
    pub fn new(rotation: Rotation) -> Self {
        Self {
            rotation: Cell::new(rotation),
            given: Cell::new(0),
            refused: Cell::new(0),
            tokens: RefCell::default(),
            revoked: RefCell::default(),
            serial: Cell::new(0),
        }
    }

    /// Begins a grant, and returns its first refresh token.
    pub fn begin(&self, grant: &str) -> String {
        self.revoked.borrow_mut().remove(grant);
        let token = format!("refresh-{grant}");
        self.tokens.borrow_mut().insert(token.clone(), Issued { grant: grant.to_owned(), used: None });
        token
    }

    /// Revokes a grant.
    pub fn revoke(&self, grant: &str) {
        self.revoked.borrow_mut().insert(grant.to_owned());
    }

    /// Revokes the grant of a refresh token. An unknown token changes nothing.
    pub fn revoke_token(&self, token: &str) {
        let grant = self.tokens.borrow().get(token).map(|issued| issued.grant.clone());
        if let Some(grant) = grant {
            self.revoke(&grant);
        }
    }

    /// Whether a grant is not revoked.
    pub fn is_valid(&self, grant: &str) -> bool {
        !self.revoked.borrow().contains(grant)
    }

    /// Redeems a refresh token. Returns the grant, a number for the access token, and the next refresh token if the
    /// provider rotates. `None` means `invalid_grant`.
    pub fn refresh(&self, token: &str, now: u64) -> Option<(String, u32, Option<String>)> {
        let refused = || self.refused.set(self.refused.get() + 1);
        let mut tokens = self.tokens.borrow_mut();
        let issued = tokens.get_mut(token).filter(|issued| self.is_valid(&issued.grant));
        let Some(issued) = issued else {
            refused();
            return None;
        };
        let grant = issued.grant.clone();
        let is_reuse = issued.used.is_some();
        let first_use = *issued.used.get_or_insert(now);
        let serial = self.serial.get() + 1;
        match self.rotation.get() {
            Rotation::None => {
                self.serial.set(serial);
                self.given.set(self.given.get() + 1);
                return Some((grant, serial, None));
            }
            Rotation::Grace(grace) if now > first_use + grace => {
                refused();
                return None;
            }
            Rotation::Strict if is_reuse => {
                drop(tokens);
                self.revoke(&grant);
                refused();
                return None;
            }
            Rotation::Grace(_) | Rotation::Strict => {}
        }
        self.serial.set(serial);
        self.given.set(self.given.get() + 1);
        let next = format!("refresh-{grant}~{serial}");
        tokens.insert(next.clone(), Issued { grant: grant.clone(), used: None });
        Some((grant, serial, Some(next)))
    }
}
