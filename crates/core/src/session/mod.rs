//! Sealed things: the session, the sign-in transaction, the csrf token, and how they lie in cookies.

pub mod chunk;
pub mod claims;
pub mod cookie;
pub mod csrf;
pub mod dialect;
pub mod names;
pub mod opened;
pub mod policy;
pub mod seal;
pub mod successor;
pub mod ticket;
pub mod transaction;
