//! A lease in a Durable Object: one object for each session, single-threaded, with a memory of its own. Strict:
//! one refresh at a time, and whoever comes with older tokens gets the newest.
//!
//! [`serve`] is what such an object does, without its runtime; `Object` is how a request asks it.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use super::{HELD, Lease, Name, SIGNED_OUT, Taken, Theirs, in_time, retained, session_key};
use crate::platform::{Platform, StoreError};
use crate::session::policy::Sealing;
use crate::session::successor::Successor;
use vestibule_oidc::json;
use vestibule_oidc::time::Timestamp;

/// When a successor is first looked for after somebody else took the lease.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// When a call that failed is made again.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// What an object remembers.
#[derive(Default)]
struct Record {
    newest: Option<Newest>,
    held: Option<Held>,
    /// Milliseconds.
    signed_out_until: Option<u64>,
}

struct Newest {
    generation: u64,
    sealed: String,
    /// Milliseconds.
    until: u64,
}

struct Held {
    generation: u64,
    owner: String,
    /// Milliseconds.
    until: u64,
}

/// What an object is asked. Times are milliseconds.
enum Call {
    Take { generation: u64, owner: String, held_for: u64 },
    Look { generation: u64 },
    Leave { generation: u64, owner: String, sealed: String, kept_for: u64 },
    GiveBack { owner: String },
    SignOut { kept_for: u64 },
    IsSignedOut,
}

enum Answer {
    Yours,
    Theirs { until: u64 },
    Successor { sealed: String },
    SignedOut,
    Done,
    Nothing,
}

/// What a lease object has done.
#[derive(Debug)]
pub struct Served {
    /// What is answered.
    pub answer: String,
    /// What is to be remembered from now on, where that has changed, and until when.
    pub remember: Option<(String, Timestamp)>,
}

/// Answers `call` by what was `remembered`. An object does this for one call after the other, and remembers
/// before it answers.
pub fn serve(remembered: Option<&str>, call: &str, now: Timestamp) -> Result<Served, UnknownCall> {
    let call = object(call).as_ref().and_then(Call::parse).ok_or(UnknownCall)?;
    let mut record = remembered.and_then(object).as_ref().and_then(Record::parse).unwrap_or_default();
    let (answer, changed) = record.answer(call, now);
    Ok(Served {
        answer: text(answer.members()),
        remember: changed.then(|| (text(record.members()), record.until(now))),
    })
}

/// A call that this version of the object does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lease object does not know that call")]
pub struct UnknownCall;

fn object(text: &str) -> Option<Map<String, Value>> {
    json::object(text.as_bytes())
}

fn text(members: Map<String, Value>) -> String {
    Value::Object(members).to_string()
}

impl Call {
    fn members(&self) -> Map<String, Value> {
        match self {
            Self::Take { generation, owner, held_for } => json::of(&[
                ("call", "take".into()),
                ("generation", (*generation).into()),
                ("owner", owner.as_str().into()),
                ("held_for", (*held_for).into()),
            ]),
            Self::Look { generation } => {
                json::of(&[("call", "look".into()), ("generation", (*generation).into())])
            }
            Self::Leave { generation, owner, sealed, kept_for } => json::of(&[
                ("call", "leave".into()),
                ("generation", (*generation).into()),
                ("owner", owner.as_str().into()),
                ("sealed", sealed.as_str().into()),
                ("kept_for", (*kept_for).into()),
            ]),
            Self::GiveBack { owner } => {
                json::of(&[("call", "give_back".into()), ("owner", owner.as_str().into())])
            }
            Self::SignOut { kept_for } => {
                json::of(&[("call", "sign_out".into()), ("kept_for", (*kept_for).into())])
            }
            Self::IsSignedOut => json::of(&[("call", "is_signed_out".into())]),
        }
    }

    fn parse(members: &Map<String, Value>) -> Option<Self> {
        let number = |name| json::number(members, name);
        let string = |name| json::string(members, name);
        Some(match members.get("call")?.as_str()? {
            "take" => Self::Take {
                generation: number("generation")?,
                owner: string("owner")?,
                held_for: number("held_for")?,
            },
            "look" => Self::Look { generation: number("generation")? },
            "leave" => Self::Leave {
                generation: number("generation")?,
                owner: string("owner")?,
                sealed: string("sealed")?,
                kept_for: number("kept_for")?,
            },
            "give_back" => Self::GiveBack { owner: string("owner")? },
            "sign_out" => Self::SignOut { kept_for: number("kept_for")? },
            "is_signed_out" => Self::IsSignedOut,
            _ => return None,
        })
    }
}

impl Answer {
    fn members(&self) -> Map<String, Value> {
        let (word, until, sealed) = match self {
            Self::Yours => ("yours", None, None),
            Self::Theirs { until } => ("theirs", Some(*until), None),
            Self::Successor { sealed } => ("successor", None, Some(sealed.as_str())),
            Self::SignedOut => ("signed_out", None, None),
            Self::Done => ("done", None, None),
            Self::Nothing => ("nothing", None, None),
        };
        json::of(&[("answer", word.into()), ("until", until.into()), ("sealed", sealed.into())])
    }

    fn parse(members: &Map<String, Value>) -> Option<Self> {
        Some(match members.get("answer")?.as_str()? {
            "yours" => Self::Yours,
            "theirs" => Self::Theirs { until: json::number(members, "until")? },
            "successor" => Self::Successor { sealed: json::string(members, "sealed")? },
            "signed_out" => Self::SignedOut,
            "done" => Self::Done,
            "nothing" => Self::Nothing,
            _ => return None,
        })
    }
}

impl Record {
    fn members(&self) -> Map<String, Value> {
        let newest = self.newest.as_ref().map(|newest| {
            json::of(&[
                ("generation", newest.generation.into()),
                ("sealed", newest.sealed.as_str().into()),
                ("until", newest.until.into()),
            ])
        });
        let held = self.held.as_ref().map(|held| {
            json::of(&[
                ("generation", held.generation.into()),
                ("owner", held.owner.as_str().into()),
                ("until", held.until.into()),
            ])
        });
        json::of(&[
            ("newest", newest.into()),
            ("held", held.into()),
            ("signed_out_until", self.signed_out_until.into()),
        ])
    }

    /// `None` where any of it cannot be read: another version wrote it.
    fn parse(members: &Map<String, Value>) -> Option<Self> {
        let part = |name| members.get(name).map(|part| part.as_object().ok_or(())).transpose().ok();
        let newest = match part("newest")? {
            None => None,
            Some(newest) => Some(Newest {
                generation: json::number(newest, "generation")?,
                sealed: json::string(newest, "sealed")?,
                until: json::number(newest, "until")?,
            }),
        };
        let held = match part("held")? {
            None => None,
            Some(held) => Some(Held {
                generation: json::number(held, "generation")?,
                owner: json::string(held, "owner")?,
                until: json::number(held, "until")?,
            }),
        };
        Some(Self { newest, held, signed_out_until: json::number(members, "signed_out_until") })
    }
}

/// Until when what is `remembered` counts, where that lies ahead.
pub fn ends_after(remembered: &str, now: Timestamp) -> Option<Timestamp> {
    let record = Record::parse(&object(remembered)?)?;
    Some(record.until(now)).filter(|until| *until > now)
}

impl Record {
    /// The answer, and whether anything has changed.
    fn answer(&mut self, call: Call, now: Timestamp) -> (Answer, bool) {
        let after = |millis: u64| now.plus(Duration::from_millis(millis)).millis();
        let passed = |until: u64| until <= now.millis();
        if self.newest.as_ref().is_some_and(|newest| passed(newest.until)) {
            self.newest = None;
        }
        let is_signed_out = self.signed_out_until.is_some_and(|until| !passed(until));
        match call {
            Call::SignOut { kept_for } => {
                *self = Self { signed_out_until: Some(after(kept_for)), ..Self::default() };
                (Answer::Done, true)
            }
            Call::IsSignedOut if is_signed_out => (Answer::SignedOut, false),
            Call::IsSignedOut => (Answer::Nothing, false),
            Call::Take { .. } | Call::Look { .. } | Call::Leave { .. } if is_signed_out => {
                (Answer::SignedOut, false)
            }
            Call::Take { generation, owner, held_for } => match self.after(generation) {
                Some(sealed) => (Answer::Successor { sealed }, false),
                None => match &self.held {
                    Some(held)
                        if !passed(held.until) && held.generation >= generation && held.owner != owner =>
                    {
                        (Answer::Theirs { until: held.until }, false)
                    }
                    _ => {
                        self.held = Some(Held { generation, owner, until: after(held_for) });
                        (Answer::Yours, true)
                    }
                },
            },
            Call::Look { generation } => match self.after(generation) {
                Some(sealed) => (Answer::Successor { sealed }, false),
                None => (Answer::Nothing, false),
            },
            Call::Leave { generation, owner, sealed, kept_for } => {
                self.held = self.held.take().filter(|held| held.owner != owner);
                if self.newest.as_ref().is_none_or(|newest| newest.generation < generation) {
                    self.newest = Some(Newest { generation, sealed, until: after(kept_for) });
                }
                (Answer::Done, true)
            }
            Call::GiveBack { owner } => {
                let is_theirs = self.held.as_ref().is_some_and(|held| held.owner == owner);
                self.held = self.held.take().filter(|_| !is_theirs);
                (Answer::Done, is_theirs)
            }
        }
    }

    /// The newest tokens, where they follow those of `generation`.
    fn after(&self, generation: u64) -> Option<String> {
        let newest = self.newest.as_ref().filter(|newest| newest.generation > generation)?;
        Some(newest.sealed.clone())
    }

    /// When all of it can be forgotten.
    fn until(&self, now: Timestamp) -> Timestamp {
        let ends = [
            self.newest.as_ref().map(|newest| newest.until),
            self.held.as_ref().map(|held| held.until),
            self.signed_out_until,
        ];
        ends.into_iter().flatten().max().map_or(now, Timestamp::from_millis)
    }
}

pub(crate) struct Object<'a, P: Platform> {
    pub(super) sealing: Sealing<'a>,
    pub(super) platform: &'a P,
}

impl<P: Platform> Lease for Object<'_, P> {
    async fn take(&self, name: &Name, owner: &str) -> Result<Taken, StoreError> {
        let held_for = millis(HELD);
        let call = Call::Take { generation: name.generation, owner: owner.to_owned(), held_for };
        match self.call(&name.sid, &call).await? {
            Answer::Yours => Ok(Taken::Yours),
            Answer::Theirs { until } => {
                let look_at = Some(self.platform.now().plus(FIRST_LOOK));
                Ok(Taken::Theirs(Theirs { until: Timestamp::from_millis(until), look_at }))
            }
            // What cannot be opened was sealed with a secret that is gone: then the provider's word counts.
            Answer::Successor { sealed } => {
                Ok(self.open(&sealed, name).map_or(Taken::Yours, Taken::Successor))
            }
            Answer::SignedOut => Ok(Taken::SignedOut),
            Answer::Done | Answer::Nothing => Err(unexpected("take")),
        }
    }

    async fn look(&self, name: &Name) -> Result<Option<Rc<Successor>>, StoreError> {
        match self.call(&name.sid, &Call::Look { generation: name.generation }).await? {
            Answer::Successor { sealed } => Ok(self.open(&sealed, name)),
            _ => Ok(None),
        }
    }

    async fn look_again(&self, name: &Name) -> Result<Option<Rc<Successor>>, StoreError> {
        self.look(name).await
    }

    async fn leave(&self, name: &Name, owner: &str, successor: &Successor) -> Result<(), StoreError> {
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = successor.seal(name, self.sealing, self.platform.now(), random);
        let kept_for = millis(retained(self.sealing));
        let (generation, owner) = (successor.generation, owner.to_owned());
        self.call(&name.sid, &Call::Leave { generation, owner, sealed, kept_for }).await.map(drop)
    }

    async fn give_back(&self, name: &Name, owner: &str) -> Result<(), StoreError> {
        self.call(&name.sid, &Call::GiveBack { owner: owner.to_owned() }).await.map(drop)
    }

    async fn sign_out(&self, sid: &str) -> Result<(), StoreError> {
        self.call(sid, &Call::SignOut { kept_for: millis(SIGNED_OUT) }).await.map(drop)
    }

    async fn is_signed_out(&self, sid: &str) -> Result<bool, StoreError> {
        Ok(matches!(self.call(sid, &Call::IsSignedOut).await?, Answer::SignedOut))
    }

    fn is_certain(&self) -> bool {
        true
    }
}

impl<P: Platform> Object<'_, P> {
    async fn call(&self, sid: &str, call: &Call) -> Result<Answer, StoreError> {
        let call = text(call.members());
        let answer = in_time(self.platform, self.ask(&session_key(sid), &call)).await?;
        object(&answer).as_ref().and_then(Answer::parse).ok_or_else(|| unexpected("what it was asked"))
    }

    /// Every call may come twice: it does no more than the first time. So one whose answer is lost, as when the
    /// object moves or is overloaded, is made again.
    async fn ask(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let mut pauses = ASK_AGAIN.into_iter();
        loop {
            let answered = self.platform.call_lease_object(name, call).await;
            match (&answered, pauses.next()) {
                (Err(StoreError::Failed(_)), Some(pause)) => self.platform.sleep(pause).await,
                _ => return answered,
            }
        }
    }

    fn open(&self, sealed: &str, name: &Name) -> Option<Rc<Successor>> {
        Successor::open(sealed, name, self.sealing.keys, self.platform.now())
    }
}

fn unexpected(call: &str) -> StoreError {
    StoreError::Failed(format!("the lease object gave no usable answer to {call}"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
