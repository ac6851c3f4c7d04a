//! Where an answer of the API's has its tokens, as it is written.

use crate::config::check::providers::user::answer_path;
use crate::config::credentials::Expiry;
use crate::config::data::DataPath;
use crate::config::error::{Place, Problems};
use crate::config::raw::RawAnswer;

/// What an answer has.
const ANSWER_ROOTS: [&str; 3] = ["body", "cookie", "header"];

/// What of it is written, and good.
pub(super) struct WrittenTokens {
    pub(super) access_token: Option<DataPath>,
    pub(super) refresh_token: Option<DataPath>,
    pub(super) expires: Option<Expiry>,
    pub(super) refresh_expires: Option<Expiry>,
}

pub(super) fn tokens(raw: &RawAnswer<'_>, place: &Place, problems: &mut Problems) -> WrittenTokens {
    let mut path =
        |text: Option<&str>, key: &str| answer_path(text?, &ANSWER_ROOTS, &place.key(key), problems);
    let access_token = path(raw.access_token, "access_token");
    let refresh_token = path(raw.refresh_token, "refresh_token");
    let expires_in = path(raw.expires_in, "expires_in");
    let expires_at = path(raw.expires_at, "expires_at");
    let refresh_expires_in = path(raw.refresh_expires_in, "refresh_expires_in");
    let refresh_expires_at = path(raw.refresh_expires_at, "refresh_expires_at");
    let mut expiry = |expires_in: Option<DataPath>, expires_at: Option<DataPath>, key: &str| {
        if expires_in.is_some() && expires_at.is_some() {
            let (one, other) = (format!("{key}_in"), format!("{key}_at"));
            problems.refuse(&place.key(&one), format!("{other} says the same: write one of them"));
        }
        expires_in.map(Expiry::In).or(expires_at.map(Expiry::At))
    };
    WrittenTokens {
        access_token,
        refresh_token,
        expires: expiry(expires_in, expires_at, "expires"),
        refresh_expires: expiry(refresh_expires_in, refresh_expires_at, "refresh_expires"),
    }
}

/// What is there when the API refuses.
pub(super) fn error(raw: &RawAnswer<'_>, place: &Place, problems: &mut Problems) -> Option<DataPath> {
    answer_path(raw.error?, &["body", "header"], &place.key("error"), problems)
}
