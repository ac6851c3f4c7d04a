//! What the linker is told.

/// Bytes of memory that every instance begins with, beside its data: more than a request takes. Each time that a component asks its
/// host for more, the host changes the protection of pages, which costs as much as a tenth of a request.
const HEAP: u32 = 1 << 20;

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "wasi") {
        println!("cargo::rustc-link-arg-cdylib=--initial-heap={HEAP}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
