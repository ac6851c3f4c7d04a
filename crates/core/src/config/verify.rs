//! What `GET BASE_PATH/verify` believes of the proxy that asks.

use crate::secret::Secret;

/// What is believed of a proxy that asks about a request. Nothing, unless the configuration says so.
#[derive(Clone, Debug, Default)]
pub struct VerifyConfig {
    /// In which header fields the proxy tells of the request that it asks about. Without it they decide nothing,
    /// and who is signed in is all that is answered.
    pub told: Option<Told>,
    /// What proves that it is the proxy who asks. It is there wherever `told` is; where it is there alone, the proxy
    /// learns more of who is signed in than a page's script.
    pub secret: Option<Secret>,
}

/// The header fields in which a proxy tells of the request that it asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`, as Traefik and Caddy write them by themselves. They pass
    /// a refusal on to the browser as it is.
    XForwarded,
    /// `X-Original-Method`, and `X-Original-URL` or `X-Original-URI`, as one writes them for nginx, which knows 401
    /// and 403 alone as refusals.
    XOriginal,
}
