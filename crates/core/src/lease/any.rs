//! The lease that the configuration selects.

use std::rc::Rc;
use std::time::Duration;

use super::kind::LeaseKind;
use super::{Acquisition, Found, Lease, Publication, RefreshId, lock, store};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::refreshed_tokens::RefreshedTokens;

/// A lease of any [`LeaseKind`].
pub(crate) enum AnyLease<'a, P: Platform> {
    Unshared,
    Store(store::StoreLease<'a, P>),
    Lock(lock::LockLease<'a, P>),
}

impl<'a, P: Platform> AnyLease<'a, P> {
    /// A lease for a session's provider. `accepts_reuse` says whether it accepts a used refresh token, for some seconds at
    /// least; `learns_of_sign_outs`, whether [`Lease::sign_out`] tells it of them.
    pub(crate) fn new(
        kind: LeaseKind,
        sealing: Sealing<'a>,
        platform: &'a P,
        accepts_reuse: bool,
        learns_of_sign_outs: bool,
    ) -> Self {
        match kind {
            LeaseKind::None => Self::Unshared,
            LeaseKind::Store => {
                Self::Store(store::StoreLease::new(sealing, platform, accepts_reuse, learns_of_sign_outs))
            }
            LeaseKind::Lock => Self::Lock(lock::LockLease { sealing, platform }),
        }
    }
}

impl<P: Platform> Lease for AnyLease<'_, P> {
    async fn acquire(
        &self,
        id: &RefreshId,
        owner: &str,
        max_wait: Duration,
    ) -> Result<Acquisition, StoreError> {
        match self {
            Self::Unshared => Ok(Acquisition::Acquired),
            Self::Store(lease) => lease.acquire(id, owner, max_wait).await,
            Self::Lock(lease) => lease.acquire(id, owner, max_wait).await,
        }
    }

    async fn find_after_invalid_grant(&self, id: &RefreshId) -> Result<Found, StoreError> {
        match self {
            Self::Unshared => Ok(Found::Nothing),
            Self::Store(lease) => lease.find_after_invalid_grant(id).await,
            Self::Lock(lease) => lease.find_after_invalid_grant(id).await,
        }
    }

    async fn published(&self, id: &RefreshId) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        match self {
            Self::Unshared => Ok(None),
            Self::Store(lease) => lease.published(id).await,
            Self::Lock(lease) => lease.published(id).await,
        }
    }

    async fn publish(
        &self,
        id: &RefreshId,
        owner: &str,
        tokens: &RefreshedTokens,
    ) -> Result<Publication, StoreError> {
        match self {
            Self::Unshared => Ok(Publication::Published),
            Self::Store(lease) => lease.publish(id, owner, tokens).await,
            Self::Lock(lease) => lease.publish(id, owner, tokens).await,
        }
    }

    async fn release(&self, id: &RefreshId, owner: &str) -> Result<(), StoreError> {
        match self {
            Self::Unshared => Ok(()),
            Self::Store(lease) => lease.release(id, owner).await,
            Self::Lock(lease) => lease.release(id, owner).await,
        }
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        match self {
            Self::Unshared => Ok(()),
            Self::Store(lease) => lease.sign_out(sid).await,
            Self::Lock(lease) => lease.sign_out(sid).await,
        }
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        match self {
            Self::Unshared => Ok(false),
            Self::Store(lease) => lease.is_signed_out(sid).await,
            Self::Lock(lease) => lease.is_signed_out(sid).await,
        }
    }

    fn sees_all_writes(&self) -> bool {
        match self {
            Self::Unshared => false,
            Self::Store(lease) => lease.sees_all_writes(),
            Self::Lock(lease) => lease.sees_all_writes(),
        }
    }
}
