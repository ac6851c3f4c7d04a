//! The marker of pages that were sent away for a new access token: to the login host, or to the provider for a silent
//! sign-in. A page that comes back without a valid token is not sent again, so no one's mistake causes a redirect loop.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::jose::base64url;

/// How long to wait before a page is sent away again, if it came back without a valid token.
pub(crate) const RETRY_AFTER: Duration = Duration::from_mins(1);

/// How many pages may be away at the same time, because a browser may open all its tabs at once. More are taken for a
/// redirect loop.
const MAX_PAGES: usize = 8;

impl<P: Platform> RequestContext<'_, P> {
    /// The cookie that marks this page as sent away. `None` if it was sent within the last minute, or too many were.
    pub(crate) fn mark_renewal(&self, address: &str) -> Option<SetCookie> {
        let name = self.names.renewal();
        // All cookies of the name count: one that another app has set must not hide the pages, or the browser would be
        // redirected again and again.
        let sent: Vec<&str> = self.cookies.get_all(name).flat_map(|pages| pages.split('.')).collect();
        let page = fingerprint(address);
        if sent.contains(&page.as_str()) || sent.len() >= MAX_PAGES {
            return None;
        }
        let sent = sent.into_iter().chain([page.as_str()]).collect::<Vec<_>>().join(".");
        Some(SetCookie::new(name, &sent).max_age(RETRY_AFTER))
    }

    /// The cookie without this page's mark, if it has one: the page is not sent away again by itself.
    pub(crate) fn unmark_renewal(&self, address: &str) -> Option<SetCookie> {
        let name = self.names.renewal();
        let page = fingerprint(address);
        let sent: Vec<&str> = self.cookies.get_all(name).flat_map(|pages| pages.split('.')).collect();
        if !sent.contains(&page.as_str()) {
            return None;
        }
        let others: Vec<&str> = sent.into_iter().filter(|sent| *sent != page).collect();
        Some(if others.is_empty() {
            SetCookie::expired(name)
        } else {
            SetCookie::new(name, &others.join(".")).max_age(RETRY_AFTER)
        })
    }

    /// The cookie that clears the marker. It is set when the token is valid again.
    pub(crate) fn clear_renewal_marker(&self) -> Option<SetCookie> {
        let name = self.names.renewal();
        self.cookies.get(name).map(|_| SetCookie::expired(name))
    }
}

/// A short hash of a page's address. It is short because the cookie holds several. A collision only costs a sign-in with
/// a click, or a 503.
fn fingerprint(address: &str) -> String {
    let mut hash = base64url::encode(&Sha256::digest(address));
    hash.truncate(10);
    hash
}
