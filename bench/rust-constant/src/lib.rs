//! The least that a Worker in Rust can do, as the `worker` crate's own template has it.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "the macro's function has no place for words")]

use worker::{Context, Env, Request, Response, Result, event};

#[event(fetch)]
async fn fetch(_: Request, _: Env, _: Context) -> Result<Response> {
    Response::ok("hello")
}
