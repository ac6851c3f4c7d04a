//! The refresh at your own API, by the configured request.

use serde_json::Value;

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::flow::refresh::granted::{GrantError, GrantedTokens, temporary};
use crate::platform::Platform;
use crate::session::claims::Session;
use vestibule_oidc::credentials::provider::ApiRefresh;
use vestibule_oidc::credentials::refresh::{self, RefreshError};
use vestibule_oidc::credentials::{ApiError, login};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::token::UNKNOWN_LIFETIME;

impl<P: Platform> RequestContext<'_, P> {
    /// Redeems the session's refresh token, or the cookies that hold it.
    pub(super) async fn redeem_at_api(
        &self,
        provider: &Provider,
        refresh: &ApiRefresh,
        session: &Session,
    ) -> Result<GrantedTokens, GrantError> {
        if session.refresh_expires_at().is_some_and(|end| end <= self.platform.now()) {
            return Err(GrantError::InvalidGrant("the refresh token has expired".to_owned()));
        }
        let old = session.api_cookies();
        let find = |path: &DataPath| -> Option<Value> {
            let value = match path.root() {
                "access_token" => session.access_token()?.to_owned(),
                "refresh_token" => session.refresh_token()?.expose().to_owned(),
                "cookie" => old.get(path.rest().next()?)?.expose().to_owned(),
                _ => return None,
            };
            Some(value.into())
        };
        let request = refresh::request(refresh, self.client_address(), &find)
            .map_err(|error| GrantError::Misconfigured(error.to_string()))?;
        let response =
            self.ask(provider, refresh::ENDPOINT, request).await.map_err(|error| temporary(&error))?;

        let now = self.platform.now();
        let broken = |error: ApiError| GrantError::Unavailable(error.to_string(), response.retry_after(now));
        let answers = refresh::parse(refresh, &response, now).map_err(|error| match error {
            RefreshError::Rejected { .. } => GrantError::InvalidGrant(error.to_string()),
            RefreshError::Api(error) => broken(error),
        })?;
        let tokens = login::tokens(refresh::ENDPOINT, &refresh.tokens, &answers, now).map_err(broken)?;
        // An empty cookie counts as absent, like an empty token.
        let new_cookie = |name: &String| {
            let cookie = answers.jar.find(name).filter(|cookie| !cookie.value.expose().is_empty())?;
            Some((name.clone(), cookie.value.clone()))
        };
        let new: Vec<_> = refresh.kept_cookies.iter().filter_map(new_cookie).collect();
        // The expiry of the old refresh token does not apply to a new one.
        let is_rotated = tokens.refresh_token.is_some() || (!refresh.needs_refresh_token && !new.is_empty());
        let old_expiry = session.refresh_expires_at().filter(|_| !is_rotated);
        let mut api_cookies = old.clone();
        for (name, value) in new {
            api_cookies.insert(name, value);
        }
        Ok(GrantedTokens {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token.or_else(|| session.refresh_token()),
            expires_at: tokens
                .expires_at
                .filter(|at| *at > now)
                .unwrap_or_else(|| now.plus(UNKNOWN_LIFETIME)),
            refresh_expires_at: tokens.refresh_expires_at.or(old_expiry),
            api_cookies,
            ends_at: None,
        })
    }
}

/// Whether the session has what the refresh request sends. If the request needs no refresh token, one of its cookies is
/// enough: an API may set some of them only for some users.
pub(super) fn can_refresh(refresh: &ApiRefresh, session: &Session) -> bool {
    if refresh.needs_refresh_token {
        return session.refresh_token().is_some();
    }
    let kept = session.api_cookies();
    refresh.kept_cookies.iter().any(|name| kept.contains_key(name))
}
