//! Forwards requests to upstreams, with both bodies streamed.

use std::borrow::Cow;

use vestibule_core::http::response::Response;
use vestibule_core::log::RequestDetails;
use vestibule_core::outcome::Outcome;
use vestibule_core::platform::{BodyError, Forward, ForwardError, Forwarder, Log};
use vestibule_core::upstream::Target;
use vestibule_wasi_settings::values::{ORIGIN, SERVICES};
use vestibule_wasi_settings::{Network, Origin};

use crate::body::Body;
use crate::client::{self, Received};
use crate::convert;
use crate::platform::Wasi;

impl Forwarder for Wasi {
    type Body = Body;
    type UpstreamResponse = Received;

    async fn read_body(&self, body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
        match body.read_all(limit).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(BodyError::TooLarge(limit)),
            Err(_) => Err(BodyError::Incomplete),
        }
    }

    async fn forward(&self, forward: Forward<'_>, body: Body) -> Result<Received, ForwardError> {
        // An upgrade needs the connection itself, which wasi:http 0.2 does not give.
        if forward.request.headers.contains("sec-websocket-key") {
            return Ok(Received::empty(501));
        }
        let (server, egress) = server(&forward, &self.instance.network)?;
        let request = forward.request;
        let path = convert::path_with_query(&forward.path_and_query());
        let mut headers = forward.changes.applied_to(&request.headers);
        // The host has asked for the body already.
        headers.remove("expect");
        let sent = client::send(&request.method, (&server, &path), headers, body, egress);
        let mut response = sent.await.map_err(ForwardError::Unreachable)?;
        if let Some(location) = response.headers().get("location") {
            // A server of the site's own network leads to itself by its own name, or by the site's.
            let own = server.target();
            let of = |target: &Target| target.location(location, &request.url, forward.strip_prefix);
            if let Some(location) = own.iter().chain([forward.target]).find_map(of) {
                response.headers_mut().set("location", location);
            }
        }
        Ok(response)
    }

    async fn forward_streaming(&self, forward: Forward<'_>, body: Body) -> Outcome<Received> {
        let (request, edge) = (forward.request, forward.edge);
        match self.forward(forward, body).await {
            Ok(response) => Outcome::forwarded(response),
            Err(error) => {
                self.log(&error.record().in_request(&RequestDetails::of(request, edge)));
                Outcome::Response(self.instance.vestibule.upstream_failure(request.clone(), &error))
            }
        }
    }

    fn take_set_cookies(
        &self,
        mut response: Received,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(Received, Vec<String>), ForwardError> {
        let mut taken = Vec::new();
        if !response.headers().contains("set-cookie") {
            return Ok((response, taken));
        }
        response.headers_mut().retain(|name, value| {
            let is_kept = name != "set-cookie" || !is_taken(value);
            if !is_kept {
                taken.push(value.to_owned());
            }
            is_kept
        });
        Ok((response, taken))
    }

    fn status(&self, response: &Received) -> u16 {
        response.status
    }

    fn field(&self, response: &Received, name: &str) -> Option<String> {
        response.headers().contains(name).then(|| response.headers().joined(name))
    }

    fn discard(&self, response: Received) {
        drop(response);
    }

    fn has_body(&self, body: &Body) -> bool {
        !body.is_empty()
    }

    fn body_again(&self, bytes: &[u8]) -> Result<Body, BodyError> {
        Ok(Body::of(bytes))
    }

    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        let (server, egress) = server(&forward, &self.instance.network)?;
        let path = convert::path_with_query(forward.path());
        let mut headers = forward.changes.applied_to(&forward.request.headers);
        headers.remove("content-length");
        let sent = client::send(&forward.request.method, (&server, &path), headers, Body::of(&[]), egress);
        let received = sent.await.map_err(ForwardError::Unreachable)?;
        let status = received.status;
        Ok(Response { headers: received.into_headers(), ..Response::empty(status) })
    }
}

/// The server that the request goes to, and the gateway that it passes.
fn server<'a>(
    forward: &Forward<'a>,
    network: &'a Network,
) -> Result<(Cow<'a, Origin>, Option<&'a Origin>), ForwardError> {
    match forward.target {
        Target::Url(url) => Ok((Cow::Owned(Origin::of(url)), network.egress.as_ref())),
        Target::Origin => Ok((Cow::Borrowed(network.origin.as_ref().ok_or_else(no_origin)?), None)),
        Target::Service(name) => {
            let service = network.services.get(name);
            let start = || format!("start the component with --env {SERVICES}={name}=URL");
            let missing = || ForwardError::no_service(name, &start());
            Ok((Cow::Borrowed(service.ok_or_else(missing)?), None))
        }
    }
}

fn no_origin() -> ForwardError {
    ForwardError::no_origin(&format!("start the component with --env {ORIGIN}=URL"))
}
