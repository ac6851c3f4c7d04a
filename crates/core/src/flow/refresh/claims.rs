//! What a provider or an API says about a session's user at a refresh: the claims that follow the user.
//!
//! The tokens come first. A profile that is unavailable, or cannot be read, changes nothing and does not fail the
//! refresh; only an answer that no longer lets the user in ends the session.

use std::pin::Pin;

use serde_json::{Map, Value};

use crate::config::Provider;
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::refresh::granted::GrantError;
use crate::flow::signin::groups::GroupsFor;
use crate::flow::signin::identity::{Identity, IdentityError};
use crate::flow::signin::profile::TokenSource;
use crate::flow::signin::refreshed_user::RefreshedUser;
use crate::flow::{RequestContext, provider};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, within};
use crate::session::claims::Session;
use crate::session::refreshed_tokens::ClaimChanges;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::json;
use vestibule_oidc::oauth::id_token::{IdTokenError, VerifiedIdToken};
use vestibule_oidc::oauth::provider::{FetchUserinfo, OAuthProvider};
use vestibule_oidc::oauth::userinfo::UserinfoError;
use vestibule_oidc::time::Timestamp;

/// What is known of the user after a refresh: what changes, or nothing, or that it is another user.
pub(super) enum UserAfterRefresh {
    Changed(ClaimChanges),
    /// The refresh says nothing about the user.
    Unstated,
    Other,
}

/// Whether a profile names the session's user: then it is one, also where one of its members looks like the code of an error,
/// as GitHub's `"type": "User"`.
fn names_user_of(session: &Session, oauth: &OAuthProvider, profile: &Map<String, Value>) -> bool {
    let Some(id) = &oauth.user.id else { return false };
    let data = json::of(&[("profile", Value::Object(profile.clone()))]);
    let found = id.whole(&|path: &DataPath| path.lookup(&data).cloned());
    found.is_some() && found.as_deref() == session.subject()
}

impl<P: Platform> RequestContext<'_, P> {
    /// The claims that `asked` gives by `deadline`. `None`, and a line in the log, if it fails or takes longer. An error
    /// if the user may no longer have a session.
    pub(super) async fn refreshed_claims(
        &self,
        provider: &Provider,
        deadline: Timestamp,
        asked: Pin<&mut (dyn Future<Output = Result<UserAfterRefresh, Error>> + '_)>,
    ) -> Result<Option<ClaimChanges>, GrantError> {
        let reason = match within(self.platform, deadline.since(self.platform.now()), asked).await {
            Some(Ok(UserAfterRefresh::Changed(changes))) => return Ok(Some(changes)),
            Some(Ok(UserAfterRefresh::Unstated)) => return Ok(None),
            Some(Ok(UserAfterRefresh::Other)) => {
                let reason = "the tokens are of another user than the session (AUTH.providers, user.id)";
                return Err(GrantError::NotAllowed(reason.to_owned()));
            }
            Some(Err(Error::Client(ClientError::AccessDenied))) => {
                let reason = "allow, or a hook, no longer lets the user in";
                return Err(GrantError::NotAllowed(reason.to_owned()));
            }
            Some(Err(error)) => error.to_string(),
            None => "no answer in time".to_owned(),
        };
        let id = &provider.id;
        let message = format_args!("provider {id}: the claims stay as they are: {reason}");
        self.log(Record::new(LogEvent::ClaimsNotRefreshed, message).provider(id));
        Ok(None)
    }

    /// What an OAuth provider says: its ID token, completed as at a sign-in.
    pub(super) async fn claims_of_provider(
        &self,
        source: &TokenSource<'_>,
        id_token: Option<&VerifiedIdToken>,
        session: &Session,
    ) -> Result<UserAfterRefresh, Error> {
        let TokenSource { provider, oauth, .. } = *source;
        if id_token.is_none() && oauth.userinfo.fetch == FetchUserinfo::Never {
            return Ok(UserAfterRefresh::Unstated);
        }
        let subject = match id_token {
            Some(id_token) => Some(id_token.subject()),
            None => session.subject().filter(|_| oauth.openid.is_some() && oauth.user.id.is_none()),
        };
        let (mut profile, complaint) = self.profile(source, id_token, subject).await?;
        if let Some(complaint) = complaint.filter(|_| !names_user_of(session, oauth, &profile)) {
            return Err(provider::provider_error(provider, UserinfoError::NoId(Some(complaint))));
        }
        let listed_email = self.listed_email(source, &mut profile).await?;
        self.complete_groups(source, id_token, &mut profile, GroupsFor::Refresh).await?;

        // A token response may leave out what has not changed (RFC 6749 section 5.1), and without a new ID token it is
        // unknown which claims would be in it. A parameter of the callback comes with a sign-in only.
        let mut complete = vec!["access_token"];
        let has_id_token = id_token.is_some() || oauth.openid.is_none();
        if has_id_token && oauth.authorization.callback_profile_param.is_none() {
            complete.push("profile");
        }
        if id_token.is_some() {
            complete.push("id_token");
        }
        let sources = [&oauth.user.name, &oauth.user.email, &oauth.user.image].map(Some);
        let has_no_email = profile.get("email").is_none_or(Value::is_null);
        let mut user = RefreshedUser::new(session, complete, sources);
        if oauth.emails.is_some() && has_no_email {
            // The list may be refused for another reason than that there is no address.
            user.forget("email");
        }
        let mut claims = source.claims(id_token, profile, listed_email);
        let names_user = oauth.user.id.as_ref().map_or(id_token.is_some(), |id| user.has_all_of(id));
        claims.known_subject = session.subject().filter(|_| !names_user).map(str::to_owned);
        let tokens = source.tokens(self.platform.now());
        let identity = Identity::from_claims(provider, oauth, claims, tokens).map_err(|error| {
            let cause = match error {
                IdentityError::ParamClaim(error) => ProviderError::from(IdTokenError::from(error)),
                IdentityError::NoId => UserinfoError::NoId(None).into(),
            };
            provider::provider_error(provider, cause)
        })?;
        self.user_after_refresh(identity, &user).await
    }

    /// Decides about the user whom a refresh describes, as a sign-in does.
    pub(super) async fn user_after_refresh(
        &self,
        identity: Identity<'_>,
        user: &RefreshedUser<'_>,
    ) -> Result<UserAfterRefresh, Error> {
        if user.session.subject().is_some_and(|subject| subject != identity.subject) {
            return Ok(UserAfterRefresh::Other);
        }
        let claims = self.claims_after_refresh(identity, user).await?;
        Ok(UserAfterRefresh::Changed(user.changes(claims, self.config())))
    }
}
