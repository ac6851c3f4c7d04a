//! The component in `wasmtime serve`.

use miniflare_test_harness::{Launch, Running, Runtime, StartError};

pub(crate) struct Wasi;

impl Runtime for Wasi {
    fn name(&self) -> &'static str {
        "wasi"
    }

    fn start(&self, _: &Launch<'_>) -> Result<Running, StartError> {
        panic!("not yet")
    }
}
