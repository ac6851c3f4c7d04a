//! The differences between a sign-in and its contract.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// The aspects that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Authorization,
    Token,
    Userinfo,
    Refresh,
    Logout,
}

impl Column {
    pub const ALL: [Self; 5] =
        [Self::Authorization, Self::Token, Self::Userinfo, Self::Refresh, Self::Logout];

    pub fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
        }
    }
}

/// The differences, column by column, and which columns were compared.
#[derive(Default)]
pub struct Findings {
    found: RefCell<BTreeMap<Column, Vec<String>>>,
    seen: RefCell<BTreeSet<Column>>,
}

impl Findings {
    pub fn add(&self, column: Column, finding: String) {
        self.see(column);
        self.found.borrow_mut().entry(column).or_default().push(finding);
    }

    pub fn see(&self, column: Column) {
        self.seen.borrow_mut().insert(column);
    }

    pub fn compare<T: Debug + PartialEq + ?Sized>(&self, column: Column, what: &str, expected: &T, got: &T) {
        self.see(column);
        if expected != got {
            self.add(column, format!("{what}\n      expected {expected:?}\n      got      {got:?}"));
        }
    }

    /// Adds the findings of another walk.
    pub fn join(&self, other: &Self) {
        for (column, found) in other.found.borrow().iter() {
            for finding in found {
                self.add(*column, finding.clone());
            }
        }
        self.seen.borrow_mut().extend(other.seen.borrow().iter());
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The cell in the table.
    pub fn mark(&self, column: Column) -> &'static str {
        match (self.found.borrow().contains_key(&column), self.seen.borrow().contains(&column)) {
            (true, _) => "failed",
            (false, true) => "passed",
            (false, false) => "–",
        }
    }

    /// All differences, for people.
    pub fn text(&self) -> String {
        let found = self.found.borrow();
        let lines = found
            .iter()
            .flat_map(|(column, found)| found.iter().map(move |f| format!("    {}: {f}\n", column.name())));
        lines.collect()
    }
}
