//! What can go wrong on an auth route, by whose error it is. Each error knows the answer that Auth.js gives
//! in its place, and what the operator's log says.

use thiserror::Error;

use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::BodyError;
use crate::session::csrf::CsrfError;
use crate::session::transaction::TransactionError;
use vestibule_oidc::credentials::ApiError;
use vestibule_oidc::credentials::form::FormError;
use vestibule_oidc::credentials::login::{DEFAULT_CODE, LoginRejectedError};
use vestibule_oidc::http::client::FetchError;
use vestibule_oidc::http::form::DuplicateParameterError;
use vestibule_oidc::jose::jws::JwsError;
use vestibule_oidc::oauth::access_token::AccessTokenError;
use vestibule_oidc::oauth::authorize::{AuthorizationResponseError, ParameterError};
use vestibule_oidc::oauth::discovery::DiscoveryError;
use vestibule_oidc::oauth::id_token::IdTokenError;
use vestibule_oidc::oauth::jwks::JwksError;
use vestibule_oidc::oauth::token::TokenError;
use vestibule_oidc::oauth::userinfo::UserinfoError;
use vestibule_oidc::outbound::HeaderValueError;

/// Why an auth route could not do what was asked of it.
#[derive(Debug, Error)]
pub enum Error {
    /// The browser, or what somebody makes it send, is to blame.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The provider is to blame, or the way to it.
    #[error("provider {provider}: {cause}")]
    Provider {
        /// The provider's id in the configuration.
        provider: String,
        /// What it did.
        cause: ProviderError,
    },
    /// The configuration is to blame: it asks for something that cannot be.
    #[error("configuration: {0}")]
    Configuration(String),
}

/// What a client sent that cannot be answered as asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No such route, or not with that method.
    #[error("no auth route {method} {path}")]
    UnknownAction {
        /// The request's method.
        method: String,
        /// Its path.
        path: String,
    },
    /// The route exists, but cannot do that.
    #[error("{0}")]
    UnsupportedAction(&'static str),
    /// Whom the provider signed in is not allowed to sign in here.
    #[error("this person is not allowed to sign in")]
    AccessDenied,
    /// The csrf token is missing, or not the one in the cookie.
    #[error(transparent)]
    MissingCsrf(#[from] CsrfError),
    /// A parameter came twice.
    #[error(transparent)]
    Duplicate(#[from] DuplicateParameterError),
    /// A parameter for the provider is not one that can be passed on.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body is not what its `Content-Type` says.
    #[error("the body is not the JSON that its content-type says it is")]
    MalformedBody,
    /// The page wants to put more into its session than cookies hold.
    #[error("the update makes the session larger than cookies hold")]
    UpdateTooLarge,
    /// The provider sent the browser to a host that does not sign people in, or somebody else did.
    #[error(
        "this host does not sign people in: register {expected} with the provider as the only redirect URI"
    )]
    NotTheLoginHost {
        /// The callback's address on the login host.
        expected: String,
    },
    /// The callback belongs to no sign-in that this browser began.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// What was filled in signs nobody in.
    #[error("provider {provider}: {cause}")]
    Credentials {
        /// The provider's id in the configuration.
        provider: String,
        /// Why not.
        cause: CredentialsError,
    },
}

/// Why what was filled in signs nobody in.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The API was not asked.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The API was not asked: what was filled in would have to go into a header field, and cannot.
    #[error("{0}")]
    Header(HeaderValueError),
    /// The API said no.
    #[error(transparent)]
    Api(#[from] LoginRejectedError),
}

/// What a provider did.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// It gave no answer.
    #[error("{endpoint} gave no answer: {cause}")]
    Unreachable {
        /// Which of its endpoints.
        endpoint: &'static str,
        /// What happened.
        cause: FetchError,
    },
    /// It was asked a moment ago, gave no answer, and is not asked again so soon.
    #[error("{endpoint} gave no answer a moment ago, and is not asked again so soon")]
    RecentlyFailed {
        /// Which of its endpoints.
        endpoint: &'static str,
    },
    /// Its configuration document is wrong.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// Its key set is wrong.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// It sent the browser back with an error, or with a response that is not one of its own.
    #[error(transparent)]
    Authorization(#[from] AuthorizationResponseError),
    /// It refused the code, or its token response is wrong.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its ID token's signature does not hold.
    #[error("id_token: {0}")]
    Signature(#[from] JwsError),
    /// Its ID token is not to be believed.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// What it says of the person is not what the app's hooks are made for.
    #[error("the profile has not the shape that the hooks want: {0}")]
    Profile(serde_json::Error),
    /// An access token of its own, which a client brought, is not to be believed.
    #[error(transparent)]
    AccessToken(#[from] AccessTokenError),
    /// Its userinfo response is wrong.
    #[error(transparent)]
    Userinfo(#[from] UserinfoError),
    /// An API of one's own gave an answer that is none.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Where a browser is sent to read about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPage {
    /// The sign-in page, which shows it above the providers.
    SignIn,
    /// The error page.
    Error,
}

impl Error {
    /// The code that Auth.js's clients and pages know; everything they should not know is `Configuration`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Client(ClientError::MissingCsrf(_)) => "MissingCSRF",
            Self::Client(ClientError::AccessDenied) => "AccessDenied",
            Self::Provider {
                cause: ProviderError::Authorization(AuthorizationResponseError::Error(_)),
                ..
            } => "OAuthCallbackError",
            Self::Client(ClientError::Credentials { .. }) => "CredentialsSignin",
            _ => "Configuration",
        }
    }

    /// What the page that shows the error is told: `error`, and `code` where the code has a second part.
    pub fn parameters(&self) -> Vec<(&'static str, &str)> {
        let mut parameters = vec![("error", self.code())];
        if let Self::Client(ClientError::Credentials { cause, .. }) = self {
            let code = match cause {
                CredentialsError::Api(refused) => &refused.code,
                CredentialsError::Form(_) | CredentialsError::Header(_) => DEFAULT_CODE,
            };
            parameters.push(("code", code));
        }
        parameters
    }

    /// Which page shows it.
    pub fn page(&self) -> ErrorPage {
        match self.code() {
            "Configuration" | "AccessDenied" => ErrorPage::Error,
            _ => ErrorPage::SignIn,
        }
    }

    /// Whether the request is broken beyond a page: it is answered with 400 and no redirect.
    pub fn is_bad_request(&self) -> bool {
        matches!(
            self,
            Self::Client(
                ClientError::UnknownAction { .. }
                    | ClientError::Duplicate(_)
                    | ClientError::Parameter(_)
                    | ClientError::Body(_)
                    | ClientError::MalformedBody
                    | ClientError::UpdateTooLarge
            )
        )
    }

    /// Whose error it is.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Client(_) => ErrorSource::Client,
            Self::Provider { .. } => ErrorSource::Provider,
            Self::Configuration(_) => ErrorSource::Configuration,
        }
    }

    /// The id of the provider that it happened with, where it happened with one.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Provider { provider, .. } | Self::Client(ClientError::Credentials { provider, .. }) => {
                Some(provider)
            }
            Self::Client(_) | Self::Configuration(_) => None,
        }
    }

    /// What the operator's log says where an auth route failed. No variant holds a token or a secret, so none can be in
    /// it.
    pub fn record(&self) -> Record {
        let event = match self {
            Self::Provider {
                cause: ProviderError::Authorization(AuthorizationResponseError::Error(_)),
                ..
            } => LogEvent::AuthorizationErrorResponse,
            _ => LogEvent::AuthError,
        };
        self.record_as(event).code(self.code())
    }

    /// The same as another event.
    pub(crate) fn record_as(&self, event: LogEvent) -> Record {
        let record = Record::new(event, self).caused_by(self.error_source());
        match self.provider() {
            Some(provider) => record.provider(provider),
            None => record,
        }
    }
}
