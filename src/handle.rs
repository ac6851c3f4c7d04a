//! From a request to its flow: the one dispatcher.

use serde_json::Value;

use crate::Vestibule;
use crate::error::{ClientError, Error, ErrorPage};
use crate::flow::session::Update;
use crate::flow::{Exchange, callback, pages, protect, session, sign_in, sign_out, with_parameters};
use crate::guard::path::CanonicalPath;
use crate::http::form::Params;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::platform::{Level, Platform};
use crate::reply::Reply;

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
        match route(&path, &self.config.base_path) {
            Some(route) => Reply::Own(auth(&exchange, &route, body).await),
            None => protect::protect(&exchange, &path, body).await,
        }
    }
}

/// What of the path is behind `base_path`: `["signin", "okta"]`. `None` for a path that is not below it.
fn route<'a>(path: &'a CanonicalPath, base_path: &str) -> Option<Vec<&'a str>> {
    let mut segments = path.segments().iter();
    base_path
        .split('/')
        .skip(1)
        .all(|base| segments.next().is_some_and(|segment| segment == base))
        .then(|| segments.map(String::as_str).collect())
}

/// Runs an auth route, and turns what went wrong into the answer that Auth.js gives.
async fn auth<P: Platform>(exchange: &Exchange<'_, P>, route: &[&str], body: P::Body) -> Response {
    match act(exchange, route, body).await {
        Ok(response) => as_client_wants(exchange, response),
        Err(error) => {
            exchange.platform.log(error.level(), &error.log());
            failure(exchange, route, &error)
        }
    }
}

async fn act<P: Platform>(
    exchange: &Exchange<'_, P>,
    route: &[&str],
    body: P::Body,
) -> Result<Response, Error> {
    let request = exchange.request;
    let query = Params::from_urlencoded(request.url.query.as_deref().unwrap_or_default().as_bytes());
    match (&request.method, route) {
        (Method::Get, ["csrf"]) => pages::csrf(exchange, &query),
        (Method::Get, ["providers"]) => Ok(pages::providers(exchange)),
        (Method::Get, ["session"]) => session::show(exchange, &query),
        (Method::Get, ["signin"]) => pages::sign_in(exchange, &query),
        (Method::Get, ["signout"]) => pages::sign_out(exchange, &query),
        (Method::Get, ["error"]) => pages::error(exchange, &query),
        (Method::Get, ["callback", provider]) => callback::callback(exchange, provider, &query).await,
        (Method::Post, ["session"]) => {
            session::update(exchange, &query, read_update(exchange, body).await?).await
        }
        (Method::Post, ["signin"]) => {
            sign_in::sign_in(exchange, None, &query, &read_form(exchange, body).await?).await
        }
        (Method::Post, ["signin", provider]) => {
            sign_in::sign_in(exchange, Some(provider), &query, &read_form(exchange, body).await?).await
        }
        (Method::Post, ["signout"]) => {
            Ok(sign_out::sign_out(exchange, &query, &read_form(exchange, body).await?)?)
        }
        (Method::Get, ["signin", _]) => {
            Err(ClientError::UnsupportedAction("a sign-in with a provider begins with POST").into())
        }
        (Method::Get | Method::Post, ["callback"]) => {
            Err(ClientError::UnsupportedAction("the callback names no provider").into())
        }
        (Method::Post, ["csrf" | "providers" | "error"] | ["callback", _]) => {
            Err(ClientError::UnsupportedAction("this auth route does not answer POST").into())
        }
        _ => Err(ClientError::UnknownAction {
            method: request.method.as_str().to_owned(),
            path: request.url.path.clone(),
        }
        .into()),
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
    serde_json::from_slice(&bytes).map_err(|_| ClientError::MalformedBody)
}

/// The media type of the body, without parameters, in lower case (RFC 9110 section 8.3.1).
fn media_type(request: &Request) -> String {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The answer to a request that could not be served: a page that names the error's code.
fn failure<P: Platform>(exchange: &Exchange<'_, P>, route: &[&str], error: &Error) -> Response {
    if error.is_bad_request() {
        return bad_request();
    }
    // For scripts only: there is nobody to show a page to.
    if exchange.request.method == Method::Post && route == ["session"] {
        return Response::json(400, &Value::Null);
    }
    let pages = &exchange.config().pages;
    let (own, route) = match error.page() {
        ErrorPage::SignIn => (&pages.sign_in, "signin"),
        ErrorPage::Error => (&pages.error, "error"),
    };
    let page = own.as_ref().map_or_else(|| exchange.route(route), |page| pages::absolute(exchange, page));
    let url = with_parameters(&page, &[("error", error.code())]);
    if wants_json(exchange.request) {
        return Response::json(200, &serde_json::json!({ "url": url }));
    }
    Response::redirect(url)
}

fn bad_request() -> Response {
    Response::json(400, &"Bad request.")
}

/// Auth.js's client sends a header when it wants to know where a redirect goes instead of following it.
fn as_client_wants<P: Platform>(exchange: &Exchange<'_, P>, mut response: Response) -> Response {
    let Some(location) = response.headers.get("location").filter(|_| wants_json(exchange.request)) else {
        return response;
    };
    let body = Response::json(200, &serde_json::json!({ "url": location }));
    response.status = body.status;
    response.body = body.body;
    response.with("content-type", "application/json")
}

fn wants_json(request: &Request) -> bool {
    request.headers.contains("x-auth-return-redirect")
}
