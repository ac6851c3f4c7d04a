//! `refresh` of a `credentials` provider: the request for new tokens, and the paths into its response.

use super::request::{self, Known, POST_OR_PUT};
use super::{refusals, tokens};
use crate::config::place::refuse;
use crate::config::table::Table;
use vestibule_oidc::credentials::provider::{ApiRefresh, Login, TokenPaths};
use vestibule_oidc::data::Template;

/// Checks the request and the paths into its response. A path that is not written is that of the login's response.
/// `login_has_refresh_token` says whether `login.refresh_token` is written.
pub(super) fn refresh(
    refresh: &Table<'_>,
    login: Option<&Login>,
    login_has_refresh_token: bool,
) -> Option<ApiRefresh> {
    let known = Known::for_refresh();
    let request = request::request(refresh, refresh.value("body"), POST_OR_PUT, &known);
    let cookies = cookies(&refresh.table("cookies"), &known);
    let written = tokens::tokens(refresh);
    let refusals = refusals::refusals(refresh, &refusals::OF_REFRESH, login.map(|login| &login.refusals));

    let (request, login) = (request?, login?);
    let of_login = &login.tokens;
    let tokens = TokenPaths {
        access_token: written.access_token.unwrap_or_else(|| of_login.access_token.clone()),
        refresh_token: written.refresh_token.or_else(|| of_login.refresh_token.clone()),
        expires: written.expires.or_else(|| of_login.expires.clone()),
        refresh_expires: written.refresh_expires.or_else(|| of_login.refresh_expires.clone()),
    };
    let mut templates: Vec<&Template> = request.templates().collect();
    for (_, template) in &cookies {
        templates.push(template);
    }
    let mut needs_refresh_token = false;
    let mut kept_cookies: Vec<String> = Vec::new();
    for path in templates.into_iter().flat_map(Template::paths) {
        needs_refresh_token |= path.root() == "refresh_token";
        let Some(name) = path.rest().next().filter(|_| path.root() == "cookie") else { continue };
        if let Err(index) = kept_cookies.binary_search_by(|known| known.as_str().cmp(name)) {
            kept_cookies.insert(index, name.to_owned());
        }
    }
    if !needs_refresh_token && kept_cookies.is_empty() && !refresh.at("cookies").is_refused() {
        refuse!(
            refresh.place,
            "the request sends neither the refresh token nor a cookie",
            "write {{refresh_token}} or {{cookie.NAME}} in body, cookies or headers"
        );
    }
    if needs_refresh_token && !login_has_refresh_token {
        refuse!(
            refresh.place,
            "the request sends the refresh token, but login.refresh_token is missing",
            "write where the login's response has it"
        );
    }
    Some(ApiRefresh { request, cookies, tokens, refusals, needs_refresh_token, kept_cookies })
}

fn cookies(table: &Table<'_>, known: &Known<'_>) -> Vec<(String, Template)> {
    let mut cookies = Vec::new();
    for text in table.entries() {
        let name = text.name();
        if !request::is_token(name) {
            let name = text.with(name);
            refuse!(text, "{name} cannot be the name of a cookie");
        }
        cookies.extend(request::strict_template(&text, known).map(|template| (name.to_owned(), template)));
    }
    cookies
}
