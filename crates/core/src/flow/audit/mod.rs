//! The audit log: lines of events that only it has, and the names of users in lines.

mod delivery;
mod waiting;

use std::fmt::Display;

pub(crate) use self::waiting::Delivery;
use crate::flow::RequestContext;
use crate::flow::signin::identity::Identity;
use crate::log::{LogEvent, Record, subject_hash};
use crate::platform::Platform;
use crate::revocation::subject::{Subject, User};
use crate::session::claims::Session;

impl<P: Platform> RequestContext<'_, P> {
    /// Whether the audit log has lines of this event. Who asks first spends nothing on a line that no one wants.
    pub(crate) fn audits(&self, event: LogEvent) -> bool {
        event.entry().audit.is_some_and(|kind| self.config().audit.wants(kind))
    }

    /// The line of an event about a session.
    pub(crate) fn audit(&self, event: LogEvent, session: &Session, message: impl Display) {
        if self.audits(event) {
            let record = Record::new(event, message).subject(self.subject_of(session));
            self.log(match session.provider() {
                Some(id) => record.provider(id),
                None => record,
            });
        }
    }

    /// The name of a session's user in the log. `None` without an audit log, and if the session names nobody.
    pub(crate) fn subject_of(&self, session: &Session) -> Option<String> {
        self.named(&User::of(session)?)
    }

    /// The name of the user whose sessions are revoked. `user` is whose session it is, where that is known.
    pub(crate) fn subject_revoked(&self, subject: &Subject, user: Option<&User>) -> Option<String> {
        match subject {
            Subject::User(user) => self.named(user),
            Subject::ProviderUser { provider, sub } => {
                self.named(&User { provider: provider.clone(), sub: sub.clone() })
            }
            Subject::Session(_) | Subject::ProviderSession { .. } | Subject::Everything => self.named(user?),
        }
    }

    /// Remembers whom `allow` or a hook does not let sign in, for the line that follows.
    pub(crate) fn note_refused(&self, identity: &Identity<'_>) {
        let (provider, sub) = (identity.provider.id.clone(), identity.subject.clone());
        if let Some(name) = self.named(&User { provider, sub }) {
            let _ = self.refused_subject.set(name);
        }
    }

    fn named(&self, user: &User) -> Option<String> {
        let config = self.config();
        let has_audit_log = !config.audit.sinks.is_empty();
        has_audit_log.then(|| subject_hash(config.keys.newest_secret(), &user.provider, &user.sub))
    }
}
