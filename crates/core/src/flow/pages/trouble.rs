//! What a person sees if an answer is no page by itself: the same status and header fields, with a page that says what
//! happened and a button that works. Scripts keep the JSON.

use maud::{Markup, html};

use super::layout::{Icon, Page};
use crate::platform::ForwardError;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

/// The answer to a navigation: a page in place of an error that only programs read. Every other answer stays as it is.
pub(crate) fn for_person(request: &Request, response: Response) -> Response {
    if !request.is_navigation() || is_page(&response) {
        return response;
    }
    let Some(trouble) = Trouble::of(request, response.status) else { return response };
    let mut page = trouble.page(request, response.status);
    for (name, value) in response.headers.iter() {
        if name != "content-type" && (name == "set-cookie" || !page.headers.contains(name)) {
            page.headers.append(name, value.to_owned());
        }
    }
    page
}

/// The answer to a request whose upstream cannot be reached, where the runtime learns of it only after the flow.
pub fn upstream_failure(request: &Request, error: &ForwardError) -> Response {
    for_person(request, error.answer())
}

fn is_page(response: &Response) -> bool {
    response.headers.get("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

/// What a page says about a status.
struct Trouble {
    title: &'static str,
    text: &'static str,
    /// Whether the same request may succeed in a moment.
    passes: bool,
}

impl Trouble {
    /// `None` for a status that needs no page: everything that is no error, and 401, which programs read.
    fn of(request: &Request, status: u16) -> Option<Self> {
        let (title, text, passes) = match status {
            400 => (
                "This link does not work",
                "Something in the address is wrong or missing. It may have been cut off on its way to you.",
                false,
            ),
            403 => (
                "This request was not accepted",
                "It did not come from a page of this site. Please go to the site itself, and try again there.",
                false,
            ),
            404 => ("There is nothing here", "The address may be wrong, or the page was moved.", false),
            414 => ("This link is too long", "We cannot open an address of this length.", false),
            // What was sent with a form is not in the address.
            502 | 503 if request.method == Method::Post => (
                "One moment, please",
                "What you sent did not arrive. Please wait a moment, go back and send it again.",
                false,
            ),
            502 => ("One moment, please", "This page cannot be reached. Please try again in a moment.", true),
            503 => (
                "One moment, please",
                "We cannot check your sign-in just now. You are not signed out. Please try again in a moment.",
                true,
            ),
            500 => (
                "Something is wrong on our side",
                "We could not show this page. Please try again. If it happens again, please tell the people who run this \
                 site.",
                true,
            ),
            _ => return None,
        };
        Some(Self { title, text, passes })
    }

    fn page(&self, request: &Request, status: u16) -> Response {
        let page = Page {
            status,
            title: self.title,
            icon: Icon::Trouble,
            content: self.content(),
            rules: String::new(),
        };
        page.response(&request.url, "'none'")
    }

    fn content(&self) -> Markup {
        html! {
            p role="alert" { (self.text) }
            // An empty address is the address of the page itself.
            @if self.passes { a.button href="" { "Try again" } }
            a.button.quiet[self.passes] href="/" { "Go to the home page" }
        }
    }
}
