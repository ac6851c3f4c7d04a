//! What a response of the API means: `error`, `refused_errors`, `refused_statuses` and `success`.

use crate::config::check::providers::user::response_path;
use crate::config::place::refuse;
use crate::config::schema::scalars;
use crate::config::table::Table;
use vestibule_oidc::credentials::refusal::{GRAPHQL_REFUSALS, Refusals};
use vestibule_oidc::data::scalar_text;

/// Statuses of a login that refuse.
pub(super) const OF_LOGIN: [u16; 4] = [400, 401, 403, 422];
/// Statuses of a refresh that refuse.
pub(super) const OF_REFRESH: [u16; 3] = [400, 401, 403];
/// Statuses that refuse where a list says which errors do: 400 is often a mistake in the request.
const WITH_LIST: [u16; 2] = [401, 403];
/// Statuses that are temporary.
const TEMPORARY: [u16; 3] = [408, 425, 429];

/// Reads the keys. What is not written is as in `login`, and otherwise as usual; `usual` are the statuses without a list
/// of errors.
pub(super) fn refusals(response: &Table<'_>, usual: &[u16], login: Option<&Refusals>) -> Refusals {
    let written_error = response.text("error").and_then(|text| response_path(&text, &["body", "header"]));
    let error = written_error.or_else(|| login?.error.clone());
    for key in ["refused_errors", "success"] {
        if response.has(key) && error.is_none() && !response.at("error").is_refused() {
            refuse!(
                response.at(key),
                "this list is about what is at error",
                "write error, or remove the list"
            );
        }
    }
    let is_of_graphql = error.as_ref().is_some_and(Refusals::is_of_graphql);
    let errors = texts(response, "refused_errors")
        .or_else(|| login?.errors.clone())
        .or_else(|| is_of_graphql.then(|| GRAPHQL_REFUSALS.iter().map(|code| (*code).to_owned()).collect()));
    let usual = if errors.is_some() { &WITH_LIST } else { usual };
    let success = texts(response, "success").or_else(|| Some(login?.success.clone()));
    Refusals {
        error,
        errors,
        statuses: statuses(response).unwrap_or_else(|| usual.to_vec()),
        success: success.unwrap_or_default(),
    }
}

/// The values of a list, as texts.
fn texts(response: &Table<'_>, key: &str) -> Option<Vec<String>> {
    Some(scalars(response.value(key)?).iter().filter_map(scalar_text).collect())
}

fn statuses(response: &Table<'_>) -> Option<Vec<u16>> {
    const KEY: &str = "refused_statuses";
    let mut statuses = Vec::new();
    for value in scalars(response.value(KEY)?) {
        let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
        let Some(status) = status.filter(|status| (400..=499).contains(status)) else {
            refuse!(response.at(KEY), "{value} is not a status from 400 to 499");
            continue;
        };
        if TEMPORARY.contains(&status) {
            refuse!(
                response.at(KEY),
                "the status {status} says that the API is busy, which is no refusal; remove it"
            );
        }
        statuses.push(status);
    }
    Some(statuses)
}
