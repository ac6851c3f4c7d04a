//! The cookies that an upstream sets which gets its cookies from the session: the browser gets none of them, and new tokens
//! in them become the session's.

use std::collections::BTreeSet;

use crate::config::ProviderKind;
use crate::flow::RequestContext;
use crate::flow::refresh::{DroppedCookies, UpstreamChange};
use crate::guard::route::{IdentityHeaders, Route};
use crate::log::{LogEvent, Record};
use crate::platform::{ForwardError, Platform};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::upstream::cookie_name::CookieReading;
use vestibule_oidc::credentials::provider::CredentialsProvider;

impl<P: Platform> RequestContext<'_, P> {
    /// Takes an upstream's cookies out of its response, if they are its own copies of those that it gets from the session or
    /// of the API's tokens, and says what they do to the session. An error if the runtime cannot take them out.
    pub(super) async fn take_upstream_cookies(
        &self,
        route: &Route<'_>,
        session: Option<&Session>,
        sent: &IdentityHeaders,
        response: P::UpstreamResponse,
    ) -> Result<(P::UpstreamResponse, UpstreamChange), ForwardError> {
        let names = self.withheld_cookies(route);
        let is_taken = |field: &str| {
            let pair = field.split_once(';').map_or(field, |(pair, _)| pair);
            CookieReading::all_in_pair(pair).any(|reading| names.contains(&reading))
        };
        let (response, fields) = self.platform.take_set_cookies(response, &is_taken)?;
        if fields.is_empty() {
            return Ok((response, UpstreamChange::None));
        }
        let change = match self.carried_tokens(route, session, sent) {
            // Boxed: otherwise the future of every guarded request would have its size.
            Ok((session, cookie)) => Box::pin(self.change_by_upstream(session, cookie, &fields)).await,
            Err(dropped) => Err(dropped),
        };
        let change = change.unwrap_or_else(|dropped| {
            let message = format_args!("the cookies of an upstream were dropped: {dropped}");
            let record = Record::new(LogEvent::UpstreamCookieDropped, message);
            self.log(match session.and_then(Session::provider) {
                Some(provider) => record.provider(provider),
                None => record,
            });
            UpstreamChange::None
        });
        Ok((response, change))
    }

    /// The browser's session, and the name of the cookie in which the request had its access token.
    fn carried_tokens<'s>(
        &self,
        route: &Route<'s>,
        session: Option<&'s Session>,
        sent: &IdentityHeaders,
    ) -> Result<(&'s Session, &'s str), DroppedCookies> {
        let cookie = route.access_token_cookie().ok_or(DroppedCookies::NoTokenCookie)?;
        let session = session.ok_or(DroppedCookies::NoTokens)?;
        // A bearer token's session is not the browser's.
        let is_of_browser = match self.session() {
            SessionCookie::Valid(of_browser) => {
                session.sid().is_some_and(|sid| of_browser.sid() == Some(sid))
            }
            _ => false,
        };
        let was_sent = sent.cookies.iter().any(|(name, _)| name == cookie);
        if is_of_browser && was_sent { Ok((session, cookie)) } else { Err(DroppedCookies::NoTokens) }
    }

    /// The names of the cookies that this upstream cannot set in the browser: those that it gets from the session, and those
    /// in which an API has tokens.
    fn withheld_cookies(&self, route: &Route<'_>) -> BTreeSet<CookieReading> {
        let mut names: BTreeSet<CookieReading> =
            route.cookies.iter().map(|(name, _)| CookieReading::of(name)).collect();
        for provider in &self.config().providers {
            if let ProviderKind::Credentials(api) = &provider.kind {
                names.extend(cookies_of_api(api).map(CookieReading::of));
            }
        }
        names
    }
}

/// The names of the cookies in which an API has its tokens, and of those that a refresh sends.
fn cookies_of_api(api: &CredentialsProvider) -> impl Iterator<Item = &str> {
    let tokens = std::iter::once(&api.login.tokens).chain(api.refresh.iter().map(|refresh| &refresh.tokens));
    let paths = tokens.flat_map(|tokens| std::iter::once(&tokens.access_token).chain(&tokens.refresh_token));
    let of_paths = paths.filter(|path| path.root() == "cookie").filter_map(|path| path.rest().next());
    of_paths.chain(api.refresh.iter().flat_map(|refresh| refresh.kept_cookies.iter().map(String::as_str)))
}
