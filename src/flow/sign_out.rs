//! `POST /signout`: the session ends in this browser.

use crate::error::ClientError;
use crate::flow::{Exchange, Visit, refresh, with_cookies};
use crate::hooks::Event;
use crate::http::form::Params;
use crate::http::response::Response;
use crate::platform::Platform;
use crate::session::cookie::{self, Presented};

/// Erases the session and sends the browser to the return address.
pub(crate) async fn sign_out<P: Platform>(
    exchange: &Exchange<'_, P>,
    query: &Params,
    form: &Params,
) -> Result<Response, ClientError> {
    let visit = Visit::new(exchange, query, Some(form))?;
    visit.csrf.verify(form.one("csrfToken")?)?;
    if let Presented::Good(session) = exchange.session() {
        refresh::sign_out(exchange, &session).await;
        exchange.vestibule.hooks.event(&Event::SignedOut { session: &session });
    }
    let erased = cookie::erase(exchange.config(), &exchange.names, &exchange.cookies);
    let redirect = Response::redirect(visit.return_to.as_str());
    Ok(with_cookies(with_cookies(redirect, visit.cookies), erased))
}
