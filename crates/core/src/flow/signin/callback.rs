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
use crate::flow::signin::create_session::CreatedSession;
use crate::flow::signin::identity::{Identity, IdentityError, ProviderClaims, Tokens, VerifiedClaims};
use crate::flow::{RequestContext, provider};
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::cookie;
use crate::session::transaction::Transaction;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::jws;
use vestibule_oidc::json;
use vestibule_oidc::oauth::authorize::{self, AuthorizationCode};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::oauth::exchange::ErrorResponse;
use vestibule_oidc::oauth::id_token::{self, IdTokenError, VerifiedIdToken};
use vestibule_oidc::oauth::provider::{EmailsConfig, FetchUserinfo, ListedEmail, OAuthProvider};
use vestibule_oidc::oauth::token::{self, Grant, TokenResponse};
use vestibule_oidc::oauth::userinfo::{self, UserinfoError};
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// Finishes a sign-in. `params` are the parameters of the authorization response: the query, or the body of a form
    /// post.
    pub(crate) async fn callback(&self, provider_id: &str, params: &Params) -> Result<Response, Error> {
        // Only the login host sends authorization requests.
        if let HostRole::Member(_) = self.host_role {
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
        let state = params.one("state").map_err(ClientError::from)?;
        let transaction =
            Transaction::open(state, &provider.id, &self.cookies, &self.config().keys, &self.names, self.now)
                .map_err(ClientError::from)?;

        let finished = SetCookie::expired(transaction.cookie_name(&self.names));
        // A failed sign-in keeps its cookie: after a temporary error the user can reload the callback.
        let callback = CallbackContext { context: self, provider, oauth, transaction: &transaction };
        let response = callback.finish(params).await?;
        Ok(with_cookies(response, vec![finished]))
    }

    /// Whether this provider posts its authorization response as a form (OAuth 2.0 Form Post Response Mode).
    pub(crate) fn posts_its_response(&self, provider_id: &str) -> bool {
        let kind = self.provider(provider_id).map(|provider| &provider.kind);
        matches!(kind, Some(ProviderKind::OAuth(oauth)) if oauth.authorization.form_post)
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
    async fn finish(&self, params: &Params) -> Result<Response, Error> {
        let context = self.context;
        let metadata = context.metadata(self.provider, self.oauth).await?;
        let code = authorize::parse_response(params, &self.transaction.state, &metadata)
            .map_err(|cause| provider::provider_error(self.provider, cause))?;
        let tokens = self.exchange_code(&metadata, &code).await?;
        let id_token = self.verify_id_token(&metadata, &tokens).await?;
        let ends_at = self.session_end(id_token.as_ref())?;
        let (mut profile, complaint) = self.profile(&metadata, &tokens, id_token.as_ref()).await?;
        let listed_email = self.complete_profile(&mut profile, params, &tokens).await?;

        let mut identity =
            self.identity(tokens, id_token.as_ref(), profile, listed_email).map_err(|error| {
                let cause = match error {
                    IdentityError::ParamClaim(error) => ProviderError::from(IdTokenError::from(error)),
                    IdentityError::NoId => UserinfoError::NoId(complaint).into(),
                };
                provider::provider_error(self.provider, cause)
            })?;
        identity.extra_claims.extend(ends_at.map(|end| ("ends_at", Value::from(end.seconds()))));
        identity.extra_claims.extend(context.persistence_claim(self.transaction.is_persistent));
        Ok(match context.create_session(identity).await? {
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
        })
    }

    /// Exchanges the authorization code for tokens (RFC 6749 section 4.1.3, OpenID Connect Core 1.0 section 3.1.3).
    async fn exchange_code(
        &self,
        metadata: &ProviderMetadata,
        code: &AuthorizationCode,
    ) -> Result<TokenResponse, Error> {
        let redirect_uri = self.context.redirect_uri(&self.provider.id);
        let client = self.context.client(self.oauth, metadata).await?;
        let verifier = self.oauth.authorization.pkce.then_some(&self.transaction.verifier);
        let state = &self.transaction.state;
        let grant = Grant::Code { code, redirect_uri: &redirect_uri, verifier, state };
        let request = token::request(metadata.token_endpoint(), &client, &self.oauth.token, grant);
        let response = self.context.ask(self.provider, "token", request).await?;
        token::parse(&response, provider::reading(self.oauth))
            .map_err(|cause| provider::provider_error(self.provider, cause))
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

    /// The user's profile: the ID token's claims, completed by the userinfo endpoint if something is missing. A provider
    /// without OpenID Connect has only the userinfo endpoint; its response may be an error, which comes back too.
    async fn profile(
        &self,
        metadata: &ProviderMetadata,
        tokens: &TokenResponse,
        id_token: Option<&VerifiedIdToken>,
    ) -> Result<(Map<String, Value>, Option<ErrorResponse>), Error> {
        let config = &self.oauth.userinfo;
        let mut profile = id_token.map(|token| token.claims().clone()).unwrap_or_default();
        let is_needed = match config.fetch {
            FetchUserinfo::Never => false,
            FetchUserinfo::Always => true,
            FetchUserinfo::IfNeeded => id_token.is_none() || self.lacks_claims(&profile),
        };
        let provider_error = |cause| provider::provider_error(self.provider, cause);
        let request = if is_needed {
            userinfo::request(config, metadata.userinfo_endpoint(), tokens).map_err(provider_error)?
        } else {
            None
        };
        let Some(request) = request else { return Ok((profile, None)) };
        let response = self.context.ask(self.provider, "userinfo", request).await?;
        let root = config.response_path.as_ref();
        let Some(id_token) = id_token else {
            return userinfo::parse_profile(&response, root).map_err(provider_error);
        };
        let claims = if config.is_signed_response {
            let token = userinfo::signed_token(&response).map_err(provider_error)?;
            let verified = self.context.verify_signature(self.provider, self.oauth, metadata, token).await?;
            userinfo::of_subject(verified.into_claims(), id_token)
        } else {
            userinfo::parse(&response, root, id_token)
        };
        let claims = claims.map_err(provider_error)?;
        if claims.get("email").is_some_and(|email| profile.get("email") != Some(email)) {
            // What the ID token says is about the address in the ID token.
            profile.remove("email_verified");
        }
        profile.extend(claims);
        Ok((profile, None))
    }

    /// Whether the ID token lacks a claim that a scope requests (OpenID Connect Core 1.0 section 5.4) or that the
    /// configuration reads.
    fn lacks_claims(&self, id_token: &Map<String, Value>) -> bool {
        let requested_by_scope = [("profile", "name"), ("email", "email")];
        let scopes = || self.oauth.scope.iter().flat_map(|scope| scope.split_ascii_whitespace());
        let lacks_scope_claim = requested_by_scope
            .iter()
            .any(|(scope, claim)| scopes().any(|s| s == *scope) && !id_token.contains_key(*claim));
        let roots = json::of(&[("profile", Value::Object(id_token.clone()))]);
        let claims = &self.context.config().claims;
        let lacks_configured_claim =
            claims.iter().any(|(_, from)| from.root() == "profile" && from.lookup(&roots).is_none());
        lacks_scope_claim || lacks_configured_claim
    }

    /// Adds to the profile what other places say about the user: the authorization response and the list of e-mail
    /// addresses. The result is what that list says about the address.
    async fn complete_profile(
        &self,
        profile: &mut Map<String, Value>,
        params: &Params,
        tokens: &TokenResponse,
    ) -> Result<Option<EmailVerification>, Error> {
        if let Some(name) = &self.oauth.authorization.callback_profile_param {
            // It came through the browser, so the user may have written it. It stays under its own name.
            let text = params.one(name).map_err(ClientError::from)?;
            profile.remove(name);
            if let Some(values) = text.and_then(|text| json::object(text.as_bytes())) {
                profile.insert(name.clone(), Value::Object(values));
            }
        }
        let Some(emails) = &self.oauth.emails else { return Ok(None) };
        let email = self.email(emails, profile, tokens).await?;
        let (address, verification) = email.map(|email| (email.address, email.verification)).unzip();
        profile.insert("email".to_owned(), address.map_or(Value::Null, Value::from));
        Ok(verification.filter(|_| emails.verified.is_some()))
    }

    /// The user's e-mail address, from the list of their addresses. If the provider refuses to give the list, because
    /// its scope was not requested, the operator's log says so and the sign-in goes on without an address.
    async fn email(
        &self,
        emails: &EmailsConfig,
        profile: &Map<String, Value>,
        tokens: &TokenResponse,
    ) -> Result<Option<ListedEmail>, Error> {
        let Some(url) = &emails.url else {
            return Ok(emails.pick(&Value::Object(profile.clone())));
        };
        let request = userinfo::plain_request(url, &tokens.access_token);
        let response = self.context.ask(self.provider, "emails", request).await?;
        match userinfo::parse_emails(&response, emails) {
            Ok(email) => Ok(email),
            Err(error) if error.is_temporary() => Err(provider::provider_error(self.provider, error)),
            Err(error) => {
                let id = &self.provider.id;
                let message = format_args!("provider {id}: the list of e-mail addresses: {error}");
                self.context.log(Record::new(LogEvent::EmailsRequestFailed, message).provider(id));
                Ok(None)
            }
        }
    }

    /// The user whom the provider authenticated.
    fn identity(
        &self,
        tokens: TokenResponse,
        id_token: Option<&VerifiedIdToken>,
        profile: Map<String, Value>,
        listed_email: Option<EmailVerification>,
    ) -> Result<Identity<'_>, IdentityError> {
        // Without a stated lifetime and without a refresh token, the access token is used for as long as it works.
        let expires_at = (tokens.expires_in.is_some() || tokens.refresh_token.is_some())
            .then(|| tokens.expires_at(self.context.now));
        let claims = ProviderClaims {
            verified: id_token.map(|token| VerifiedClaims {
                subject: token.subject().to_owned(),
                claims: token.claims().clone(),
            }),
            profile,
            account: tokens.raw,
            access_token: jws::decode_unverified(tokens.access_token.expose()),
            listed_email,
        };
        let tokens =
            Tokens { access_token: tokens.access_token, refresh_token: tokens.refresh_token, expires_at };
        Identity::from_claims(self.provider, self.oauth, claims, tokens)
    }
}
