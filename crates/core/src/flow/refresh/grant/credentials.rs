//! The refresh at your own API, by the configured request.

use std::pin::pin;

use serde_json::Value;

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::flow::refresh::claims::UserAfterRefresh;
use crate::flow::refresh::granted::{GrantError, GrantedTokens, MAX_CLAIMS_WAIT, temporary};
use crate::flow::signin::credentials::described_identity;
use crate::flow::signin::refreshed_user::RefreshedUser;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::refreshed_tokens::ClaimChanges;
use vestibule_oidc::credentials::login::Tokens;
use vestibule_oidc::credentials::provider::{ApiRefresh, CredentialsProvider};
use vestibule_oidc::credentials::refresh::{self, RefreshError};
use vestibule_oidc::credentials::{Answers, ApiError, login};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::token::UNKNOWN_LIFETIME;
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// Redeems the session's refresh token, or the cookies that hold it.
    pub(super) async fn redeem_at_api(
        &self,
        provider: &Provider,
        (credentials, refresh): (&CredentialsProvider, &ApiRefresh),
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
        let mut answers = refresh::parse(refresh, &response, now).map_err(|error| match error {
            RefreshError::Rejected { .. } => GrantError::InvalidGrant(error.to_string()),
            RefreshError::Api(error) => {
                broken(error.without_code_in(|code| is_secret(refresh, session, code)))
            }
        })?;
        let read = |answers: &_| login::tokens(refresh::ENDPOINT, &refresh.tokens, answers, now);
        let tokens = read(&answers).map_err(broken)?;
        let claims = {
            let asked = self.claims_of_api(provider, credentials, &tokens, &mut answers, (session, false));
            self.refreshed_claims(provider, now.plus(MAX_CLAIMS_WAIT), pin!(asked)).await?
        };
        // The response with the profile may have set newer cookies, and the tokens may be in cookies.
        let tokens = read(&answers).map_err(broken)?;
        Ok(granted_by_api(Some(refresh), session, (tokens, &answers), claims, now))
    }

    /// What the API says about the user: in the response to the refresh, and in the profile, if one is configured.
    /// With `must_show_user`, the responses have to say who the user is; otherwise it is the session's if they do not.
    pub(in crate::flow::refresh) async fn claims_of_api(
        &self,
        provider: &Provider,
        credentials: &CredentialsProvider,
        tokens: &Tokens,
        answers: &mut Answers,
        (session, must_show_user): (&Session, bool),
    ) -> Result<UserAfterRefresh, Error> {
        answers.set_access_token(&tokens.access_token);
        let mut complete = vec!["access_token"];
        if let Some(profile) = &credentials.profile {
            self.fetch_profile(provider, profile, tokens, answers).await?;
            if !answers.has_profile() {
                return Err(provider_error(provider, ApiError::NoProfile));
            }
            complete.push("profile");
        }
        let paths = &credentials.user;
        let sources = [paths.name.as_ref(), paths.email.as_ref(), paths.image.as_ref()];
        let user = RefreshedUser::new(session, complete, sources);
        let known = session.subject().filter(|_| !must_show_user && !user.has_all_of(&paths.id));
        let known = known.map(str::to_owned);
        let identity = described_identity(provider, credentials, tokens.clone(), answers, known)?;
        self.user_after_refresh(identity, &user).await
    }
}

/// The tokens and cookies that follow those of the session.
pub(in crate::flow::refresh) fn granted_by_api(
    refresh: Option<&ApiRefresh>,
    session: &Session,
    (tokens, answers): (Tokens, &Answers),
    claims: Option<ClaimChanges>,
    now: Timestamp,
) -> GrantedTokens {
    // An empty cookie counts as absent, like an empty token.
    let new_cookie = |name: &String| {
        let cookie = answers.jar.find(name).filter(|cookie| !cookie.value.expose().is_empty())?;
        Some((name.clone(), cookie.value.clone()))
    };
    let kept_cookies = refresh.iter().flat_map(|refresh| &refresh.kept_cookies);
    let new: Vec<_> = kept_cookies.filter_map(new_cookie).collect();
    let needs_refresh_token = refresh.is_none_or(|refresh| refresh.needs_refresh_token);
    // The expiry of the old refresh token does not apply to a new one.
    let is_rotated = tokens.refresh_token.is_some() || (!needs_refresh_token && !new.is_empty());
    let old_expiry = session.refresh_expires_at().filter(|_| !is_rotated);
    let mut api_cookies = session.api_cookies();
    api_cookies.extend(new);
    GrantedTokens {
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token.or_else(|| session.refresh_token()),
        expires_at: tokens.expires_at.filter(|at| *at > now).unwrap_or_else(|| now.plus(UNKNOWN_LIFETIME)),
        refresh_expires_at: tokens.refresh_expires_at.or(old_expiry),
        api_cookies,
        issued_at: now,
        claims,
        ends_at: None,
        dpop_key: None,
        id_token: None,
    }
}

/// Whether the session has what the refresh request sends. If the request needs no refresh token, one of its cookies is
/// enough: an API may set some of them only for some users.
pub(super) fn can_refresh(refresh: &ApiRefresh, session: &Session) -> bool {
    if refresh.needs_refresh_token {
        return session.has_refresh_token();
    }
    if session.lacks("api_cookies") {
        // They are in the store, and only those that a refresh sends were kept.
        return true;
    }
    let kept = session.api_cookies();
    refresh.kept_cookies.iter().any(|name| kept.contains_key(name))
}

/// Whether a text is one of the session's tokens or cookies, or a secret that the request sends.
fn is_secret(refresh: &ApiRefresh, session: &Session, text: &str) -> bool {
    let cookies = refresh.cookies.iter().map(|(_, template)| template);
    refresh.request.templates().chain(cookies).any(|sent| sent.is_secret(text))
        || session.access_token() == Some(text)
        || session.refresh_token().is_some_and(|token| token.expose() == text)
        || session.api_cookies().values().any(|cookie| cookie.expose() == text)
}
