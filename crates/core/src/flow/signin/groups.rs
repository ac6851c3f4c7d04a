//! Groups that an ID token leaves out because the user is in too many: they are fetched where the configuration says where,
//! and the log says what to do where it does not.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::flow::signin::profile::TokenSource;
use crate::flow::{RequestContext, provider};
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::oauth::groups::{self, GROUPS};
use vestibule_oidc::oauth::id_token::VerifiedIdToken;

/// What needs the groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupsFor {
    /// A sign-in goes on without them if the provider refuses to give them.
    SignIn,
    /// A refresh keeps the claims that the session has, if they are unavailable.
    Refresh,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Adds the groups to the profile that the ID token leaves out. An error if they are unavailable at the moment.
    pub(crate) async fn complete_groups(
        &self,
        source: &TokenSource<'_>,
        id_token: Option<&VerifiedIdToken>,
        profile: &mut Map<String, Value>,
        purpose: GroupsFor,
    ) -> Result<(), Error> {
        let (Some(id_token), Some(openid)) = (id_token, &source.oauth.openid) else { return Ok(()) };
        if !groups::are_left_out(id_token.claims()) {
            return Ok(());
        }
        let Some(config) = &openid.groups_overage else {
            if purpose == GroupsFor::SignIn {
                self.log_left_out(
                    source,
                    "the user is in too many groups. Assign groups to the application, or use app roles, so that the \
                     token has fewer; or write groups_overage, to fetch them from Microsoft Graph",
                );
            }
            return Ok(());
        };
        let request = groups::request(&config.url, &source.tokens.access_token);
        let response = self.ask_resource(source, "groups", request).await?;
        match groups::parse(&response, config) {
            Ok(groups) => {
                profile.insert(GROUPS.to_owned(), Value::Array(groups));
                Ok(())
            }
            Err(error) if purpose == GroupsFor::SignIn && !error.is_temporary() => {
                self.log_left_out(
                    source,
                    &format!(
                        "{} did not give them: {error}. The access token must be for that API, with the scopes \
                         User.ReadBasic.All and GroupMember.Read.All",
                        config.url
                    ),
                );
                Ok(())
            }
            Err(error) => Err(provider::provider_error(source.provider, error)),
        }
    }

    fn log_left_out(&self, source: &TokenSource<'_>, why: &str) {
        let id = &source.provider.id;
        let message = format_args!("provider {id}: the ID token leaves out the groups: {why}");
        self.log(Record::new(LogEvent::GroupsLeftOut, message).provider(id));
    }
}
