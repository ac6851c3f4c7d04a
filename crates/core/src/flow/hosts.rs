//! Addresses on the site's hosts: our own routes and pages, on the host that was asked or on the one that signs people
//! in.

use crate::flow::Exchange;
use crate::flow::standing::Standing;
use crate::platform::Platform;

/// The origin of the host that signs people in.
pub(crate) fn login_origin<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    match exchange.standing {
        Standing::SendsTo(login) => login.as_str().to_owned(),
        Standing::SignsIn | Standing::Foreign(_) => exchange.request.url.origin(),
    }
}

/// An absolute URL of one of our routes on the host that signs people in: `login_route("signin")`.
pub(crate) fn login_route<P: Platform>(exchange: &Exchange<'_, P>, route: &str) -> String {
    format!("{}{}/{route}", login_origin(exchange), exchange.config().base_path)
}

/// The page on which people sign in, from which they come to `return_to`.
pub(crate) fn sign_in_page<P: Platform>(exchange: &Exchange<'_, P>, return_to: &str) -> String {
    let page = match &exchange.config().pages.sign_in {
        Some(page) => absolute(exchange, page),
        None => login_route(exchange, "signin"),
    };
    with_parameters(&page, &[("callbackUrl", return_to)])
}

/// The address that was asked for, as one to come back to. Where people sign in on `https`, only `https` has their
/// session afterwards.
pub(crate) fn address<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    let url = &exchange.request.url;
    match exchange.standing {
        Standing::SendsTo(login) if login.secure() && url.authority == url.host() => {
            format!("https://{}{}", url.authority, url.path_and_query())
        }
        _ => format!("{}{}", url.origin(), url.path_and_query()),
    }
}

/// The sign-in page, from which one comes back to what was asked for.
pub(crate) fn sign_in_url<P: Platform>(exchange: &Exchange<'_, P>) -> String {
    sign_in_page(exchange, &address(exchange))
}

/// A page of the configuration's, a path or a URL, as a URL. A path is one of the host's that signs people in.
pub(crate) fn absolute<P: Platform>(exchange: &Exchange<'_, P>, page: &str) -> String {
    if page.starts_with('/') { format!("{}{page}", login_origin(exchange)) } else { page.to_owned() }
}

/// The same as a redirect's location, where Auth.js leaves a path of the own host as it is written.
pub(crate) fn location<P: Platform>(exchange: &Exchange<'_, P>, page: &str) -> String {
    match exchange.standing {
        Standing::SendsTo(_) => absolute(exchange, page),
        Standing::SignsIn | Standing::Foreign(_) => page.to_owned(),
    }
}

/// The address of a page with parameters added, encoded as a form's.
pub(crate) fn with_parameters(page: &str, parameters: &[(&str, &str)]) -> String {
    let separator = if page.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{page}{separator}{query}")
}
