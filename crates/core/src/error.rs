//! What can go wrong on an auth route, grouped by its source: the client, the provider or the configuration. Each
//! error has the code that Auth.js gives in its place, and a message for the operator's log.

use std::time::Duration;

use thiserror::Error;

use crate::guard::cross_origin::CrossOriginError;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::BodyError;
use crate::session::csrf::CsrfError;
use crate::session::transaction::TransactionError;
use vestibule_oidc::credentials::ApiError;
use vestibule_oidc::credentials::form::FormError;
use vestibule_oidc::credentials::login::{DEFAULT_CODE, LoginRejectedError, RATE_LIMITED};
use vestibule_oidc::http::client::FetchError;
use vestibule_oidc::http::form::DuplicateParameterError;
use vestibule_oidc::http::return_to::MAX_LENGTH;
use vestibule_oidc::jose::encrypted::EncryptedTokenError;
use vestibule_oidc::jose::jws::JwsError;
use vestibule_oidc::oauth::access_token::AccessTokenError;
use vestibule_oidc::oauth::authorize::{AuthorizationResponseError, ParameterError};
use vestibule_oidc::oauth::discovery::DiscoveryError;
use vestibule_oidc::oauth::dpop_proof::ProofError;
use vestibule_oidc::oauth::id_token::IdTokenError;
use vestibule_oidc::oauth::introspection::IntrospectionError;
use vestibule_oidc::oauth::jarm::JarmError;
use vestibule_oidc::oauth::jwks::JwksError;
use vestibule_oidc::oauth::pushed::PushedRequestError;
use vestibule_oidc::oauth::revocation::RevocationError;
use vestibule_oidc::oauth::token::TokenError;
use vestibule_oidc::oauth::userinfo::UserinfoError;
use vestibule_oidc::outbound::HeaderValueError;
use vestibule_oidc::time::seconds_to_wait;

/// Why an auth route failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The client sent a request that cannot be served.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The provider failed, or could not be reached.
    #[error("provider {provider}: {cause}")]
    Provider {
        /// The provider's id in the configuration.
        provider: String,
        /// What went wrong.
        cause: ProviderError,
    },
    /// The configuration requires something that is impossible.
    #[error("configuration: {0}")]
    Configuration(String),
}

/// Why a client's request cannot be served.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There is no such auth route, or it has another method.
    #[error("no auth route {method} {path}")]
    UnknownAction {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
    },
    /// The route exists, but does not support this.
    #[error("{0}")]
    UnsupportedAction(&'static str),
    /// A link leads to the address where a sign-in with a provider begins with a form.
    #[error("a sign-in with a provider must begin with POST")]
    PlainLink,
    /// The provider authenticated the user, but `allow` or a hook does not let them sign in.
    #[error("this user is not allowed to sign in")]
    AccessDenied,
    /// The CSRF token is missing, or differs from the one in the cookie.
    #[error(transparent)]
    MissingCsrf(#[from] CsrfError),
    /// The page that the browser came from has too long an address to come back to.
    #[error("the return address has more than {MAX_LENGTH} bytes without its origin")]
    ReturnAddressTooLong,
    /// A parameter is repeated.
    #[error(transparent)]
    Duplicate(#[from] DuplicateParameterError),
    /// A parameter for the authorization request has a value that cannot be passed on.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body does not match its `Content-Type`.
    #[error(
        "the content-type is application/json, but the body is not the JSON object that this route reads"
    )]
    MalformedBody,
    /// After the update the session would no longer fit into cookies.
    #[error("the updated session does not fit into cookies")]
    UpdateTooLarge,
    /// The browser came to the callback of a host that is not the login host.
    #[error("this host is not the login host: register {expected} as the only redirect URI at the provider")]
    NotTheLoginHost {
        /// The callback's address on the login host.
        expected: String,
    },
    /// The request of a client does not prove that the client has the key to which its access token is bound.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A page of another origin made the browser send the request.
    #[error(transparent)]
    CrossOrigin(#[from] CrossOriginError),
    /// The callback does not belong to a sign-in that this browser began.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The user's credentials are not accepted.
    #[error("provider {provider}: {cause}")]
    Credentials {
        /// The provider's id in the configuration.
        provider: String,
        /// The reason.
        cause: CredentialsError,
    },
}

/// Why the credentials in a sign-in form are not accepted.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A field is missing or malformed; nothing was sent to the API.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A field's value cannot be sent in a header field; nothing was sent to the API.
    #[error("{0}")]
    Header(HeaderValueError),
    /// The API rejected them.
    #[error(transparent)]
    Api(#[from] LoginRejectedError),
    /// There were too many attempts; nothing was sent to the API.
    #[error(transparent)]
    TooManyAttempts(#[from] TooManyAttemptsError),
}

/// What there were too many sign-in forms of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TooManyAttemptsError {
    /// For one account, from one address.
    #[error("too many attempts to sign in to one account from one address; nothing was sent to the API")]
    OfAccountAtAddress,
    /// From one address.
    #[error("too many attempts to sign in from one address; nothing was sent to the API")]
    OfAddress,
    /// For one account.
    #[error("too many attempts to sign in to one account, from many addresses; nothing was sent to the API")]
    OfAccount,
}

/// What went wrong at a provider.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// An endpoint gave no answer.
    #[error("{endpoint} gave no answer: {cause}")]
    Unreachable {
        /// The endpoint's name: `token`, `jwks`, …
        endpoint: &'static str,
        /// What happened.
        cause: FetchError,
    },
    /// A request to the endpoint failed a moment ago, so no further request is sent yet.
    #[error("{endpoint} gave no answer a moment ago; the next request is sent later")]
    RecentlyFailed {
        /// The endpoint's name.
        endpoint: &'static str,
    },
    /// The key of a token is unknown, and newer keys are unavailable at the moment. The token may be signed with one of them.
    #[error(
        "{cause}; newer keys are unavailable at the moment: a key that is unknown lets them be fetched once a minute, so the \
         token may be sent again in {} s", seconds_to_wait(*retry_after)
    )]
    NoNewerKeys {
        /// What the known keys say of the token.
        cause: JwsError,
        /// How long to wait before it is sent again.
        retry_after: Duration,
    },
    /// The provider's metadata are invalid.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The key set is invalid.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// The authorization request was not accepted when it was pushed.
    #[error(transparent)]
    Pushed(#[from] PushedRequestError),
    /// The signed authorization response is invalid.
    #[error(transparent)]
    SignedResponse(#[from] JarmError),
    /// The authorization response is an error, or is not this provider's response.
    #[error(transparent)]
    Authorization(#[from] AuthorizationResponseError),
    /// The token endpoint rejected the grant, or its response is invalid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The ID token's signature is invalid.
    #[error("id_token: {0}")]
    Signature(#[from] JwsError),
    /// An encrypted response.
    #[error("{0}")]
    Encrypted(#[from] EncryptedTokenError),
    /// The ID token's claims are invalid.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// The profile does not have the type that the hooks declare.
    #[error("the profile does not match the type that the hooks declare: {0}")]
    Profile(serde_json::Error),
    /// The access token that a client sent is invalid.
    #[error(transparent)]
    AccessToken(#[from] AccessTokenError),
    /// The provider did not say what an access token is that a client sent.
    #[error(transparent)]
    Introspection(#[from] IntrospectionError),
    /// The userinfo response is invalid.
    #[error(transparent)]
    Userinfo(#[from] UserinfoError),
    /// The provider did not revoke a token.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The response of a credentials provider's API is invalid.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// The code of a sign-in that cannot end any more: it took too long, or was finished before.
pub(crate) const SIGN_IN_EXPIRED: &str = "SignInExpired";

/// The code of a return address that is too long.
pub(crate) const ADDRESS_TOO_LONG: &str = "ReturnAddressTooLong";

/// The page that shows an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPage {
    /// The sign-in page, which shows the error above the providers.
    SignIn,
    /// The error page.
    Error,
}

/// The error of a provider that does not know a parameter, or its value (RFC 6749 section 4.1.2.1).
pub(crate) const INVALID_REQUEST: &str = "invalid_request";

impl Error {
    /// The code for Auth.js's clients and pages. An error that clients should not learn about is `Configuration`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Client(ClientError::MissingCsrf(_)) => "MissingCSRF",
            Self::Client(ClientError::AccessDenied) => "AccessDenied",
            Self::Client(ClientError::ReturnAddressTooLong) => ADDRESS_TOO_LONG,
            Self::Provider {
                cause: ProviderError::Authorization(AuthorizationResponseError::Error(_)),
                ..
            } => "OAuthCallbackError",
            Self::Client(ClientError::Credentials { .. }) => "CredentialsSignin",
            _ => "Configuration",
        }
    }

    /// The query parameters for the page that shows the error: `error`, and `code` for rejected credentials.
    pub fn parameters(&self) -> Vec<(&'static str, &str)> {
        let mut parameters = vec![("error", self.code())];
        if let Self::Client(ClientError::Credentials { cause, .. }) = self {
            let code = match cause {
                CredentialsError::Api(rejected) => &rejected.code,
                CredentialsError::Form(_) | CredentialsError::Header(_) => DEFAULT_CODE,
                CredentialsError::TooManyAttempts(_) => RATE_LIMITED,
            };
            parameters.push(("code", code));
        }
        parameters
    }

    /// Whether the provider answered with [`INVALID_REQUEST`]: nothing is said about the account then.
    pub(crate) fn is_misunderstood(&self) -> bool {
        matches!(
            self,
            Self::Provider {
                cause: ProviderError::Authorization(AuthorizationResponseError::Error(answer)),
                ..
            } if answer.error == INVALID_REQUEST
        )
    }

    /// The API's own code, if it rejected the credentials with one.
    pub fn api_code(&self) -> Option<&str> {
        match self {
            Self::Client(ClientError::Credentials { cause: CredentialsError::Api(rejected), .. }) => {
                Some(rejected.code.as_str()).filter(|code| *code != DEFAULT_CODE)
            }
            _ => None,
        }
    }

    /// The page that shows the error.
    pub fn page(&self) -> ErrorPage {
        match self.code() {
            "Configuration" | "AccessDenied" | ADDRESS_TOO_LONG => ErrorPage::Error,
            _ => ErrorPage::SignIn,
        }
    }

    /// Whether the request is malformed, so that the answer is 400 and not a redirect to a page.
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

    /// Whether there were too many attempts to sign in.
    pub fn is_rate_limited(&self) -> bool {
        matches!(
            self,
            Self::Client(ClientError::Credentials { cause: CredentialsError::TooManyAttempts(_), .. })
        )
    }

    /// How long to wait before the same request is sent again, if it may succeed then.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Provider { cause: ProviderError::NoNewerKeys { retry_after, .. }, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// Whose error it is.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            // Anyone can invent a key.
            Self::Client(_) | Self::Provider { cause: ProviderError::NoNewerKeys { .. }, .. } => {
                ErrorSource::Client
            }
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
            _ if self.is_rate_limited() => LogEvent::LoginLimited,
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
