//! The requests that every contestant gets: those of a browser that opens a page, with 2.9 kB of cookies.

use anyhow::Result;

use crate::runtime::apache::SignIn;
use crate::sessions::{self, TYPICAL_SIZE};

/// The host that all requests are for.
pub(crate) const HOST: &str = "app.example.com";

/// The guarded page.
const PAGE: &str = "/account";

/// Whose sessions the requests have.
pub(crate) enum Cookies {
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
            Self::Ours(cookies) => cookies.iter().map(|cookie| get(PAGE, cookie)).collect(),
            Self::Apache(sign_in) => vec![get(PAGE, &sign_in.cookie()?)],
        })
    }
}

/// A request for a page, with a `Cookie` field unless it is empty.
pub(crate) fn get(path: &str, cookie: &str) -> Vec<u8> {
    let cookie = if cookie.is_empty() { String::new() } else { format!("cookie: {cookie}\r\n") };
    format!(
        "GET {path} HTTP/1.1\r\n\
         host: {HOST}\r\n\
         user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
         accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         accept-language: en-US,en;q=0.5\r\n\
         {cookie}\
         sec-fetch-dest: document\r\n\
         sec-fetch-mode: navigate\r\n\
         sec-fetch-site: same-origin\r\n\r\n"
    )
    .into_bytes()
}
