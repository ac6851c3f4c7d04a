//! How an API of one's own renews its tokens, as it is written.

use super::request::{self, Known, POST_OR_PUT};
use super::tokens;
use crate::config::credentials::{ApiRefresh, Login, TokenPaths};
use crate::config::data::{DataPath, Template};
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawApiRefresh;

/// Checks the request and where its answer has what; what is not written is as in the answer to the login.
/// `login_gives_one` says whether a place is written where that has a refresh token.
pub(super) fn refresh(
    raw: &RawApiRefresh<'_>,
    login: Option<&Login>,
    login_gives_one: bool,
    place: &Place,
    problems: &mut Problems,
) -> Option<ApiRefresh> {
    let known = Known::for_refresh();
    let request = request::request(&raw.request, raw.request.body, POST_OR_PUT, &known, place, problems);
    let cookies = cookies(raw, &known, place, problems);
    let written = tokens::tokens(&raw.answer, place, problems);
    let error = tokens::error(&raw.answer, place, problems);

    let (request, cookies, login) = (request?, cookies?, login?);
    let of_login = login.tokens.clone();
    let tokens = TokenPaths {
        access_token: written.access_token.unwrap_or(of_login.access_token),
        refresh_token: written.refresh_token.or(of_login.refresh_token),
        expires: written.expires.or(of_login.expires),
        refresh_expires: written.refresh_expires.or(of_login.refresh_expires),
    };
    let templates = request.templates().chain(cookies.iter().map(|(_, template)| template));
    let named: Vec<&DataPath> = templates.flat_map(Template::paths).collect();
    let needs_refresh_token = named.iter().any(|path| path.root() == "refresh_token");
    let mut kept_cookies: Vec<String> = Vec::new();
    for name in named.iter().filter(|path| path.root() == "cookie").filter_map(|path| path.rest().next()) {
        if let Err(place) = kept_cookies.binary_search_by(|known| known.as_str().cmp(name)) {
            kept_cookies.insert(place, name.to_owned());
        }
    }
    if !needs_refresh_token && kept_cookies.is_empty() {
        let mend = "write {refresh_token} or {cookie.NAME} where it belongs in body, cookies or headers";
        problems.refuse_and_mend(place, "sends nothing that new tokens are given for", mend);
    }
    if needs_refresh_token && !login_gives_one {
        let mend = "write login.refresh_token: where the answer has it";
        problems.refuse_and_mend(place, "sends the refresh token, and the login gives none", mend);
    }
    let error = error.or_else(|| login.error.clone());
    Some(ApiRefresh { request, cookies, tokens, error, needs_refresh_token, kept_cookies })
}

fn cookies(
    raw: &RawApiRefresh<'_>,
    known: &Known<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Vec<(String, Template)>> {
    let mut cookies = Vec::new();
    let mut all_are_good = true;
    for (name, text) in raw.cookies.iter().flatten() {
        let place = place.key("cookies").key(name);
        let is_name = request::is_token(name);
        if !is_name {
            problems.refuse(&place, format!("{} is no cookie's name", quoted(name)));
        }
        match request::strict_template(text, known, &place, problems).filter(|_| is_name) {
            Some(template) => cookies.push(((*name).to_owned(), template)),
            None => all_are_good = false,
        }
    }
    all_are_good.then_some(cookies)
}
