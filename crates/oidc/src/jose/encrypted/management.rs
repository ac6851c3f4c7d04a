//! How the key of an encrypted token is transported.

use std::fmt;

/// How the content encryption key is transported: `alg` (RFC 7518 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyManagement {
    /// `RSA-OAEP-256`: RSAES-OAEP with SHA-256 (RFC 7518 section 4.3).
    RsaOaep256,
    /// `ECDH-ES`: key agreement (RFC 7518 section 4.6).
    EcdhEs,
    /// `ECDH-ES+A256KW`: key agreement, and key wrapping (RFC 7518 section 4.6).
    EcdhEsA256Kw,
}

impl KeyManagement {
    /// All of them. `RSA1_5` is not among them: it is open to an oracle (RFC 8017 section 7.2).
    pub const ALL: [Self; 3] = [Self::RsaOaep256, Self::EcdhEs, Self::EcdhEsA256Kw];

    /// The value of `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }
}

impl fmt::Display for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
