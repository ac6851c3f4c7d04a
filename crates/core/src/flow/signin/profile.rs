//! What a provider says about a user: the claims of the ID token, the userinfo endpoint, and the list of e-mail addresses.
//! A sign-in and a refresh ask in the same way.

use serde_json::{Map, Value};

use crate::config::Provider;
use crate::error::Error;
use crate::flow::signin::identity::{ProviderClaims, Tokens, VerifiedClaims};
use crate::flow::{RequestContext, provider};
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::http::client::{FetchRequest, FetchResponse};
use vestibule_oidc::jose::jws;
use vestibule_oidc::json;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::dpop::DpopKey;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::oauth::exchange::ErrorResponse;
use vestibule_oidc::oauth::id_token::VerifiedIdToken;
use vestibule_oidc::oauth::provider::{EmailsConfig, FetchUserinfo, ListedEmail, OAuthProvider};
use vestibule_oidc::oauth::token::TokenResponse;
use vestibule_oidc::oauth::userinfo;
use vestibule_oidc::time::Timestamp;

/// A provider's token response, and what is needed to ask the provider with these tokens.
pub(crate) struct TokenSource<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) oauth: &'a OAuthProvider,
    pub(crate) metadata: &'a ProviderMetadata,
    pub(crate) tokens: &'a TokenResponse,
    /// The key to which the tokens are bound, if they are.
    pub(crate) dpop_key: Option<&'a DpopKey>,
}

impl TokenSource<'_> {
    /// What the provider says about the user.
    pub(crate) fn claims(
        &self,
        id_token: Option<&VerifiedIdToken>,
        profile: Map<String, Value>,
        listed_email: Option<EmailVerification>,
    ) -> ProviderClaims {
        ProviderClaims {
            verified: id_token.map(|token| VerifiedClaims {
                subject: token.subject().to_owned(),
                claims: token.claims().clone(),
            }),
            profile,
            account: self.tokens.raw.clone(),
            access_token: jws::decode_unverified(self.tokens.access_token.expose()),
            listed_email,
            known_subject: None,
        }
    }

    /// The tokens of the response.
    pub(crate) fn tokens(&self, now: Timestamp) -> Tokens {
        let tokens = self.tokens;
        // Without a stated lifetime and without a refresh token, the access token is used for as long as it works.
        let has_end = tokens.expires_in.is_some() || tokens.refresh_token.is_some();
        Tokens {
            access_token: tokens.access_token.clone(),
            refresh_token: tokens.refresh_token.clone(),
            expires_at: has_end.then(|| tokens.expires_at(now)),
        }
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// The user's profile: the ID token's claims, completed by the userinfo endpoint if something is missing. A provider
    /// without OpenID Connect has only the userinfo endpoint; its response may be an error, which comes back too.
    ///
    /// `subject` is the `sub` that the claims of the userinfo endpoint must have, if it is known.
    pub(crate) async fn profile(
        &self,
        source: &TokenSource<'_>,
        id_token: Option<&VerifiedIdToken>,
        subject: Option<&str>,
    ) -> Result<(Map<String, Value>, Option<ErrorResponse>), Error> {
        let TokenSource { provider, oauth, metadata, tokens, .. } = source;
        let config = &oauth.userinfo;
        let mut profile = id_token.map(|token| token.claims().clone()).unwrap_or_default();
        let is_needed = match config.fetch {
            FetchUserinfo::Never => false,
            FetchUserinfo::Always => true,
            FetchUserinfo::IfNeeded => id_token.is_none() || self.lacks_claims(oauth, &profile),
        };
        let provider_error = |cause| provider::provider_error(provider, cause);
        let request = if is_needed {
            userinfo::request(config, metadata.userinfo_endpoint(), tokens).map_err(provider_error)?
        } else {
            None
        };
        let Some(request) = request else { return Ok((profile, None)) };
        let response = self.ask_resource(source, "userinfo", request).await?;
        let root = config.response_path.as_ref();
        let Some(subject) = subject else {
            return userinfo::parse_profile(&response, root).map_err(provider_error);
        };
        let is_encrypted = oauth.response_encryption.userinfo.is_some();
        let is_signed = config.is_signed_response || !is_encrypted && userinfo::is_signed(&response);
        let claims = if is_signed || is_encrypted {
            let token = userinfo::token(&response).map_err(provider_error)?;
            let token = self.decrypted_userinfo(provider, oauth, token).await?;
            if is_signed {
                let verified = self.verify_signature(provider, oauth, metadata, &token).await?;
                userinfo::of_subject(verified.into_claims(), subject)
            } else {
                userinfo::parse_decrypted(&token, root, subject)
            }
        } else {
            userinfo::parse(&response, root, subject)
        };
        let claims = claims.map_err(provider_error)?;
        if claims.get("email").is_some_and(|email| profile.get("email") != Some(email)) {
            // What the ID token says is about the address in the ID token.
            profile.remove("email_verified");
        }
        profile.extend(claims);
        Ok((profile, None))
    }

    /// Sends a request that has the access token in it.
    pub(super) async fn ask_resource(
        &self,
        source: &TokenSource<'_>,
        endpoint: &'static str,
        request: FetchRequest,
    ) -> Result<FetchResponse, Error> {
        let token = &source.tokens.access_token;
        self.ask_with_token(source.provider, endpoint, request, token, source.dpop_key).await
    }

    /// Whether the ID token lacks a claim that a scope requests (OpenID Connect Core 1.0 section 5.4) or that the
    /// configuration reads.
    fn lacks_claims(&self, oauth: &OAuthProvider, id_token: &Map<String, Value>) -> bool {
        let requested_by_scope = [("profile", "name"), ("email", "email")];
        let scopes = || oauth.scope.iter().flat_map(|scope| scope.split_ascii_whitespace());
        let lacks_scope_claim = requested_by_scope
            .iter()
            .any(|(scope, claim)| scopes().any(|s| s == *scope) && !id_token.contains_key(*claim));
        let roots = json::of(&[("profile", Value::Object(id_token.clone()))]);
        let claims = &self.config().claims;
        let lacks_configured_claim =
            claims.iter().any(|(_, from)| from.root() == "profile" && from.lookup(&roots).is_none());
        lacks_scope_claim || lacks_configured_claim
    }

    /// Takes the address for the profile from the provider's list of e-mail addresses, if it has one. The result is what
    /// that list says about the address.
    pub(crate) async fn listed_email(
        &self,
        source: &TokenSource<'_>,
        profile: &mut Map<String, Value>,
    ) -> Result<Option<EmailVerification>, Error> {
        let Some(emails) = &source.oauth.emails else { return Ok(None) };
        let email = self.email(emails, source, profile).await?;
        let (address, verification) = email.map(|email| (email.address, email.verification)).unzip();
        profile.insert("email".to_owned(), address.map_or(Value::Null, Value::from));
        Ok(verification.filter(|_| emails.verified.is_some()))
    }

    /// The user's e-mail address, from the list of their addresses. If the provider refuses to give the list, because
    /// its scope was not requested, the operator's log says so and the sign-in goes on without an address.
    async fn email(
        &self,
        emails: &EmailsConfig,
        source: &TokenSource<'_>,
        profile: &Map<String, Value>,
    ) -> Result<Option<ListedEmail>, Error> {
        let provider = source.provider;
        let Some(url) = &emails.url else {
            return Ok(emails.pick(&Value::Object(profile.clone())));
        };
        let request = userinfo::plain_request(url, &source.tokens.access_token);
        let response = self.ask_resource(source, "emails", request).await?;
        match userinfo::parse_emails(&response, emails) {
            Ok(email) => Ok(email),
            Err(error) if error.is_temporary() => Err(provider::provider_error(provider, error)),
            Err(error) => {
                let id = &provider.id;
                let message = format_args!("provider {id}: the list of e-mail addresses: {error}");
                self.log(Record::new(LogEvent::EmailsRequestFailed, message).provider(id));
                Ok(None)
            }
        }
    }
}
