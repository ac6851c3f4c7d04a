//! The program of `vestibule_server`.

use std::process::ExitCode;

/// Requests allocate what is as long as their cookies, for which the C library's allocator is slow, musl's most of all.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vestibule_server::main()
}
