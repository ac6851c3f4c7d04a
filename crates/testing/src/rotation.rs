//! What providers do with refresh tokens.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing: it stays, and no other is given.
    None,
    /// It works for so many milliseconds more.
    Grace(u64),
    /// Used again, it takes the whole grant with it.
    Strict,
}

/// A provider's memory of its grants.
pub struct Grants {
    /// What becomes of a refresh token that is used from now on.
    pub rotation: Cell<Rotation>,
    /// How often tokens were given for a refresh token.
    pub given: Cell<u32>,
    /// How often they were refused.
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

    /// A new grant: its first refresh token.
    pub fn begin(&self, grant: &str) -> String {
        self.revoked.borrow_mut().remove(grant);
        let token = format!("refresh-{grant}");
        self.tokens.borrow_mut().insert(token.clone(), Issued { grant: grant.to_owned(), used: None });
        token
    }

    /// Ends a grant.
    pub fn revoke(&self, grant: &str) {
        self.revoked.borrow_mut().insert(grant.to_owned());
    }

    /// Whether a grant still gives tokens.
    pub fn is_valid(&self, grant: &str) -> bool {
        !self.revoked.borrow().contains(grant)
    }

    /// Uses a refresh token: the grant, a number for the access token, and the next refresh token if there is
    /// another. `None` is `invalid_grant`.
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
