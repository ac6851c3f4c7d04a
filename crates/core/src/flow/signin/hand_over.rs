//! A sign-in that is asked for on one host and begins on the login host: the form's answer leads there with a
//! [`Ticket`], so that a person arrives at the provider without another click.

use crate::config::{ProviderKind, is_like_provider_id};
use crate::error::{ClientError, Error};
use crate::flow::hosts::{self, with_parameters};
use crate::flow::responses::with_cookies;
use crate::flow::signin::sign_in::{self, Intent};
use crate::flow::{Exchange, Visit};
use crate::http::cookie::SetCookie;
use crate::http::form::Params;
use crate::http::response::Response;
use crate::oauth::authorize;
use crate::platform::{Level, Platform};
use crate::session::csrf::CsrfVerified;
use crate::session::ticket::{self, Ticket};

/// `POST /signin/:provider` on a host that is not the login host: on to that one.
pub(crate) fn send<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider_id: Option<&str>,
    query: &Params,
    visit: Visit,
    _: CsrfVerified,
) -> Result<Response, Error> {
    let return_to = visit.return_to.as_str();
    let Some(id) = provider_id.filter(|id| leads_to_a_provider(exchange, id)) else {
        let page = hosts::sign_in_page(exchange, return_to);
        return Ok(with_cookies(Response::redirect(page), visit.cookies));
    };
    // What the login host would refuse is refused where it was asked for.
    let parameters = authorize::parameters(&[], query).map_err(ClientError::from)?;
    let mut all = vec![("callbackUrl", return_to)];
    all.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let address = with_parameters(&hosts::login_route(exchange, &format!("signin/{id}")), &all);

    let config = exchange.config();
    let random = &mut |bytes: &mut [u8]| exchange.platform.fill_random(bytes);
    let sealed = Ticket::seal(&address, &config.keys, &exchange.names, exchange.now, random);
    let cookie = SetCookie::new(exchange.names.ticket(), &sealed)
        .domain(exchange.cookie_domain())
        .max_age(ticket::LIFETIME);
    Ok(with_cookies(with_cookies(Response::redirect(address), visit.cookies), vec![cookie]))
}

/// `GET /signin/:provider` on the login host: begins the sign-in that the ticket stands for. Without a good one
/// nothing begins, and the person is asked on the sign-in page.
pub(crate) async fn receive<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider_id: &str,
    query: &Params,
) -> Result<Response, Error> {
    let config = exchange.config();
    let names = &exchange.names;
    let visit = Visit::new(exchange, query, None)?;
    // Written anew, for an edge on the way may write `%7E` as `~`: what it says is what counts.
    let said: Vec<(&str, &str)> = query.iter().collect();
    let address = with_parameters(&hosts::login_route(exchange, &format!("signin/{provider_id}")), &said);
    let ticket =
        Ticket::open(exchange.cookies.get(names.ticket()), &address, &config.keys, names, exchange.now);
    let used = exchange.cookies.get(names.ticket());
    let used = used.map(|_| SetCookie::expired(names.ticket()).domain(exchange.cookie_domain()));
    let response = match ticket {
        Ok(ticket) => {
            sign_in::begin(exchange, Some(provider_id), query, visit, Intent::Ticket(ticket)).await?
        }
        Err(error) => {
            exchange.log(Level::Info, "sign_in_not_handed_over", &error.to_string());
            let page = hosts::sign_in_page(exchange, visit.return_to.as_str());
            with_cookies(Response::redirect(page), visit.cookies)
        }
    };
    Ok(with_cookies(response, used.into_iter().collect()))
}

/// Whether people are sent to that provider: it has no form of its own. A Worker that knows of no provider leaves
/// it to the login host to know.
fn leads_to_a_provider<P: Platform>(exchange: &Exchange<'_, P>, id: &str) -> bool {
    if let Some(provider) = exchange.provider(id) {
        return !matches!(provider.kind, ProviderKind::Credentials(_));
    }
    exchange.config().providers.is_empty() && is_like_provider_id(id)
}
