//! What the subject of an event, or of a request to revoke, is here.

use crate::config::ProviderKind;
use crate::flow::RequestContext;
use crate::flow::provider::is_issuer;
use crate::platform::Platform;
use crate::revocation::subject::{Subject, User};
use thiserror::Error;
use vestibule_oidc::oauth::subject_id::{SimpleId, SubjectId};
use vestibule_oidc::oauth::transmitter::EventTransmitter;

/// Why a subject names no one here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum UnknownSubjectError {
    /// Sessions are found by the provider's `sub` only: nobody keeps a list of who has which address.
    #[error("sessions are found by the provider's sub and sid, not by a subject of the format {0:?}")]
    Format(String),
    /// Its `iss` is neither the transmitter nor the provider.
    #[error("the subject's iss is neither the transmitter's nor the provider's issuer")]
    OtherIssuer,
    /// It names neither a user nor a session.
    #[error("the subject names neither a user nor a session")]
    NoOne,
}

impl<P: Platform> RequestContext<'_, P> {
    /// The user that `subject` names: all of the user's sessions, whatever else it says.
    pub(super) fn transmitted_user(
        &self,
        transmitter: &EventTransmitter,
        subject: &SubjectId,
    ) -> Result<User, UnknownSubjectError> {
        match subject {
            SubjectId::Simple(id) | SubjectId::Complex { user: Some(id), .. } => {
                self.user_by_id(transmitter, id)
            }
            SubjectId::Complex { user: None, .. } => Err(UnknownSubjectError::NoOne),
        }
    }

    /// What ends if the sessions that `subject` names were revoked: one session if it names one, otherwise all of the user.
    pub(super) fn transmitted_sessions(
        &self,
        transmitter: &EventTransmitter,
        subject: &SubjectId,
    ) -> Result<Vec<Subject>, UnknownSubjectError> {
        let session = |sid: &String| Subject::ProviderSession {
            provider: transmitter.provider.clone(),
            sid: sid.clone(),
        };
        match subject {
            SubjectId::Complex { session: Some(SimpleId::Opaque(sid)), .. } => Ok(vec![session(sid)]),
            // CAEP 1.0 section 3.1 uses an opaque identifier for a session, RFC 9493 for anything: only one of both exists.
            SubjectId::Simple(SimpleId::Opaque(id)) => {
                Ok(vec![session(id), Subject::User(self.transmitted_user(transmitter, subject)?)])
            }
            SubjectId::Complex { user: None, session: Some(id) } => {
                Err(UnknownSubjectError::Format(format!("{id:?}")))
            }
            _ => Ok(vec![Subject::User(self.transmitted_user(transmitter, subject)?)]),
        }
    }

    fn user_by_id(&self, transmitter: &EventTransmitter, id: &SimpleId) -> Result<User, UnknownSubjectError> {
        let user = |sub: &String| User { provider: transmitter.provider.clone(), sub: sub.clone() };
        match id {
            SimpleId::IssuerSubject { issuer, subject } if self.speaks_of(transmitter, issuer) => {
                Ok(user(subject))
            }
            SimpleId::IssuerSubject { .. } => Err(UnknownSubjectError::OtherIssuer),
            SimpleId::Opaque(id) => Ok(user(id)),
            SimpleId::Aliases(aliases) => aliases
                .iter()
                .find_map(|alias| self.user_by_id(transmitter, alias).ok())
                .ok_or_else(|| UnknownSubjectError::Format(format!("{id:?}"))),
            SimpleId::Other(format) => Err(UnknownSubjectError::Format(format.clone())),
        }
    }

    /// Whether the `sub` of this issuer is that of the provider's users.
    fn speaks_of(&self, transmitter: &EventTransmitter, issuer: &str) -> bool {
        let of_provider = || match &self.provider(&transmitter.provider)?.kind {
            ProviderKind::OAuth(oauth) => match &oauth.openid {
                Some(openid) => Some(is_issuer(openid, issuer)),
                None => Some(oauth.issuer.as_deref() == Some(issuer)),
            },
            ProviderKind::Credentials(_) => None,
        };
        transmitter.issuer == issuer || of_provider().unwrap_or(false)
    }
}
