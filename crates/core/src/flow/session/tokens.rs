//! The tokens that are not in the session's cookie: reads, writes and deletes their entry in the store
//! (`session.tokens = "store"`), and leaves out of the cookie what does not belong there.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::flow::RequestContext;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::{Platform, StoreError, answered_within};
use crate::session::claims::Session;
use crate::session::tokens::TokenStorage;
use crate::session::tokens::entry::{self, EntryContent, TokenEntry};
use crate::session::tokens::memory::{BACKOFF, Knowledge, MAX_READ};
use vestibule_oidc::time::Timestamp;

/// How long after the beginning of a generation its entry may be invisible: what the store needs until every location sees
/// a write, and what a location remembers of a read that found nothing.
const MAX_DELAY: Duration = Duration::from_secs(90);

/// What a client is told to wait for an entry that is not visible yet.
const DELAY_RETRY: Duration = Duration::from_secs(10);

/// How often a request looks whether another request of its process has read the entry.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long the write of an entry may take. Where it takes longer, the tokens stay in the cookie: the browser and, after a
/// refresh, other requests wait for them.
const MAX_WRITE: Duration = Duration::from_secs(1);

/// How much longer than its session an entry is kept: the clocks of two processes may differ.
const MARGIN: Duration = Duration::from_mins(1);

/// How long an entry is kept where nothing limits its session: as long as a browser keeps a cookie.
const MAX_RETENTION: Duration = Duration::from_hours(24 * 400);

/// Why the tokens of a session are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokensError {
    /// The store does not answer, or its entry may not be visible yet. Holds how long to wait.
    Unavailable(Duration),
    /// The entry is lost: only a new sign-in brings tokens.
    Lost,
}

impl<P: Platform> RequestContext<'_, P> {
    /// The session with its tokens, wherever they are.
    pub(crate) async fn with_tokens(&self, session: &Session) -> Result<Session, TokensError> {
        let (Some(entry), Some(sid), true) = (session.token_entry(), session.sid(), session.lacks_any())
        else {
            return Ok(session.clone());
        };
        // Boxed: otherwise the future of every guarded request would have its size.
        let content = Box::pin(self.entry_content(&entry, sid, session.generation())).await?;
        Ok(session.with_entry_claims(&content.tokens))
    }

    async fn entry_content(
        &self,
        entry: &TokenEntry,
        sid: &str,
        generation: u64,
    ) -> Result<Rc<EntryContent>, TokensError> {
        let memory = &self.vestibule.tokens;
        let name = entry.name(sid, generation);
        loop {
            match memory.look_up(&name, self.platform.now()) {
                Knowledge::Read(content) => return Ok(content),
                Knowledge::Absent => return Err(self.absence(entry)),
                Knowledge::Foreign => return Err(TokensError::Lost),
                Knowledge::Unavailable => return Err(TokensError::Unavailable(BACKOFF)),
                Knowledge::InFlight => self.platform.sleep(POLL_INTERVAL).await,
                Knowledge::Unread => break,
            }
        }
        let read = pin!(self.platform.read_store(&name));
        match answered_within(self.platform, MAX_READ, read).await {
            Ok(Some(sealed)) => {
                let Some(content) = entry.open((sid, generation), &sealed) else {
                    memory.remember_foreign(&name, self.platform.now());
                    let message =
                        "the store has something else in place of a session's tokens: they are lost";
                    self.log(Record::new(LogEvent::TokensLost, message));
                    return Err(TokensError::Lost);
                };
                let content = Rc::new(content);
                memory.remember(&name, Rc::clone(&content));
                Ok(content)
            }
            Ok(None) => {
                memory.remember_absence(&name, self.platform.now());
                let absence = self.absence(entry);
                if absence == TokensError::Lost {
                    let message = "the store no longer has a session's tokens";
                    self.log(Record::new(LogEvent::TokensLost, message));
                }
                Err(absence)
            }
            Err(error) => {
                if memory.fail(&name, self.platform.now()) {
                    let message = format_args!("the tokens of sessions cannot be read: {error}");
                    let record = Record::new(LogEvent::TokensUnavailable, message);
                    let is_missing = matches!(error, StoreError::Missing(_));
                    let record =
                        if is_missing { record.caused_by(ErrorSource::Configuration) } else { record };
                    self.log(record);
                }
                Err(TokensError::Unavailable(BACKOFF))
            }
        }
    }

    /// What it means that there is no entry.
    fn absence(&self, entry: &TokenEntry) -> TokensError {
        let visible_at = entry.begins.plus(MAX_DELAY);
        let left = visible_at.since(self.platform.now());
        // An entry that begins later than a clock that is a little wrong could say is none that is on its way.
        if left.is_zero() || left > MAX_DELAY * 2 {
            return TokensError::Lost;
        }
        TokensError::Unavailable(left.clamp(Duration::from_secs(1), DELAY_RETRY))
    }

    /// The session whose tokens are in the store, if the configuration says so; otherwise, and if the store does not take
    /// them, the same session with its tokens. The entry is written before any cookie says that it is there.
    ///
    /// `before` is the version of the session that this one follows.
    pub(crate) async fn store_tokens(&self, session: Session, before: Option<&Session>) -> Session {
        if self.config().session.tokens != TokenStorage::Store {
            return session;
        }
        // Boxed: otherwise the future of every sign-in would have its size.
        match Box::pin(self.new_entry(&session, before)).await {
            Some(entry) => {
                let mut claims = session.claims().clone();
                claims.insert(entry::CLAIM.to_owned(), entry.to_claim());
                session.with_claims(claims)
            }
            None => session.retaining(|name, _| name != entry::CLAIM),
        }
    }

    /// Writes a new entry with the tokens of `session`. `None` if it has none, or if the store does not take them.
    pub(crate) async fn new_entry(&self, session: &Session, before: Option<&Session>) -> Option<TokenEntry> {
        let sid = session.sid().filter(|sid| !sid.is_empty())?;
        let tokens = self.tokens_of(session);
        if tokens.is_empty() {
            return None;
        }
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let old = before.and_then(Session::token_entry);
        let key = match (&old, before) {
            (Some(old), _) => old.key().clone(),
            (None, Some(_)) => entry::derived_key(self.config().keys.newest_secret(), sid),
            (None, None) => entry::new_key(random),
        };
        let now = self.platform.now();
        let entry = TokenEntry::new(key, tokens.keys().cloned().collect(), now, random);
        let name = entry.name(sid, session.generation());
        let previous = before.zip(old).map(|(before, old)| old.name(sid, before.generation()));
        let content = EntryContent { tokens, previous };
        let sealed = entry.seal((sid, session.generation()), &content, random);
        let written = pin!(self.platform.write_store(&name, &sealed, self.retention(session, now)));
        match answered_within(self.platform, MAX_WRITE, written).await {
            Ok(()) => {
                self.vestibule.tokens.remember(&name, Rc::new(content));
                Some(entry)
            }
            Err(error) => {
                let message = format_args!(
                    "the tokens of a session could not be stored and are in its cookie: {error}"
                );
                self.log(Record::new(LogEvent::TokensNotStored, message));
                None
            }
        }
    }

    /// The claims of a session that are kept in the store.
    fn tokens_of(&self, session: &Session) -> Map<String, Value> {
        let config = self.config();
        session.token_claims(|name| config.is_token_claim(name), |name| config.decides_by(name))
    }

    /// How long the entry of a session is kept: until no renewal can make it last longer.
    fn retention(&self, session: &Session, now: Timestamp) -> Duration {
        let config = &self.config().session;
        let absolute = session.signed_in_at().unwrap_or(now).max(now);
        let limits =
            config.absolute_max_age.map(|limit| absolute.plus(limit)).into_iter().chain(session.ends_at());
        let left = limits.map(|end| end.since(now)).fold(MAX_RETENTION, Duration::min);
        Duration::from_secs(left.as_secs()) + MARGIN
    }

    /// The session as its cookie holds it.
    pub(crate) fn for_cookie(&self, session: &Session) -> Session {
        let config = self.config();
        let session = if session.claims().contains_key(entry::CLAIM) {
            session.without_entry_claims()
        } else {
            session.clone()
        };
        if config.session.tokens != TokenStorage::None {
            return session;
        }
        let keeps_grant = session.provider().is_some_and(|provider| config.keeps_grant(provider));
        session.without_any_tokens(|name| config.is_token_claim(name), keeps_grant)
    }

    /// Deletes the entry of a session that has ended, and the one before it. Anyone who has a copy of its cookie finds nothing.
    pub(crate) async fn delete_tokens(&self, session: &Session) {
        let (Some(entry), Some(sid)) = (session.token_entry(), session.sid()) else { return };
        let name = entry.name(sid, session.generation());
        // What the cookie does not say: the entry before it.
        let content = Box::pin(self.entry_content(&entry, sid, session.generation())).await.ok();
        let previous = content.and_then(|content| content.previous.clone());
        for name in std::iter::once(name).chain(previous) {
            self.delete_entry(&name).await;
        }
    }

    /// The same after the response, once for each process that sees a copy of a session that was revoked.
    pub(crate) fn delete_revoked_tokens(&self, session: &Session) {
        let exchanged = self.forget_exchanged(session);
        let (Some(entry), Some(sid)) = (session.token_entry(), session.sid()) else { return };
        let name = entry.name(sid, session.generation());
        if self.vestibule.tokens.delete(&name) {
            let platform = self.platform.clone();
            // Where it fails, the entry stays sealed, and expires.
            self.platform.spawn(async move {
                for name in std::iter::once(name).chain(exchanged) {
                    drop(platform.delete_store(&name).await);
                }
            });
        }
    }

    /// Deletes the entry that came before that of `session`, which has just been followed by a newer one: no request still
    /// uses its tokens.
    pub(crate) fn delete_entry_before(&self, session: &Session) {
        let (Some(entry), Some(sid)) = (session.token_entry(), session.sid()) else { return };
        let content = self.vestibule.tokens.content(&entry.name(sid, session.generation()));
        if let Some(previous) = content.and_then(|content| content.previous.clone())
            && self.vestibule.tokens.delete(&previous)
        {
            let platform = self.platform.clone();
            self.platform.spawn(async move { drop(platform.delete_store(&previous).await) });
        }
    }

    pub(crate) async fn delete_entry(&self, name: &str) {
        self.vestibule.tokens.delete(name);
        let deleted = pin!(self.platform.delete_store(name));
        if let Err(error) = answered_within(self.platform, MAX_WRITE, deleted).await {
            let message =
                format_args!("the tokens of a session that has ended could not be deleted: {error}");
            self.log(Record::new(LogEvent::TokensNotDeleted, message));
        }
    }
}
