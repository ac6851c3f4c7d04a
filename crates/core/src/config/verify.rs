//! What `GET BASE_PATH/verify` believes of the proxy that asks.

use crate::guard::forward_auth::ForwardAuthHeaders;
use vestibule_oidc::secret::Secret;

/// What is believed of a proxy that asks about a request. Nothing, unless the configuration says so.
#[derive(Clone, Debug, Default)]
pub struct VerifyConfig {
    /// In which header fields the proxy tells of the request that it asks about. Without it they decide nothing,
    /// and who is signed in is all that is answered.
    pub headers: Option<ForwardAuthHeaders>,
    /// What proves that it is the proxy who asks. It is there wherever `told` is; where it is there alone, the proxy
    /// learns more of who is signed in than a page's script.
    pub secret: Option<Secret>,
}
