//! Whether a session was revoked, and how it is revoked.

use std::pin::pin;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::flow::RequestContext;
use crate::flow::vestibule::Vestibule;
use crate::guard::cross_origin;
use crate::lease::{Lease, RefreshId};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, StoreError, answered_within, join_all};
use crate::revocation::facts::Facts;
use crate::revocation::kind::RevocationStore;
use crate::revocation::memory::{Knowledge, MAX_READ};
use crate::revocation::policy::OnUnavailable;
use crate::revocation::status::{RevocationStatus, RevocationUnavailable};
use crate::revocation::subject::{Subject, User, begins_after};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::time::Timestamp;

/// How often a request looks whether another request of its process has read the facts.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long a read of facts may take where the request cannot go on without it.
const MAX_READ_OF_REFRESH: Duration = Duration::from_secs(5);

/// How long a write of a fact may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// The pauses before a failed write is repeated: once while the user waits, then after the response.
const RETRY_DELAY: Duration = Duration::from_millis(300);
/// A store that accepts one write of a key in a second accepts the next one after this time.
const BUSY_DELAY: Duration = Duration::from_millis(1100);
const LATE_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(6), Duration::from_secs(15)];

impl<P: Platform> RequestContext<'_, P> {
    /// The session in the request's cookies, if it was not revoked.
    pub(crate) async fn live_session(&self) -> Result<SessionCookie, RevocationUnavailable> {
        let cookie = self.session();
        let SessionCookie::Valid(session) = &cookie else { return Ok(cookie) };
        match self.revocation_status(session).await {
            RevocationStatus::Accepted | RevocationStatus::Unconfirmed => Ok(cookie),
            RevocationStatus::Revoked => Ok(SessionCookie::Revoked),
            RevocationStatus::Unavailable => Err(RevocationUnavailable),
        }
    }

    /// What is known of a session. One request asks once.
    pub(crate) async fn revocation_status(&self, session: &Session) -> RevocationStatus {
        if let Some(known) = self.revocation_status.get() {
            return known;
        }
        let revocation_status = self.look_up(session).await;
        self.revocation_status.set(Some(revocation_status));
        if revocation_status == RevocationStatus::Revoked {
            let message = "the session was revoked, so no one is signed in";
            self.log(Record::new(LogEvent::SessionRevoked, message));
            self.delete_revoked_tokens(session);
        }
        revocation_status
    }

    /// Whether the session was revoked, by a read of now: what the process remembers may be older than a sign-out elsewhere.
    pub(crate) async fn was_revoked_meanwhile(&self, session: &Session) -> Result<bool, StoreError> {
        let memory = &self.vestibule.revocations;
        if memory.is_revoked(session) || self.config().revocation.store == RevocationStore::None {
            return Ok(memory.is_revoked(session));
        }
        let subjects = Subject::all_of(session);
        self.read_facts(&subjects, User::of(session).as_ref(), MAX_READ).await?;
        Ok(memory.is_revoked(session))
    }

    /// What is known of the user of a bearer token: whether all sessions of the user that began before it was issued were
    /// revoked.
    pub(crate) async fn bearer_revocation(&self, session: &Session) -> RevocationStatus {
        self.look_up(session).await
    }

    /// Whether the request's cookies may reach a server that opens the session itself.
    pub(crate) fn may_forward_session(&self) -> bool {
        !matches!(
            self.revocation_status.get(),
            Some(RevocationStatus::Revoked | RevocationStatus::Unavailable)
        )
    }

    /// Whether the session may be renewed: only a lookup that succeeded shows that it was not revoked. Otherwise a session
    /// that is renewed while the store is down could outlive the fact that ended it.
    pub(crate) fn may_renew(&self) -> bool {
        self.revocation_status.get() == Some(RevocationStatus::Accepted)
    }

    /// What is known of any session, also of one that is not the request's.
    pub(super) async fn look_up(&self, session: &Session) -> RevocationStatus {
        let (config, memory) = (&self.config().revocation, &self.vestibule.revocations);
        let unless_revoked =
            |status| if memory.is_revoked(session) { RevocationStatus::Revoked } else { status };
        if config.store == RevocationStore::None {
            return unless_revoked(RevocationStatus::Accepted);
        }
        let unconfirmed = match config.on_unavailable {
            OnUnavailable::Accept => RevocationStatus::Unconfirmed,
            OnUnavailable::Refuse => RevocationStatus::Unavailable,
        };
        let is_refresh_due = self.is_refresh_due(session);
        let renews = is_refresh_due
            || cross_origin::may_act(self.request)
            || self.is_about_any_method.get()
            || session.needs_update(self.config().session.update_age, self.now);
        let max_age = config.max_age(renews);
        // Without an answer, such a request would only get 503.
        let has_to_wait = config.on_unavailable == OnUnavailable::Refuse
            || is_refresh_due && self.has_expired_token(session);
        let max_read = if has_to_wait { MAX_READ_OF_REFRESH } else { MAX_READ };
        loop {
            let now = self.platform.now();
            match memory.look_up(session, max_age, config.interval, now) {
                Knowledge::Revoked => return RevocationStatus::Revoked,
                Knowledge::Accepted => return RevocationStatus::Accepted,
                Knowledge::Unavailable => return unconfirmed,
                Knowledge::Reading => self.platform.sleep(POLL_INTERVAL).await,
                Knowledge::Stale(subjects) => {
                    let read = self.read_facts(&subjects, User::of(session).as_ref(), max_read).await;
                    // What was read counts, however old it is now: otherwise a slow store and a short interval would never
                    // agree. Without an answer, what is known counts all the same.
                    let status = if read.is_ok() { RevocationStatus::Accepted } else { unconfirmed };
                    return unless_revoked(status);
                }
            }
        }
    }

    /// Reads facts into the process's memory. An error, which the log says, if the store does not answer within `max_read`.
    async fn read_facts(
        &self,
        subjects: &[Subject],
        user: Option<&User>,
        max_read: Duration,
    ) -> Result<(), StoreError> {
        let memory = &self.vestibule.revocations;
        // What was true when the read began may have changed since.
        let began = self.platform.now();
        let facts = self.facts();
        let read = pin!(async {
            match facts.read(subjects, user).await {
                // A lock moves, a store stumbles: the second attempt usually succeeds.
                Err(StoreError::Failed(_)) => facts.read(subjects, user).await,
                read => read,
            }
        });
        let read = answered_within(self.platform, max_read, read).await;
        let read = read.inspect_err(|error| {
            if memory.fail(subjects, self.platform.now()) {
                let message = format_args!("it is unknown which sessions were revoked: {error}");
                self.log(Record::new(LogEvent::RevocationUnavailable, message));
            }
        })?;
        if read.has_unreadable {
            let message = "the store has a value for a revocation that is none; it is ignored";
            self.log(Record::new(LogEvent::RevocationUnreadable, message));
        }
        memory.remember(subjects.iter().cloned().zip(read.revoked_at).collect(), began);
        Ok(())
    }

    /// When a session with these claims begins that is created now: later than every revocation by our clock that would end
    /// it. A logout of the provider that arrived before ends it at its first request, by the provider's clock.
    pub(crate) async fn sign_in_time(
        &self,
        provider: &str,
        sub: &str,
        claims: &Map<String, Value>,
    ) -> Timestamp {
        if self.config().revocation.store == RevocationStore::None {
            return self.now;
        }
        let user = User { provider: provider.to_owned(), sub: sub.to_owned() };
        let ours = [Subject::User(user), Subject::Everything];
        let of_provider = Subject::of_provider(&Session::new(claims.clone()));
        let subjects: Vec<Subject> = ours.iter().cloned().chain(of_provider).collect();
        // If the store does not answer, the user signs in.
        let _ = self.read_facts(&subjects, None, MAX_READ).await;
        let memory = &self.vestibule.revocations;
        begins_after(ours.iter().filter_map(|subject| memory.revoked_at(subject)).max(), self.now)
    }

    /// Ends a session in every browser that has a copy, or with `everywhere` all sessions of its user. Returns whether
    /// every process learns of it; if not, the log says so, and the write is repeated after the response.
    pub(crate) async fn end_session(&self, session: &Session, everywhere: bool) -> bool {
        let mut subjects = Vec::from_iter(Subject::session(session));
        let user = User::of(session);
        if everywhere {
            subjects.extend(user.clone().map(Subject::User));
        }
        if let Some(sid) = session.sid() {
            self.vestibule.refreshes.sign_out(sid, self.now);
        }
        let is_stored = self.revoke(&subjects, user, self.platform.now()).await;
        self.tell_lease(session).await;
        self.delete_tokens(session).await;
        self.delete_exchanged(session).await;
        is_stored
    }

    /// Revokes all of `subjects` as of `at`; a session among them is the user's. Returns whether all of them were stored.
    pub(crate) async fn revoke(&self, subjects: &[Subject], user: Option<User>, at: Timestamp) -> bool {
        for subject in subjects {
            self.vestibule.revocations.revoke(subject.clone(), at);
        }
        let facts = self.facts();
        let written =
            join_all(subjects.iter().map(|subject| self.store_fact(&facts, subject, user.as_ref(), at)));
        let results = written.await;
        let failed = results.iter().find_map(|result| result.as_ref().err());
        let Some(error) = failed else { return true };
        let message = format_args!("the end of a session could not be stored: {error}");
        self.log(Record::new(LogEvent::RevocationNotStored, message));
        let left: Vec<Subject> = subjects
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_err())
            .map(|(subject, _)| subject.clone())
            .collect();
        self.store_later(left, user, at);
        false
    }

    /// Ends what a provider, or a transmitter of events about its users, says has ended, as of `at`. Returns whether it was
    /// stored.
    pub(super) async fn end_for_provider(
        &self,
        provider: &str,
        subject: Subject,
        what: &str,
        at: Timestamp,
    ) -> bool {
        // The log has the same name for it as a fact in the store, and that is not personal data.
        let id = self.fact_id(&subject);
        let named = self.subject_revoked(&subject, None);
        let is_stored = self.revoke(&[subject], None, at).await;
        let outcome = if is_stored { "and it was stored" } else { "but it could not be stored" };
        let message = format_args!("the provider ended {what} ({id}), {outcome}");
        self.log(Record::new(LogEvent::SessionsEndedByProvider, message).provider(provider).subject(named));
        is_stored
    }

    /// Stores a fact; a write that fails is repeated once.
    async fn store_fact(
        &self,
        facts: &Facts<'_, P>,
        subject: &Subject,
        user: Option<&User>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        match write(facts, subject, user, at).await {
            Ok(()) => return Ok(()),
            // Something else about the same subject was written a moment ago.
            Err(StoreError::Busy) => self.platform.sleep(BUSY_DELAY).await,
            Err(_) => self.platform.sleep(RETRY_DELAY).await,
        }
        write(facts, subject, user, at).await
    }

    /// Stores facts after the response, while the runtime lets it.
    fn store_later(&self, subjects: Vec<Subject>, user: Option<User>, at: Timestamp) {
        let job = LateWrite {
            vestibule: self.vestibule.clone(),
            platform: self.platform.clone(),
            request: self.request.clone(),
            subjects,
            user,
            at,
        };
        self.platform.spawn(job.run());
    }

    /// Lets the lease know that the session ended, so that a refresh that is under way does not publish its tokens. Where a
    /// store of revocations does it, only a lock needs to know.
    async fn tell_lease(&self, session: &Session) {
        let learns = self.config().lease_learns_of_sign_outs();
        let Some(id) = RefreshId::of(session).filter(|_| learns) else { return };
        if let Err(error) = self.lease().sign_out(&id.sid).await {
            let message = format_args!("the sign-out could not be stored: {error}");
            self.log(Record::new(LogEvent::SignOutNotStored, message));
        }
    }

    /// The name of a subject in the log.
    pub(super) fn fact_id(&self, subject: &Subject) -> String {
        self.facts().id(subject)
    }

    fn facts(&self) -> Facts<'_, P> {
        let config = self.config();
        Facts {
            store: config.revocation.store,
            sealing: config.sealing(),
            platform: self.platform,
            memory: &self.vestibule.revocations,
            takes_tokens: config.takes_tokens,
        }
    }
}

/// Facts to store after the response. It owns its data, because the request ends before.
struct LateWrite<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    request: Request,
    subjects: Vec<Subject>,
    user: Option<User>,
    at: Timestamp,
}

impl<P: Platform> LateWrite<P> {
    async fn run(self) {
        let Some(context) = RequestContext::new(&self.vestibule, &self.platform, &self.request) else {
            return;
        };
        let facts = context.facts();
        let mut left = self.subjects;
        for delay in LATE_RETRY_DELAYS {
            self.platform.sleep(delay).await;
            let mut failed = Vec::new();
            for subject in left {
                if write(&facts, &subject, self.user.as_ref(), self.at).await.is_err() {
                    failed.push(subject);
                }
            }
            left = failed;
            if left.is_empty() {
                return;
            }
        }
    }
}

async fn write<P: Platform>(
    facts: &Facts<'_, P>,
    subject: &Subject,
    user: Option<&User>,
    at: Timestamp,
) -> Result<(), StoreError> {
    answered_within(facts.platform, WRITE_TIMEOUT, pin!(facts.write(subject, user, at))).await
}
