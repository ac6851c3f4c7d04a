//! Where an answer of the API's has its tokens, as it is written.

use crate::config::check::names::RESPONSE_ROOTS;
use crate::config::check::providers::user::answer_path;
use crate::config::place::refuse;
use crate::config::table::Table;
use vestibule_oidc::credentials::provider::Expiry;
use vestibule_oidc::data::DataPath;

/// What of it is written, and good.
pub(super) struct WrittenTokens {
    pub(super) access_token: Option<DataPath>,
    pub(super) refresh_token: Option<DataPath>,
    pub(super) expires: Option<Expiry>,
    pub(super) refresh_expires: Option<Expiry>,
}

pub(super) fn tokens(answer: &Table<'_>) -> WrittenTokens {
    let path = |key: &str| answer_path(&answer.text(key)?, &RESPONSE_ROOTS);
    let expiry = |span: &str, time: &str| match (path(span), path(time)) {
        (Some(_), Some(_)) => {
            refuse!(answer.at(span), "{span} and {time} exclude each other; write one of them");
            None
        }
        (Some(span), None) => Some(Expiry::In(span)),
        (None, time) => time.map(Expiry::At),
    };
    WrittenTokens {
        access_token: path("access_token"),
        refresh_token: path("refresh_token"),
        expires: expiry("expires_in", "expires_at"),
        refresh_expires: expiry("refresh_expires_in", "refresh_expires_at"),
    }
}

/// What is there when the API refuses.
pub(super) fn error(answer: &Table<'_>) -> Option<DataPath> {
    answer_path(&answer.text("error")?, &["body", "header"])
}
