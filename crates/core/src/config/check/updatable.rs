//! The claims that a page may change. Nothing may depend on them, because any signed-in user can send any value.

use super::secrets;
use super::session::check_claim_name;
use crate::config::place::{Place, refuse};
use crate::config::table::{Table, Text};
use vestibule_oidc::data::{DataPath, Template};

/// The claims that a page may change, under their names in the session.
pub(super) fn updatable(session: &Table<'_>) -> Vec<String> {
    let mut claims: Vec<String> = Vec::new();
    for text in session.texts("updatable") {
        let claim = claim_of(text.text);
        check_claim_name(claim, &text);
        if claim == "email_verified" {
            refuse!(text, "it says whether the user's e-mail address is verified", "remove it from the list");
        }
        if !claims.iter().any(|known| known == claim) {
            claims.push(claim.to_owned());
        }
    }
    claims
}

/// The name in the session. A page uses another name for some claims (Auth.js's `session.user`).
fn claim_of(name: &str) -> &str {
    if name == "image" { "picture" } else { name }
}

/// Refuses to let a page change what a rule, an upstream or `allow` depends on.
pub(super) fn refuse_updatable(auth: &Table<'_>) {
    let session = auth.table("session");
    for text in session.texts("updatable") {
        let refuse = |claim: &str, place: Place<'_>| {
            if claim == claim_of(text.text) {
                refuse!(
                    text,
                    "a page could change {text}, which {place} depends on: users could give themselves any value",
                    "remove it from one of the two"
                );
            }
        };
        for rule in auth.tables("rules") {
            for (claim, _) in rule.table("require").names() {
                with_root(claim, |root| refuse(root, rule.table("require").at(claim)));
            }
            if rule.has("email_domain") {
                refuse("email", rule.at("email_domain"));
            }
            forwarded(&rule, &refuse);
        }
        for upstream in auth.tables("upstreams") {
            forwarded(&upstream, &refuse);
        }
        for provider in auth.tables("providers") {
            let allow = provider.table("allow");
            for (asked, _) in allow.names() {
                let Ok(path) = DataPath::parse(asked) else { continue };
                if path.root() == "user" {
                    path.rest().take(1).for_each(|claim| refuse(claim_of(claim), allow.at(asked)));
                }
            }
        }
    }
}

/// The claims that a rule or an upstream forwards.
fn forwarded(table: &Table<'_>, refuse: &dyn Fn(&str, Place<'_>)) {
    let (headers, cookies) = (table.table("headers"), table.table("cookies"));
    let authorization: Option<Text<'_>> = table.text("authorization");
    for from in headers.entries().into_iter().chain(cookies.entries()).chain(authorization) {
        let (template, _) = Template::parse(from.text, &|path| !secrets::is_template_secret(path));
        template.paths().for_each(|path| refuse(path.root(), from.place));
        with_root(from.text, |root| refuse(root, from.place));
    }
}

fn with_root(path: &str, act: impl FnOnce(&str)) {
    if let Ok(path) = DataPath::parse(path) {
        act(path.root());
    }
}
