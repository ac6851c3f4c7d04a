//! Revocation: facts that end sealed sessions before they expire, in every browser that has a copy.
//!
//! A sealed cookie is valid until its `exp`, no matter who has it. A *fact* says that a session, all sessions of a user, a
//! session of the provider, or everything was revoked, and when. Facts are kept in a store that all processes share,
//! under keys that only a holder of the session's secret can compute, for as long as a session that they end could still
//! be valid.
//!
//! A process does not read them for each request. It remembers what it read for an interval (`memory`), and what it
//! revoked itself. Requests that may change something, renewals and refreshes need a read that is at most
//! `MAX_AGE_TO_RENEW` old. So no session outlives its fact: a session that was not looked up is not renewed.

pub(crate) mod facts;
pub mod kind;
pub mod memory;
pub mod object;
pub mod policy;
pub(crate) mod status;
pub(crate) mod subject;

use std::time::Duration;

/// How far the clocks of two processes may differ. Sessions that began up to this long after a revocation count as
/// begun before it, and a sign-in dates its session past the revocations that it knows.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// How old what is known of a session's revocation may be where the session is renewed or refreshed, or where a request
/// may change something.
pub(crate) const MAX_AGE_TO_RENEW: Duration = Duration::from_secs(30);

/// How much longer than a session's `max_age` a fact is kept: more than any process goes without reading it.
pub(crate) const RETENTION_MARGIN: Duration = Duration::from_hours(24);

/// How long facts are kept at least where clients send access tokens of a provider: its tokens last as long as it likes,
/// some for a year, whatever the sessions' `max_age` is.
pub(crate) const MIN_RETENTION_FOR_BEARER: Duration = Duration::from_hours(400 * 24);
