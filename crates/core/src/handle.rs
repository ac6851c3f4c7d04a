//! From a request to its flow: the one dispatcher.

use std::time::Duration;

use serde_json::json;

use crate::error::{ClientError, Error};
use crate::flow::guard::{assertion, verify};
use crate::flow::session::show::{self, Update};
use crate::flow::session::{renew, sign_out};
use crate::flow::signin::{callback, credentials, hand_over, sign_in};
use crate::flow::standing::Standing;
use crate::flow::vestibule::Vestibule;
use crate::flow::{Exchange, Input, answer, client_log, pages, responses};
use crate::guard::path::CanonicalPath;
use crate::http::form::Params;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::platform::{Level, Platform};
use crate::reply::Reply;
use crate::session::dialect::Dialect;

/// How large the body of an auth route may be: room for every field of a form, and for a provider's form
/// post; nothing that a person fills in is larger.
const BODY_LIMIT: usize = 64 * 1024;

impl Vestibule {
    /// Answers one request: an auth route below `base_path`, or a page that the rules guard.
    ///
    /// `request` is the head as it arrived, `body` what of it the platform has not read yet.
    pub async fn handle<P: Platform>(
        &self,
        platform: &P,
        request: Request,
        body: P::Body,
    ) -> Reply<P::Upstreamed> {
        let Some(exchange) = Exchange::new(self, platform, &request) else {
            return Reply::Own(bad_request());
        };
        let path = match CanonicalPath::new(&request.url.path) {
            Ok(path) => path,
            Err(refused) => {
                exchange.log(Level::Info, "path_refused", &refused.to_string());
                return Reply::Own(bad_request());
            }
        };
        match path.below(&self.config.base_path) {
            // What another proxy goes by is told to no client in another way.
            Some(route) if route == ["verify"] => Reply::Own(verify::verify(&exchange).await),
            Some(route) => Reply::Own(auth(&exchange, &route, body).await),
            None => match sign_in_of_v4_client(&exchange, &path) {
                Some(redirect) => Reply::Own(redirect),
                None => exchange.protect(&path, body).await,
            },
        }
    }
}

/// Runs an auth route, and turns what went wrong into the answer that Auth.js gives.
async fn auth<P: Platform>(exchange: &Exchange<'_, P>, route: &[&str], body: P::Body) -> Response {
    if let Standing::Foreign(domain) = exchange.standing {
        return pages::foreign(exchange, domain);
    }
    let mut input = Input::of_query(exchange.request);
    match act(exchange, route, body, &mut input).await {
        Ok(response) => answer::as_client_wants(exchange, &input, response),
        Err(error) => {
            exchange.platform.log(error.level(), &error.log());
            answer::failure(exchange, route, &input, &error)
        }
    }
}

/// Finds the flow. What it reads of the body goes into `input`, also where the flow then fails.
async fn act<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: &[&str],
    body: P::Body,
    input: &mut Input,
) -> Result<Response, Error> {
    let is_v4 = exchange.config().dialect == Dialect::NextAuthV4;
    match (as_get(exchange.request, route), route) {
        (Method::Get, ["csrf"]) => pages::csrf(exchange, &input.query),
        (Method::Get, ["providers"]) => Ok(pages::providers(exchange)),
        (Method::Get, ["session"]) => show::show(exchange, &input.query).await,
        (Method::Get, ["token"]) => show::token(exchange).await,
        (Method::Get, ["jwks.json"]) => Ok(assertion::jwks(exchange).await),
        (Method::Get, ["signin"]) => pages::sign_in(exchange, &input.query),
        // Asked for ahead of time, nothing begins, and no browser keeps the answer: the ticket waits for who comes.
        (Method::Get, ["signin", _]) if is_login_host(exchange) && exchange.request.is_prefetch() => {
            Ok(responses::no_token(Duration::from_secs(1)))
        }
        (Method::Get, ["signin", provider]) if is_login_host(exchange) => {
            hand_over::receive(exchange, provider, &input.query).await
        }
        (Method::Get, ["renew"]) if is_login_host(exchange) => renew::renew(exchange, &input.query).await,
        // next-auth 4 reads the provider there as an error, of which its page knows nothing to say.
        (Method::Get, ["signin", _]) if is_v4 => pages::sign_in(exchange, &input.query),
        (Method::Get, ["signout"]) => pages::sign_out(exchange, &input.query),
        (Method::Get, ["error"]) => pages::error(exchange, &input.query),
        (Method::Get, ["callback", provider]) => callback::callback(exchange, provider, &input.query).await,
        (Method::Post, ["session"]) => {
            show::update(exchange, &input.query, read_update(exchange, body).await?).await
        }
        (Method::Post, ["signin" | "signout"] | ["signin" | "callback", _]) => {
            let (query, form) = input.with(read_form(exchange, body).await?);
            match route {
                ["callback", provider] if callback::takes_form(exchange, provider) => {
                    callback::callback(exchange, provider, form).await
                }
                ["callback", provider] => credentials::sign_in(exchange, provider, query, form).await,
                ["signout"] => Ok(sign_out::sign_out(exchange, query, form).await?),
                _ => sign_in::sign_in(exchange, route.get(1).copied(), query, form).await,
            }
        }
        (Method::Post, ["_log"]) if is_v4 => Ok(client_log::client_log(exchange, body).await),
        _ => Err(unsupported(exchange.request, route).into()),
    }
}

/// Whether other hosts send people to this one.
fn is_login_host<P: Platform>(exchange: &Exchange<'_, P>) -> bool {
    exchange.config().login_url.is_some() && matches!(exchange.standing, Standing::SignsIn)
}

/// The method; HEAD is GET whose body the platform leaves out (RFC 9110 section 9.3.2). Not at the callback and where a
/// sign-in begins, whose code and ticket are good for one use: what only looks whether an address is there must not use
/// it up.
fn as_get<'a>(request: &'a Request, route: &[&str]) -> &'a Method {
    match (&request.method, route) {
        (Method::Head, ["callback" | "signin", _]) => &Method::Head,
        (Method::Head, _) => &Method::Get,
        (method, _) => method,
    }
}

/// Why a request asks for nothing that there is.
fn unsupported(request: &Request, route: &[&str]) -> ClientError {
    match (as_get(request, route), route) {
        (Method::Get, ["signin", _]) => {
            ClientError::UnsupportedAction("a sign-in with a provider begins with POST")
        }
        (Method::Get | Method::Post, ["callback"]) => {
            ClientError::UnsupportedAction("the callback names no provider")
        }
        (Method::Get | Method::Post, ["verify-request"]) => {
            ClientError::UnsupportedAction("there is no sign-in by e-mail")
        }
        (Method::Get | Method::Post, ["webauthn-options"] | ["webauthn-options", _]) => {
            ClientError::UnsupportedAction("there is no sign-in with a passkey")
        }
        (Method::Post, ["csrf" | "providers" | "error" | "token"]) => {
            ClientError::UnsupportedAction("this auth route does not answer POST")
        }
        _ => ClientError::UnknownAction {
            method: request.method.as_str().to_owned(),
            path: request.url.path.clone(),
        },
    }
}

/// A POST's body: a form, or the flat JSON object that scripts send. A body of another type says nothing.
async fn read_form<P: Platform>(exchange: &Exchange<'_, P>, body: P::Body) -> Result<Params, ClientError> {
    let is_json = match media_type(exchange.request).as_str() {
        "application/json" => true,
        "application/x-www-form-urlencoded" => false,
        _ => return Ok(Params::default()),
    };
    let bytes = exchange.platform.read_body(body, BODY_LIMIT).await?;
    if is_json {
        return Params::from_json(&bytes).map_err(|_| ClientError::MalformedBody);
    }
    Ok(Params::from_urlencoded(&bytes))
}

/// The body of an update: a JSON object whose data may nest. Anything else updates nothing.
async fn read_update<P: Platform>(exchange: &Exchange<'_, P>, body: P::Body) -> Result<Update, ClientError> {
    if media_type(exchange.request) != "application/json" {
        return Ok(Update::default());
    }
    let bytes = exchange.platform.read_body(body, BODY_LIMIT).await?;
    Update::parse(&bytes).ok_or(ClientError::MalformedBody)
}

/// The media type of the body, without parameters, in lower case (RFC 9110 section 8.3.1).
fn media_type(request: &Request) -> String {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// next-auth 4's `useSession({ required: true })` goes there whatever the base path is.
fn sign_in_of_v4_client<P: Platform>(exchange: &Exchange<'_, P>, path: &CanonicalPath) -> Option<Response> {
    let is_it = exchange.config().dialect == Dialect::NextAuthV4
        && exchange.request.method == Method::Get
        && path.segments() == ["api", "auth", "signin"];
    let query = exchange.request.url.query.as_deref().map_or(String::new(), |query| format!("?{query}"));
    is_it.then(|| Response::redirect(format!("{}{query}", exchange.route("signin"))))
}

fn bad_request() -> Response {
    Response::json(400, &json!("Bad request."))
}
