//! The requests that every contestant gets: those of a browser that opens a page, with 2.9 kB of cookies.

use anyhow::Result;

use crate::page;
use crate::runtime::apache::SignIn;
use crate::sessions::{self, TYPICAL_SIZE};

/// The host that all requests are for.
pub(crate) const HOST: &str = "app.example.com";

/// The guarded page.
const PAGE: &str = "/account";

/// Whose sessions the requests have.
pub(crate) enum Cookies {
    /// Nobody's.
    None,
    /// The `Cookie` fields of our sessions, one after the other.
    Ours(Vec<String>),
    /// A session of Apache's.
    Apache(SignIn),
}

impl Cookies {
    /// One user's.
    pub(crate) fn one() -> Result<Self> {
        Self::of(1)
    }

    /// Those of this number of users.
    pub(crate) fn of(users: usize) -> Result<Self> {
        let cookies = (0..users).map(|user| sessions::cookie(TYPICAL_SIZE, user));
        Ok(Self::Ours(cookies.collect::<Result<_>>()?))
    }

    /// The requests with them.
    pub(crate) fn requests(&self) -> Result<Vec<Vec<u8>>> {
        Ok(match self {
            Self::None => vec![get(PAGE, "")],
            Self::Ours(cookies) => cookies.iter().map(|cookie| get(PAGE, cookie)).collect(),
            Self::Apache(sign_in) => vec![get(PAGE, &sign_in.cookie()?)],
        })
    }
}

/// A request for a page, with a `Cookie` field unless it is empty.
pub(crate) fn get(path: &str, cookie: &str) -> Vec<u8> {
    page::request(path, HOST, "", cookie)
}
