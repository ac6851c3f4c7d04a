//! HTTP as the flows see it: plain data, no platform's objects.

pub mod headers;
pub mod request;
pub mod response;
