//! docs/routes.md

use std::fmt::Write;

use vestibule_core::routes::{RouteReference, reference};

use super::markdown::cell;

const HEAD: &str = "\
# Routes

What Vestibule answers itself, below `base_path` (`/auth` unless you write another). For every other path, the
[rules](guard.md) decide and the [upstreams](upstreams.md) answer. This page is generated from the table that finds the
route of a request (`crates/core/src/handle/routes.rs`); `UPDATE=1 cargo test --test reference` writes it.

`GET` includes `HEAD`, except where a code or a ticket works only once (`/signin/:provider`, `/callback/:provider`, `/preview`). A script is
a client that sends `X-Auth-Return-Redirect: 1` (Auth.js 5) or `json=true` in the form (next-auth 4): it gets the address of a redirect
as JSON. A path that is not in this table is an error, and so are Auth.js's routes for sign-in by email and with passkeys.
[authjs-differences.md](authjs-differences.md) has each answer that differs from Auth.js's.

| route | what it does | answer | Auth.js |
|---|---|---|---|
";

#[test]
fn the_routes_reference_is_up_to_date() {
    let mut text = HEAD.to_owned();
    for RouteReference { method, path, about, answers, authjs, only } in reference() {
        let only = only.map(|only| format!(" ({only})")).unwrap_or_default();
        let about = cell(&about);
        writeln!(text, "| `{method} {path}`{only} | {about} | {} | {} |", cell(answers), cell(authjs))
            .unwrap();
    }
    super::check_document("docs/routes.md", &text);
}
