//! What Vestibule's tests run against: one fake of everything outside it.
//!
//! [`FakePlatform`] is a runtime without a network. Each concern is a part of its own that a test sets and asks:
//! [`clock`], [`random`], [`crypto`], [`http`], [`forward`], [`store`], [`log`], [`jobs`]. Nothing happens by chance and
//! no time passes but the clock's, so the same test is the same run.
//!
//! [`TestEnv`] puts Vestibule on it, with an OpenID provider ([`provider`]) and an API of one's own ([`api`]) behind its
//! HTTP client; a [`Browser`] has a cookie jar.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

pub mod api;
mod browser;
pub mod clock;
pub mod crypto;
pub mod forward;
pub mod http;
pub mod jobs;
pub mod log;
mod platform;
pub mod provider;
pub mod random;
pub mod rotation;
mod settings;
pub mod store;
mod test_env;

pub use self::api::FakeApi;
pub use self::browser::{AuthorizationRequest, Browser};
pub use self::clock::FakeClock;
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
pub use self::store::FakeStore;
pub use self::test_env::{Answer, TestEnv};
