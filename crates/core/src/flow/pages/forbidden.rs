//! What somebody sees who may not go where they wanted to: signed in as somebody who may not, or, where a
//! rule says so, not signed in.

use maud::html;

use super::account::signed_in_as;
use super::hidden;
use super::layout::{Icon, Page};
use crate::flow::Exchange;
use crate::flow::hosts::sign_in_url;
use crate::flow::responses::with_cookies;
use crate::http::cookie::SetCookie;
use crate::http::request::Method;
use crate::http::response::Response;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::csrf::Csrf;

/// Says so, and offers the ways onward.
pub(crate) fn forbidden<P: Platform>(exchange: &Exchange<'_, P>, session: Option<&Session>) -> Response {
    match session {
        Some(session) => signed_in(exchange, session),
        None => signed_out(exchange),
    }
}

fn signed_in<P: Platform>(exchange: &Exchange<'_, P>, session: &Session) -> Response {
    let keys = &exchange.config().keys;
    let name = exchange.names.csrf();
    let csrf = Csrf::of(exchange.cookies.get(name), keys, &mut |bytes| exchange.platform.fill_random(bytes));
    let content = html! {
        (signed_in_as(session))
        p { "You are signed in, but this page is not open to your account." }
        form method="post" action=(exchange.route("signout")) {
            (hidden(csrf.token(), &sign_in(exchange)))
            button type="submit" { "Sign in with a different account" }
        }
        a.button.quiet href={ (exchange.request.url.origin()) "/" } { "Go to the home page" }
    };
    let page = Page { status: 403, title: "No access", icon: Icon::Lock, content, rules: String::new() };
    let cookie = csrf.new_cookie(keys).map(|value| SetCookie::new(name, &value));
    with_cookies(page.respond(exchange), cookie.into_iter().collect())
}

fn signed_out<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let content = html! {
        p { "This page is open only to people who are signed in, and may see it." }
        a.button href=(sign_in(exchange)) { "Sign in" }
        a.button.quiet href={ (exchange.request.url.origin()) "/" } { "Go to the home page" }
    };
    let page = Page { status: 403, title: "No access", icon: Icon::Lock, content, rules: String::new() };
    page.respond(exchange)
}

/// The way to sign in, and from there back here; what a form was sent to is nothing to come back to.
fn sign_in<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    match exchange.request.method {
        Method::Post => exchange.route("signin"),
        _ => sign_in_url(exchange),
    }
}
