//! An upstream that is the API itself may renew or end the session: it sets the cookies that it was sent, as it would for a
//! browser, after a change of the password for example.
//!
//! It counts only if nothing newer is known: the answer is to a request with this session's newest tokens. So the new
//! tokens take the way of a refresh, by the in-flight refreshes of this process and by the [`Lease`] to all others.

use std::pin::pin;
use std::time::Duration;

use thiserror::Error;

use crate::config::{Provider, ProviderKind};
use crate::flow::RequestContext;
use crate::flow::refresh::attempt::RefreshAttempt;
use crate::flow::refresh::claims::UserAfterRefresh;
use crate::flow::refresh::grant::granted_by_api;
use crate::flow::refresh::granted::MAX_CLAIMS_WAIT;
use crate::flow::vestibule::Vestibule;
use crate::hooks::Event;
use crate::lease::in_flight::{Joined, RefreshOutcome, Slot};
use crate::lease::{Acquisition, Lease, RefreshId};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, within};
use crate::session::claims::Session;
use crate::session::refreshed_tokens::ClaimChanges;
use vestibule_oidc::credentials::login::{self, Tokens};
use vestibule_oidc::credentials::provider::{CredentialsProvider, TokenPaths};
use vestibule_oidc::credentials::{Answers, ApiError, jar};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::request::Request;

/// How long the answer waits for the session's new cookie. Publishing the tokens goes on afterwards.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The name of the answer in errors.
const ENDPOINT: &str = "upstream";

/// What an upstream's answer does to the session.
pub(crate) enum UpstreamChange {
    /// Nothing.
    None,
    /// The session has new tokens.
    Renewed(Session),
    /// The session has ended.
    Ended,
}

/// Why the cookies of an upstream are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum DroppedCookies {
    #[error("the request carried no tokens of a session")]
    NoTokens,
    #[error("the session's provider is not an API that is configured here")]
    NotOfApi,
    #[error("none of the upstream's `cookies` is the access token alone")]
    NoTokenCookie,
    #[error("they neither have a new access token nor remove the old one")]
    Nothing,
    #[error("the new access token has expired already")]
    Expired,
    #[error("the access token had expired when the answer came, so it may be refused for that")]
    ExpiredMeanwhile,
    #[error("the request did not carry the session's newest tokens")]
    NotNewest,
    #[error("another request refreshes the session")]
    RefreshUnderWay,
    #[error("it is unknown whether the request carried the session's newest tokens")]
    Unknown,
    #[error("the session was signed out meanwhile")]
    SignedOut,
    #[error("the new token is of another user than the session")]
    OtherUser,
    #[error("neither the new token nor the profile shows the session's user: {0}")]
    UserNotShown(String),
    #[error(transparent)]
    Token(#[from] ApiError),
    #[error(
        "it takes too long to see whose they are, or to store them; if they are good, a later request finds them"
    )]
    TooSlow,
}

impl<P: Platform> RequestContext<'_, P> {
    /// What the cookies in the answer to a request of `session` do to it. `fields` are `Set-Cookie` fields, and
    /// `token_cookie` is the cookie in which the request had the access token.
    pub(crate) async fn change_by_upstream(
        &self,
        session: &Session,
        token_cookie: &str,
        fields: &[String],
    ) -> Result<UpstreamChange, DroppedCookies> {
        let provider = session.provider().and_then(|id| self.provider(id)).ok_or(DroppedCookies::NotOfApi)?;
        let ProviderKind::Credentials(api) = &provider.kind else { return Err(DroppedCookies::NotOfApi) };
        let name = RefreshId::of_tokens(session).ok_or(DroppedCookies::NoTokens)?;
        if self.vestibule.refreshes.is_outdated(&name.sid, session.generation()) {
            return Err(DroppedCookies::NotNewest);
        }
        let (url, now) = (&api.login.request.url, self.platform.now());
        let answers = Answers::of_cookies(url, fields.iter().map(String::as_str), now);
        let has_token = answers.jar.find(token_cookie).is_some_and(|cookie| !cookie.value.is_empty());
        if !has_token {
            let removed = |field: &String| jar::removed_name(field, url, now);
            if !fields.iter().any(|field| removed(field).as_deref() == Some(token_cookie)) {
                return Err(DroppedCookies::Nothing);
            }
            return self.end_by_upstream(provider, session, &name).await;
        }
        let paths = token_paths(api, token_cookie);
        let tokens = login::tokens(ENDPOINT, &paths, &answers, now)?;
        let new = NewTokens::of(api, session, &tokens, &answers);
        if new == NewTokens::None {
            return Ok(UpstreamChange::None);
        }
        if tokens.expires_at.is_some_and(|end| end <= now) {
            return Err(DroppedCookies::Expired);
        }
        let job = UpstreamRefresh {
            vestibule: self.vestibule.clone(),
            platform: self.platform.clone(),
            request: self.request.clone(),
            provider: provider.id.clone(),
            session: session.clone(),
            name,
            answers,
            paths,
            tokens,
            replaces_refresh_token: new == NewTokens::WithRefreshToken,
        };
        let completed = self.platform.run_to_completion(Box::pin(job.run()));
        let outcome = within(self.platform, MAX_WAIT, pin!(completed)).await;
        match outcome.unwrap_or(Err(DroppedCookies::TooSlow))? {
            RefreshOutcome::Renewed(tokens) => {
                let session = session.with_refreshed_tokens(&tokens, self.platform.now());
                Ok(UpstreamChange::Renewed(session))
            }
            _ => Err(DroppedCookies::SignedOut),
        }
    }

    /// Ends the session, if nothing is known that is newer than its tokens.
    async fn end_by_upstream(
        &self,
        provider: &Provider,
        session: &Session,
        name: &RefreshId,
    ) -> Result<UpstreamChange, DroppedCookies> {
        if self.has_expired_token(session) {
            return Err(DroppedCookies::ExpiredMeanwhile);
        }
        let slot = match self.vestibule.refreshes.join(name, false, self.platform) {
            Joined::Leader(slot) => slot,
            Joined::InFlight => return Err(DroppedCookies::RefreshUnderWay),
            Joined::Completed(outcome) => return Err(superseded(&outcome)),
        };
        let lease = self.refresh_lease(provider);
        match lease.acquire(name, &slot.owner, Duration::ZERO).await {
            Ok(Acquisition::Acquired) => {}
            Ok(Acquisition::AlreadyRefreshed(tokens)) => {
                slot.complete(RefreshOutcome::Renewed(tokens), self.platform.now());
                return Err(DroppedCookies::NotNewest);
            }
            Ok(Acquisition::HeldByOther { .. }) => return Err(DroppedCookies::RefreshUnderWay),
            Ok(Acquisition::SignedOut) => return Err(DroppedCookies::SignedOut),
            Ok(Acquisition::Unprotected(_)) | Err(_) => return Err(DroppedCookies::Unknown),
        }
        let id = &provider.id;
        let message = format_args!("provider {id}: the upstream ended the session");
        self.log(Record::new(LogEvent::UpstreamSignedOut, message).provider(id));
        self.end_session(session, false).await;
        slot.complete(RefreshOutcome::SignedOut, self.platform.now());
        self.vestibule.hooks.event(&Event::SignedOut { session });
        Ok(UpstreamChange::Ended)
    }
}

/// Why a request whose tokens had this outcome did not carry the newest ones.
fn superseded(outcome: &RefreshOutcome) -> DroppedCookies {
    match outcome {
        RefreshOutcome::Renewed(_) => DroppedCookies::NotNewest,
        RefreshOutcome::SignedOut | RefreshOutcome::InvalidGrant { .. } => DroppedCookies::SignedOut,
        RefreshOutcome::HeldElsewhere { .. }
        | RefreshOutcome::Unavailable { .. }
        | RefreshOutcome::TokensLost => DroppedCookies::RefreshUnderWay,
    }
}

/// Where the cookies of an upstream have the tokens: the access token in the cookie that the upstream is sent, the others
/// where the API's own cookies have them.
fn token_paths(api: &CredentialsProvider, token_cookie: &str) -> TokenPaths {
    let of_api = api.refresh.as_ref().map_or(&api.login.tokens, |refresh| &refresh.tokens);
    TokenPaths {
        access_token: DataPath::new("cookie", [token_cookie]),
        refresh_token: of_api.refresh_token.clone().filter(|path| path.root() == "cookie"),
        expires: None,
        refresh_expires: None,
    }
}

/// What of a session's tokens is new in an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NewTokens {
    None,
    /// The refresh token stays valid.
    AccessToken,
    /// The old refresh token is probably no longer valid.
    WithRefreshToken,
}

impl NewTokens {
    fn of(api: &CredentialsProvider, session: &Session, tokens: &Tokens, answers: &Answers) -> Self {
        let known = session.api_cookies();
        let is_new_cookie = |name: &String| {
            let cookie = answers.jar.find(name).filter(|cookie| !cookie.value.is_empty());
            cookie.is_some_and(|cookie| known.get(name) != Some(&cookie.value))
        };
        let has_new_cookie =
            api.refresh.as_ref().is_some_and(|refresh| refresh.kept_cookies.iter().any(is_new_cookie));
        let has_refresh_token =
            tokens.refresh_token.is_some() && tokens.refresh_token != session.refresh_token();
        if has_refresh_token || has_new_cookie {
            Self::WithRefreshToken
        } else if session.access_token() == Some(tokens.access_token.expose()) {
            Self::None
        } else {
            Self::AccessToken
        }
    }
}

/// New tokens from an upstream on their way into the session. It owns its data, because the request may end first.
struct UpstreamRefresh<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    request: Request,
    provider: String,
    session: Session,
    name: RefreshId,
    answers: Answers,
    paths: TokenPaths,
    tokens: Tokens,
    replaces_refresh_token: bool,
}

impl<P: Platform> UpstreamRefresh<P> {
    async fn run(mut self) -> Result<RefreshOutcome, DroppedCookies> {
        let (vestibule, platform, request) =
            (self.vestibule.clone(), self.platform.clone(), self.request.clone());
        let context = RequestContext::new(&vestibule, &platform, &request).ok_or(DroppedCookies::Unknown)?;
        let provider = context.provider(&self.provider).ok_or(DroppedCookies::NotOfApi)?;
        let ProviderKind::Credentials(api) = &provider.kind else { return Err(DroppedCookies::NotOfApi) };
        let claims = self.claims(&context, provider, api).await?;
        // The response with the profile may have set newer cookies.
        let now = platform.now();
        let tokens = login::tokens(ENDPOINT, &self.paths, &self.answers, now)?;
        let granted =
            granted_by_api(api.refresh.as_ref(), &self.session, (tokens, &self.answers), claims, now);
        let slot = self.slot()?;
        let lease = context.refresh_lease(provider);
        match lease.acquire(&self.name, &slot.owner, Duration::ZERO).await {
            Ok(Acquisition::Acquired | Acquisition::Unprotected(_)) => {}
            Ok(Acquisition::AlreadyRefreshed(tokens)) => {
                slot.complete(RefreshOutcome::Renewed(tokens), platform.now());
                return Err(DroppedCookies::NotNewest);
            }
            Ok(Acquisition::SignedOut) => return Err(DroppedCookies::SignedOut),
            // The other process's refresh token was used up by this answer, and it will look for these tokens: they are the
            // only copy.
            Ok(Acquisition::HeldByOther { .. }) | Err(_) if self.replaces_refresh_token => {}
            Ok(Acquisition::HeldByOther { .. }) => return Err(DroppedCookies::RefreshUnderWay),
            Err(_) => return Err(DroppedCookies::Unknown),
        }
        let id = provider.id.clone();
        let attempt = RefreshAttempt {
            vestibule: self.vestibule,
            platform: self.platform,
            request: self.request,
            provider: self.provider,
            session: self.session,
            name: self.name,
            token_is_valid: true,
            deadline: now,
        };
        let outcome = attempt.publish(&context, &lease, granted, slot).await;
        if let RefreshOutcome::Renewed(_) = outcome {
            let message = format_args!("provider {id}: the upstream renewed the tokens of the session");
            context.log(Record::new(LogEvent::UpstreamRefreshed, message).provider(&id));
        }
        Ok(outcome)
    }

    /// The right to publish the tokens in this process. If the old refresh token is no longer valid, a request that is about
    /// to use it gives way.
    fn slot(&self) -> Result<Slot, DroppedCookies> {
        let refreshes = &self.vestibule.refreshes;
        match refreshes.join(&self.name, false, &self.platform) {
            Joined::Leader(slot) => Ok(slot),
            Joined::Completed(outcome @ (RefreshOutcome::Renewed(_) | RefreshOutcome::SignedOut)) => {
                Err(superseded(&outcome))
            }
            Joined::InFlight | Joined::Completed(_) if self.replaces_refresh_token => {
                Ok(refreshes.take_over(&self.name, &self.platform))
            }
            Joined::InFlight => Err(DroppedCookies::RefreshUnderWay),
            Joined::Completed(RefreshOutcome::Unavailable { .. }) => {
                Ok(refreshes.take_over(&self.name, &self.platform))
            }
            Joined::Completed(outcome) => Err(superseded(&outcome)),
        }
    }

    /// What the API says about the user of the new tokens. An error unless it is the session's.
    async fn claims(
        &mut self,
        context: &RequestContext<'_, P>,
        provider: &Provider,
        api: &CredentialsProvider,
    ) -> Result<Option<ClaimChanges>, DroppedCookies> {
        self.answers.set_access_token(&self.tokens.access_token);
        let in_token = self.answers.identifier(&api.user.id);
        if in_token.as_deref().is_some_and(|subject| self.session.subject() != Some(subject)) {
            return Err(DroppedCookies::OtherUser);
        }
        let asked =
            context.claims_of_api(provider, api, &self.tokens, &mut self.answers, (&self.session, true));
        let reason = match within(&self.platform, MAX_CLAIMS_WAIT, pin!(asked)).await {
            Some(Ok(UserAfterRefresh::Changed(changes))) => return Ok(Some(changes)),
            Some(Ok(UserAfterRefresh::Other)) => return Err(DroppedCookies::OtherUser),
            Some(Ok(UserAfterRefresh::Unstated)) => "no user".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => "no answer in time".to_owned(),
        };
        match in_token {
            Some(_) => {
                let id = &provider.id;
                let message = format_args!("provider {id}: the claims stay as they are: {reason}");
                context.log(Record::new(LogEvent::ClaimsNotRefreshed, message).provider(id));
                Ok(None)
            }
            None => Err(DroppedCookies::UserNotShown(reason)),
        }
    }
}
