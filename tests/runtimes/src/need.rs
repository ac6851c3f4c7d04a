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
        const ALL_OTHERS: &[Kind] = &[Kind::Native, Kind::Wasi];
        let (lacking, reason): (&[Kind], _) = match self {
            Self::Workers => (ALL_OTHERS, "bindings and limits of workerd"),
            Self::Cloudflare => (ALL_OTHERS, "the fields that Cloudflare sets in requests"),
            Self::Isolates => (ALL_OTHERS, "isolates in several locations, which share only a store"),
            Self::OpenStore => (ALL_OTHERS, "a KV namespace that the test reads, delays or breaks"),
            Self::Wrangler => (ALL_OTHERS, "`wrangler dev`"),
            Self::Answers500 => (
                &[Kind::Native],
                "an answer in spite of a wrong configuration, with which the server does not start",
            ),
            Self::WebSockets => (&[Kind::Wasi], "WebSockets, which wasi:http 0.2 does not have"),
            Self::RawRequests => (
                &[Kind::Wasi],
                "requests as they were sent: wasmtime answers those that are no HTTP, and reads `Connection`",
            ),
            Self::FieldBytes => (
                &[Kind::Wasi],
                "header fields byte for byte: bytes that are not UTF-8 are read as ISO 8859-1 and sent as UTF-8",
            ),
            Self::OneMemory => (
                &[Kind::Wasi],
                "one memory: an instance knows after `revocation.interval` what another one has learnt, and requests at \
                 the same time have an instance each",
            ),
            Self::NoProxy => {
                (&[Kind::Wasi], "requests that come by no proxy, which ends TLS in front of wasmtime")
            }
        };
        lacking.contains(&kind).then_some(reason)
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
