//! `POST /signout`: the session ends in this browser, and at the provider where the configuration wants that.

use crate::config::ProviderKind;
use crate::error::ClientError;
use crate::flow::responses::with_cookies;
use crate::flow::{Exchange, Visit, provider, refresh};
use crate::hooks::Event;
use crate::http::form::Params;
use crate::http::response::Response;
use crate::http::return_to::TrustedUrl;
use crate::oauth::logout;
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::Presented;

/// Erases the session and sends the browser to the return address, by way of the provider where people sign
/// out there, too.
pub(crate) async fn sign_out<P: Platform>(
    exchange: &Exchange<'_, P>,
    query: &Params,
    form: &Params,
) -> Result<Response, ClientError> {
    let visit = Visit::new(exchange, query, Some(form))?;
    visit.verify_csrf(form)?;
    let mut next = visit.return_to.as_str().to_owned();
    if let Presented::Good(session) = exchange.session() {
        if let Some(url) = at_provider(exchange, &session, &visit.return_to).await {
            next = url;
        }
        refresh::sign_out(exchange, &session).await;
        exchange.vestibule.hooks.event(&Event::SignedOut { session: &session });
    }
    let erased = exchange.erased_session();
    Ok(with_cookies(with_cookies(Response::redirect(next), visit.cookies), erased))
}

/// Where the provider's own session ends, where that is wanted. A provider that cannot be asked keeps nobody
/// from signing out here.
async fn at_provider<P: Platform>(
    exchange: &Exchange<'_, P>,
    session: &Session,
    return_to: &TrustedUrl,
) -> Option<String> {
    let provider = exchange.provider(session.provider()?)?;
    let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
    let wanted = oauth.logout.as_ref()?;
    let published;
    let endpoint = if let Some(endpoint) = &wanted.endpoint {
        endpoint
    } else {
        published = match provider::metadata(exchange, provider, oauth).await {
            Ok(metadata) => metadata,
            Err(error) => {
                exchange.log(Level::Warn, "not_signed_out_at_provider", &error.to_string());
                return None;
            }
        };
        let Some(endpoint) = published.end_session_endpoint() else {
            let id = &provider.id;
            let message = format!("provider {id} publishes no end_session_endpoint; set its URL as logout");
            exchange.log(Level::Warn, "not_signed_out_at_provider", &message);
            return None;
        };
        endpoint
    };
    Some(logout::url(endpoint, &oauth.client.id, &wanted.redirect_param, return_to.as_str()))
}
