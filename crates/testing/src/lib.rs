//! The test environment: fakes of everything outside Vestibule.
//!
//! [`FakePlatform`] is a runtime without a network. Each of its parts can be configured and inspected by a test:
//! [`clock`], [`random`], [`crypto`], [`http`], [`forward`], [`store`], [`log`], [`jobs`]. All randomness comes from a
//! seed, and time passes only on the fake clock, so every run of a test is the same.
//!
//! [`TestEnv`] runs Vestibule on it, with an OpenID provider ([`provider`]) and a credentials API ([`credentials_api`])
//! behind its HTTP client. A [`Browser`] has a cookie jar.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod browser;
pub mod clock;
pub mod credentials_api;
pub mod crypto;
pub mod dpop;
pub mod encryption;
pub mod exchange;
pub mod forward;
pub mod http;
pub mod introspection;
pub mod jobs;
pub mod log;
mod platform;
pub mod provider;
pub mod random;
pub mod requests;
pub mod rotation;
mod settings;
pub mod sinks;
pub mod store;
mod test_env;

pub use self::browser::{AuthorizationRequest, Browser};
pub use self::clock::FakeClock;
pub use self::credentials_api::FakeApi;
pub use self::crypto::FakeCrypto;
pub use self::forward::{FakeForwarder, Forwarded};
pub use self::http::{FakeHttp, Server};
pub use self::jobs::FakeJobs;
pub use self::log::FakeLog;
pub use self::platform::FakePlatform;
pub use self::provider::FakeProvider;
pub use self::random::FakeRandom;
pub use vestibule::runtime::RUNTIME;

pub use self::settings::{APP, SECRET, environment, settings};
pub use self::sinks::FakeSinks;
pub use self::store::FakeStore;
pub use self::test_env::{Answer, TestEnv};
