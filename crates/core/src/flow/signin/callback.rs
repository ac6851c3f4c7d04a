//! `/callback/:provider`: the browser comes back from the provider with the authorization response, and gets a session.
//!
//! Each check relies on the one before it:
//! 1. This browser began this sign-in with this provider ([`Transaction`]).
//! 2. The response is the provider's response to that authorization request ([`authorize::parse_response`]).
//! 3. The provider exchanges the code for tokens ([`token`]), and the ID token is valid ([`VerifiedIdToken`]).
//! 4. The user is identified ([`Identity`]) and may have a session.

use serde_json::{Map, Value};

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::host_role::HostRole;
use crate::flow::responses::with_cookies;
use crate::flow::signin::authorization_response::AuthorizationResponse;
use crate::flow::signin::create_session::CreatedSession;
use crate::flow::signin::groups::GroupsFor;
use crate::flow::signin::identity::{Identity, IdentityError};
use crate::flow::signin::profile::TokenSource;
use crate::flow::signin::step_up::SteppedUp;
use crate::flow::{RequestContext, provider};
use crate::platform::Platform;
use crate::session::cookie;
use crate::session::tokens::TokenStorage;
use crate::session::transaction::Transaction;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::json;
use vestibule_oidc::oauth::authorize::{self, AuthorizationCode};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::dpop::DpopKey;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::oauth::id_token::{self, IdTokenError, VerifiedIdToken};
use vestibule_oidc::oauth::profile::SecurityProfile;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token::{self, Grant, TokenResponse};
use vestibule_oidc::oauth::userinfo::UserinfoError;
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// Finishes a sign-in. `params` are the parameters of the authorization response: the query, or the body of a form
    /// post.
    pub(crate) async fn callback(&self, provider_id: &str, params: &Params) -> Result<Response, Error> {
        // Only the login host sends authorization requests.
        if let HostRole::Member(_) | HostRole::Preview(_) = self.host_role {
            let expected = self.redirect_uri(provider_id);
            return Err(ClientError::NotTheLoginHost { expected }.into());
        }
        let Some(provider) = self.provider(provider_id) else {
            return Err(ClientError::UnsupportedAction("the callback names no configured provider").into());
        };
        let ProviderKind::OAuth(oauth) = &provider.kind else {
            return Err(
                ClientError::UnsupportedAction("this provider's callback is a POST, not a GET").into()
            );
        };
        let response = self.authorization_response(provider, oauth, params)?;
        let transaction = &response.transaction;

        let finished = transaction.cookie_names(&self.cookies, &self.names);
        let finished = finished.into_iter().map(SetCookie::expired).collect();
        // A failed sign-in keeps its cookie: after a temporary error the user can reload the callback.
        let callback = CallbackContext { context: self, provider, oauth, transaction };
        let response = match callback.finish(&response).await {
            // The user did not begin it, and sees no error of it.
            Err(error) if transaction.silent_for.is_some() => self.sign_in_visibly(transaction, Some(&error)),
            Err(error) => self.step_up_failed(provider, transaction, error)?,
            Ok(answer) => answer,
        };
        Ok(with_cookies(response, finished))
    }

    /// Whether this provider posts its authorization response as a form (OAuth 2.0 Form Post Response Mode).
    pub(crate) fn posts_its_response(&self, provider_id: &str) -> bool {
        let kind = self.provider(provider_id).map(|provider| &provider.kind);
        matches!(kind, Some(ProviderKind::OAuth(oauth)) if oauth.authorization.response_mode.is_posted())
    }
}

/// A sign-in that this browser began: the request, the provider and the transaction.
struct CallbackContext<'a, P: Platform> {
    context: &'a RequestContext<'a, P>,
    provider: &'a Provider,
    oauth: &'a OAuthProvider,
    transaction: &'a Transaction,
}

impl<P: Platform> CallbackContext<'_, P> {
    async fn finish(&self, response: &AuthorizationResponse<'_>) -> Result<Response, Error> {
        let context = self.context;
        let metadata = context.metadata(self.provider, self.oauth).await?;
        let params = &*response.parameters(context, self.provider, self.oauth, &metadata).await?;
        let requires_issuer = self.oauth.profile.is_some_and(SecurityProfile::requires_response_issuer);
        let code = authorize::parse_response(params, &self.transaction.state, &metadata, requires_issuer)
            .map_err(|cause| provider::provider_error(self.provider, cause))?;
        let dpop_key = self.dpop_key();
        let mut tokens = self.exchange_code(&metadata, &code, dpop_key.as_ref()).await?;
        context.check_authorization_details(self.provider, self.oauth, &mut tokens);
        if self.transaction.silent_for.is_none() && self.transaction.step_up.is_none() {
            context.check_refresh_token(self.provider, self.oauth, &tokens);
        }
        context.decrypt_id_token_of(self.provider, self.oauth, &mut tokens).await?;
        let id_token = self.verify_id_token(&metadata, &tokens).await?;
        let ends_at = self.session_end(id_token.as_ref())?;
        let source = self.source(&metadata, &tokens, dpop_key.as_ref());
        let subject = id_token.as_ref().map(VerifiedIdToken::subject);
        let (mut profile, complaint) = context.profile(&source, id_token.as_ref(), subject).await?;
        let listed_email = self.complete_profile(&mut profile, params, &source).await?;
        context.complete_groups(&source, id_token.as_ref(), &mut profile, GroupsFor::SignIn).await?;

        let claims = source.claims(id_token.as_ref(), profile, listed_email);
        let verified = tokens.id_token.clone().filter(|_| id_token.is_some());
        let tokens = source.tokens(context.now);
        let identity = Identity::from_claims(self.provider, self.oauth, claims, tokens);
        let mut identity = identity.map_err(|error| {
            let cause = match error {
                IdentityError::ParamClaim(error) => ProviderError::from(IdTokenError::from(error)),
                IdentityError::NoId => UserinfoError::NoId(complaint).into(),
            };
            provider::provider_error(self.provider, cause)
        })?;
        identity.id_token = verified;
        identity.extra_claims.extend(ends_at.map(|end| ("ends_at", Value::from(end.seconds()))));
        if !self.needs_refresh_token(&metadata) {
            identity.refresh_token = None;
        }
        identity.extra_claims.extend(context.persistence_claim(self.transaction.is_persistent));
        identity.extra_claims.extend(dpop_key.map(|key| ("dpop_key", Value::from(key.to_text().expose()))));
        let created = match (&self.transaction.silent_for, &self.transaction.step_up) {
            (None, Some(attempt)) => {
                match context.finish_step_up(identity, attempt, &self.transaction.return_to).await? {
                    SteppedUp::Session(created) => created,
                    SteppedUp::Answer(answer) => return Ok(answer),
                }
            }
            (None, None) => context.create_session(identity).await?,
            (Some(subject), _) if identity.subject == *subject => {
                let Some(session) = context.session_to_confirm(self.provider, subject).await else {
                    return Ok(context.sign_in_visibly(self.transaction, None));
                };
                context.confirm_session(identity, &session).await?
            }
            (Some(_), _) => return Ok(context.sign_in_visibly(self.transaction, None)),
        };
        Ok(match created {
            CreatedSession::Session(cookies) => {
                let response = Response::redirect(&self.transaction.return_to);
                // The browser sends no session cookies with another site's form, so older chunks are unknown here.
                let mut all = match context.request.method {
                    Method::Post => cookie::expire_absent(context.cookie_domain(), &context.names, &cookies),
                    _ => Vec::new(),
                };
                all.extend(cookies);
                with_cookies(response, all)
            }
            CreatedSession::Redirect(address) => Response::redirect(address.as_str()),
            CreatedSession::Ended => {
                context.repeat_sign_in(self.provider, self.oauth, self.transaction).await?
            }
        })
    }

    /// The key to which the tokens are bound: that of the authorization request. A sign-in that began before `dpop` was
    /// configured has none yet.
    fn dpop_key(&self) -> Option<DpopKey> {
        let begun = || self.transaction.dpop_key.clone().unwrap_or_else(|| self.context.new_dpop_key());
        self.oauth.dpop.then(begun)
    }

    /// Whether the session may keep its refresh token. With `session.tokens = "none"` only for what needs it: the provider's
    /// word about the user, or the revocation at the sign-out (RFC 7009), if the provider has an endpoint for it.
    fn needs_refresh_token(&self, metadata: &ProviderMetadata) -> bool {
        let config = &self.context.config().session;
        let revocation = self.oauth.token_revocation.as_ref();
        config.tokens != TokenStorage::None
            || config.revalidate.is_some()
            || revocation.is_some_and(|it| it.endpoint.is_some() || metadata.revocation_endpoint().is_some())
    }

    /// Exchanges the authorization code for tokens (RFC 6749 section 4.1.3, OpenID Connect Core 1.0 section 3.1.3).
    async fn exchange_code(
        &self,
        metadata: &ProviderMetadata,
        code: &AuthorizationCode,
        dpop_key: Option<&DpopKey>,
    ) -> Result<TokenResponse, Error> {
        let (context, provider) = (self.context, self.provider);
        let redirect_uri = context.redirect_uri(&provider.id);
        let verifier = self.oauth.authorization.pkce.then_some(&self.transaction.verifier);
        let state = &self.transaction.state;
        let grant = Grant::Code { code, redirect_uri: &redirect_uri, verifier, state };
        let endpoint = metadata.token_endpoint();
        let answer = context.exchange(provider, (self.oauth, metadata), endpoint, grant, dpop_key).await?;
        token::parse(&answer.response, provider::reading(self.oauth, dpop_key.is_some()))
            .map_err(|cause| provider::provider_error(provider, cause))
    }

    /// Verifies the ID token's signature and claims (OpenID Connect Core 1.0 section 3.1.3.7). `None` for a provider
    /// without OpenID Connect.
    async fn verify_id_token(
        &self,
        metadata: &ProviderMetadata,
        tokens: &TokenResponse,
    ) -> Result<Option<VerifiedIdToken>, Error> {
        let (context, provider, oauth) = (self.context, self.provider, self.oauth);
        let Some(openid) = &oauth.openid else { return Ok(None) };
        let id_token =
            tokens.require_id_token().map_err(|cause| provider::provider_error(provider, cause))?;
        let payload = context.verify_signature(provider, oauth, metadata, id_token.expose()).await?;
        let issuer = provider::issuer_of_token(openid, metadata, payload.claims())
            .map_err(|cause| provider::provider_error(provider, cause))?;
        let expected = id_token::Expected {
            issuer: &issuer,
            client_id: &oauth.client.id,
            nonce: openid.nonce.then_some(&self.transaction.nonce),
            access_token: &tokens.access_token,
            max_age: self.transaction.max_age,
        };
        let verified = id_token::verify(payload, &expected, context.now)
            .map_err(|cause| provider::provider_error(provider, cause))?;
        Ok(Some(verified))
    }

    /// When the provider ends the session (`session_expiry` of the ID token). A session that would be over already is an
    /// error.
    fn session_end(&self, id_token: Option<&VerifiedIdToken>) -> Result<Option<Timestamp>, Error> {
        let (context, provider) = (self.context, self.provider);
        let Some(id_token) = id_token else { return Ok(None) };
        let end = context.session_expiry(provider, id_token.claims());
        match end.filter(|end| *end <= context.now) {
            Some(end) => {
                let cause = IdTokenError::SessionOver { found: end.seconds(), now: context.now.seconds() };
                Err(provider::provider_error(provider, cause))
            }
            None => Ok(end),
        }
    }

    /// Adds to the profile what other places say about the user: the authorization response and the list of e-mail
    /// addresses. The result is what that list says about the address.
    async fn complete_profile(
        &self,
        profile: &mut Map<String, Value>,
        params: &Params,
        source: &TokenSource<'_>,
    ) -> Result<Option<EmailVerification>, Error> {
        if let Some(name) = &self.oauth.authorization.callback_profile_param {
            // It came through the browser, so the user may have written it. It stays under its own name.
            let text = params.one(name).map_err(ClientError::from)?;
            profile.remove(name);
            if let Some(values) = text.and_then(|text| json::object(text.as_bytes())) {
                profile.insert(name.clone(), Value::Object(values));
            }
        }
        self.context.listed_email(source, profile).await
    }

    fn source<'s>(
        &'s self,
        metadata: &'s ProviderMetadata,
        tokens: &'s TokenResponse,
        dpop_key: Option<&'s DpopKey>,
    ) -> TokenSource<'s> {
        TokenSource { provider: self.provider, oauth: self.oauth, metadata, tokens, dpop_key }
    }
}
