//! The families, by what is read.

mod chunks;
mod claims;
mod cookies;
mod jwe;
mod jws;
mod keys;
mod matcher;
mod patterns;
mod sealed;
mod set_cookie;
mod signed;

use crate::Family;

/// Every family.
pub const FAMILIES: &[Family] = &[
    jwe::FAMILY,
    jwe::OF_AUTHJS,
    jws::FAMILY,
    jws::ID_TOKEN,
    jws::OF_JOSE,
    cookies::FAMILY,
    chunks::FAMILY,
    set_cookie::FAMILY,
    matcher::FAMILY,
    matcher::VALUE,
];
