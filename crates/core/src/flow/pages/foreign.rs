//! What somebody sees on a host that the site's session does not reach.

use maud::html;

use super::layout::{Icon, Page};
use crate::flow::Exchange;
use crate::http::response::Response;
use crate::platform::Platform;

/// Says so. There is no way onward from here that would not be a guess.
pub(crate) fn foreign<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let content = html! {
        p { "Nobody can sign in at this address. The site has another one: please go there." }
    };
    let title = "No sign-in here";
    Page { status: 403, title, icon: Icon::Lock, content, rules: String::new() }.respond(exchange)
}
