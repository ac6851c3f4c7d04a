//! The newest tokens of a session, for its end: the browser may have missed the answer that brought them, or it comes after
//! the user has signed out.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use super::MAX_GENERATIONS;
use crate::flow::RequestContext;
use crate::lease::{Lease, RefreshId};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, StoreError, answered_within};
use crate::session::claims::Session;
use crate::session::refreshed_tokens::RefreshedTokens;

/// How long a user who signs out waits for what the lease knows.
const MAX_READ: Duration = Duration::from_secs(1);

impl<P: Platform> RequestContext<'_, P> {
    /// The session with the newest tokens that a refresh has brought, in this process or, as far as the lease shows it, in
    /// another one.
    pub(crate) async fn with_newest_tokens(&self, mut session: Session) -> Session {
        for _ in 0..MAX_GENERATIONS {
            let Some(id) = RefreshId::of(&session) else { break };
            match self.newer_tokens(&session, &id).await {
                Ok(Some(tokens)) => session = session.with_refreshed_tokens(&tokens, self.now),
                Ok(None) => break,
                Err(error) => {
                    let message = format_args!("newer tokens of a session that ends may exist: {error}");
                    self.log(Record::new(LogEvent::LeaseUnavailable, message));
                    break;
                }
            }
        }
        session
    }

    async fn newer_tokens(
        &self,
        session: &Session,
        id: &RefreshId,
    ) -> Result<Option<Rc<RefreshedTokens>>, StoreError> {
        let known = self.vestibule.refreshes.renewed(id);
        // What is not due here was not due elsewhere.
        if known.is_some() || !self.is_refresh_due(session) {
            return Ok(known);
        }
        let lease = self.lease();
        answered_within(self.platform, MAX_READ, pin!(lease.published(id))).await
    }
}
