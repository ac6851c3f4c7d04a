//! A login API of the operator's own: requests built from templates, responses read by paths. Pure functions in pairs,
//! like those in [`oauth`](crate::oauth) for providers that follow a standard.
//!
//! | request | response |
//! |---|---|
//! | [`outbound::build`] with the form's values ([`form`]) | [`login::parse`], then [`login::tokens`] |
//! | [`outbound::build`] with the access token | [`Answers::read_profile`] |
//! | [`refresh::request`] with the session's tokens and cookies | [`refresh::parse`], then [`login::tokens`] |

mod answers;
pub mod form;
pub mod jar;
pub mod login;
pub mod provider;
pub mod refresh;
pub mod refusal;

pub use answers::Answers;

use thiserror::Error;

use crate::data::DataPath;
use crate::oauth::exchange::HttpResponseError;
#[cfg(doc)]
use crate::outbound;
use crate::outbound::HeaderValueError;

/// An error of the API. No variant quotes a response, because it could contain a token; a short code is the exception, and
/// the sender of a secret checks that the code does not repeat it ([`ApiError::without_code_in`]).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiError {
    /// Its response cannot be read.
    #[error("{endpoint}: {cause}")]
    Response {
        /// The request.
        endpoint: &'static str,
        /// What is wrong with the response.
        cause: HttpResponseError,
    },
    /// The response states an error that is not in the list of refusals: the API may recover.
    #[error(
        "{endpoint}: status {status} with {}, which is not in refused_errors",
        code.as_ref().map_or("an error".to_owned(), |code| format!("the error {code}"))
    )]
    Unlisted {
        /// The request.
        endpoint: &'static str,
        /// The status of the response.
        status: u16,
        /// The error, if it is a short and harmless code.
        code: Option<String>,
    },
    /// The response has no access token at the configured path.
    #[error("{endpoint}: the response has no access token at {path}")]
    NoAccessToken {
        /// The request.
        endpoint: &'static str,
        /// The configured path.
        path: DataPath,
    },
    /// A token has characters that a header field must not contain.
    #[error(
        "{endpoint}: the value at {path} is not a token: it has characters that are not allowed in a header field"
    )]
    InvalidToken {
        /// The request.
        endpoint: &'static str,
        /// The path of the value.
        path: DataPath,
    },
    /// The value of a header field, after its placeholders were replaced, is not valid.
    #[error(transparent)]
    InvalidHeader(#[from] HeaderValueError),
    /// The responses do not identify the user.
    #[error("the responses have no text or number for user.id")]
    NoUserId,
    /// The response to the profile request is not a profile.
    #[error("profile: the response is not an object, or says that there is an error")]
    NoProfile,
}

impl ApiError {
    /// The same error without its code, if `is_secret` says that the code repeats a secret.
    #[must_use]
    pub fn without_code_in(mut self, is_secret: impl Fn(&str) -> bool) -> Self {
        if let Self::Unlisted { code, .. } = &mut self
            && code.as_deref().is_some_and(is_secret)
        {
            *code = None;
        }
        self
    }
}
