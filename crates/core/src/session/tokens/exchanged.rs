//! The tokens for which a process has exchanged those of sessions, and how one is kept in the store.
//!
//! As with a refresh ([`in_flight`](crate::lease::in_flight)), one request of the process asks the provider, and the others
//! poll plain data: a request cannot wait for the I/O of another.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::session::claims::Session;
use crate::session::tokens::entry::{self, TokenEntry};
use vestibule_oidc::jose::kdf::derive_id;
use vestibule_oidc::oauth::token_exchange::{ExchangeTarget, ExchangedToken};
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// How many tokens a process remembers, and how many exchanges that failed.
const MAX_ENTRIES: usize = 512;

/// How many characters the tokens have together.
const MAX_CHARACTERS: usize = 1024 * 1024;

/// How long a request may take to ask: ten seconds for the provider, once more with its nonce, and some for its metadata.
/// After that another one asks.
const MAX_EXCHANGE: Duration = Duration::from_secs(25);

/// How long before its end a token is replaced, while requests still get it.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest time for which a failure is remembered, whatever the clock did since.
pub(crate) const MAX_BACKOFF: Duration = Duration::from_mins(10);

/// What the names of entries in the store are derived for.
const PURPOSE: &str = "Vestibule exchanged token";

/// A token for an upstream.
#[derive(Clone)]
pub(crate) struct TokenForUpstream {
    /// The token, and its end.
    pub(crate) token: ExchangedToken,
    /// Whether it is bound to the session's key (RFC 9449).
    pub(crate) is_bound: bool,
    /// From when on a new one is asked for.
    renew_at: Timestamp,
}

impl TokenForUpstream {
    /// A token that came at this time.
    pub(crate) fn new(token: ExchangedToken, is_bound: bool, now: Timestamp) -> Self {
        let lifetime = token.expires_at.since(now);
        let renew_at = token.expires_at.minus(LEEWAY.min(lifetime / 2));
        Self { token, is_bound, renew_at }
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        now < self.token.expires_at
    }

    /// The token as it is kept in the store.
    pub(crate) fn seal(&self, entry: &TokenEntry, name: &str, random: &mut dyn FnMut(&mut [u8])) -> String {
        let content = json!({
            "access_token": self.token.access_token.expose(),
            "expires_at": self.token.expires_at.millis(),
            "is_bound": self.is_bound,
        });
        entry::seal(entry.key(), name, &content, random)
    }

    /// Opens what is in the store. `None` unless it was sealed for exactly this name, and is still of use.
    pub(crate) fn open(entry: &TokenEntry, name: &str, sealed: &str, now: Timestamp) -> Option<Self> {
        let content = entry::open(entry.key(), name, sealed)?;
        let access_token = Secret::new(content.get("access_token")?.as_str()?);
        let expires_at = Timestamp::from_millis(content.get("expires_at")?.as_u64()?);
        let is_bound = content.get("is_bound").and_then(Value::as_bool)?;
        let token = Self::new(ExchangedToken { access_token, expires_at }, is_bound, now);
        (expires_at > now.plus(LEEWAY)).then_some(token)
    }
}

impl fmt::Debug for TokenForUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenForUpstream").field("is_bound", &self.is_bound).finish_non_exhaustive()
    }
}

/// The name in the store of the token that a session has for this target. Only a holder of the session's cookie can compute
/// it, as that of its tokens. With new tokens the session has another one.
pub(crate) fn name_in_store(session: &Session, target: &ExchangeTarget) -> Option<(TokenEntry, String)> {
    let (entry, sid) = (session.token_entry()?, session.sid()?);
    let value = json!([entry.name(sid, session.generation()), target_text(target)]).to_string();
    let name = format!("exchanged/{}", derive_id(entry.key(), PURPOSE, value.as_bytes()));
    Some((entry, name))
}

fn target_text(target: &ExchangeTarget) -> Value {
    json!([target.audiences, target.resources, target.scopes])
}

/// Identifies an exchange: by its session, the generation of its tokens, its access token and its target. The session is part
/// of it, so that two sessions never share tokens, even if the hashes collide. A client with a bearer token has no session,
/// and shares a token with those that have the same one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExchangeId {
    sid: String,
    generation: u64,
    hash: [u8; 32],
}

impl ExchangeId {
    /// The exchange of the session's access token. `None` if it has none.
    pub(crate) fn of(session: &Session, target: &ExchangeTarget) -> Option<Self> {
        let token = session.access_token().filter(|token| !token.is_empty())?;
        let value = json!([session.provider(), token, target_text(target)]).to_string();
        let sid = session.sid().unwrap_or_default().to_owned();
        Some(Self { sid, generation: session.generation(), hash: Sha256::digest(value.as_bytes()).into() })
    }

    /// The session.
    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }
}

/// The tokens for upstreams that this process has, and the exchanges that are under way.
#[derive(Default)]
pub(crate) struct ExchangedTokens(RefCell<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<ExchangeId, Known>,
    /// Counts the uses, to find the entry that was not used for longest.
    uses: u64,
}

#[derive(Default)]
struct Known {
    token: Option<Rc<TokenForUpstream>>,
    /// The number of the request that asks the provider, and when it counts as crashed.
    in_flight: Option<(u64, Timestamp)>,
    /// The provider failed: before this time it is not asked again.
    retry_at: Option<Timestamp>,
    used: u64,
}

/// The right of one request to ask the provider. Dropping it without an outcome frees it for another request.
pub(crate) struct ExchangeSlot {
    tokens: Rc<ExchangedTokens>,
    id: ExchangeId,
    number: u64,
    /// The token from before, which may still be valid.
    previous: Option<Rc<TokenForUpstream>>,
}

/// The result of [`ExchangedTokens::join`].
pub(crate) enum Joined {
    /// There is a token.
    Token(Rc<TokenForUpstream>),
    /// This request asks the provider.
    Leader(ExchangeSlot),
    /// Another request asks the provider, and there is no token until then.
    InFlight,
    /// The provider failed, and is not asked before this time.
    Failed(Timestamp),
}

impl ExchangedTokens {
    /// The token of this exchange, or who gets it.
    pub(crate) fn join(self: &Rc<Self>, id: &ExchangeId, now: Timestamp) -> Joined {
        let mut state = self.0.borrow_mut();
        state.uses += 1;
        let number = state.uses;
        let known = state.entries.entry(id.clone()).or_default();
        known.used = number;
        let is_soon = |at: Timestamp, at_most: Duration| now < at && at <= now.plus(at_most);
        let retry_at = known.retry_at.filter(|at| is_soon(*at, MAX_BACKOFF));
        let is_in_flight = known.in_flight.is_some_and(|(_, until)| is_soon(until, MAX_EXCHANGE));
        match (known.token.as_ref().filter(|token| token.is_valid(now)), retry_at) {
            (Some(token), _) if now < token.renew_at || is_in_flight || retry_at.is_some() => {
                return Joined::Token(Rc::clone(token));
            }
            (None, Some(at)) => return Joined::Failed(at),
            (None, None) if is_in_flight => return Joined::InFlight,
            _ => {}
        }
        known.in_flight = Some((number, now.plus(MAX_EXCHANGE)));
        let previous = known.token.clone();
        state.make_room(id);
        Joined::Leader(ExchangeSlot { tokens: Rc::clone(self), id: id.clone(), number, previous })
    }

    /// Forgets the tokens of a session that has ended.
    pub(crate) fn forget(&self, sid: &str) {
        self.0.borrow_mut().entries.retain(|id, _| id.sid != sid);
    }
}

impl ExchangeSlot {
    /// Records the token, for the other requests. If another request has the slot by now, or the session was forgotten, it is
    /// for this one only.
    pub(crate) fn complete(self, token: Rc<TokenForUpstream>) {
        let mut state = self.tokens.0.borrow_mut();
        if let Some(known) = state.held(&self.id, self.number) {
            known.token = Some(token);
            known.retry_at = None;
            state.make_room(&self.id);
        }
    }

    /// Records that the provider failed. Returns the token from before, if it is still valid.
    pub(crate) fn fail(self, retry_at: Timestamp, now: Timestamp) -> Option<Rc<TokenForUpstream>> {
        if let Some(known) = self.tokens.0.borrow_mut().held(&self.id, self.number) {
            known.retry_at = Some(retry_at);
        }
        self.previous.clone().filter(|token| token.is_valid(now))
    }
}

impl Drop for ExchangeSlot {
    fn drop(&mut self) {
        if let Some(known) = self.tokens.0.borrow_mut().held(&self.id, self.number) {
            known.in_flight = None;
        }
    }
}

impl State {
    /// The entry, if the request of this number asks the provider.
    fn held(&mut self, id: &ExchangeId, number: u64) -> Option<&mut Known> {
        self.entries.get_mut(id).filter(|known| known.in_flight.is_some_and(|(holder, _)| holder == number))
    }

    /// Removes those that were not used for longest, but not `newest`, and those under way last.
    fn make_room(&mut self, newest: &ExchangeId) {
        let length =
            |known: &Known| known.token.as_ref().map_or(0, |token| token.token.access_token.expose().len());
        let mut characters: usize = self.entries.values().map(length).sum();
        while self.entries.len() > MAX_ENTRIES || characters > MAX_CHARACTERS {
            let others = self.entries.iter().filter(|(id, _)| *id != newest);
            let oldest = others.min_by_key(|(_, known)| (known.in_flight.is_some(), known.used));
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return };
            characters -= self.entries.remove(&oldest).as_ref().map_or(0, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(sid: &str, generation: u64, token: &str) -> Session {
        let claims =
            json!({ "sid": sid, "generation": generation, "access_token": token, "provider": "acme" });
        Session::new(claims.as_object().unwrap().clone())
    }

    fn target(audience: &str) -> ExchangeTarget {
        ExchangeTarget { audiences: vec![audience.to_owned()], ..ExchangeTarget::default() }
    }

    fn id(sid: &str) -> ExchangeId {
        ExchangeId::of(&session(sid, 0, "t"), &target("orders")).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn token(expires_at: u64, length: usize) -> Rc<TokenForUpstream> {
        let token =
            ExchangedToken { access_token: Secret::new("x".repeat(length)), expires_at: at(expires_at) };
        Rc::new(TokenForUpstream::new(token, false, at(1000)))
    }

    fn lead(tokens: &Rc<ExchangedTokens>, id: &ExchangeId, now: u64) -> ExchangeSlot {
        match tokens.join(id, at(now)) {
            Joined::Leader(slot) => slot,
            _ => panic!("no leader"),
        }
    }

    #[test]
    fn a_token_for_an_upstream_is_printed_without_the_token() {
        assert_eq!(format!("{:?}", token(2000, 3)), "TokenForUpstream { is_bound: false, .. }");
    }

    #[test]
    fn an_exchange_is_of_one_session_generation_token_and_target() {
        let of = |session: &Session, audience: &str| ExchangeId::of(session, &target(audience)).unwrap();
        let first = of(&session("a", 1, "t"), "orders");
        assert!(first == of(&session("a", 1, "t"), "orders"));
        for other in [
            of(&session("b", 1, "t"), "orders"),
            of(&session("a", 2, "t"), "orders"),
            of(&session("a", 1, "u"), "orders"),
            of(&session("a", 1, "t"), "stock"),
        ] {
            assert!(first != other);
        }
        assert!(ExchangeId::of(&session("a", 1, ""), &target("orders")).is_none());
    }

    #[test]
    fn one_request_asks_the_others_wait_and_a_dead_one_is_replaced() {
        let (tokens, id) = (Rc::new(ExchangedTokens::default()), id("a"));
        let slot = lead(&tokens, &id, 1000);
        assert!(matches!(tokens.join(&id, at(1010)), Joined::InFlight));
        let second = lead(&tokens, &id, 1025);
        slot.complete(token(1600, 1));
        assert!(matches!(tokens.join(&id, at(1026)), Joined::InFlight), "the first has lost its slot");
        second.complete(token(1600, 1));
        assert!(matches!(tokens.join(&id, at(1569)), Joined::Token(_)));
        drop(lead(&tokens, &id, 1570));
        assert!(matches!(tokens.join(&id, at(1570)), Joined::Leader(_)), "who drops the slot frees it");
    }

    #[test]
    fn a_token_that_is_being_replaced_is_used_until_its_end() {
        let (tokens, id) = (Rc::new(ExchangedTokens::default()), id("a"));
        lead(&tokens, &id, 1000).complete(token(1600, 1));
        let slot = lead(&tokens, &id, 1575);
        assert!(matches!(tokens.join(&id, at(1576)), Joined::Token(_)));
        assert!(slot.fail(at(1590), at(1580)).is_some());
        assert!(matches!(tokens.join(&id, at(1585)), Joined::Token(_)));
        let slot = lead(&tokens, &id, 1590);
        assert!(slot.fail(at(1700), at(1600)).is_none());
        assert!(matches!(tokens.join(&id, at(1600)), Joined::Failed(until) if until == at(1700)));
        assert!(matches!(tokens.join(&id, at(1700)), Joined::Leader(_)));
    }

    #[test]
    fn what_counts_for_a_moment_counts_from_its_beginning_and_only_as_long_as_the_clock_goes_on() {
        let tokens = Rc::new(ExchangedTokens::default());
        let slot = lead(&tokens, &id("a"), 1000);
        assert!(matches!(tokens.join(&id("a"), at(1000)), Joined::InFlight));
        assert!(slot.fail(at(1000).plus(MAX_BACKOFF), at(1000)).is_none());
        assert!(matches!(tokens.join(&id("a"), at(1000)), Joined::Failed(_)));
        assert!(matches!(tokens.join(&id("a"), at(999)), Joined::Leader(_)));
        let _in_flight = lead(&tokens, &id("b"), 1000);
        assert!(matches!(tokens.join(&id("b"), at(999)), Joined::Leader(_)));
    }

    #[test]
    fn tokens_that_just_fit_into_the_memory_are_all_kept() {
        let tokens = Rc::new(ExchangedTokens::default());
        for number in 0..64 {
            lead(&tokens, &id(&number.to_string()), 1000).complete(token(1600, MAX_CHARACTERS / 64));
        }
        assert_eq!(tokens.0.borrow().entries.len(), 64);
        lead(&tokens, &id("one more"), 1000).complete(token(1600, 1));
        assert_eq!(tokens.0.borrow().entries.len(), 64);
    }

    #[test]
    fn a_large_token_makes_as_many_others_go_as_it_needs_room() {
        let tokens = Rc::new(ExchangedTokens::default());
        for number in 0..64 {
            lead(&tokens, &id(&number.to_string()), 1000).complete(token(1600, MAX_CHARACTERS / 64));
        }
        lead(&tokens, &id("large"), 1000).complete(token(1600, MAX_CHARACTERS / 2));
        let kept = |sid: &str| tokens.0.borrow().entries.contains_key(&id(sid));
        assert_eq!(["0", "31", "32", "63", "large"].map(kept), [false, false, true, true, true]);
    }

    #[test]
    fn what_is_forgotten_does_not_come_back() {
        let tokens = Rc::new(ExchangedTokens::default());
        lead(&tokens, &id("a"), 1000).complete(token(1600, 1));
        let late = lead(&tokens, &id("b"), 1000);
        tokens.forget("a");
        tokens.forget("b");
        late.complete(token(1600, 1));
        assert!(tokens.0.borrow().entries.is_empty());
    }

    #[test]
    fn the_end_of_a_session_leaves_the_tokens_of_the_others() {
        let tokens = Rc::new(ExchangedTokens::default());
        for sid in ["a", "b", "c"] {
            lead(&tokens, &id(sid), 1000).complete(token(1600, 1));
        }
        tokens.forget("b");
        let kept = |sid: &str| tokens.0.borrow().entries.contains_key(&id(sid));
        assert_eq!(["a", "b", "c"].map(kept), [true, false, true]);
    }

    #[test]
    fn the_memory_is_bounded() {
        let tokens = Rc::new(ExchangedTokens::default());
        let kept = lead(&tokens, &id("in flight"), 1000);
        for number in 0..2 * MAX_ENTRIES {
            lead(&tokens, &id(&number.to_string()), 1000).complete(token(1600, 1));
        }
        assert_eq!(tokens.0.borrow().entries.len(), MAX_ENTRIES);
        kept.complete(token(1600, 1));
        for number in 0..200 {
            lead(&tokens, &id(&format!("large {number}")), 1000).complete(token(1600, 16 * 1024));
        }
        let state = tokens.0.borrow();
        let lengths = state.entries.values().filter_map(|known| known.token.as_ref());
        let characters: usize = lengths.map(|token| token.token.access_token.expose().len()).sum();
        assert!(characters <= MAX_CHARACTERS, "{characters}");
    }

    #[test]
    fn only_the_session_s_key_and_name_open_what_is_in_the_store() {
        let mut random = |bytes: &mut [u8]| bytes.fill(7);
        let entry = TokenEntry::new(entry::new_key(&mut random), Vec::new(), at(1), &mut random);
        let other = TokenEntry::new(Secret::new("another"), Vec::new(), at(1), &mut random);
        let sealed = token(1600, 3).seal(&entry, "exchanged/a", &mut random);
        let open = |entry, name, now| TokenForUpstream::open(entry, name, &sealed, at(now));
        assert_eq!(open(&entry, "exchanged/a", 1000).unwrap().token.access_token.expose(), "xxx");
        assert!(open(&entry, "exchanged/b", 1000).is_none());
        assert!(open(&other, "exchanged/a", 1000).is_none());
        assert!(open(&entry, "exchanged/a", 1580).is_none(), "it ends soon");
        let at_the_end = [1569, 1570].map(|now| open(&entry, "exchanged/a", now).is_some());
        assert_eq!(at_the_end, [true, false]);
        assert!(TokenForUpstream::open(&entry, "exchanged/a", "garbage", at(1000)).is_none());
    }
}
