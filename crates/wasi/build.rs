//! What the linker is told.

/// Bytes of memory that every instance begins with, beside its data: more than most requests take. Where a component asks its host
/// for more, the host changes the protection of pages, which costs a tenth of a request.
const HEAP: u32 = 256 * 1024;

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "wasi") {
        println!("cargo::rustc-link-arg-cdylib=--initial-heap={HEAP}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
