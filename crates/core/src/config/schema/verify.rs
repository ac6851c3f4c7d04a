//! `[vars.AUTH.verify]`

use super::Kind::{Hidden, Text};
use super::{Keys, keys};
use crate::guard::forward_auth::ForwardAuthHeaders;

/// The header fields in which a proxy describes the request that it asks about.
pub(in crate::config) const HEADERS: [(&str, Option<ForwardAuthHeaders>); 4] = [
    ("x-forwarded", Some(ForwardAuthHeaders::XForwarded)),
    ("x-original", Some(ForwardAuthHeaders::XOriginal)),
    ("none", None),
    ("envoy", Some(ForwardAuthHeaders::Envoy)),
];

pub(in crate::config) const VERIFY: Keys = &[keys! {
    /// The header fields in which the proxy describes the request it asks about: `"x-forwarded"` (Traefik, Caddy,
    /// HAProxy), `"x-original"` (nginx), `"envoy"` (Envoy's `ext_authz`: the path follows `BASE_PATH/verify`), or `"none"`: only
    /// the session decides.
    headers: Text, values = HEADERS, unset = "headers of a proxy are ignored, and the answer only says whether the user is signed in",
        example = "x-original", needs = "the secret `AUTH_VERIFY_SECRET`, which the proxy sends as `X-Vestibule-Verify`";
    /// Never written here: `AUTH_VERIFY_SECRET` is a secret of the environment.
    secret: Hidden;
}];
