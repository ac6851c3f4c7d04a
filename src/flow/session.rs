//! `GET /session`: what the page may know of the session. `POST /session`: the same, for a client that
//! asks for an update.

use serde_json::{Map, Value, json};

use crate::error::ClientError;
use crate::flow::{Exchange, Visit, with_cookies};
use crate::http::form::Params;
use crate::http::response::Response;
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::{self, Presented};

/// Answers the session, or `null`.
pub(crate) fn show<P: Platform>(exchange: &Exchange<'_, P>, query: &Params) -> Result<Response, ClientError> {
    let visit = Visit::new(exchange, query, None)?;
    Ok(with_cookies(answer(exchange).uncached(), visit.cookies))
}

/// Answers the session to a client that proves to be a page of this site.
pub(crate) fn update<P: Platform>(
    exchange: &Exchange<'_, P>,
    query: &Params,
    form: &Params,
) -> Result<Response, ClientError> {
    let visit = Visit::new(exchange, query, Some(form))?;
    visit.csrf.verify(form.one("csrfToken")?)?;
    Ok(with_cookies(answer(exchange), visit.cookies))
}

fn answer<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    match exchange.session() {
        Presented::Good(session) => {
            let shown = Response::json(200, &view(exchange, &session));
            with_cookies(shown, exchange.renewal_cookies(&session))
        }
        Presented::Nothing => Response::json(200, &Value::Null),
        Presented::Refused(reason) => {
            exchange.log(Level::Info, "session_refused", &reason);
            let erased = cookie::erase(exchange.config(), &exchange.names, &exchange.cookies);
            with_cookies(Response::json(200, &Value::Null), erased)
        }
    }
}

/// What the page sees: name, e-mail and image, until when, and what `session.expose` adds.
fn view<P: Platform>(exchange: &Exchange<'_, P>, session: &Session) -> Value {
    let config = exchange.config();
    let mut user = Map::new();
    for (shown, value) in [("name", session.name()), ("email", session.email()), ("image", session.picture())]
    {
        if let Some(value) = value {
            user.insert(shown.to_owned(), value.clone());
        }
    }
    let expires = exchange.now.plus(config.session.max_age).to_rfc3339();
    let mut view =
        Map::from_iter([("user".to_owned(), Value::Object(user)), ("expires".to_owned(), json!(expires))]);
    for (to, from) in &config.session.expose {
        if let Some(value) = from.lookup(session.claims()) {
            to.place(&mut view, value.clone());
        }
    }
    Value::Object(view)
}
