//! Security profiles: what a provider and its clients agree to beyond OAuth 2.

use crate::jose::jws::Algorithm;

/// A security profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProfile {
    /// FAPI 2.0 Security Profile.
    Fapi2,
}

impl SecurityProfile {
    /// Whether signatures may have this algorithm (FAPI 2.0 Security Profile section 5.4.1).
    pub fn allows(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Fapi2 => matches!(algorithm, Algorithm::Ps256 | Algorithm::Es256 | Algorithm::EdDsa),
        }
    }

    /// Whether an authorization response must name its issuer (RFC 9207), whatever the metadata say.
    pub fn requires_response_issuer(self) -> bool {
        match self {
            Self::Fapi2 => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fapi_2_signs_with_three_algorithms_only() {
        let allowed: Vec<Algorithm> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| SecurityProfile::Fapi2.allows(*algorithm))
            .collect();
        assert_eq!(allowed, [Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]);
    }
}
