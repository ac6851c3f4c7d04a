//! A component for wasi:http that decides nothing: every request without a body goes to the server that the variable
//! `AUTH_ORIGIN_URL` names, and its response comes back. The host copies header fields and bodies.
#![cfg(all(target_os = "wasi", target_env = "p2"))]

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, IncomingResponse, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::StreamError;

wasip2::http::proxy::export!(Component);

/// How many bytes the host copies at once.
const CHUNK: u64 = 64 * 1024;

/// What the host calls.
struct Component;

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, to: ResponseOutparam) {
        match forward(&request) {
            Ok(response) => answer(&response, to),
            Err(error) => ResponseOutparam::set(to, Err(error)),
        }
    }
}

fn forward(request: &IncomingRequest) -> Result<IncomingResponse, ErrorCode> {
    let refused = || ErrorCode::InternalError(None);
    let server = std::env::var("AUTH_ORIGIN_URL").map_err(|_| refused())?;
    let server = server.strip_prefix("http://").ok_or_else(refused)?;
    let outgoing = OutgoingRequest::new(Fields::clone(&request.headers()));
    outgoing.set_method(&request.method()).map_err(|()| refused())?;
    outgoing.set_scheme(Some(&Scheme::Http)).map_err(|()| refused())?;
    outgoing.set_authority(Some(server)).map_err(|()| refused())?;
    outgoing.set_path_with_query(request.path_with_query().as_deref()).map_err(|()| refused())?;
    let response = outgoing_handler::handle(outgoing, None)?;
    response.subscribe().block();
    response.get().and_then(Result::ok).ok_or_else(refused)?
}

fn answer(response: &IncomingResponse, to: ResponseOutparam) {
    let outgoing = OutgoingResponse::new(Fields::clone(&response.headers()));
    let status = outgoing.set_status_code(response.status());
    let bodies = status.and_then(|()| Ok((outgoing.body()?, response.consume()?)));
    let Ok((output, input)) = bodies else {
        return ResponseOutparam::set(to, Err(ErrorCode::InternalError(None)));
    };
    ResponseOutparam::set(to, Ok(outgoing));
    // A body that is not finished is one that ended too early.
    if copy(&input, &output) {
        let _ = OutgoingBody::finish(output, None);
    }
}

/// Whether the whole body was copied.
fn copy(input: &IncomingBody, output: &OutgoingBody) -> bool {
    let (Ok(from), Ok(to)) = (input.stream(), output.write()) else { return false };
    loop {
        match to.blocking_splice(&from, CHUNK) {
            Ok(_) => {}
            Err(StreamError::Closed) => return true,
            Err(StreamError::LastOperationFailed(_)) => return false,
        }
    }
}
