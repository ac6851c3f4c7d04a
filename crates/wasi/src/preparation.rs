//! What the build calls: `cargo xtask wasi --build --config FILE` runs it, and writes the memory that it leaves into the
//! component, so that every instance begins with it. A call of the host would end it, so that memory has neither a secret,
//! nor the time, nor anything random.

use crate::configuration;

wasip2::cli::command::export!(Preparation);

/// What the build calls, as if it were a command.
struct Preparation;

impl wasip2::exports::cli::run::Guest for Preparation {
    fn run() -> Result<(), ()> {
        configuration::prepare();
        Ok(())
    }
}
