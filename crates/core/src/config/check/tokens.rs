//! `session.tokens = "none"`: nothing may need a token that no session has.

use super::secrets;
use crate::config::place::{Place, refuse};
use crate::config::table::{Table, Text};
use crate::config::tokens::is_token;
use crate::config::{Provider, ProviderKind, by_id};
use crate::session::claims::is_access_token_claim;
use crate::session::policy::SessionConfig;
use crate::session::tokens::TokenStorage;
use vestibule_oidc::data::{DataPath, Template};

/// Refuses what needs an access token where sessions keep none.
pub(super) fn refuse_missing_tokens(auth: &Table<'_>, session: &SessionConfig, providers: &[Provider]) {
    if session.tokens != TokenStorage::None {
        return;
    }
    let refuse_at = |place: Place<'_>| {
        refuse!(
            place,
            "with session.tokens = \"none\" no session has an access token",
            "remove this, or write tokens = \"cookie\" or \"store\"",
        );
    };
    let table = auth.table("session");
    for from in table.table("expose").entries() {
        if DataPath::parse(from.text).is_ok_and(|path| is_access_token_claim(&path)) {
            refuse_at(from.place);
        }
    }
    for from in auth.table("claims").entries() {
        if DataPath::parse(from.text).is_ok_and(|path| is_token(&path, providers)) {
            refuse_at(from.place);
        }
    }
    for table in auth.tables("upstreams").iter().chain(&auth.tables("rules")) {
        let (headers, cookies) = (table.table("headers"), table.table("cookies"));
        let authorization = table.text("authorization");
        if table.table("authorization").is_written() {
            refuse_at(table.at("authorization"));
        }
        for from in headers.entries().into_iter().chain(cookies.entries()).chain(authorization) {
            if needs_token(&from) {
                refuse_at(from.place);
            }
        }
    }
    let by_id = by_id(providers);
    for table in auth.tables("providers") {
        let provider = table.str("id").and_then(|id| by_id.get(id)).and_then(|at| providers.get(*at));
        let Some(ProviderKind::Credentials(api)) = provider.map(|provider| &provider.kind) else { continue };
        let Some(refresh) = api.refresh.as_ref().filter(|_| session.revalidate.is_some()) else { continue };
        let cookies = refresh.cookies.iter().map(|(_, template)| template);
        let mut paths = refresh.request.templates().chain(cookies).flat_map(Template::paths);
        if paths.any(|path| path.root() == "access_token") {
            refuse_at(table.at("refresh"));
        }
    }
}

/// Whether a value for an upstream has the access token, or its expiry, in it.
pub(super) fn needs_token(from: &Text<'_>) -> bool {
    let (template, _) = Template::parse(from.text, &|path| !secrets::is_template_secret(path));
    template.paths().any(is_access_token_claim)
        || DataPath::parse(from.text).is_ok_and(|path| is_access_token_claim(&path))
}
