//! HTTP as plain data for the flows, without any platform's objects.

pub mod changes;
pub mod client;
pub mod cookie;
pub mod egress;
pub mod form;
pub mod header_wire;
pub mod headers;
pub mod origin;
pub mod percent;
mod place;
pub mod public_suffix;
pub mod request;
pub mod response;
pub mod return_to;
pub mod url;
