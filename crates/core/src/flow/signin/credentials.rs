//! `POST /callback/:provider` with credentials: the values of the sign-in form go to your own API, and the session gets
//! the tokens that the API returns.
//!
//! A password goes from the form into one request; it is never stored, logged or shown. The configuration's paths read
//! the API's responses ([`Answers`]).

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, CredentialsError, Error};
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::flow::provider::provider_error;
use crate::flow::responses::with_cookies;
use crate::flow::signin::create_session::CreatedSession;
use crate::flow::signin::identity::Identity;
use crate::flow::signin::persistence;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::credentials::form::{FormError, FormValues};
use vestibule_oidc::credentials::login::{self, DEFAULT_CODE, LoginError, Tokens};
use vestibule_oidc::credentials::provider::CredentialsProvider;
use vestibule_oidc::credentials::{Answers, ApiError};
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::outbound::{self, ApiRequest};

impl<P: Platform> RequestContext<'_, P> {
    /// Signs the user in with the values of the sign-in form.
    pub(crate) async fn sign_in_by_credentials(
        &self,
        provider_id: &str,
        query: &Params,
        body: &Params,
    ) -> Result<Response, Error> {
        if let HostRole::Preview(_) = self.host_role {
            // A preview host's page is not where people should type their passwords.
            let expected = self.redirect_uri(provider_id);
            return Err(ClientError::NotTheLoginHost { expected }.into());
        }
        let Some(provider) = self.provider(provider_id) else {
            return Err(ClientError::UnsupportedAction("the callback names no configured provider").into());
        };
        let ProviderKind::Credentials(credentials) = &provider.kind else {
            return Err(
                ClientError::UnsupportedAction("this provider's callback is a GET, not a POST").into()
            );
        };
        let form = self.form_context(query, Some(body))?;
        form.verify_csrf(body)?;
        form.refuse_long_address()?;

        let values = FormValues::read(&credentials.fields, body).map_err(|cause| match cause {
            FormError::Duplicate(duplicate) => ClientError::from(duplicate),
            cause => rejected(provider, cause),
        })?;
        self.check_login_limit(provider, &values.account_name(&credentials.fields))
            .await
            .map_err(|cause| rejected(provider, cause))?;
        let mut answers = self.log_in(provider, credentials, &values).await?;
        let mut tokens = self.login_tokens(provider, credentials, &mut answers)?;
        if let Some(profile) = &credentials.profile {
            self.fetch_profile(provider, profile, &tokens, &mut answers).await?;
            // The response may have set newer cookies, and the tokens may be in cookies.
            tokens = self.login_tokens(provider, credentials, &mut answers)?;
        }

        if let (Some(path), None) = (&credentials.login.tokens.refresh_token, &tokens.refresh_token) {
            let id = &provider.id;
            let message = format_args!("provider {id}: the login's response has no refresh token at {path}");
            self.log(Record::new(LogEvent::RefreshTokenMissing, message).provider(id));
        }

        let mut identity = described_identity(provider, credentials, tokens, &answers, None)?;
        let is_kept = persistence::chosen(body).map_err(ClientError::from)?.unwrap_or(false);
        identity.extra_claims.extend(self.persistence_claim(is_kept));
        let response = match self.create_session(identity).await? {
            CreatedSession::Session(mut cookies) => {
                cookies.extend(self.forgotten_form());
                with_cookies(Response::redirect(form.return_to.as_str()), cookies)
            }
            CreatedSession::Redirect(to) => Response::redirect(to.as_str()),
            CreatedSession::Ended => Response::redirect(self.sign_in_page(form.return_to.as_str())),
        };
        Ok(with_cookies(response, form.cookies))
    }

    /// Sends the values of the form to the API. An error if the API rejects them.
    async fn log_in(
        &self,
        provider: &Provider,
        credentials: &CredentialsProvider,
        values: &FormValues<'_>,
    ) -> Result<Answers, Error> {
        let login = &credentials.login;
        let find = |path: &_| values.find(path);
        // The configuration's part of a header field is already checked, so the user's value is at fault.
        let request = outbound::build("login", &login.request, self.client_address(), &find)
            .map_err(|cause| rejected(provider, CredentialsError::Header(cause)))?;
        let response = self.ask(provider, "login", request).await?;
        let is_secret =
            |code: &str| values.holds(code) || login.request.templates().any(|sent| sent.is_secret(code));
        login::parse(login, &response, self.now).map_err(|cause| match cause {
            LoginError::Api(cause) => provider_error(provider, cause.without_code_in(is_secret)),
            LoginError::Rejected(mut answer) => {
                // An API may repeat the rejected value as its error code. That value must not get into a URL.
                if is_secret(&answer.code) {
                    DEFAULT_CODE.clone_into(&mut answer.code);
                }
                rejected(provider, answer).into()
            }
        })
    }

    /// The tokens in the API's responses so far.
    fn login_tokens(
        &self,
        provider: &Provider,
        credentials: &CredentialsProvider,
        answers: &mut Answers,
    ) -> Result<Tokens, Error> {
        let tokens = login::tokens("login", &credentials.login.tokens, answers, self.now)
            .map_err(|cause| provider_error(provider, cause))?;
        answers.set_access_token(&tokens.access_token);
        Ok(tokens)
    }

    /// Fetches the user's profile from the API, with the access token and the cookies that the API set.
    pub(crate) async fn fetch_profile(
        &self,
        provider: &Provider,
        profile: &ApiRequest,
        tokens: &Tokens,
        answers: &mut Answers,
    ) -> Result<(), Error> {
        let find = |path: &_| answers.find_for_request(path);
        let mut request = outbound::build("profile", profile, self.client_address(), &find)
            .map_err(|cause| provider_error(provider, ApiError::from(cause)))?;
        if !request.headers.contains("authorization") {
            request.headers.set("authorization", format!("Bearer {}", tokens.access_token.expose()));
        }
        if let Some(cookies) = answers.jar.field_for(&profile.url) {
            request.headers.set("cookie", cookies);
        }
        let response = self.ask(provider, "profile", request).await?;
        answers
            .read_profile(&profile.url, &response, self.now)
            .map_err(|cause| provider_error(provider, cause))
    }
}

/// The user whom the API identified, as the configuration's paths read its responses. `known_subject` is the user's id,
/// where it is known and the responses need not say it again.
pub(crate) fn described_identity<'a>(
    provider: &'a Provider,
    credentials: &CredentialsProvider,
    tokens: Tokens,
    answers: &Answers,
    known_subject: Option<String>,
) -> Result<Identity<'a>, Error> {
    let user = &credentials.user;
    let text = |source: &Option<_>| source.as_ref().and_then(|source| answers.text(source)).map(Value::from);
    let mut extra_claims = Vec::new();
    if let Some(at) = tokens.refresh_expires_at {
        extra_claims.push(("refresh_expires_at", json!(at.seconds())));
    }
    let kept_cookies = credentials.refresh.iter().flat_map(|refresh| &refresh.kept_cookies);
    let mut cookies = Map::new();
    for name in kept_cookies {
        if let Some(cookie) = answers.jar.find(name) {
            cookies.insert(name.clone(), cookie.value.expose().into());
        }
    }
    if !cookies.is_empty() {
        extra_claims.push(("api_cookies", Value::Object(cookies)));
    }
    let email = user.email.as_ref().and_then(|source| answers.text(source));
    let email_verification = match &email {
        Some(address) => provider.email.statements.read(address, &|path| answers.find(path)),
        None => EmailVerification::Unstated,
    };
    Ok(Identity {
        provider,
        subject: answers
            .identifier(&user.id)
            .or(known_subject)
            .ok_or_else(|| provider_error(provider, ApiError::NoUserId))?,
        name: text(&user.name),
        email: email.map(Value::from),
        email_verification,
        image: text(&user.image),
        access_token: Some(tokens.access_token),
        refresh_token: tokens.refresh_token,
        id_token: None,
        expires_at: tokens.expires_at,
        extra_claims,
        account: Map::new(),
        sources: vec![("profile", answers.profile.clone()), ("login", answers.login.clone())],
    })
}

fn rejected(provider: &Provider, cause: impl Into<CredentialsError>) -> ClientError {
    ClientError::Credentials { provider: provider.id.clone(), cause: cause.into() }
}
