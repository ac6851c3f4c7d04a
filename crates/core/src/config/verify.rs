//! The settings of `GET BASE_PATH/verify` (forward-auth): `AUTH.verify`.

use crate::guard::forward_auth::ForwardAuthHeaders;
use vestibule_oidc::secret::Secret;

/// What `GET BASE_PATH/verify` accepts from a proxy that asks it about a request. The default accepts nothing.
#[derive(Clone, Debug, Default)]
pub struct VerifyConfig {
    /// The header fields in which the proxy describes the request that it asks about. With `None`, those fields are
    /// ignored, and the response only says who is signed in.
    pub headers: Option<ForwardAuthHeaders>,
    /// The secret with which the proxy authenticates (`AUTH_VERIFY_SECRET`). Always present where `headers` is. Where only
    /// the secret is present, the proxy still receives more about the user than a page's script does.
    pub secret: Option<Secret>,
}
