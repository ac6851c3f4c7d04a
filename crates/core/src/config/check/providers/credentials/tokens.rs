//! The paths of the tokens in a response of the API.

use crate::config::check::names::RESPONSE_ROOTS;
use crate::config::check::providers::user::response_path;
use crate::config::place::refuse;
use crate::config::table::Table;
use vestibule_oidc::credentials::provider::Expiry;
use vestibule_oidc::data::DataPath;

/// The paths that are written and valid.
pub(super) struct WrittenTokens {
    pub(super) access_token: Option<DataPath>,
    pub(super) refresh_token: Option<DataPath>,
    pub(super) expires: Option<Expiry>,
    pub(super) refresh_expires: Option<Expiry>,
}

pub(super) fn tokens(response: &Table<'_>) -> WrittenTokens {
    let path = |key: &str| response_path(&response.text(key)?, &RESPONSE_ROOTS);
    let expiry = |span: &str, time: &str| match (path(span), path(time)) {
        (Some(_), Some(_)) => {
            refuse!(response.at(span), "{span} and {time} exclude each other; write one of them");
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
