//! The lease that the configuration asks for.

use std::rc::Rc;

use super::kind::LeaseKind;
use super::{Lease, Name, Taken, kv, object};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::successor::Successor;

/// One of the kinds.
pub(crate) enum AnyLease<'a, P: Platform> {
    Alone,
    Kv(kv::Kv<'a, P>),
    Object(object::Object<'a, P>),
}

impl<'a, P: Platform> AnyLease<'a, P> {
    pub(crate) fn new(kind: LeaseKind, sealing: Sealing<'a>, platform: &'a P) -> Self {
        match kind {
            LeaseKind::None => Self::Alone,
            LeaseKind::Store => Self::Kv(kv::Kv::new(sealing, platform)),
            LeaseKind::Lock => Self::Object(object::Object { sealing, platform }),
        }
    }
}

impl<P: Platform> Lease for AnyLease<'_, P> {
    async fn take(&self, name: &Name, owner: &str) -> Result<Taken, StoreError> {
        match self {
            Self::Alone => Ok(Taken::Yours),
            Self::Kv(lease) => lease.take(name, owner).await,
            Self::Object(lease) => lease.take(name, owner).await,
        }
    }

    async fn look(&self, name: &Name) -> Result<Option<Rc<Successor>>, StoreError> {
        match self {
            Self::Alone => Ok(None),
            Self::Kv(lease) => lease.look(name).await,
            Self::Object(lease) => lease.look(name).await,
        }
    }

    async fn look_again(&self, name: &Name) -> Result<Option<Rc<Successor>>, StoreError> {
        match self {
            Self::Alone => Ok(None),
            Self::Kv(lease) => lease.look_again(name).await,
            Self::Object(lease) => lease.look_again(name).await,
        }
    }

    async fn leave(&self, name: &Name, owner: &str, successor: &Successor) -> Result<(), StoreError> {
        match self {
            Self::Alone => Ok(()),
            Self::Kv(lease) => lease.leave(name, owner, successor).await,
            Self::Object(lease) => lease.leave(name, owner, successor).await,
        }
    }

    async fn give_back(&self, name: &Name, owner: &str) -> Result<(), StoreError> {
        match self {
            Self::Alone => Ok(()),
            Self::Kv(lease) => lease.give_back(name, owner).await,
            Self::Object(lease) => lease.give_back(name, owner).await,
        }
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        match self {
            Self::Alone => Ok(()),
            Self::Kv(lease) => lease.sign_out(sid).await,
            Self::Object(lease) => lease.sign_out(sid).await,
        }
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        match self {
            Self::Alone => Ok(false),
            Self::Kv(lease) => lease.is_signed_out(sid).await,
            Self::Object(lease) => lease.is_signed_out(sid).await,
        }
    }

    fn is_certain(&self) -> bool {
        match self {
            Self::Alone => false,
            Self::Kv(lease) => lease.is_certain(),
            Self::Object(lease) => lease.is_certain(),
        }
    }
}
