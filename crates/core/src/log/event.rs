//! What the table says of an event.

use serde::Serialize;

use super::AuditKind;

/// What is the same for all log lines of an event.
#[derive(Debug)]
pub struct Entry {
    /// The value of the line's field `event`, in `snake_case`.
    pub name: &'static str,
    /// Where the event belongs in the documentation.
    pub group: Group,
    /// Whose error it is where a line does not say otherwise.
    pub usual_case: Case,
    /// Whose error it can be, too.
    pub other_cases: &'static [Case],
    /// The fields that a line can have in addition to those that every line has.
    pub fields: &'static [Field],
    /// What it is to the audit log; `None` if that has no line of it.
    pub audit: Option<AuditKind>,
    /// Whether it is in the audit log only.
    pub is_audit_only: bool,
    /// What happened, in sentences.
    pub meaning: &'static str,
    /// What the operator should do, in sentences.
    pub action: &'static str,
}

/// Whose error an event is, and how much it matters then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Whose error it is.
    pub error_source: ErrorSource,
    /// How much it matters.
    pub level: Level,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A client sent something wrong, or something expected happened; no action is needed.
    Info,
    /// Something outside failed; it may need a look.
    Warn,
    /// It does not work until the operator acts.
    Error,
}

/// Whose error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorSource {
    /// The browser, or another client, or a page that made it send the request.
    Client,
    /// The identity provider or the API that signs users in, or the network on the way to it.
    Provider,
    /// The configuration.
    Configuration,
    /// What Vestibule runs on: the runtime, its stores and locks, and the servers that it forwards requests to.
    Platform,
}

/// A field of a log line that not every line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The provider's id in the configuration.
    Provider,
    /// The error code that the client gets.
    Code,
    /// `rule` and `reason`: which rule of the configuration refused, and how.
    Rule,
    /// `host`, `path` and `request_id`: which request it happened in; `trace`: of which trace it is; `time`: when; `subject`: whose it is, where that is known.
    Request,
}

/// Where an event belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Before any request is answered.
    Configuration,
    /// Auth routes.
    SignIn,
    /// Requests to the application.
    Guard,
    /// Session cookies.
    Session,
    /// The refresh of access tokens.
    Refresh,
    /// What providers publish.
    Provider,
}

impl Entry {
    /// Whose error it can be, the usual case first.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        std::iter::once(self.usual_case).chain(self.other_cases.iter().copied())
    }
}

impl Level {
    /// Its name, as a log line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl ErrorSource {
    /// Its name, as a log line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Provider => "provider",
            Self::Configuration => "configuration",
            Self::Platform => "platform",
        }
    }
}
