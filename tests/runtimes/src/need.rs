//! What tests need, and which runtime has it.

use std::fs;
use std::path::Path;

use crate::Kind;

/// The variable with the directory for a file of each test that is not run.
const NOT_RUN: &str = "VESTIBULE_NOT_RUN";

/// What a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// workerd's own limits, bindings and objects: a rate limit, a queue, `request.cf`, another Worker behind a binding.
    Workers,
    /// The fields that Cloudflare sets in requests, such as `CF-Connecting-IP`.
    Cloudflare,
    /// Isolates that share nothing but a store, which a test delays, parts and breaks.
    Isolates,
    /// A KV namespace that a test reads and breaks.
    Kv,
    /// `wrangler dev`.
    Wrangler,
    /// A wrong configuration that is answered with 500.
    Answers500,
    /// A store that requests share: leases, revocations, tokens, counts.
    Store,
    /// WebSockets.
    WebSockets,
    /// Services behind `service:NAME` that get the request's own `Host`.
    OwnHost,
    /// Signatures and decryption with a private key of RSA.
    RsaKeys,
    /// Decryption with a private key of RSA.
    RsaDecryption,
    /// That a request which is no HTTP reaches Vestibule as it was sent.
    RawRequests,
    /// One address for http and https, with one store behind both.
    BothSchemes,
}

impl Need {
    /// Why a runtime does not have it; `None` if it does.
    fn missing(self, kind: Kind) -> Option<&'static str> {
        let text = |native: Option<&'static str>, wasi: Option<&'static str>| match kind {
            Kind::Workers => None,
            Kind::Native => native,
            Kind::Wasi => wasi,
        };
        let both = |reason| text(Some(reason), Some(reason));
        match self {
            Self::Workers => both("is about bindings and limits of workerd"),
            Self::Cloudflare => both("is about fields that Cloudflare sets"),
            Self::Isolates => both("needs isolates that share nothing but a store"),
            Self::Kv => both("reads or breaks the KV namespace"),
            Self::Wrangler => both("compares with `wrangler dev`"),
            Self::Answers500 => text(Some("the server does not start with a wrong configuration"), None),
            Self::Store => text(None, Some("needs a shared store")),
            Self::WebSockets => text(None, Some("needs WebSockets, which wasi:http 0.2 does not have")),
            Self::OwnHost => {
                text(None, Some("an upstream gets its own host, and the request's in X-Forwarded-Host"))
            }
            Self::RsaKeys => text(None, Some("needs signatures with a private key of RSA")),
            Self::RsaDecryption => both("needs decryption with a private key of RSA"),
            Self::RawRequests => {
                text(None, Some("wasmtime refuses or changes the request before the component sees it"))
            }
            Self::BothSchemes => text(Some("the server listens for http or for https"), None),
        }
    }
}

/// Whether the chosen runtime has all that the test of this name needs. If not, the test is listed as not run.
pub fn has(test: &str, needs: &[Need]) -> bool {
    let kind = Kind::chosen();
    let Some(reason) = needs.iter().find_map(|need| need.missing(kind)) else { return true };
    eprintln!("not on {}: {test}: {reason}", kind.name());
    if let Some(directory) = std::env::var_os(NOT_RUN) {
        let file = Path::new(&directory).join(test.replace("::", "."));
        fs::write(&file, reason).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
    }
    false
}

/// Ends the test here, and lists it as not run, if the chosen runtime lacks one of these: `needs!(Kv, Isolates)`.
#[macro_export]
macro_rules! needs {
    ($($need:ident),+ $(,)?) => {
        if !$crate::has($crate::test_name!(), &[$($crate::Need::$need),+]) {
            return;
        }
    };
}

/// The path of the function in which it stands.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        fn path<T>(_: T) -> &'static str {
            ::std::any::type_name::<T>()
        }
        let path = path(here);
        path.strip_suffix("::here").unwrap_or(path)
    }};
}
