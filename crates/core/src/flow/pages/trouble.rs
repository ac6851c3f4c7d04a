//! What a person sees if an answer is no page by itself: the same status and header fields, with a page that says what
//! happened and a button that works. Scripts keep the JSON.

use maud::html;

use super::layout::{Icon, Page};
use crate::flow::hosts::with_parameters;
use crate::flow::signin::switch_account::PROMPT;
use crate::flow::vestibule::Vestibule;
use crate::flow::view::View;
use crate::platform::ForwardError;
use crate::texts::Text;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

impl Vestibule {
    /// The answer to a request whose upstream cannot be reached, where the runtime learns of it only after the flow.
    /// `request` is the head as it arrived.
    pub fn upstream_failure(&self, request: Request, error: &ForwardError) -> Response {
        self.for_person(&self.as_sent(request), error.answer())
    }

    /// The answer to a navigation: a page in place of an error that only programs read. Every other answer stays as it is.
    pub(crate) fn for_person(&self, request: &Request, response: Response) -> Response {
        if !request.is_navigation() || is_page(&response) {
            return response;
        }
        let Some(trouble) = Trouble::of(request, response.status) else { return response };
        let mut page = trouble.page(&View::new(&self.config, request), response.status);
        for (name, value) in response.headers.iter() {
            if name != "content-type" && (name == "set-cookie" || !page.headers.contains(name)) {
                page.headers.append(name, value);
            }
        }
        page
    }
}

fn is_page(response: &Response) -> bool {
    response.headers.get("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

/// What a page says about a status.
struct Trouble {
    title: Text,
    text: Text,
    /// Whether the same request may succeed in a moment.
    passes: bool,
    /// Whether it could not be decided who the person is, or their access token could not be renewed. If that does not pass,
    /// because the provider never says that the sign-in is over, a new sign-in ends it.
    is_unchecked: bool,
}

impl Trouble {
    /// `None` for a status that needs no page: everything that is no error, and 401, which programs read.
    fn of(request: &Request, status: u16) -> Option<Self> {
        let (title, text, passes) = match status {
            400 => (Text::BadLinkTitle, Text::BadLink, false),
            403 => (Text::NotAcceptedTitle, Text::NotAccepted, false),
            404 => (Text::NoPageTitle, Text::NoPage, false),
            414 => (Text::LinkTooLongTitle, Text::AddressTooLong, false),
            // What was sent with a form is not in the address.
            502 | 503 if request.method == Method::Post => (Text::MomentTitle, Text::NotArrived, false),
            502 => (Text::MomentTitle, Text::Unreachable, true),
            503 => (Text::MomentTitle, Text::Unchecked, true),
            500 => (Text::OurFaultTitle, Text::PageFailed, true),
            _ => return None,
        };
        Some(Self { title, text, passes, is_unchecked: passes && status == 503 })
    }

    fn page(&self, view: &View<'_>, status: u16) -> Response {
        let language = view.language();
        let content = html! {
            p role="alert" { (language.text(self.text)) }
            // An empty address is the address of the page itself.
            @if self.passes { a.button href="" { (language.text(Text::TryAgain)) } }
            @if self.is_unchecked {
                a.button.quiet href=(sign_in_again(view)) { (language.text(Text::SignInAgain)) }
            }
            a.button.quiet[self.passes] href="/" { (language.text(Text::Home)) }
        };
        let page = Page { status, title: self.title, icon: Icon::Trouble, content, rules: String::new() };
        page.respond_without_form(view)
    }
}

/// The address at which someone who is signed in signs in anew, and comes back to this page, unless it is a step of a sign-in
/// itself. Its route is on every host.
fn sign_in_again(view: &View<'_>) -> String {
    let (base_path, url) = (&view.config.base_path, &view.request.url);
    let here = format!("{}{}", url.origin(), url.path_and_query());
    let is_own = url.path.strip_prefix(base_path.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let back = Some(("callbackUrl", here.as_str())).filter(|_| !is_own);
    with_parameters(&format!("{base_path}/signin"), &back.into_iter().chain([PROMPT]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use vestibule_oidc::http::request::RequestUrl;

    use super::*;

    #[test]
    fn each_status_that_a_person_can_meet_has_a_page_and_those_of_programs_have_none() {
        let url = || RequestUrl::parse("https://app.example.com/page").unwrap();
        let of = |method, status| {
            let request =
                Request { method, url: url(), headers: [("accept", "text/html")].into_iter().collect() };
            Trouble::of(&request, status).map(|trouble| (trouble.passes, trouble.is_unchecked))
        };
        for (status, expected) in [
            (200, None),
            (302, None),
            (401, None),
            (501, None),
            (400, Some((false, false))),
            (403, Some((false, false))),
            (404, Some((false, false))),
            (414, Some((false, false))),
            (500, Some((true, false))),
            (502, Some((true, false))),
            (503, Some((true, true))),
        ] {
            assert_eq!(of(Method::Get, status), expected, "{status}");
        }
        // What was sent with a form is not in the address: to open it again would not send it.
        assert_eq!([502, 503].map(|status| of(Method::Post, status)), [Some((false, false)); 2]);
    }
}
