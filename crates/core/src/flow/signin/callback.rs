//! `/callback/:provider`: the browser comes back from the provider, and the session begins.
//!
//! The order of the checks is the order of trust: first that this browser began this sign-in with this
//! provider ([`Transaction`]), then that the response is the provider's answer to it
//! ([`authorize::parse_response`]), then what the provider says over the back channel ([`token`], and the
//! [`VerifiedIdToken`]); only then is there a person to make a session for.

use serde_json::{Map, Value};

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::host_role::HostRole;
use crate::flow::responses::with_cookies;
use crate::flow::signin::create_session::CreatedSession;
use crate::flow::signin::identity::{Identity, IdentityError, ProviderClaims, Tokens, VerifiedClaims};
use crate::flow::{RequestContext, provider};
use crate::platform::{Level, Platform};
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

impl<P: Platform> RequestContext<'_, P> {
    /// Whether that provider posts its authorization responses.
    pub(crate) fn takes_form(&self, provider_id: &str) -> bool {
        let kind = self.provider(provider_id).map(|provider| &provider.kind);
        matches!(kind, Some(ProviderKind::OAuth(oauth)) if oauth.authorization.form_post)
    }

    /// Finishes a sign-in. `params` are the authorization response's: the query, or the body of a form post.
    pub(crate) async fn callback(&self, provider_id: &str, params: &Params) -> Result<Response, Error> {
        // Whatever cookies are there: this host sent nobody to a provider.
        if let HostRole::Member(_) = self.host_role {
            let expected = self.redirect_uri(provider_id);
            return Err(ClientError::NotTheLoginHost { expected }.into());
        }
        let Some(provider) = self.provider(provider_id) else {
            return Err(ClientError::UnsupportedAction("the callback names no configured provider").into());
        };
        let ProviderKind::OAuth(oauth) = &provider.kind else {
            return Err(ClientError::UnsupportedAction("nobody comes back from this kind of provider").into());
        };
        let state = params.one("state").map_err(ClientError::from)?;
        let transaction =
            Transaction::open(state, &provider.id, &self.cookies, &self.config().keys, &self.names, self.now)
                .map_err(ClientError::from)?;

        let finished = SetCookie::expired(transaction.cookie_name(&self.names));
        // An attempt that failed keeps its cookie: where the reason passes, the same callback may still succeed.
        let signing_in = CallbackContext { context: self, provider, oauth, transaction: &transaction };
        let response = signing_in.finish(params).await?;
        Ok(with_cookies(response, vec![finished]))
    }
}

/// One sign-in on its way: through whom, and how it was begun.
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
        let (mut profile, complaint) = self.profile(&metadata, &tokens, id_token.as_ref()).await?;
        let listed_email = self.add_to(&mut profile, params, &tokens).await?;

        let person = self.person(tokens, id_token.as_ref(), profile, listed_email).map_err(|error| {
            let cause = match error {
                IdentityError::ParamClaim(error) => ProviderError::from(IdTokenError::from(error)),
                IdentityError::NoId => UserinfoError::NoId(complaint).into(),
            };
            provider::provider_error(self.provider, cause)
        })?;
        Ok(match context.create_session(person).await? {
            CreatedSession::Session(cookies) => {
                let response = Response::redirect(&self.transaction.return_to);
                // Another site's form brings none of the browser's cookies along.
                let mut all = match context.request.method {
                    Method::Post => cookie::expire_absent(context.cookie_domain(), &context.names, &cookies),
                    _ => Vec::new(),
                };
                all.extend(cookies);
                with_cookies(response, all)
            }
            CreatedSession::Elsewhere(address) => Response::redirect(address.as_str()),
        })
    }

    /// The code for tokens (RFC 6749 section 4.1.3, OpenID Connect Core 1.0 section 3.1.3).
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

    /// The ID token, signature and claims (OpenID Connect Core 1.0 section 3.1.3.7). OAuth 2 alone has none.
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

    /// What the provider says about the person: the ID token's claims, and the userinfo endpoint's where those
    /// lack something that is asked for; of OAuth 2 alone, the latter. And what it may be complaining about
    /// instead.
    async fn profile(
        &self,
        metadata: &ProviderMetadata,
        tokens: &TokenResponse,
        id_token: Option<&VerifiedIdToken>,
    ) -> Result<(Map<String, Value>, Option<ErrorResponse>), Error> {
        let config = &self.oauth.userinfo;
        let mut profile = id_token.map(|token| token.claims().clone()).unwrap_or_default();
        let is_wanted = match config.fetch {
            FetchUserinfo::Never => false,
            FetchUserinfo::Always => true,
            FetchUserinfo::IfNeeded => id_token.is_none() || self.lacks_something(&profile),
        };
        let blame = |cause| provider::provider_error(self.provider, cause);
        let request = if is_wanted {
            userinfo::request(config, metadata.userinfo_endpoint(), tokens).map_err(blame)?
        } else {
            None
        };
        let Some(request) = request else { return Ok((profile, None)) };
        let response = self.context.ask(self.provider, "userinfo", request).await?;
        let root = config.response_path.as_ref();
        let Some(id_token) = id_token else { return userinfo::parse_profile(&response, root).map_err(blame) };
        let claims = if config.is_signed_response {
            let token = userinfo::signed_token(&response).map_err(blame)?;
            let verified = self.context.verify_signature(self.provider, self.oauth, metadata, token).await?;
            userinfo::of_subject(verified.into_claims(), id_token)
        } else {
            userinfo::parse(&response, root, id_token)
        };
        let claims = claims.map_err(blame)?;
        if claims.get("email").is_some_and(|email| profile.get("email") != Some(email)) {
            // What the ID token says is about the address in the ID token.
            profile.remove("email_verified");
        }
        profile.extend(claims);
        Ok((profile, None))
    }

    /// Whether the ID token leaves open what a scope promises (OpenID Connect Core 1.0 section 5.4) or a
    /// configured claim wants.
    fn lacks_something(&self, id_token: &Map<String, Value>) -> bool {
        let promised = [("profile", "name"), ("email", "email")];
        let scopes = || self.oauth.scope.iter().flat_map(|scope| scope.split_ascii_whitespace());
        let scope_open = promised
            .iter()
            .any(|(scope, claim)| scopes().any(|s| s == *scope) && !id_token.contains_key(*claim));
        let roots = json::of(&[("profile", Value::Object(id_token.clone()))]);
        let claims = &self.context.config().claims;
        let claim_open =
            claims.iter().any(|(_, from)| from.root() == "profile" && from.lookup(&roots).is_none());
        scope_open || claim_open
    }

    /// Adds what is said of the person elsewhere: in the authorization response, in a list of addresses. The result is
    /// what that list says about the address.
    async fn add_to(
        &self,
        profile: &mut Map<String, Value>,
        params: &Params,
        tokens: &TokenResponse,
    ) -> Result<Option<EmailVerification>, Error> {
        if let Some(name) = &self.oauth.authorization.callback_profile_param {
            // It came through the browser: whoever holds that can have written it.
            let text = params.one(name).map_err(ClientError::from)?;
            profile.remove(name);
            if let Some(said) = text.and_then(|text| json::object(text.as_bytes())) {
                profile.insert(name.clone(), Value::Object(said));
            }
        }
        let Some(emails) = &self.oauth.emails else { return Ok(None) };
        let email = self.email(emails, profile, tokens).await?;
        let (address, verification) = email.map(|email| (email.address, email.verification)).unzip();
        profile.insert("email".to_owned(), address.map_or(Value::Null, Value::from));
        Ok(verification.filter(|_| emails.verified.is_some()))
    }

    /// The e-mail address out of the list of a person's addresses. A provider that refuses the list was not asked
    /// for its scope, which is for the operator to know and no reason to let nobody in.
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
                let message = format!("provider {}: the list of e-mail addresses: {error}", self.provider.id);
                self.context.log(Level::Warn, "emails_refused", &message);
                Ok(None)
            }
        }
    }

    /// Whom the provider signed in.
    fn person(
        &self,
        tokens: TokenResponse,
        id_token: Option<&VerifiedIdToken>,
        profile: Map<String, Value>,
        listed_email: Option<EmailVerification>,
    ) -> Result<Identity<'_>, IdentityError> {
        // Where nobody says when the token ends and nothing can follow it, it is used until it does.
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
