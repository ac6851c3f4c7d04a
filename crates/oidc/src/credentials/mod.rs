//! An API of one's own that signs people in: requests built from templates, answers read by paths. Pure, in
//! pairs, as [`oauth`](crate::oauth) is for providers that follow a standard.
//!
//! | request | answer |
//! |---|---|
//! | [`outbound::build`] with what was filled in ([`form`]) | [`login::parse`], then [`login::tokens`] |
//! | [`outbound::build`] with the token | [`Answers::profile_answered`] |
//! | [`refresh::request`] with what the session has | [`refresh::parse`], then [`login::tokens`] |

mod answers;
pub mod form;
pub mod jar;
pub mod login;
pub mod provider;
pub mod refresh;

pub use answers::Answers;

use thiserror::Error;

use crate::data::DataPath;
use crate::oauth::exchange::AnswerError;
#[cfg(doc)]
use crate::outbound;
use crate::outbound::HeaderValueError;

/// What the API did wrong. Nothing here quotes an answer: it could hold a token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiError {
    /// Its answer is none that can be read.
    #[error("{endpoint}: {cause}")]
    Answer {
        /// To which request.
        endpoint: &'static str,
        /// What is wrong with it.
        cause: AnswerError,
    },
    /// There is no access token where the configuration says.
    #[error("{endpoint}: the answer has no access token at {path}")]
    NoAccessToken {
        /// In the answer to which request.
        endpoint: &'static str,
        /// Where it should be.
        path: DataPath,
    },
    /// A token has characters that a header field cannot carry.
    #[error("{endpoint}: what stands at {path} is no token: it has characters that no header field carries")]
    UnfitToken {
        /// In the answer to which request.
        endpoint: &'static str,
        /// Where it stands.
        path: DataPath,
    },
    /// A header field's template gave something that is none.
    #[error(transparent)]
    UnfitHeader(#[from] HeaderValueError),
    /// Nothing says who signed in.
    #[error("the answers have no text or number for user.id")]
    NoUserId,
}
