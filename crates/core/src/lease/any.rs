//! The lease that the configuration asks for.

use std::rc::Rc;

use super::kind::LeaseKind;
use super::{Lease, Name, Taken, lock, store};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::successor::Successor;

/// One of the kinds.
pub(crate) enum AnyLease<'a, P: Platform> {
    Alone,
    Store(store::StoreLease<'a, P>),
    Lock(lock::LockLease<'a, P>),
}

impl<'a, P: Platform> AnyLease<'a, P> {
    pub(crate) fn new(kind: LeaseKind, sealing: Sealing<'a>, platform: &'a P) -> Self {
        match kind {
            LeaseKind::None => Self::Alone,
            LeaseKind::Store => Self::Store(store::StoreLease::new(sealing, platform)),
            LeaseKind::Lock => Self::Lock(lock::LockLease { sealing, platform }),
        }
    }
}

impl<P: Platform> Lease for AnyLease<'_, P> {
    async fn take(&self, name: &Name, owner: &str) -> Result<Taken, StoreError> {
        match self {
            Self::Alone => Ok(Taken::Yours),
            Self::Store(lease) => lease.take(name, owner).await,
            Self::Lock(lease) => lease.take(name, owner).await,
        }
    }

    async fn look(&self, name: &Name) -> Result<Option<Rc<Successor>>, StoreError> {
        match self {
            Self::Alone => Ok(None),
            Self::Store(lease) => lease.look(name).await,
            Self::Lock(lease) => lease.look(name).await,
        }
    }

    async fn look_again(&self, name: &Name) -> Result<Option<Rc<Successor>>, StoreError> {
        match self {
            Self::Alone => Ok(None),
            Self::Store(lease) => lease.look_again(name).await,
            Self::Lock(lease) => lease.look_again(name).await,
        }
    }

    async fn leave(&self, name: &Name, owner: &str, successor: &Successor) -> Result<(), StoreError> {
        match self {
            Self::Alone => Ok(()),
            Self::Store(lease) => lease.leave(name, owner, successor).await,
            Self::Lock(lease) => lease.leave(name, owner, successor).await,
        }
    }

    async fn give_back(&self, name: &Name, owner: &str) -> Result<(), StoreError> {
        match self {
            Self::Alone => Ok(()),
            Self::Store(lease) => lease.give_back(name, owner).await,
            Self::Lock(lease) => lease.give_back(name, owner).await,
        }
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        match self {
            Self::Alone => Ok(()),
            Self::Store(lease) => lease.sign_out(sid).await,
            Self::Lock(lease) => lease.sign_out(sid).await,
        }
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        match self {
            Self::Alone => Ok(false),
            Self::Store(lease) => lease.is_signed_out(sid).await,
            Self::Lock(lease) => lease.is_signed_out(sid).await,
        }
    }

    fn is_certain(&self) -> bool {
        match self {
            Self::Alone => false,
            Self::Store(lease) => lease.is_certain(),
            Self::Lock(lease) => lease.is_certain(),
        }
    }
}
