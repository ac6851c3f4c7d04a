//! Vestibule as a component for the world `wasi:http/proxy` (WASI 0.2), which any host of that world serves: wasmtime is the
//! one that it is tested with. Built for another target, this crate is empty.
//!
//! The host calls `handle` for each request, in a new instance or in one that it keeps. Within an instance there is one
//! request at a time.
#![cfg(all(target_os = "wasi", target_env = "p2"))]

mod body;
mod client;
mod configuration;
mod convert;
mod entry;
mod executor;
mod forward;
#[cfg(feature = "keyvalue")]
mod keyvalue;
#[cfg(not(any(feature = "keyvalue", feature = "redis")))]
mod no_store;
mod platform;
#[cfg(feature = "preparation")]
mod preparation;
#[cfg(all(feature = "redis", not(feature = "keyvalue")))]
mod redis;
mod store;

wasip2::http::proxy::export!(Component);

/// What the host calls.
struct Component;

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(
        request: wasip2::http::types::IncomingRequest,
        response: wasip2::http::types::ResponseOutparam,
    ) {
        executor::run(entry::respond(request, response));
    }
}
