//! Reads and writes the facts, in the store that the configuration selects.
//!
//! In the shared store each fact has a key of its own, because two processes that write the same key at once would lose
//! one of the facts. In locks, those of a user and of the user's sessions are together, so that one call reads both.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind::RevocationStore;
use super::memory::RevocationMemory;
use super::object::{Answer, Call};
use super::subject::{Subject, User};
use super::{MIN_RETENTION_FOR_BEARER, RETENTION_MARGIN};
use crate::platform::{Platform, StoreError, join_all};
use crate::session::policy::Sealing;
use vestibule_oidc::jose::kdf::derive_id;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// What the keys of facts are derived for.
const PURPOSE: &str = "Vestibule revocation";

/// A fact that is later than this from now was not written by a clock that is a little wrong.
const MAX_AHEAD: Duration = Duration::from_mins(10);

/// The facts in the store.
pub(crate) struct Facts<'a, P: Platform> {
    pub(crate) store: RevocationStore,
    pub(crate) sealing: Sealing<'a>,
    pub(crate) platform: &'a P,
    /// What this process knows of them.
    pub(crate) memory: &'a RevocationMemory,
    /// Whether clients may send access tokens, which facts end, too.
    pub(crate) takes_tokens: bool,
}

/// What was read.
pub(crate) struct FactsRead {
    /// When each subject was revoked, in the order of the subjects.
    pub(crate) revoked_at: Vec<Option<Timestamp>>,
    /// Whether a value is not a fact. It was ignored.
    pub(crate) has_unreadable: bool,
}

/// The value of a fact's key.
#[derive(Deserialize, Serialize)]
struct Fact {
    /// When it was revoked, in milliseconds since 1970.
    at: u64,
}

impl<P: Platform> Facts<'_, P> {
    /// Reads when the subjects were revoked. `user` is whose session they are read for.
    pub(crate) async fn read(
        &self,
        subjects: &[Subject],
        user: Option<&User>,
    ) -> Result<FactsRead, StoreError> {
        match self.store {
            RevocationStore::None => {
                Ok(FactsRead { revoked_at: vec![None; subjects.len()], has_unreadable: false })
            }
            RevocationStore::Store => self.read_store(subjects).await,
            RevocationStore::Lock => self.read_locks(subjects, user).await,
        }
    }

    /// Stores that `subject` was revoked at `at`, or later if that is known already: a fact never becomes earlier.
    /// `user` is whose session it is, where it is a session.
    pub(crate) async fn write(
        &self,
        subject: &Subject,
        user: Option<&User>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let lifetime = self.lifetime(subject);
        let secret = self.sealing.keys.newest_secret();
        match self.store {
            RevocationStore::None => Ok(()),
            RevocationStore::Store => {
                // What is there is not known if it cannot be read, and a write would replace it.
                let stored = self.known_in_store(subject).await?;
                // Another request of this process may be writing at the same time.
                let latest = self.memory.revoked_at(subject).map_or(at, |known| known.max(at));
                // A logout token that comes again says nothing new, and each write costs.
                if stored.is_some_and(|stored| stored >= latest) {
                    return Ok(());
                }
                let fact = to_json(&Fact { at: latest.millis() });
                self.platform.write_store(&key(secret, subject), &fact, lifetime).await
            }
            RevocationStore::Lock => {
                let kept_for = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
                let call = Call::Revoke {
                    session: session_id(secret, subject),
                    by_provider: matches!(subject, Subject::ProviderUser { .. }),
                    at: at.millis(),
                    kept_for,
                };
                let name = object_name(secret, subject, user);
                self.platform.call_lock(&name, &to_json(&call)).await.map(drop)
            }
        }
    }

    /// How long a fact is kept: longer than anything that it ends lasts.
    fn lifetime(&self, subject: &Subject) -> Duration {
        let of_sessions = self.sealing.session.max_age;
        // An access token has no session of ours.
        let ends_tokens = self.takes_tokens && !matches!(subject, Subject::Session(_));
        let longest = if ends_tokens { of_sessions.max(MIN_RETENTION_FOR_BEARER) } else { of_sessions };
        longest + RETENTION_MARGIN
    }

    /// When the subject was revoked already: a write replaces what is there, and an operator may give an earlier time, or an
    /// attempt may be late. A session ends whatever the time is.
    async fn known_in_store(&self, subject: &Subject) -> Result<Option<Timestamp>, StoreError> {
        if matches!(subject, Subject::Session(_)) {
            return Ok(None);
        }
        let read = self.read_store(std::slice::from_ref(subject)).await?;
        Ok(read.revoked_at.into_iter().flatten().max())
    }

    /// The name of a subject that says nothing about it to those who do not have the secret: 43 characters.
    pub(crate) fn id(&self, subject: &Subject) -> String {
        derive_id(self.sealing.keys.newest_secret(), PURPOSE, &subject.bytes())
    }

    async fn read_store(&self, subjects: &[Subject]) -> Result<FactsRead, StoreError> {
        let secrets: Vec<&Secret> = self.sealing.keys.secrets().collect();
        let keys: Vec<String> = subjects
            .iter()
            .flat_map(|subject| secrets.iter().map(move |secret| key(secret, subject)))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let values = self.platform.read_store_many(&keys).await?;
        let latest = self.platform.now().plus(MAX_AHEAD);
        let mut has_unreadable = false;
        let mut read = |subject: &Subject, value: &Option<String>| {
            let value = value.as_deref()?;
            let fact = serde_json::from_str::<Fact>(value).ok().map(|fact| Timestamp::from_millis(fact.at));
            match (fact.filter(|at| *at <= latest), subject) {
                (Some(at), _) => Some(at),
                // A session ends whenever it was revoked: that there is something says enough.
                (None, Subject::Session(_)) => Some(latest.minus(MAX_AHEAD)),
                (None, _) => {
                    has_unreadable = true;
                    None
                }
            }
        };
        let of_subjects = values.chunks(secrets.len().max(1)).zip(subjects);
        let revoked_at = of_subjects
            .map(|(values, subject)| values.iter().filter_map(|value| read(subject, value)).max())
            .collect();
        Ok(FactsRead { revoked_at, has_unreadable })
    }

    async fn read_locks(&self, subjects: &[Subject], user: Option<&User>) -> Result<FactsRead, StoreError> {
        let session = subjects.iter().find(|subject| matches!(subject, Subject::Session(_)));
        let mut calls: Vec<(String, String)> = Vec::new();
        for secret in self.sealing.keys.secrets() {
            for subject in subjects {
                let name = object_name(secret, subject, user);
                if calls.iter().all(|(other, _)| *other != name) {
                    let session = session.and_then(|session| session_id(secret, session));
                    calls.push((name, to_json(&Call::Read { session })));
                }
            }
        }
        let sent = calls.iter().map(|(name, call)| self.platform.call_lock(name, call));
        let mut answers = Vec::new();
        for ((name, _), answer) in calls.iter().zip(join_all(sent).await) {
            let unexpected =
                |_| StoreError::Failed("a revocation object gave an unexpected answer".to_owned());
            answers.push((name, serde_json::from_str::<Answer>(&answer?).map_err(unexpected)?));
        }
        let read = |subject: &Subject| {
            let names: Vec<String> =
                self.sealing.keys.secrets().map(|secret| object_name(secret, subject, user)).collect();
            let own = answers.iter().filter(|(name, _)| names.contains(*name));
            own.filter_map(|(_, answer)| match subject {
                Subject::Session(_) => answer.session,
                Subject::ProviderUser { .. } => answer.by_provider,
                _ => answer.all,
            })
            .max()
            .map(Timestamp::from_millis)
        };
        Ok(FactsRead { revoked_at: subjects.iter().map(read).collect(), has_unreadable: false })
    }
}

/// The JSON text of a fact or a call.
fn to_json(value: &impl Serialize) -> String {
    // These types hold strings and integers only, so this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn key(secret: &Secret, subject: &Subject) -> String {
    format!("revoked/{}", derive_id(secret, PURPOSE, &subject.bytes()))
}

/// The lock with the fact: that of the user, where it is about one of the user's sessions, or where the provider says it.
fn object_name(secret: &Secret, subject: &Subject, user: Option<&User>) -> String {
    match (subject, user) {
        (Subject::Session(_), Some(user)) => key(secret, &Subject::User(user.clone())),
        (Subject::ProviderUser { provider, sub }, _) => {
            let user = User { provider: provider.clone(), sub: sub.clone() };
            key(secret, &Subject::User(user))
        }
        _ => key(secret, subject),
    }
}

fn session_id(secret: &Secret, subject: &Subject) -> Option<String> {
    matches!(subject, Subject::Session(_)).then(|| derive_id(secret, PURPOSE, &subject.bytes()))
}
