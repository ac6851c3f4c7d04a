//! What tests need, and which runtime has it. This is the one table; `docs/runtimes.md` is made of it and of the tests.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::Kind;

/// The variable with the path of a file that gets a line for each test that is not run, or not whole.
pub const NOT_RUN: &str = "VESTIBULE_NOT_RUN";

/// What a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// workerd's bindings and limits: queues, datasets, rate limiters, `request.cf`, other Workers, memory.
    Workers,
    /// The fields that Cloudflare sets in requests, such as `CF-Connecting-IP`.
    Cloudflare,
    /// Isolates that share nothing but a store, in locations of their own.
    Isolates,
    /// A store that a test reads, delays and breaks.
    OpenStore,
    /// `wrangler dev`.
    Wrangler,
    /// That a wrong configuration is answered with 500.
    Answers500,
    /// WebSockets.
    WebSockets,
    /// Requests that arrive as they were sent, also those that are no HTTP, with all fields of the connection.
    RawRequests,
    /// Values of header fields that are forwarded byte for byte, also those that are not UTF-8.
    FieldBytes,
    /// One memory for all requests: what one has learnt the next one knows.
    OneMemory,
    /// Requests that come to the runtime by no proxy.
    NoProxy,
}

impl Need {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Workers,
        Self::Cloudflare,
        Self::Isolates,
        Self::OpenStore,
        Self::Wrangler,
        Self::Answers500,
        Self::WebSockets,
        Self::RawRequests,
        Self::FieldBytes,
        Self::OneMemory,
        Self::NoProxy,
    ];

    /// Its name, as [`needs!`](crate::needs) has it.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Why a runtime does not have it; `None` if it does.
    pub fn missing(self, kind: Kind) -> Option<&'static str> {
        let (native, wasi) = match self {
            Self::Workers => {
                let text = "bindings and limits of workerd";
                (Some(text), Some(text))
            }
            Self::Cloudflare => {
                let text = "the fields that Cloudflare sets in requests";
                (Some(text), Some(text))
            }
            Self::Isolates => {
                let text = "isolates in several locations, which share only a store";
                (Some(text), Some(text))
            }
            Self::OpenStore => {
                let text = "a KV namespace that the test reads, delays or breaks";
                (Some(text), Some(text))
            }
            Self::Wrangler => {
                let text = "`wrangler dev`";
                (Some(text), Some(text))
            }
            Self::Answers500 => (
                Some("an answer in spite of a wrong configuration, with which the server does not start"),
                None,
            ),
            Self::WebSockets => (None, Some("WebSockets, which wasi:http 0.2 does not have")),
            Self::RawRequests => (
                None,
                Some(
                    "requests as they were sent: wasmtime answers those that are no HTTP, and reads `Connection`",
                ),
            ),
            Self::FieldBytes => (
                None,
                Some(
                    "header fields byte for byte: bytes that are not UTF-8 are read as ISO 8859-1 and sent as UTF-8",
                ),
            ),
            Self::OneMemory => (
                None,
                Some(
                    "one memory: an instance knows after `revocation.interval` what another one has learnt, and requests at \
                      the same time have an instance each",
                ),
            ),
            Self::NoProxy => {
                (None, Some("requests that come by no proxy, which ends TLS in front of wasmtime"))
            }
        };
        match kind {
            Kind::Workers => None,
            Kind::Native => native,
            Kind::Wasi => wasi,
        }
    }
}

/// Whether the chosen runtime has all that a test needs, or a part of it. If not, the test is listed.
pub fn has(test: &str, needs: &[Need], is_part: bool) -> bool {
    static LISTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    let kind = Kind::chosen();
    let Some(reason) = needs.iter().find_map(|need| need.missing(kind)) else { return true };
    let test = if is_part { format!("a part of {test}") } else { test.to_owned() };
    let line = format!("not on {}: {test}: needs {reason}", kind.name());
    let is_new = LISTED.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone());
    if is_new {
        list(&line);
    }
    false
}

fn list(line: &str) {
    let Some(path) = std::env::var_os(NOT_RUN) else {
        // Not by a macro, whose output libtest keeps for itself.
        return drop(writeln!(std::io::stderr(), "{line}"));
    };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// Ends the test here, and lists it as not run, if the chosen runtime lacks one of these: `needs!(Isolates, OpenStore)`.
#[macro_export]
macro_rules! needs {
    ($($need:ident),+ $(,)?) => {
        if !$crate::has($crate::test_name!(), &[$($crate::Need::$need),+], false) {
            return;
        }
    };
}

/// Whether the chosen runtime has these. If not, the test is listed as run in part: `if part_needs!(Cloudflare) { … }`.
#[macro_export]
macro_rules! part_needs {
    ($($need:ident),+ $(,)?) => {
        $crate::has($crate::test_name!(), &[$($crate::Need::$need),+], true)
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
