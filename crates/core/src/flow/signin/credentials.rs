//! `POST /callback/:provider` of an API of one's own: what was filled in goes to the API, and the session
//! begins with the tokens that it gives.
//!
//! Nothing here looks at a password: it goes from the form into one request, and is in nothing that is kept,
//! logged or shown. What the API's answer says is read by the configuration's paths ([`Answers`]).

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, CredentialsError, Error};
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::flow::responses::with_cookies;
use crate::flow::signin::create_session::CreatedSession;
use crate::flow::signin::identity::Identity;
use crate::platform::{Level, Platform};
use vestibule_oidc::credentials::form::{FormError, FormValues};
use vestibule_oidc::credentials::login::{self, DEFAULT_CODE, LoginError, Tokens};
use vestibule_oidc::credentials::provider::CredentialsProvider;
use vestibule_oidc::credentials::{Answers, ApiError};
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::outbound::{self, ApiRequest};

impl<P: Platform> RequestContext<'_, P> {
    /// Signs in with what was filled in.
    pub(crate) async fn sign_in_by_credentials(
        &self,
        provider_id: &str,
        query: &Params,
        body: &Params,
    ) -> Result<Response, Error> {
        let Some(provider) = self.provider(provider_id) else {
            return Err(ClientError::UnsupportedAction("the callback names no configured provider").into());
        };
        let ProviderKind::Credentials(credentials) = &provider.kind else {
            return Err(
                ClientError::UnsupportedAction("this kind of provider sends nobody back by POST").into()
            );
        };
        let form = self.form_context(query, Some(body))?;
        form.verify_csrf(body)?;

        let filled = FormValues::read(&credentials.fields, body).map_err(|cause| match cause {
            FormError::Duplicate(duplicate) => ClientError::from(duplicate),
            cause => refused(provider, cause),
        })?;
        let mut facts = self.log_in(provider, credentials, &filled).await?;
        let mut tokens = self.login_tokens(provider, credentials, &mut facts)?;
        if let Some(profile) = &credentials.profile {
            self.ask_for_profile(provider, profile, &tokens, &mut facts).await?;
            // That answer may have brought newer cookies, and with them newer tokens.
            tokens = self.login_tokens(provider, credentials, &mut facts)?;
        }

        if let (Some(path), None) = (&credentials.login.tokens.refresh_token, &tokens.refresh_token) {
            let message = format!("provider {}: the answer has no refresh token at {path}", provider.id);
            self.log(Level::Warn, "refresh_token_absent", &message);
        }

        let person = person(provider, credentials, tokens, facts)?;
        let signed_in = match self.create_session(person).await? {
            CreatedSession::Session(cookies) => {
                with_cookies(Response::redirect(form.return_to.as_str()), cookies)
            }
            CreatedSession::Elsewhere(to) => Response::redirect(to.as_str()),
        };
        Ok(with_cookies(signed_in, form.cookies))
    }

    /// Asks the API whether what was filled in is right.
    async fn log_in(
        &self,
        provider: &Provider,
        credentials: &CredentialsProvider,
        filled: &FormValues<'_>,
    ) -> Result<Answers, Error> {
        let login = &credentials.login;
        let find = |path: &_| filled.find(path);
        // The configuration's own part of a header field was checked: the rest was filled in.
        let request = outbound::build("login", &login.request, self.client_address(), &find)
            .map_err(|cause| refused(provider, CredentialsError::Header(cause)))?;
        let response = self.ask(provider, "login", request).await?;
        login::parse(login, &response, self.now).map_err(|cause| match cause {
            LoginError::Api(cause) => provider_error(provider, cause),
            LoginError::Rejected(mut answer) => {
                // An API that says which value it did not like must not have us put it into a URL.
                if filled.holds(&answer.code) {
                    DEFAULT_CODE.clone_into(&mut answer.code);
                }
                refused(provider, answer).into()
            }
        })
    }

    /// The tokens in what is known so far.
    fn login_tokens(
        &self,
        provider: &Provider,
        credentials: &CredentialsProvider,
        facts: &mut Answers,
    ) -> Result<Tokens, Error> {
        let tokens = login::tokens("login", &credentials.login.tokens, facts, self.now)
            .map_err(|cause| provider_error(provider, cause))?;
        facts.set_access_token(&tokens.access_token);
        Ok(tokens)
    }

    /// Asks the API who that is: with the token, and with the cookies that it wants to see again.
    async fn ask_for_profile(
        &self,
        provider: &Provider,
        profile: &ApiRequest,
        tokens: &Tokens,
        facts: &mut Answers,
    ) -> Result<(), Error> {
        let find = |path: &_| facts.find_for_request(path);
        let mut request = outbound::build("profile", profile, self.client_address(), &find)
            .map_err(|cause| provider_error(provider, ApiError::from(cause)))?;
        if !request.headers.contains("authorization") {
            request.headers.set("authorization", format!("Bearer {}", tokens.access_token.expose()));
        }
        if let Some(cookies) = facts.jar.field_for(&profile.url) {
            request.headers.set("cookie", cookies);
        }
        let response = self.ask(provider, "profile", request).await?;
        facts.read_profile(&profile.url, &response, self.now).map_err(|cause| provider_error(provider, cause))
    }
}

/// Whom the API signed in, as the configuration reads its answers.
fn person<'a>(
    provider: &'a Provider,
    credentials: &CredentialsProvider,
    tokens: Tokens,
    facts: Answers,
) -> Result<Identity<'a>, Error> {
    let user = &credentials.user;
    let text = |source: &Option<_>| source.as_ref().and_then(|source| facts.text(source)).map(Value::from);
    let mut kept = Vec::new();
    if let Some(at) = tokens.refresh_expires_at {
        kept.push(("refresh_expires_at", json!(at.seconds())));
    }
    let kept_cookies = credentials.refresh.iter().flat_map(|refresh| &refresh.kept_cookies);
    let mut cookies = Map::new();
    for name in kept_cookies {
        if let Some(cookie) = facts.jar.find(name) {
            cookies.insert(name.clone(), cookie.value.expose().into());
        }
    }
    if !cookies.is_empty() {
        kept.push(("api_cookies", Value::Object(cookies)));
    }
    let email = user.email.as_ref().and_then(|source| facts.text(source));
    let email_verification = match &email {
        Some(address) => provider.email.statements.read(address, &|path| facts.find(path)),
        None => EmailVerification::Unstated,
    };
    Ok(Identity {
        provider,
        subject: facts.identifier(&user.id).ok_or_else(|| provider_error(provider, ApiError::NoUserId))?,
        name: text(&user.name),
        email: email.map(Value::from),
        email_verification,
        image: text(&user.image),
        access_token: Some(tokens.access_token),
        refresh_token: tokens.refresh_token,
        expires_at: tokens.expires_at,
        kept,
        account: Map::new(),
        sources: vec![("profile", facts.profile), ("login", facts.login)],
    })
}

fn refused(provider: &Provider, cause: impl Into<CredentialsError>) -> ClientError {
    ClientError::Credentials { provider: provider.id.clone(), cause: cause.into() }
}
