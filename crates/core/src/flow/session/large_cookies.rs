//! Says once what to do about cookies that are too large for other servers.

use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::tokens::TokenStorage;

/// From which size on, in bytes, the cookies of this site are large: many servers refuse header fields of more than 8 kB.
const LARGE: usize = 8 * 1024;

impl<P: Platform> RequestContext<'_, P> {
    /// Logs, once in each process, that the site's own cookies in the request are large.
    pub(crate) fn check_size_of_cookies(&self) {
        let fields = || self.request.headers.get_all("cookie");
        if fields().map(str::len).sum::<usize>() < LARGE || self.vestibule.has_large_cookies.get() {
            return;
        }
        let naming = &self.config().cookie_naming;
        let pairs = fields().flat_map(|field| field.split(';')).map(str::trim);
        let own = pairs.filter(|pair| naming.is_reserved(pair.split('=').next().unwrap_or_default().trim()));
        // With `; ` after each of them.
        let size = own.map(|pair| pair.len() + 2).sum::<usize>();
        if size < LARGE {
            return;
        }
        self.vestibule.has_large_cookies.set(true);
        let what_to_do = match self.config().session.tokens {
            TokenStorage::Cookie if self.config().uses_tokens() => {
                "write session.tokens = \"store\", which keeps the tokens out of the cookie, or keep fewer claims"
            }
            TokenStorage::Cookie => {
                "write session.tokens = \"none\", because nothing here uses the access token, or keep fewer claims"
            }
            TokenStorage::None | TokenStorage::Store => {
                "keep fewer or smaller claims in the session (AUTH.claims)"
            }
        };
        let message = format_args!(
            "the cookies of this site in the request have {size} bytes, and many servers refuse that: {what_to_do}"
        );
        self.log(Record::new(LogEvent::CookiesLarge, message));
    }
}
